/* Who may send as an address that is somebody else's: directory/database.h. */
#include <errno.h>

#include "base/clock.h"
#include "directory/database_private.h"

int database_grants_forget(struct database *db, const struct name *name)
{
	sqlite3_stmt *s = database_begin(db, GRANTS_FORGET);
	database_bind_name(s, 1, name);
	return database_run(s);
}

int database_grants_forget_of(struct database *db, uint64_t account)
{
	sqlite3_stmt *s = database_begin(db, GRANTS_FORGET_OF);
	database_bind_u64(s, 1, account);
	return database_run(s);
}

int database_granted(
    struct database *db, const struct name *name, uint64_t account, unsigned *ret_rights)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, GRANT_GET);
	database_bind_name(s, 1, name);
	database_bind_u64(s, 3, account);
	int result = database_step(s);
	if (result < 0)
		return result;
	*ret_rights = result > 0 ? (unsigned)sqlite3_column_int(s, 0) : 0;
	return 0;
}

static int remove_grant(struct database *db, const struct name *name, uint64_t account)
{
	sqlite3_stmt *s = database_begin(db, GRANT_REMOVE);
	database_bind_name(s, 1, name);
	database_bind_u64(s, 3, account);
	return database_run(s);
}

static int count_grants(struct database *db, uint64_t account)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, GRANTS_COUNT);
	database_bind_u64(s, 1, account);
	int result = database_step(s);
	return result < 0 ? result : sqlite3_column_int(s, 0);
}

/* The name is there, and the account has room for one more. */
static int may_be_granted(struct database *db, const struct name *name, uint64_t account)
{
	unsigned rights = 0;
	int result = database_name_in_use(db, name);
	if (result <= 0)
		return result < 0 ? result : -ENOENT;
	result = database_granted(db, name, account, &rights);
	if (result || rights != 0)
		return result;
	result = count_grants(db, account);
	return result < 0 ? result : result >= DATABASE_GRANTS_MAX ? -E2BIG : 0;
}

static int grant(struct database *db, const struct name *name, uint64_t account, unsigned rights)
{
	int error = may_be_granted(db, name, account);
	if (error)
		return error;
	sqlite3_stmt *s = database_begin(db, GRANT_PUT);
	database_bind_name(s, 1, name);
	database_bind_u64(s, 3, account);
	database_bind_u64(s, 4, rights);
	database_bind_u64(s, 5, clock_wall());
	return database_run(s);
}

int database_grant(struct database *db, const struct name *name, uint64_t account, unsigned rights)
{
	if (rights == 0)
		return remove_grant(db, name, account);
	int error = database_transaction(db);
	return error ? error : database_finish(db, grant(db, name, account, rights));
}

int database_grants(struct database *db, uint64_t account, struct arena *a,
    struct grant_row **ret_rows, size_t *ret_n)
{
	struct grant_row *rows = ARENA_NEW_ARRAY(a, struct grant_row, DATABASE_GRANTS_MAX);
	if (!rows)
		return -ENOMEM;
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, GRANTS_TO);
	database_bind_u64(s, 1, account);
	database_bind_u64(s, 2, DATABASE_GRANTS_MAX);
	size_t n = 0;
	int result = 0;
	while (n < DATABASE_GRANTS_MAX && (result = database_step(s)) > 0) {
		if (!database_text(s, 0, a, &rows[n].name.local) ||
		    !database_text(s, 1, a, &rows[n].name.domain))
			return -ENOMEM;
		rows[n++].rights = (unsigned)sqlite3_column_int(s, 2);
	}
	if (result < 0)
		return result;
	*ret_rows = rows;
	*ret_n = n;
	return 0;
}
