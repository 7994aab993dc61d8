/* How long messages are when every line of theirs ends with CRLF. */
#include "store/store_message.h"
#include "store/store_private.h"

int store_note_line_ends(struct store *s, uint32_t message, size_t missing)
{
	return missing == 0 ? 0 : db_run(&s->db, DB_LINE_ENDS_PUT, message, (int64_t)missing);
}

static int stored_sizes(struct store_view *v, uint32_t *sizes)
{
	struct store_scan *scan;
	struct store_row row;
	int r = store_scan_open(v, 0, v->n, STORE_COLUMN_SIZE, &scan);

	if (r < 0)
		return r;
	while ((r = store_scan_next(scan, &row)) > 0)
		sizes[row.at] = (uint32_t)row.size;
	store_scan_close(scan);
	return r;
}

static void lengthen(struct store_view *v, uint32_t uid, uint32_t missing, uint32_t *sizes)
{
	size_t at = store_view_at(v, uid);

	if (at < v->n && store_view_entry(v, at).uid == uid && sizes[at] != STORE_SIZE_GONE)
		sizes[at] += missing;
}

int store_line_sizes(struct store_view *v, uint32_t *ret_sizes)
{
	struct db *db = &v->store->db;
	sqlite3_stmt *stmt;

	_Static_assert(2 * (uint64_t)STORE_MESSAGE_LEN_MAX < STORE_SIZE_GONE, "every size fits");
	for (size_t i = 0; i < v->n; i++)
		ret_sizes[i] = STORE_SIZE_GONE;
	int r = stored_sizes(v, ret_sizes);
	if (r == 0)
		r = db_get(db, DB_LINE_ENDS, &stmt);
	if (r < 0)
		return store_note_error(v->store, r);
	db_bind(stmt, (int64_t)v->mailbox);
	while ((r = db_step(db, stmt)) > 0)
		lengthen(v, db_column_u32(stmt, 0), db_column_u32(stmt, 1), ret_sizes);
	return store_note_error(v->store, r);
}
