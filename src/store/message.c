/* store_message.h: scans over what the database keeps of messages. */
#include "store/store_message.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_private.h"

struct store_scan {
	struct store_view *view;
	enum db_statement which;
	sqlite3_stmt *stmt;
	bool running;
	struct store_scan *next; /* of all that are open */
	struct store_row *row;   /* what was given last */
	char *kept;              /* its texts, when the statement was stopped meanwhile */
	size_t at, end;          /* entries of the view that are still to come */
	size_t n_in_batch;
};

int store_scan_open(
    struct store_view *v, size_t first, size_t end, unsigned columns, struct store_scan **ret_scan)
{
	assert(columns <= 7);
	struct store_scan *scan = calloc(1, sizeof(*scan));
	if (!scan)
		abort();
	store_let_go(v->store);
	*scan = (struct store_scan){.view = v,
	    .which = DB_SCAN_PLAIN + columns,
	    .at = first,
	    .end = end < v->n ? end : v->n};
	/* Two scans of one kind at a time would share a statement: this one has its own. */
	int result = sqlite3_prepare_v3(
	    v->store->db.handle, db_statements[scan->which], -1, 0, &scan->stmt, NULL);
	if (result != SQLITE_OK) {
		free(scan);
		return store_note_error(v->store, db_error(&v->store->db, result));
	}
	scan->next = v->store->scans;
	v->store->scans = scan;
	*ret_scan = scan;
	return 0;
}

/* Stops the statement; the texts of the row that was given last stay where the caller finds them.
 */
static void stop(struct store_scan *scan)
{
	struct store_row *row = scan->row;
	struct str *texts[] = {
	    &row->envelope, &row->body, &row->bodystructure, &row->subject, &row->message_id};
	size_t len = 1;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		len += texts[i]->len;
	scan->kept = malloc(len);
	if (!scan->kept)
		abort();
	char *to = scan->kept;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i]->len > 0)
			memcpy(to, texts[i]->p, texts[i]->len);
		texts[i]->p = to;
		to += texts[i]->len;
	}
	sqlite3_reset(scan->stmt);
	scan->running = false;
}

void store_scans_stop(struct store *s)
{
	for (struct store_scan *scan = s->scans; scan; scan = scan->next)
		if (scan->running)
			stop(scan);
	store_let_go(s);
}

void store_scan_close(struct store_scan *scan)
{
	if (!scan)
		return;
	struct store_scan **link = &scan->view->store->scans;
	while (*link != scan)
		link = &(*link)->next;
	*link = scan->next;
	free(scan->kept);
	sqlite3_finalize(scan->stmt);
	free(scan);
}

/* Starts the statement anew at the next entry, on a fresh snapshot. */
static void start_batch(struct store_scan *scan)
{
	const struct store_view *v = scan->view;
	sqlite3_reset(scan->stmt);
	db_bind(scan->stmt, (int64_t)v->mailbox, store_view_entry(v, scan->at).uid,
	    store_view_entry(v, scan->end - 1).uid);
	scan->running = true;
	scan->n_in_batch = 0;
}

static void read_row(struct store_scan *scan, struct store_row *row)
{
	sqlite3_stmt *stmt = scan->stmt;
	*row = (struct store_row){.at = scan->at,
	    .uid = db_column_u32(stmt, 0),
	    .message = db_column_u32(stmt, 1),
	    .size = db_column_u64(stmt, 2),
	    .internal_at = sqlite3_column_int64(stmt, 3),
	    .internal_zone = sqlite3_column_int(stmt, 4),
	    .saved_at = sqlite3_column_int64(stmt, 5),
	    .envelope = db_column_str(stmt, 6),
	    .body = db_column_str(stmt, 7),
	    .bodystructure = db_column_str(stmt, 8),
	    .has_sent = sqlite3_column_int(stmt, 9) != 0,
	    .sent_at = sqlite3_column_int64(stmt, 10),
	    .sent_zone = sqlite3_column_int(stmt, 11),
	    .subject = db_column_str(stmt, 12),
	    .message_id = db_column_str(stmt, 13)};
}

int store_scan_next(struct store_scan *scan, struct store_row *ret_row)
{
	const struct store_view *v = scan->view;
	free(scan->kept);
	scan->kept = NULL;
	while (scan->at < scan->end) {
		if (!scan->running || scan->n_in_batch == STORE_SCAN_BATCH)
			start_batch(scan);
		int row = db_step(&v->store->db, scan->stmt);
		if (row <= 0) {
			scan->running = false;
			scan->at = scan->end;
			return store_note_error(v->store, row);
		}
		scan->n_in_batch++;
		uint32_t uid = db_column_u32(scan->stmt, 0);
		while (scan->at < scan->end && store_view_entry(v, scan->at).uid < uid)
			scan->at++;
		if (scan->at == scan->end || store_view_entry(v, scan->at).uid != uid)
			continue;
		read_row(scan, ret_row);
		scan->row = ret_row;
		scan->at++;
		return 1;
	}
	return 0;
}
