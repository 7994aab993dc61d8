/* queue/database_private.h: the statements of the database, for the files that use them. */
#ifndef QUEUE_DATABASE_PRIVATE_H
#define QUEUE_DATABASE_PRIVATE_H

#include <sqlite3.h>

#include "queue/database.h"

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	SETTING_GET,
	SETTING_SET,
	MESSAGE_ADD,
	MESSAGE_LAST,
	MESSAGE_GET,
	MESSAGE_LOOK,
	MESSAGE_REMOVE,
	MESSAGES_TO_LOOK_AT,
	MESSAGES_AFTER,
	MESSAGES_OF_DOMAIN,
	MESSAGES_OF_RELAYED_DOMAIN,
	MESSAGES_OF_ACCOUNT,
	MESSAGES_OF_USER,
	MESSAGES_COUNT,
	CONTENT_ADD,
	CONTENT_GET,
	FILE_ADD,
	FILE_FIND,
	RECIPIENT_ADD,
	RECIPIENT_SET,
	RECIPIENT_MOVE,
	RECIPIENTS_OF,
	RECIPIENTS_WAKE,
	RECIPIENT_FIND,
	RECIPIENTS_OPEN,
	RECIPIENT_DUE,
	RECIPIENTS_DUE,
	DESTINATION_ADD,
	DESTINATION_FIND,
	DESTINATION_GET,
	DESTINATION_SET,
	DESTINATION_DUE,
	DESTINATION_SET_DUE,
	DESTINATION_RELAYED,
	DESTINATION_FORGET,
	DESTINATION_LAST,
	DESTINATIONS_DUE,
	DESTINATIONS_ACTIVE,
	DESTINATION_NEXT,
	FRESH_ADD,
	FRESH_GET,
	FRESH_TO_MESSAGE,
	FRESH_TO_CONTENT,
	FRESH_END,
	FRESH_FIRST,
	FRESH_COUNT,
	RATE_GET,
	RATE_SET,
	RATE_FORGET,
	POLICY_GET,
	POLICY_SET,
	TLS_ADD,
	TLS_AGAIN,
	TLS_COUNT,
	TLS_COUNT_DAY,
	TLS_NEXT,
	TLS_OF,
	TLS_FORGET,
	N_STATEMENTS
};

extern const char *const queue_db_texts[N_STATEMENTS];

/* Large messages that come or go in one transaction: more than all couriers can end at once, with
 * what is taken in and what grows too old meanwhile. A transaction with more would fail for ever.
 */
enum { QUEUE_FILES_MAX = 16384 };

/* What is kept in memory of an account that submits: see database_account.c. */
struct queue_account {
	struct queue_account *next;
	uint64_t id;
	bool is_counted; /* `waiting` is how many messages of it there are */
	uint64_t waiting;
	bool is_dirty;
	uint64_t hour; /* of what follows; 0: nothing is known */
	uint64_t messages, recipients, recipients_before;
};
enum { QUEUE_ACCOUNT_BUCKETS = 256, QUEUE_ACCOUNTS_MAX = 8192 };

struct queue_db {
	bool is_open;
	uint64_t next_id, ids_end, ids_before; /* numbers to be given up to `ids_end` */
	struct queue_account *accounts[QUEUE_ACCOUNT_BUCKETS];
	size_t n_accounts;
	uint64_t tls_day, tls_rows; /* how many kinds of results that day has, about */
	sqlite3 *handle;
	sqlite3_stmt *statements[N_STATEMENTS];
	int folder_fd;
	bool is_durable; /* whether a commit is synced, as it is set now */
	/* Files of this transaction: removed when it is rolled back; when it is committed. */
	struct body added[QUEUE_FILES_MAX], removed[QUEUE_FILES_MAX];
	size_t n_added, n_removed;
};

/* The number of the next message. */
MUST_USE int queue_db_take_id(struct queue_db *db, uint64_t *ret_id);
/* The columns of a message that both of its tables have, from place `from` on; the next place. */
int queue_db_bind_message(sqlite3_stmt *s, int from, const struct queued_message *m, uint64_t size);
/* All that is fresh becomes what waits; at the start. */
MUST_USE int queue_db_file_all(struct queue_db *db);

/* --- database_account.c --- */
/* One message more, or less, of an account. */
void queue_db_count_message(struct queue_db *db, uint64_t account, bool more);
/* What was counted may be wrong: it is counted anew when it is asked for. */
void queue_db_forget_counts(struct queue_db *db);
void queue_db_forget_accounts(struct queue_db *db);

/* Binds text, valid until queue_db_end. */
void queue_db_bind(sqlite3_stmt *s, int place, struct str text);
void queue_db_bind_u64(sqlite3_stmt *s, int place, uint64_t value);
uint64_t queue_db_u64(sqlite3_stmt *s, int column);
/* A text column, copied to the arena; false at its ceiling. */
MUST_USE bool queue_db_text(sqlite3_stmt *s, int column, struct arena *a, struct str *ret_text);

/* Steps once: 1 there is a row, 0 done, or -errno. queue_db_end makes it ready for the next use. */
MUST_USE int queue_db_step(sqlite3_stmt *s);
void queue_db_end(sqlite3_stmt *s);
/* Steps a statement without rows to its end: 0 or -errno. */
MUST_USE int queue_db_run(sqlite3_stmt *s);
/* The number in the first row; -ENOENT. */
MUST_USE int queue_db_number(sqlite3_stmt *s, uint64_t *ret_value);
/* The numbers in the first column of at most `max` rows. */
MUST_USE int queue_db_ids(sqlite3_stmt *s, uint64_t *ret_ids, size_t max, size_t *ret_n);

#endif
