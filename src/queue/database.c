#include "queue/database.h"

#include <errno.h>
#include <stdlib.h>

#include "queue/database_private.h"
#include "queue/key.h"
#include "seal/vfs.h"

enum { SCHEMA_VERSION = 1 };

/*
 * A recipient's `state` is enum recipient_state, and only what waits, is under way or is held
 * stands in the indexes by destination. `due_at` of a destination is when the first of its waiting
 * recipients may be tried, NULL where none waits. `look_at` of a message is when its age has to be
 * looked at: for a notice of delay, its end, or what DELIVERBY asks.
 */
static const char schema[] =
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;"
    "CREATE TABLE message("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account INTEGER NOT NULL,"
    " origin INTEGER NOT NULL,"
    " connection INTEGER NOT NULL,"
    " peer TEXT NOT NULL,"
    " user TEXT NOT NULL,"
    " reverse_path TEXT NOT NULL,"
    " envelope_id TEXT NOT NULL,"
    " ret INTEGER NOT NULL,"
    " body INTEGER NOT NULL,"
    " smtputf8 INTEGER NOT NULL,"
    " require_tls INTEGER NOT NULL,"
    " tls_optional INTEGER NOT NULL,"
    " by_mode INTEGER NOT NULL,"
    " by_trace INTEGER NOT NULL,"
    " deliver_by INTEGER NOT NULL,"
    " received_at INTEGER NOT NULL,"
    " hold_until INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL,"
    " look_at INTEGER NOT NULL,"
    " size INTEGER NOT NULL,"
    " header_len INTEGER NOT NULL,"
    " file BLOB) STRICT;"
    "CREATE INDEX message_of_account ON message(account);"
    "CREATE INDEX message_to_look_at ON message(look_at);"
    "CREATE TABLE content(message INTEGER PRIMARY KEY"
    "  REFERENCES message(id) ON DELETE CASCADE,"
    " bytes BLOB NOT NULL) STRICT;"
    "CREATE TABLE file(id BLOB PRIMARY KEY,"
    " message INTEGER NOT NULL REFERENCES message(id) ON DELETE CASCADE) WITHOUT ROWID, STRICT;"
    "CREATE INDEX file_of_message ON file(message);"
    "CREATE TABLE destination("
    " id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " due_at INTEGER,"
    " blocked_until INTEGER NOT NULL,"
    " failures INTEGER NOT NULL,"
    " reason TEXT NOT NULL) STRICT;"
    "CREATE INDEX destination_due ON destination(due_at) WHERE due_at IS NOT NULL;"
    "CREATE TABLE recipient("
    " id INTEGER PRIMARY KEY,"
    " message INTEGER NOT NULL REFERENCES message(id) ON DELETE CASCADE,"
    " destination INTEGER NOT NULL REFERENCES destination(id),"
    " address TEXT NOT NULL,"
    " original TEXT NOT NULL,"
    " via TEXT NOT NULL,"
    " hops INTEGER NOT NULL,"
    " notify INTEGER NOT NULL,"
    " state INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL,"
    " tried_at INTEGER NOT NULL,"
    " next_at INTEGER NOT NULL,"
    " delay_told INTEGER NOT NULL,"
    " code INTEGER NOT NULL,"
    " status TEXT NOT NULL,"
    " mta TEXT NOT NULL,"
    " text TEXT NOT NULL) STRICT;"
    "CREATE INDEX recipient_of_message ON recipient(message);"
    "CREATE INDEX recipient_open ON recipient(destination, state, next_at) WHERE state < 3;"
    "CREATE INDEX recipient_active ON recipient(id) WHERE state = 1;"
    "CREATE TABLE rate("
    " account INTEGER NOT NULL,"
    " hour INTEGER NOT NULL,"
    " messages INTEGER NOT NULL,"
    " recipients INTEGER NOT NULL,"
    " PRIMARY KEY(account, hour)) WITHOUT ROWID, STRICT;"
    "CREATE INDEX rate_by_hour ON rate(hour);"
    "CREATE TABLE policy("
    " domain TEXT PRIMARY KEY,"
    " txt TEXT NOT NULL,"
    " mode INTEGER NOT NULL,"
    " mx TEXT NOT NULL,"
    " fetched_at INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL) WITHOUT ROWID, STRICT;"
    "CREATE TABLE tls_result("
    " day INTEGER NOT NULL,"
    " domain TEXT NOT NULL,"
    " policy INTEGER NOT NULL,"
    " policy_strings TEXT NOT NULL,"
    " mx TEXT NOT NULL,"
    " result INTEGER NOT NULL,"
    " receiving TEXT NOT NULL,"
    " sending TEXT NOT NULL,"
    " detail TEXT NOT NULL,"
    " sessions INTEGER NOT NULL,"
    " PRIMARY KEY(day, domain, policy, policy_strings, mx, result, receiving, sending, detail)"
    " ) WITHOUT ROWID, STRICT;"
    "PRAGMA user_version=1;";

static const char *const texts[N_STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
};

static int error_of(int code)
{
	if (code == SQLITE_IOERR_DATA) /* a page that does not open */
		return -EBADMSG;
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EAGAIN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int schema_version(struct queue_db *db, int *ret_version)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1, &s, NULL);
	if (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
		*ret_version = sqlite3_column_int(s, 0);
		code = SQLITE_OK;
	}
	sqlite3_finalize(s);
	return error_of(code);
}

static int make_schema(struct queue_db *db)
{
	int version = 0;
	int error = schema_version(db, &version);
	if (error || version == SCHEMA_VERSION)
		return error;
	if (version != 0)
		return -EPROTONOSUPPORT;
	int code = sqlite3_exec(db->handle, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db->handle, schema, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL);
	return error_of(code);
}

static int prepare_all(struct queue_db *db)
{
	for (size_t i = 0; i < N_STATEMENTS; i++) {
		int code = sqlite3_prepare_v3(
		    db->handle, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &db->statements[i], NULL);
		if (code != SQLITE_OK)
			return error_of(code);
	}
	return 0;
}

int queue_db_open(struct queue_db **ret_db)
{
	struct secret *key CLEANUP(secret_free) = NULL;
	int error = queue_key_make();
	if (!error)
		error = queue_key_read(&key);
	if (error)
		return error == -ENOENT ? -ENOKEY : error;
	struct queue_db *db = calloc(1, sizeof(*db));
	if (!db)
		abort();
	seal_vfs_init();
	error = sealed_db_open(QUEUE_DATABASE_FILE, key, SEALED_DB_CREATE, &db->handle);
	if (!error)
		error = make_schema(db);
	if (!error)
		error = prepare_all(db);
	if (error) {
		queue_db_close(db);
		return error;
	}
	*ret_db = db;
	return 0;
}

void queue_db_close(struct queue_db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close_v2(db->handle);
	free(db);
}
