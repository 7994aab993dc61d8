/* store_usage.h: numbers for quotas. */
#include "store/store_usage.h"

#include "store/store_private.h"

int store_counts(struct store *s, uint64_t *ret_mailboxes, uint64_t *ret_messages)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_USAGE, &stmt);
	if (error)
		return store_note_error(s, error);
	int row = db_step(&s->db, stmt);
	if (row < 0)
		return store_note_error(s, row);
	*ret_mailboxes = db_column_u64(stmt, 0);
	*ret_messages = db_column_u64(stmt, 1);
	sqlite3_reset(stmt);
	return 0;
}

int store_deleted_size(struct store *s, uint64_t mailbox, uint64_t *ret_size)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_DELETED_SIZE, &stmt);
	if (error)
		return store_note_error(s, error);
	db_bind(stmt, (int64_t)mailbox);
	int row = db_step(&s->db, stmt);
	if (row < 0)
		return store_note_error(s, row);
	*ret_size = db_column_u64(stmt, 0);
	sqlite3_reset(stmt);
	return 0;
}
