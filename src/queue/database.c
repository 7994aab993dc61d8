#include "queue/database.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/num.h"
#include "queue/database_memory.h"
#include "queue/database_private.h"
#include "queue/key.h"
#include "seal/sealed_schema.h"
#include "seal/vfs.h"
#include "store/blob_file.h"
#include "store/io.h"

enum { SCHEMA_VERSION = 2, IDS_AT_ONCE = 1000 };

/*
 * A recipient's `state` is enum recipient_state, and only what waits, is under way or is held
 * stands in the indexes by destination. `due_at` of a destination is when the first of its waiting
 * recipients may be tried, NULL where none waits. `look_at` of a message is when its age has to be
 * looked at: for a notice of delay, its end, or what DELIVERBY asks.
 */
static const char schema_1[] =
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
    " told INTEGER NOT NULL,"
    " size INTEGER NOT NULL,"
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
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL UNIQUE,"
    " due_at INTEGER,"
    " blocked_until INTEGER NOT NULL,"
    " failures INTEGER NOT NULL,"
    " reason TEXT NOT NULL) STRICT;"
    "CREATE INDEX destination_due ON destination(due_at) WHERE due_at IS NOT NULL;"
    "CREATE TABLE recipient("
    " id INTEGER PRIMARY KEY,"
    " message INTEGER NOT NULL REFERENCES message(id) ON DELETE CASCADE,"
    " destination INTEGER NOT NULL,"
    " address TEXT NOT NULL,"
    " original TEXT NOT NULL,"
    " via TEXT NOT NULL,"
    " sender TEXT NOT NULL,"
    " hops INTEGER NOT NULL,"
    " notify INTEGER NOT NULL,"
    " state INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL,"
    " tried_at INTEGER NOT NULL,"
    " next_at INTEGER NOT NULL,"
    " code INTEGER NOT NULL,"
    " status TEXT NOT NULL,"
    " mta TEXT NOT NULL,"
    " text TEXT NOT NULL) STRICT;"
    "CREATE INDEX recipient_of_message ON recipient(message);"
    "CREATE INDEX recipient_open ON recipient(destination, state, next_at) WHERE state < 3;"
    "CREATE INDEX recipient_open_message ON recipient(destination, message) WHERE state < 3;"
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

/* What is under way from the moment it came: see database_fresh.c. */
static const char schema_2[] =
    "ALTER TABLE recipient ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE fresh("
    " id INTEGER PRIMARY KEY,"
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
    " told INTEGER NOT NULL,"
    " size INTEGER NOT NULL,"
    " destination TEXT NOT NULL,"
    " recipients BLOB NOT NULL,"
    " bytes BLOB NOT NULL) STRICT;"
    "PRAGMA user_version=2;";

/* From each version to the next. */
static const char *const steps[SCHEMA_VERSION] = {schema_1, schema_2};

/* --- statements --- */

void queue_db_bind(sqlite3_stmt *s, int place, struct str text)
{
	sqlite3_bind_text(s, place, text.p ? text.p : "", (int)text.len, SQLITE_STATIC);
}

void queue_db_bind_u64(sqlite3_stmt *s, int place, uint64_t value)
{
	sqlite3_bind_int64(s, place, (sqlite3_int64)value);
}

uint64_t queue_db_u64(sqlite3_stmt *s, int column)
{
	return (uint64_t)sqlite3_column_int64(s, column);
}

bool queue_db_text(sqlite3_stmt *s, int column, struct arena *a, struct str *ret_text)
{
	const char *text = (const char *)sqlite3_column_text(s, column);
	return arena_dup(a, str_of(text, (size_t)sqlite3_column_bytes(s, column)), ret_text);
}

int queue_db_step(sqlite3_stmt *s)
{
	int code = sqlite3_step(s);
	return code == SQLITE_ROW ? 1 : sealed_db_result(code);
}

void queue_db_end(sqlite3_stmt *s)
{
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
}

int queue_db_run(sqlite3_stmt *s)
{
	int result = queue_db_step(s);
	queue_db_end(s);
	return result > 0 ? 0 : result;
}

int queue_db_number(sqlite3_stmt *s, uint64_t *ret_value)
{
	int result = queue_db_step(s);
	if (result > 0)
		*ret_value = queue_db_u64(s, 0);
	queue_db_end(s);
	return result < 0 ? result : result > 0 ? 0 : -ENOENT;
}

int queue_db_ids(sqlite3_stmt *s, uint64_t *ret_ids, size_t max, size_t *ret_n)
{
	size_t n = 0;
	int result = 0;
	while (n < max && (result = queue_db_step(s)) > 0)
		ret_ids[n++] = queue_db_u64(s, 0);
	queue_db_end(s);
	*ret_n = n;
	return result < 0 ? result : 0;
}

/* --- transactions --- */

/* Without the sync a commit is in the log, and durable with the next one that is synced. */
static int set_durable(struct queue_db *db, bool durable)
{
	if (db->is_durable == durable)
		return 0;
	int code = sqlite3_exec(db->handle,
	    durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		db->is_durable = durable;
	return sealed_db_result(code);
}

int queue_db_begin(struct queue_db *db, bool durable)
{
	int error = set_durable(db, durable);
	db->n_added = db->n_removed = 0;
	db->ids_before = db->ids_end;
	return error ? error : queue_db_run(db->statements[BEGIN]);
}

static void remove_files(struct queue_db *db, const struct body *bodies, size_t n)
{
	for (size_t i = 0; i < n; i++)
		blob_file_remove(db->folder_fd, &bodies[i]);
}

void queue_db_rollback(struct queue_db *db)
{
	if (!sqlite3_get_autocommit(db->handle)) {
		int result = queue_db_run(db->statements[ROLLBACK]);
		(void)result; /* the next BEGIN says what is wrong */
	}
	remove_files(db, db->added, db->n_added);
	db->n_added = db->n_removed = 0;
	db->ids_end = db->ids_before;
	queue_db_forget_counts(db);
}

int queue_db_commit(struct queue_db *db)
{
	int error = queue_db_run(db->statements[COMMIT]);
	if (error) {
		queue_db_rollback(db);
		return error;
	}
	remove_files(db, db->removed, db->n_removed);
	db->n_added = db->n_removed = 0;
	return 0;
}

/* --- opening --- */

/* --- numbers of messages: none is given twice, though rows may go without a trace --- */

static int write_ids_end(struct queue_db *db, uint64_t end)
{
	uint8_t bytes[sizeof(end)];
	num_put64(bytes, end);
	sqlite3_stmt *s = db->statements[SETTING_SET];
	queue_db_bind(s, 1, STR("next message"));
	sqlite3_bind_blob(s, 2, bytes, sizeof(bytes), SQLITE_STATIC);
	return queue_db_run(s);
}

int queue_db_take_id(struct queue_db *db, uint64_t *ret_id)
{
	if (db->next_id >= db->ids_end) {
		int error = write_ids_end(db, db->next_id + IDS_AT_ONCE);
		if (error)
			return error;
		db->ids_end = db->next_id + IDS_AT_ONCE;
	}
	*ret_id = db->next_id++;
	return 0;
}

/* Behind all that were given, or may have been; of an older version, behind the last one. */
static int read_ids_end(struct queue_db *db)
{
	sqlite3_stmt *s = db->statements[SETTING_GET];
	queue_db_bind(s, 1, STR("next message"));
	int result = queue_db_step(s);
	if (result > 0 && sqlite3_column_bytes(s, 0) == sizeof(uint64_t))
		db->next_id = num_get64(sqlite3_column_blob(s, 0));
	queue_db_end(s);
	uint64_t last = 0;
	if (result >= 0)
		result = queue_db_number(db->statements[MESSAGE_LAST], &last);
	if (result < 0 && result != -ENOENT)
		return result;
	db->next_id = num_max(num_max(db->next_id, last + 1), 1);
	db->ids_end = db->next_id;
	return 0;
}

/* What was under way waits again: whether it arrived nobody knows. */
static int wake_some(struct queue_db *db, size_t *ret_n)
{
	enum { AT_ONCE = 256 };
	uint64_t ids[AT_ONCE];
	sqlite3_stmt *s = db->statements[DESTINATIONS_ACTIVE];
	queue_db_bind_u64(s, 1, AT_ONCE);
	int error = queue_db_ids(s, ids, AT_ONCE, ret_n);
	for (size_t i = 0; !error && i < *ret_n; i++) {
		s = db->statements[RECIPIENTS_WAKE];
		queue_db_bind_u64(s, 1, ids[i]);
		error = queue_db_run(s);
		if (!error)
			error = queue_db_settle(db, ids[i]);
	}
	return error;
}

static int wake_up(struct queue_db *db)
{
	size_t n = 1;
	int error = queue_db_begin(db, true);
	while (!error && n > 0)
		error = wake_some(db, &n);
	if (!error)
		error = queue_db_file_all(db);
	if (error) {
		queue_db_rollback(db);
		return error;
	}
	return queue_db_commit(db);
}

static bool is_file_name(const char *name)
{
	size_t len = strspn(name, "0123456789abcdef");
	return (len == BLOB_NAME_LEN && name[len] == '\0') || strncmp(name, ".new-", 5) == 0;
}

/* 1: a message names it. */
static int is_named(struct queue_db *db, const char *name)
{
	struct buf id CLEANUP(buf_done) = BUF_MAX(BODY_BLOB_ID_LEN);
	if (!hex_decode(str_of_cstr(name), &id))
		return 0;
	sqlite3_stmt *s = db->statements[FILE_FIND];
	sqlite3_bind_blob(s, 1, id.p, (int)id.len, SQLITE_STATIC);
	int result = queue_db_step(s);
	queue_db_end(s);
	return result;
}

/* Removes what a crash left: files whose message was not kept, or went. */
static int sweep(struct queue_db *db)
{
	int again CLEANUP(fd_close) =
	    openat(db->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	int error = 0;
	if (!dir)
		return -errno;
	(void)fd_take(&again); /* closedir closes it */
	for (struct dirent *e = readdir(dir); e && !error; e = readdir(dir)) {
		if (!is_file_name(e->d_name))
			continue;
		int named = is_named(db, e->d_name);
		if (named == 0)
			error = io_unlink(db->folder_fd, e->d_name, false);
		else if (named < 0)
			error = named;
	}
	closedir(dir);
	return error;
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
	db->is_durable = true;
	db->folder_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (db->folder_fd < 0) {
		error = -errno;
		free(db);
		return error;
	}
	seal_vfs_init();
	error = sealed_db_open(QUEUE_DATABASE_FILE, key, SEALED_DB_CREATE, &db->handle);
	if (!error)
		error = sealed_db_take_alone(db->handle);
	if (!error)
		error = sealed_db_upgrade(db->handle, steps, SCHEMA_VERSION);
	if (!error)
		error = sealed_db_prepare(db->handle, queue_db_texts, N_STATEMENTS, db->statements);
	if (!error)
		error = read_ids_end(db);
	if (!error)
		error = wake_up(db);
	if (!error)
		error = sweep(db);
	if (error) {
		queue_db_close(db);
		return error;
	}
	db->is_open = true;
	*ret_db = db;
	return 0;
}

/* At an orderly end. Nothing depends on it but that numbers follow each other, and limits hold. */
static void write_last_things(struct queue_db *db)
{
	if (queue_db_begin(db, true))
		return;
	int error = queue_db_flush_rates(db);
	if (!error && db->next_id < db->ids_end)
		error = write_ids_end(db, db->next_id);
	if (error || queue_db_commit(db))
		queue_db_rollback(db);
}

void queue_db_close(struct queue_db *db)
{
	if (!db)
		return;
	if (db->is_open)
		write_last_things(db);
	queue_db_forget_accounts(db);
	for (size_t i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close_v2(db->handle);
	fd_close(&db->folder_fd);
	free(db);
}
