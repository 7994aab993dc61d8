/* Accounts, slots and aliases of directory/database.h. */
#include <errno.h>

#include "base/clock.h"
#include "directory/database_private.h"

int database_name_in_use(struct database *db, const struct name *name)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, NAME_IN_USE);
	database_bind_name(s, 1, name);
	int result = database_step(s);
	return result < 0 ? result : sqlite3_column_int(s, 0);
}

/* --- accounts --- */

int database_account_find(
    struct database *db, const struct name *name, struct arena *a, struct account_row *ret_row)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, ACCOUNT_FIND);
	database_bind_name(s, 1, name);
	int result = database_step(s);
	if (result <= 0)
		return result < 0 ? result : -ENOENT;
	struct account_row row = {
	    .id = (uint64_t)sqlite3_column_int64(s, 0),
	    .state = ACCOUNT_ACTIVE,
	    .quota_bytes = (uint64_t)sqlite3_column_int64(s, 1),
	    .created_at = (uint64_t)sqlite3_column_int64(s, 2),
	};
	if (!arena_dup(a, name->local, &row.name.local) ||
	    !arena_dup(a, name->domain, &row.name.domain))
		return -ENOMEM;
	*ret_row = row;
	return 0;
}

static int one_id(sqlite3_stmt *s, uint64_t *ret_id)
{
	int result = database_step(s);
	if (result <= 0 || sqlite3_column_type(s, 0) == SQLITE_NULL)
		return result < 0 ? result : -ENOENT;
	*ret_id = (uint64_t)sqlite3_column_int64(s, 0);
	return 0;
}

int database_account_id(struct database *db, const struct name *name, uint64_t *ret_account)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, ACCOUNT_FIND);
	database_bind_name(s, 1, name);
	return one_id(s, ret_account);
}

int database_account_first(struct database *db, struct str domain, uint64_t *ret_account)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, ACCOUNT_FIRST);
	database_bind(s, 1, domain);
	return one_id(s, ret_account);
}

int database_unfinished(struct database *db, uint64_t after, uint64_t *ret_account)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, ACCOUNT_UNFINISHED);
	database_bind_u64(s, 1, after);
	return one_id(s, ret_account);
}

/* A new name in a domain that is there: 0, -ENOENT, -EEXIST. */
static int may_be_added(struct database *db, const struct name *name)
{
	int error = database_domain_find(db, name->domain);
	if (error)
		return error;
	int in_use = database_name_in_use(db, name);
	return in_use < 0 ? in_use : in_use ? -EEXIST : 0;
}

static int reserve(
    struct database *db, const struct name *name, uint64_t quota_bytes, uint64_t *ret_account)
{
	int error = may_be_added(db, name);
	if (error)
		return error;
	sqlite3_stmt *s = database_begin(db, ACCOUNT_ADD);
	database_bind_name(s, 1, name);
	database_bind_u64(s, 3, quota_bytes);
	database_bind_u64(s, 4, clock_wall());
	error = database_run(s);
	if (!error)
		*ret_account = (uint64_t)sqlite3_last_insert_rowid(db->handle);
	return error;
}

int database_account_reserve(
    struct database *db, const struct name *name, uint64_t quota_bytes, uint64_t *ret_account)
{
	uint64_t account = 0;
	int error = database_transaction(db);
	if (!error)
		error = database_finish(db, reserve(db, name, quota_bytes, &account));
	if (!error)
		*ret_account = account;
	return error;
}

static int set_state(struct database *db, uint64_t account, enum account_state state)
{
	sqlite3_stmt *s = database_begin(db, ACCOUNT_STATE);
	database_bind_u64(s, 1, account);
	database_bind_u64(s, 2, state);
	int error = database_run(s);
	return error ? error : sqlite3_changes(db->handle) == 1 ? 0 : -ENOENT;
}

int database_slot_replace(
    struct database *db, uint64_t account, enum slot_kind kind, const uint8_t slot[static SLOT_LEN])
{
	sqlite3_stmt *s = database_begin(db, SLOT_PUT);
	database_bind_u64(s, 1, account);
	database_bind_u64(s, 2, kind);
	sqlite3_bind_blob(s, 3, slot, SLOT_LEN, SQLITE_STATIC);
	database_bind_u64(s, 4, clock_wall());
	return database_run(s);
}

int database_slot(
    struct database *db, uint64_t account, enum slot_kind kind, uint8_t ret_slot[static SLOT_LEN])
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, SLOT_GET);
	database_bind_u64(s, 1, account);
	database_bind_u64(s, 2, kind);
	int result = database_step(s);
	if (result <= 0)
		return result < 0 ? result : -ENOENT;
	if (sqlite3_column_bytes(s, 0) != SLOT_LEN)
		return -EBADMSG;
	memcpy(ret_slot, sqlite3_column_blob(s, 0), SLOT_LEN);
	return 0;
}

static int activate(struct database *db, uint64_t account, const uint8_t password[static SLOT_LEN],
    const uint8_t recovery[static SLOT_LEN])
{
	int error = set_state(db, account, ACCOUNT_ACTIVE);
	if (!error)
		error = database_slot_replace(db, account, SLOT_PASSWORD, password);
	if (!error)
		error = database_slot_replace(db, account, SLOT_RECOVERY, recovery);
	return error;
}

int database_account_activate(struct database *db, uint64_t account,
    const uint8_t password[static SLOT_LEN], const uint8_t recovery[static SLOT_LEN])
{
	int error = database_transaction(db);
	return error ? error : database_finish(db, activate(db, account, password, recovery));
}

static int name_of_any(
    struct database *db, uint64_t account, struct arena *a, struct name *ret_name)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, ACCOUNT_NAME);
	database_bind_u64(s, 1, account);
	int result = database_step(s);
	if (result <= 0)
		return result < 0 ? result : -ENOENT;
	return database_text(s, 0, a, &ret_name->local) && database_text(s, 1, a, &ret_name->domain)
	           ? 0
	           : -ENOMEM;
}

int database_account_name(
    struct database *db, uint64_t account, struct arena *a, struct name *ret_name)
{
	struct name name;
	uint64_t active;
	int error = name_of_any(db, account, a, &name);
	if (!error)
		error = database_account_id(db, &name, &active);
	if (error)
		return error;
	*ret_name = name;
	return 0;
}

static int retire(struct database *db, uint64_t account)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(8 * NAME_LEN_MAX);
	struct name name;
	struct name alias;
	int error = name_of_any(db, account, &a, &name);
	if (error)
		return error;
	error = database_alias_of(db, &name, &a, &alias);
	if (error != -ENOENT)
		return error ? error : -EBUSY;
	error = database_grants_forget(db, &name);
	if (!error)
		error = database_grants_forget_of(db, account);
	if (error)
		return error;
	sqlite3_stmt *s = database_begin(db, SLOTS_FORGET);
	database_bind_u64(s, 1, account);
	error = database_run(s);
	return error ? error : set_state(db, account, ACCOUNT_RETIRED);
}

int database_account_retire(struct database *db, uint64_t account)
{
	int error = database_transaction(db);
	return error ? error : database_finish(db, retire(db, account));
}

int database_account_erase(struct database *db, uint64_t account)
{
	sqlite3_stmt *s = database_begin(db, ACCOUNT_ERASE);
	database_bind_u64(s, 1, account);
	return database_run(s);
}

int database_accounts(struct database *db, const struct name *after, size_t max, struct arena *a,
    struct account_row **ret_rows, size_t *ret_n)
{
	struct account_row *rows = ARENA_NEW_ARRAY(a, struct account_row, max);
	if (!rows)
		return -ENOMEM;
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, ACCOUNT_LIST);
	database_bind_name(s, 1, after);
	database_bind_u64(s, 3, max);
	size_t n = 0;
	int result;
	while ((result = database_step(s)) > 0) {
		struct account_row *row = &rows[n++];
		if (!database_text(s, 0, a, &row->name.local) ||
		    !database_text(s, 1, a, &row->name.domain))
			return -ENOMEM;
		row->id = (uint64_t)sqlite3_column_int64(s, 2);
		row->state = ACCOUNT_ACTIVE;
		row->quota_bytes = (uint64_t)sqlite3_column_int64(s, 3);
		row->created_at = (uint64_t)sqlite3_column_int64(s, 4);
	}
	if (result < 0)
		return result;
	*ret_rows = rows;
	*ret_n = n;
	return 0;
}

/* --- aliases --- */

static int alias_add(
    struct database *db, const struct name *name, const struct name *targets, size_t n_targets)
{
	int error = may_be_added(db, name);
	if (error)
		return error;
	sqlite3_stmt *s = database_begin(db, ALIAS_ADD);
	database_bind_name(s, 1, name);
	database_bind_u64(s, 3, clock_wall());
	error = database_run(s);
	uint64_t alias = (uint64_t)sqlite3_last_insert_rowid(db->handle);
	for (size_t i = 0; !error && i < n_targets; i++) {
		s = database_begin(db, ALIAS_TARGET_ADD);
		database_bind_name(s, 1, &targets[i]);
		database_bind_u64(s, 3, alias);
		database_bind_u64(s, 4, i);
		error = database_run(s);
	}
	return error;
}

int database_alias_add(
    struct database *db, const struct name *name, const struct name *targets, size_t n_targets)
{
	if (n_targets == 0 || n_targets > DATABASE_TARGETS_MAX)
		return -EINVAL;
	int error = database_transaction(db);
	return error ? error : database_finish(db, alias_add(db, name, targets, n_targets));
}

static int alias_remove(struct database *db, const struct name *name)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(8 * NAME_LEN_MAX);
	struct name other;
	int error = database_alias_of(db, name, &a, &other);
	if (error != -ENOENT)
		return error ? error : -EBUSY;
	error = database_grants_forget(db, name);
	if (error)
		return error;
	sqlite3_stmt *s = database_begin(db, ALIAS_REMOVE);
	database_bind_name(s, 1, name);
	error = database_run(s);
	return error ? error : sqlite3_changes(db->handle) == 1 ? 0 : -ENOENT;
}

int database_alias_remove(struct database *db, const struct name *name)
{
	int error = database_transaction(db);
	return error ? error : database_finish(db, alias_remove(db, name));
}

static int read_names(
    sqlite3_stmt *s, size_t max, struct arena *a, struct name *rows, size_t *ret_n)
{
	size_t n = 0;
	int result;
	while (n < max && (result = database_step(s)) > 0) {
		if (!database_text(s, 0, a, &rows[n].local) ||
		    !database_text(s, 1, a, &rows[n].domain))
			return -ENOMEM;
		n++;
	}
	if (n < max && result < 0)
		return result;
	*ret_n = n;
	return 0;
}

int database_alias_targets(struct database *db, const struct name *name, struct arena *a,
    struct name **ret_targets, size_t *ret_n)
{
	struct name *targets = ARENA_NEW_ARRAY(a, struct name, DATABASE_TARGETS_MAX);
	if (!targets)
		return -ENOMEM;
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, ALIAS_TARGETS);
	database_bind_name(s, 1, name);
	size_t n = 0;
	int error = read_names(s, DATABASE_TARGETS_MAX, a, targets, &n);
	if (error)
		return error;
	if (n == 0)
		return -ENOENT;
	*ret_targets = targets;
	*ret_n = n;
	return 0;
}

int database_alias_of(
    struct database *db, const struct name *name, struct arena *a, struct name *ret_alias)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, ALIAS_OF);
	database_bind_name(s, 1, name);
	size_t n = 0;
	int error = read_names(s, 1, a, ret_alias, &n);
	return error ? error : n == 1 ? 0 : -ENOENT;
}

int database_aliases(struct database *db, const struct name *after, size_t max, struct arena *a,
    struct name **ret_names, size_t *ret_n)
{
	struct name *names = ARENA_NEW_ARRAY(a, struct name, max);
	if (!names)
		return -ENOMEM;
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, ALIAS_LIST);
	database_bind_name(s, 1, after);
	database_bind_u64(s, 3, max);
	size_t n = 0;
	int error = read_names(s, max, a, names, &n);
	if (error)
		return error;
	*ret_names = names;
	*ret_n = n;
	return 0;
}
