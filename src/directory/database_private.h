/* directory/database_private.h: the statements of the database, for the files that use them. */
#ifndef DIRECTORY_DATABASE_PRIVATE_H
#define DIRECTORY_DATABASE_PRIVATE_H

#include <sqlite3.h>

#include "directory/database.h"

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	SETTING_GET,
	SETTING_PUT,
	DOMAIN_ADD,
	DOMAIN_REMOVE,
	DOMAIN_FIND,
	DOMAIN_LIST,
	DOMAIN_IN_USE,
	NAME_IN_USE,
	ACCOUNT_FIND,
	ACCOUNT_FIRST,
	ACCOUNT_ADD,
	ACCOUNT_STATE,
	ACCOUNT_NAME,
	ACCOUNT_ERASE,
	ACCOUNT_UNFINISHED,
	ACCOUNT_LIST,
	SLOT_GET,
	SLOT_PUT,
	SLOTS_FORGET,
	ALIAS_FIND,
	ALIAS_ADD,
	ALIAS_REMOVE,
	ALIAS_TARGET_ADD,
	ALIAS_TARGETS,
	ALIAS_OF,
	ALIAS_LIST,
	DKIM_ADD,
	DKIM_OF,
	DKIM_AFTER,
	DKIM_COUNT,
	DKIM_COUNT_NEW,
	DKIM_COUNT_OLD,
	DKIM_MISSING,
	DKIM_AGE,
	DKIM_PROMOTE,
	DKIM_RETIRE,
	GRANT_GET,
	GRANT_PUT,
	GRANT_REMOVE,
	GRANTS_FORGET,
	GRANTS_FORGET_OF,
	GRANTS_COUNT,
	GRANTS_TO,
	N_STATEMENTS
};

struct database {
	sqlite3 *handle;
	struct secret *srs;
	sqlite3_stmt *statements[N_STATEMENTS];
};

/* A statement ready for binding; `database_end` resets it, wiping what was bound. */
sqlite3_stmt *database_begin(struct database *db, enum statement which);
void database_end(sqlite3_stmt **statement);

/* Binds text as it is kept: valid until database_end. */
void database_bind(sqlite3_stmt *s, int place, struct str text);
void database_bind_name(sqlite3_stmt *s, int place, const struct name *name);
void database_bind_u64(sqlite3_stmt *s, int place, uint64_t value);

/* A text column, copied to the arena; false at its ceiling. */
MUST_USE bool database_text(sqlite3_stmt *s, int column, struct arena *a, struct str *ret_text);

/* Steps once: 1 there is a row, 0 done, or -errno. */
MUST_USE int database_step(sqlite3_stmt *s);
/* Steps a statement without rows to its end, and resets it: 0 or -errno. */
MUST_USE int database_run(sqlite3_stmt *s);

/* Runs BEGIN IMMEDIATE; database_finish commits when `error` is 0 and rolls back when not. */
MUST_USE int database_transaction(struct database *db);
MUST_USE int database_finish(struct database *db, int error);

/* Within a transaction: nobody may send as this name any more; this account as nobody's. */
MUST_USE int database_grants_forget(struct database *db, const struct name *name);
MUST_USE int database_grants_forget_of(struct database *db, uint64_t account);

#endif
