/* store_entry.h: one message by its UID. */
#include "store/store_entry.h"

#include <errno.h>

#include "store/store_private.h"

int store_entry_find(struct store *s, uint64_t mailbox, uint32_t uid, uint32_t *ret_message)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_ENTRY_GET, &stmt);
	if (error)
		return store_note_error(s, error);
	db_bind(stmt, (int64_t)mailbox, uid);
	int row = db_step(&s->db, stmt);
	if (row <= 0)
		return row < 0 ? store_note_error(s, row) : -ENOENT;
	*ret_message = db_column_u32(stmt, 0);
	sqlite3_reset(stmt);
	return 0;
}
