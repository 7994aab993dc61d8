/*
 * store/db.h: the mailbox database for the other files of the store: statements, transactions, the
 * account's state row. Private to src/store.
 *
 * Statements are prepared once per store and named by `enum db_statement`; their text stands in
 * db_statements.c. SQLite's results become -errno here and nowhere else: -EBADMSG for everything
 * that means "these are not the bytes that were written" (then `damaged` is set).
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <sqlite3.h>

#include "store/store.h"

enum db_statement {
	DB_BEGIN,
	DB_BEGIN_READ,
	DB_COMMIT,
	DB_ROLLBACK,
	DB_STATE_GET,
	DB_STATE_PUT,
	DB_KEYWORDS,
	DB_KEYWORD_ADD,
	DB_MAILBOX_LIST,
	DB_MAILBOX_BY_NAME,
	DB_MAILBOX_BY_ID,
	DB_MAILBOX_BY_USE,
	DB_MAILBOX_COUNT,
	DB_MAILBOX_ADD,
	DB_MAILBOX_PUT,
	DB_MAILBOX_RENAME,
	DB_MAILBOX_REMOVE,
	DB_MAILBOX_RECENT,
	DB_MAILBOX_RECENT_BELOW,
	DB_SUBSCRIBE,
	DB_UNSUBSCRIBE,
	DB_SUBSCRIPTIONS_COUNT,
	DB_SUBSCRIPTIONS_ALONE,
	DB_MESSAGE_ADD,
	DB_MESSAGE_BODY,
	DB_MESSAGE_REMOVE,
	DB_MESSAGES_LAST,
	DB_LINE_ENDS_PUT,
	DB_LINE_ENDS,
	DB_ENVELOPE_ADD,
	DB_ENVELOPE_REMOVE,
	DB_ORDER_ADD,
	DB_ORDER_REMOVE,
	DB_ORDERS_DUE,
	DB_ORDERS_DUE_MOVE,
	DB_ORDERS_DUE_NONE,
	DB_ORDERS_UNFILLED,
	DB_ORDER_ENTRIES_SCAN,
	DB_OBJECT_ADD,
	DB_OBJECT_GET,
	DB_OBJECT_BY_EMAIL,
	DB_OBJECT_BY_THREAD,
	DB_THREAD_GET,
	DB_THREAD_ADD,
	DB_THREAD_PUT,
	DB_THREADS_NEXT,
	DB_THREADS_TRIM,
	DB_OBJECT_THREAD,
	DB_OBJECT_ADD_WHOLE,
	DB_PREVIEW_GET,
	DB_ANNOTATION_PUT,
	DB_ANNOTATION_FORGET,
	DB_ANNOTATION_TRIM,
	DB_ANNOTATION_COUNT,
	DB_ANNOTATION_USAGE,
	DB_ANNOTATIONS,
	DB_ANNOTATIONS_CHANGED,
	DB_DELETED_SIZE,
	DB_USAGE,
	DB_ENTRY_ADD,
	DB_ENTRY_GET,
	DB_ENTRIES_FLAGS,
	DB_ENTRY_REMOVE,
	DB_ENTRY_DELETED,
	DB_ENTRY_OF_MAILBOX,
	DB_ENTRY_OF_MESSAGE,
	DB_ENTRIES_OF_MESSAGE,
	DB_ENTRIES,
	DB_ENTRIES_CHANGED,
	DB_ENTRIES_FROM,
	DB_ENTRIES_FROM_COUNT,
	DB_ENTRIES_PART,
	DB_ENTRIES_RENUMBER,
	DB_LIST_GET,
	DB_LIST_BEHIND,
	DB_LIST_PUT,
	DB_RANKED,
	DB_RANKED_PUT,
	DB_RANKS_SCAN,
	DB_RANKS_ADD,
	DB_RANKS_CLEAR,
	DB_EXPUNGED_ADD,
	DB_EXPUNGED_PART,
	DB_EXPUNGED_SINCE,
	DB_EXPUNGED_FORGET,
	DB_EXPUNGED_CUT,
	DB_EXPUNGED_FULL,
	DB_EXPUNGED_TRIM,
	DB_RIGHTS_LIST,
	DB_RIGHTS_GET,
	DB_RIGHTS_COUNT,
	DB_RIGHTS_COUNT_ALL,
	DB_RIGHTS_PUT,
	DB_RIGHTS_FORGET,
	DB_RIGHTS_FORGET_ALL,
	DB_RIGHTS_INHERIT,
	DB_CHANGES_ADD,
	DB_CHANGES_SINCE,
	DB_CHANGES_CUT,
	DB_CHANGES_FULL,
	DB_CHANGES_TRIM,
	DB_DEAD_ADD,
	DB_DEAD_LIST,
	DB_DEAD_REMOVE,
	DB_BLOB_KNOWN,
	DB_PLACEMENTS,
	DB_ENTRIES_CLEAR,
	DB_MAILBOXES_CLEAR,
	DB_N_STATEMENTS
};

extern const char *const db_statements[DB_N_STATEMENTS];

/* The one row of the table `state`; loaded by db_begin, saved by db_end. */
struct db_state {
	uint64_t offset;         /* with `segment`: how far the letterbox is taken in */
	uint64_t rebuild_offset; /* what stood before this place when the database was made is taken
	                            in by its mailboxes' names, not their numbers */
	uint64_t next_modseq;
	uint64_t next_mailbox;
	uint64_t keyword_generation; /* changes with every new keyword */
	uint64_t swept_at;           /* when blobs without message were last looked for */
	uint64_t witness;     /* the checksum that ends the record before `offset`; 0: not known */
	uint64_t checked_at;  /* when every byte was last looked at, or some of them were */
	uint64_t check_place; /* where that goes on; 0: it was finished */
	uint64_t skipped; /* 1: something in the letterbox could not be read and was passed over */
	uint32_t segment;
	uint32_t rebuild_segment;
	uint32_t next_message;
	uint32_t next_uidvalidity;
};

struct db {
	sqlite3 *handle;
	sqlite3_stmt *statements[DB_N_STATEMENTS];
	struct db_state state;  /* valid within a transaction */
	struct db_state loaded; /* as it stands in the table */
	bool in_transaction;
	bool held; /* a snapshot is open that those of db_begin_read are part of */
	bool damaged;
};

/* Finalises the statements and closes the handle. */
void db_done(struct db *db);
/* Frees the prepared statements, none of which is in use; db_get makes them again. */
void db_forget_statements(struct db *db);

/* The -errno of a SQLite result, with `damaged` noted. */
int db_error(struct db *db, int result);

/* A statement without bindings, ready for its first step. */
MUST_USE int db_get(struct db *db, enum db_statement which, sqlite3_stmt **ret_stmt);
/* 1: a row; 0: done (and reset); -errno (and reset). */
MUST_USE int db_step(struct db *db, sqlite3_stmt *stmt);
/* Steps to the end and resets: 0 or -errno. */
MUST_USE int db_finish(struct db *db, sqlite3_stmt *stmt);

/* Binds integers from parameter 1 on. */
void db_bind_ints(sqlite3_stmt *stmt, const int64_t *values, size_t n);
#define db_bind(stmt, ...)                                                                         \
	db_bind_ints((stmt), (const int64_t[]){__VA_ARGS__},                                       \
	    sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
/* Borrowed until the statement is reset; never NULL in the database. */
void db_bind_str(sqlite3_stmt *stmt, int index, struct str text);
void db_bind_blob(sqlite3_stmt *stmt, int index, struct str bytes);

/* The number in the first column of the first row, 0 where there is none; integers alone are bound.
 */
MUST_USE int db_number_ints(
    struct db *db, enum db_statement which, const int64_t *values, size_t n, uint64_t *ret_number);
#define db_number(db, which, ret_number, ...)                                                      \
	db_number_ints((db), (which), (const int64_t[]){__VA_ARGS__},                              \
	    sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (ret_number))

/* Runs a statement that has only integers and no rows. */
MUST_USE int db_run_ints(struct db *db, enum db_statement which, const int64_t *values, size_t n);
#define db_run(db, which, ...)                                                                     \
	db_run_ints((db), (which), (const int64_t[]){__VA_ARGS__},                                 \
	    sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

uint64_t db_column_u64(sqlite3_stmt *stmt, int column);
uint32_t db_column_u32(sqlite3_stmt *stmt, int column);
/* Text or blob, borrowed until the next step. */
struct str db_column_str(sqlite3_stmt *stmt, int column);

/* Takes the write lock and loads the state. */
MUST_USE int db_begin(struct db *db);
/* With `error` 0 saves the state and commits, else rolls back: the error, or that of committing. */
MUST_USE int db_end(struct db *db, int error);
/* A snapshot for reading, with the state; ended by db_end_read. */
MUST_USE int db_begin_read(struct db *db);
void db_end_read(struct db *db);

/*
 * Until db_let_go all that is read stands in one snapshot, which saves the locks of many small
 * ones. For short times only: what others free meanwhile cannot be given back. A transaction that
 * writes lets go first. Without success each read has its own, as ever.
 */
void db_hold(struct db *db);
/* Does nothing within a transaction, and where nothing is held. */
void db_let_go(struct db *db);

#endif
