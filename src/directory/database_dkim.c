#include "directory/database_dkim.h"

#include <errno.h>

#include "base/clock.h"
#include "directory/database_private.h"

static bool read_blob(sqlite3_stmt *s, int column, struct arena *a, struct str *ret_bytes)
{
	const void *p = sqlite3_column_blob(s, column);
	return arena_dup(a, str_of(p, (size_t)sqlite3_column_bytes(s, column)), ret_bytes);
}

static bool read_row(sqlite3_stmt *s, struct arena *a, struct dkim_row *row)
{
	row->algorithm = (uint8_t)sqlite3_column_int(s, 2);
	row->state = (enum dkim_state)sqlite3_column_int(s, 3);
	row->created_at = (uint64_t)sqlite3_column_int64(s, 6);
	return database_text(s, 0, a, &row->domain) && database_text(s, 1, a, &row->selector) &&
	       read_blob(s, 4, a, &row->public_key) && read_blob(s, 5, a, &row->sealed);
}

static int read_rows(
    sqlite3_stmt *s, size_t max, struct arena *a, struct dkim_row **ret_rows, size_t *ret_n)
{
	struct dkim_row *rows = ARENA_NEW_ARRAY(a, struct dkim_row, max);
	size_t n = 0;
	int result = 0;
	if (!rows)
		return -ENOMEM;
	while (n < max && (result = database_step(s)) > 0)
		if (!read_row(s, a, &rows[n++]))
			return -ENOMEM;
	if (result < 0)
		return result;
	*ret_rows = rows;
	*ret_n = n;
	return 0;
}

int database_dkim_keys(struct database *db, struct str domain, struct arena *a,
    struct dkim_row **ret_rows, size_t *ret_n)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, DKIM_OF);
	database_bind(s, 1, domain);
	return read_rows(s, DATABASE_DKIM_KEYS_MAX, a, ret_rows, ret_n);
}

int database_dkim_after(struct database *db, struct str domain, struct str selector, size_t max,
    struct arena *a, struct dkim_row **ret_rows, size_t *ret_n)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, DKIM_AFTER);
	database_bind(s, 1, domain);
	database_bind(s, 2, selector);
	database_bind_u64(s, 3, max);
	return read_rows(s, max, a, ret_rows, ret_n);
}

static int count_of(struct database *db, enum statement which, struct str domain)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, which);
	database_bind(s, 1, domain);
	int result = database_step(s);
	return result < 0 ? result : sqlite3_column_int(s, 0);
}

static int add(struct database *db, const struct dkim_row *row)
{
	int n = count_of(db, DKIM_COUNT, row->domain);
	if (n < 0)
		return n;
	if (n >= DATABASE_DKIM_KEYS_MAX)
		return -ENOSPC;
	sqlite3_stmt *s = database_begin(db, DKIM_ADD);
	database_bind(s, 1, row->domain);
	database_bind(s, 2, row->selector);
	database_bind_u64(s, 3, row->algorithm);
	database_bind_u64(s, 4, row->state);
	sqlite3_bind_blob(s, 5, row->public_key.p, (int)row->public_key.len, SQLITE_STATIC);
	sqlite3_bind_blob(s, 6, row->sealed.p, (int)row->sealed.len, SQLITE_STATIC);
	database_bind_u64(s, 7, clock_wall());
	return database_run(s);
}

int database_dkim_add(struct database *db, const struct dkim_row *row)
{
	int error = database_transaction(db);
	return error ? error : database_finish(db, add(db, row));
}

int database_dkim_missing(
    struct database *db, uint8_t algorithm, struct arena *a, struct str *ret_domain)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, DKIM_MISSING);
	database_bind_u64(s, 1, algorithm);
	int result = database_step(s);
	if (result <= 0)
		return result < 0 ? result : -ENOENT;
	return database_text(s, 0, a, ret_domain) ? 0 : -ENOMEM;
}

static int run_on(struct database *db, enum statement which, struct str domain)
{
	sqlite3_stmt *s = database_begin(db, which);
	database_bind(s, 1, domain);
	return database_run(s);
}

static int switch_keys(struct database *db, struct str domain)
{
	int n = count_of(db, DKIM_COUNT_NEW, domain);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	int error = run_on(db, DKIM_AGE, domain);
	return error ? error : run_on(db, DKIM_PROMOTE, domain);
}

int database_dkim_switch(struct database *db, struct str domain)
{
	int error = database_transaction(db);
	return error ? error : database_finish(db, switch_keys(db, domain));
}

static int retire(struct database *db, struct str domain)
{
	int n = count_of(db, DKIM_COUNT_OLD, domain);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	return run_on(db, DKIM_RETIRE, domain);
}

int database_dkim_retire(struct database *db, struct str domain)
{
	int error = database_transaction(db);
	return error ? error : database_finish(db, retire(db, domain));
}
