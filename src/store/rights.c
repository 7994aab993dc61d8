/* store_rights.h: access control lists. */
#include "store/store_rights.h"

#include <errno.h>

#include "store/store_private.h"

static int list_grants(
    struct store *s, uint64_t mailbox, struct arena *a, struct store_grant *grants, size_t *ret_n)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_RIGHTS_LIST, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)mailbox);
	size_t n = 0;
	int row;
	while ((row = db_step(&s->db, stmt)) > 0 && n < STORE_GRANTS_MAX) {
		if (!arena_dup(a, db_column_str(stmt, 0), &grants[n].identifier)) {
			row = -E2BIG;
			break;
		}
		grants[n++].rights = db_column_u32(stmt, 1) & STORE_RIGHTS_ALL;
	}
	sqlite3_reset(stmt);
	*ret_n = n;
	return row < 0 ? row : 0;
}

int store_rights_list(struct store *s, uint64_t mailbox, struct arena *a,
    struct store_grant **ret_grants, size_t *ret_n)
{
	struct store_grant *grants = ARENA_NEW_ARRAY(a, struct store_grant, STORE_GRANTS_MAX);
	size_t n = 0;
	if (!grants)
		return -E2BIG;
	int error = list_grants(s, mailbox, a, grants, &n);
	if (error)
		return store_note_error(s, error);
	*ret_grants = grants;
	*ret_n = n;
	return 0;
}

static int get_rights(
    struct store *s, uint64_t mailbox, struct str identifier, unsigned *ret_rights)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_RIGHTS_GET, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)mailbox);
	db_bind_str(stmt, 2, identifier);
	int row = db_step(&s->db, stmt);
	if (row > 0)
		*ret_rights = db_column_u32(stmt, 0) & STORE_RIGHTS_ALL;
	sqlite3_reset(stmt);
	return row > 0 ? 0 : row < 0 ? row : -ENOENT;
}

int store_rights_get(struct store *s, uint64_t mailbox, struct str identifier, unsigned *ret_rights)
{
	return store_note_error(s, get_rights(s, mailbox, identifier, ret_rights));
}

static int count_rows(struct store *s, enum db_statement which, uint64_t mailbox, uint64_t *ret_n)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, which, &stmt);
	if (error)
		return error;
	if (which == DB_RIGHTS_COUNT)
		db_bind(stmt, (int64_t)mailbox);
	int row = db_step(&s->db, stmt);
	if (row > 0)
		*ret_n = db_column_u64(stmt, 0);
	sqlite3_reset(stmt);
	return row < 0 ? row : 0;
}

/* Before a new grant. */
static int check_room(struct store *s, uint64_t mailbox)
{
	uint64_t n = 0, n_all = 0;
	int error = count_rows(s, DB_RIGHTS_COUNT, mailbox, &n);
	if (!error)
		error = count_rows(s, DB_RIGHTS_COUNT_ALL, 0, &n_all);
	if (error)
		return error;
	return n >= STORE_GRANTS_MAX || n_all >= STORE_GRANTS_OF_ALL_MAX ? -E2BIG : 0;
}

int rights_inherit(struct store *s, uint64_t from, uint64_t to)
{
	uint64_t n = 0;
	int error = db_run(&s->db, DB_RIGHTS_INHERIT, (int64_t)from, (int64_t)to);
	if (!error && sqlite3_changes(s->db.handle) > 0)
		error = count_rows(s, DB_RIGHTS_COUNT_ALL, 0, &n);
	return error ? error : n > STORE_GRANTS_OF_ALL_MAX ? -E2BIG : 0;
}

static unsigned changed(unsigned old, enum store_rights_mode mode, unsigned rights)
{
	switch (mode) {
	case STORE_RIGHTS_ADD:
		return old | rights;
	case STORE_RIGHTS_REMOVE:
		return old & ~rights;
	default:
		return rights;
	}
}

static int set_rights(struct store *s, uint64_t mailbox, struct str identifier,
    enum store_rights_mode mode, unsigned rights)
{
	struct store_box box;
	unsigned old = 0;
	sqlite3_stmt *stmt;
	int error = store_box_load(s, mailbox, &box);
	if (error)
		return error;
	error = get_rights(s, mailbox, identifier, &old);
	if (error == -ENOENT)
		error = check_room(s, mailbox);
	if (!error)
		error = db_get(&s->db, DB_RIGHTS_PUT, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)mailbox, changed(old, mode, rights) & STORE_RIGHTS_ALL);
	db_bind_str(stmt, 3, identifier);
	return db_finish(&s->db, stmt);
}

int store_rights_set(struct store *s, uint64_t mailbox, struct str identifier,
    enum store_rights_mode mode, unsigned rights)
{
	if (identifier.len > STORE_IDENTIFIER_LEN_MAX)
		return -ENAMETOOLONG;
	int error = db_begin(&s->db);
	if (error)
		return store_note_error(s, error);
	error = db_end(&s->db, set_rights(s, mailbox, identifier, mode, rights));
	return store_note_error(s, error);
}

static int forget_rights(struct store *s, uint64_t mailbox, struct str identifier)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_RIGHTS_FORGET, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)mailbox);
	db_bind_str(stmt, 2, identifier);
	return db_finish(&s->db, stmt);
}

int store_rights_forget(struct store *s, uint64_t mailbox, struct str identifier)
{
	int error = db_begin(&s->db);
	if (error)
		return store_note_error(s, error);
	return store_note_error(s, db_end(&s->db, forget_rights(s, mailbox, identifier)));
}
