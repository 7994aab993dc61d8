/* store_preview.h: the first words of messages. */
#include "store/store_preview.h"

#include <errno.h>

#include "store/store_private.h"

int store_preview(struct store *s, uint32_t message, struct buf *out)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_PREVIEW_GET, &stmt);
	if (error)
		return store_note_error(s, error);
	db_bind(stmt, message);
	int row = db_step(&s->db, stmt);
	if (row <= 0)
		return row < 0 ? store_note_error(s, row) : -ENOENT;
	bool added = buf_add(out, db_column_str(stmt, 0));
	sqlite3_reset(stmt);
	return added ? 0 : -E2BIG;
}
