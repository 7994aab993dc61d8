/* store_usage.h: numbers for quotas. */
#include "store/store_usage.h"

#include <errno.h>

#include "store/store_private.h"

static int counts(struct store *s, uint64_t *ret_mailboxes, uint64_t *ret_messages)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_USAGE, &stmt);
	if (error)
		return error;
	int row = db_step(&s->db, stmt);
	if (row < 0)
		return row;
	*ret_mailboxes = db_column_u64(stmt, 0);
	*ret_messages = db_column_u64(stmt, 1);
	sqlite3_reset(stmt);
	return 0;
}

int store_counts(struct store *s, uint64_t *ret_mailboxes, uint64_t *ret_messages)
{
	return store_note_error(s, counts(s, ret_mailboxes, ret_messages));
}

int store_check_count(struct store *s, size_t n)
{
	uint64_t mailboxes, messages;
	int error = counts(s, &mailboxes, &messages);
	if (error)
		return error;
	return n > STORE_MESSAGES_MAX || messages > STORE_MESSAGES_MAX - n ? -EDQUOT : 0;
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
