#include "store/db.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void db_forget_statements(struct db *db)
{
	for (size_t i = 0; i < DB_N_STATEMENTS; i++) {
		sqlite3_finalize(db->statements[i]);
		db->statements[i] = NULL;
	}
}

void db_done(struct db *db)
{
	db_forget_statements(db);
	sqlite3_close_v2(db->handle);
	*db = (struct db){0};
}

static int io_error(struct db *db, int extended)
{
	switch (extended) {
	case SQLITE_IOERR_CORRUPTFS:
	case SQLITE_IOERR_DATA:
	case SQLITE_IOERR_AUTH:
	case SQLITE_IOERR_SHORT_READ:
		db->damaged = true;
		return -EBADMSG;
	case SQLITE_IOERR_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

int db_error(struct db *db, int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		db->damaged = true;
		return -EBADMSG;
	case SQLITE_IOERR:
		return io_error(db, sqlite3_extended_errcode(db->handle));
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EACCES;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_TOOBIG:
		return -EFBIG;
	default:
		return -EIO;
	}
}

int db_get(struct db *db, enum db_statement which, sqlite3_stmt **ret_stmt)
{
	sqlite3_stmt **stmt = &db->statements[which];
	if (!*stmt) {
		int result = sqlite3_prepare_v3(
		    db->handle, db_statements[which], -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
		assert(result != SQLITE_ERROR && result != SQLITE_MISUSE);
		if (result != SQLITE_OK)
			return db_error(db, result);
	}
	sqlite3_reset(*stmt);
	*ret_stmt = *stmt;
	return 0;
}

int db_step(struct db *db, sqlite3_stmt *stmt)
{
	int result = sqlite3_step(stmt);
	if (result == SQLITE_ROW)
		return 1;
	int error = db_error(db, result);
	sqlite3_reset(stmt);
	return error;
}

int db_finish(struct db *db, sqlite3_stmt *stmt)
{
	int more;
	do
		more = db_step(db, stmt);
	while (more > 0);
	return more;
}

void db_bind_ints(sqlite3_stmt *stmt, const int64_t *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int result = sqlite3_bind_int64(stmt, (int)i + 1, values[i]);
		assert(result == SQLITE_OK);
	}
}

void db_bind_str(sqlite3_stmt *stmt, int index, struct str text)
{
	int result = sqlite3_bind_text64(
	    stmt, index, text.p ? text.p : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
	assert(result == SQLITE_OK);
}

void db_bind_blob(sqlite3_stmt *stmt, int index, struct str bytes)
{
	int result =
	    sqlite3_bind_blob64(stmt, index, bytes.p ? bytes.p : "", bytes.len, SQLITE_STATIC);
	assert(result == SQLITE_OK);
}

int db_run_ints(struct db *db, enum db_statement which, const int64_t *values, size_t n)
{
	sqlite3_stmt *stmt;
	int error = db_get(db, which, &stmt);
	if (error)
		return error;
	db_bind_ints(stmt, values, n);
	return db_finish(db, stmt);
}

int db_number_ints(
    struct db *db, enum db_statement which, const int64_t *values, size_t n, uint64_t *ret_number)
{
	sqlite3_stmt *stmt;
	int error = db_get(db, which, &stmt);
	if (error)
		return error;
	db_bind_ints(stmt, values, n);
	int row = db_step(db, stmt);
	if (row < 0)
		return row;
	*ret_number = row > 0 ? db_column_u64(stmt, 0) : 0;
	sqlite3_reset(stmt);
	return 0;
}

uint64_t db_column_u64(sqlite3_stmt *stmt, int column)
{
	return (uint64_t)sqlite3_column_int64(stmt, column);
}

uint32_t db_column_u32(sqlite3_stmt *stmt, int column)
{
	return (uint32_t)sqlite3_column_int64(stmt, column);
}

struct str db_column_str(sqlite3_stmt *stmt, int column)
{
	const void *p = sqlite3_column_blob(stmt, column);
	return str_of(p, p ? (size_t)sqlite3_column_bytes(stmt, column) : 0);
}

static int run_simple(struct db *db, enum db_statement which)
{
	return db_run_ints(db, which, NULL, 0);
}

static int load_state(struct db *db)
{
	sqlite3_stmt *stmt;
	int error = db_get(db, DB_STATE_GET, &stmt);
	if (error)
		return error;
	int row = db_step(db, stmt);
	if (row < 0)
		return row;
	if (row == 0) {
		db->damaged = true;
		return -EBADMSG;
	}
	db->state = (struct db_state){.segment = db_column_u32(stmt, 0),
	    .offset = db_column_u64(stmt, 1),
	    .rebuild_segment = db_column_u32(stmt, 2),
	    .rebuild_offset = db_column_u64(stmt, 3),
	    .next_modseq = db_column_u64(stmt, 4),
	    .next_message = db_column_u32(stmt, 5),
	    .next_mailbox = db_column_u64(stmt, 6),
	    .next_uidvalidity = db_column_u32(stmt, 7),
	    .keyword_generation = db_column_u64(stmt, 8),
	    .swept_at = db_column_u64(stmt, 9),
	    .witness = db_column_u64(stmt, 10),
	    .skipped = db_column_u64(stmt, 11),
	    .checked_at = db_column_u64(stmt, 12),
	    .check_place = db_column_u64(stmt, 13)};
	db->loaded = db->state;
	sqlite3_reset(stmt);
	return 0;
}

static int save_state(struct db *db)
{
	const struct db_state *t = &db->state;
	static_assert(sizeof(*t) == 10 * sizeof(uint64_t) + 4 * sizeof(uint32_t), "no padding");
	if (memcmp(t, &db->loaded, sizeof(*t)) == 0)
		return 0;
	return db_run(db, DB_STATE_PUT, t->segment, (int64_t)t->offset, t->rebuild_segment,
	    (int64_t)t->rebuild_offset, (int64_t)t->next_modseq, t->next_message,
	    (int64_t)t->next_mailbox, t->next_uidvalidity, (int64_t)t->keyword_generation,
	    (int64_t)t->swept_at, (int64_t)t->witness, (int64_t)t->skipped, (int64_t)t->checked_at,
	    (int64_t)t->check_place);
}

static void roll_back(struct db *db)
{
	db->in_transaction = false;
	if (db->held)
		return; /* goes on until db_let_go */
	if (!sqlite3_get_autocommit(db->handle) && run_simple(db, DB_ROLLBACK) < 0)
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

static int begin(struct db *db, enum db_statement how)
{
	assert(!db->in_transaction);
	if (db->held && how == DB_BEGIN_READ) {
		db->in_transaction = true;
		return 0;
	}
	db_let_go(db);
	int error = run_simple(db, how);
	if (error)
		return error;
	db->in_transaction = true;
	error = load_state(db);
	if (error)
		roll_back(db);
	return error;
}

int db_begin(struct db *db)
{
	return begin(db, DB_BEGIN);
}

int db_end(struct db *db, int error)
{
	assert(db->in_transaction);
	if (!error)
		error = save_state(db);
	if (!error)
		error = run_simple(db, DB_COMMIT);
	if (error)
		roll_back(db);
	db->in_transaction = false;
	return error;
}

int db_begin_read(struct db *db)
{
	return begin(db, DB_BEGIN_READ);
}

void db_end_read(struct db *db)
{
	roll_back(db);
}

void db_hold(struct db *db)
{
	if (db->held || db->in_transaction || begin(db, DB_BEGIN_READ) < 0)
		return;
	db->in_transaction = false;
	db->held = true;
}

void db_let_go(struct db *db)
{
	if (!db->held || db->in_transaction)
		return;
	/* Whatever wrote would be lost here. */
	assert(sqlite3_txn_state(db->handle, NULL) < SQLITE_TXN_WRITE);
	db->held = false;
	roll_back(db);
}
