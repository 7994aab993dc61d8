/* store_message.h: scans over what the database keeps of messages. */
#include "store/store_message.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_private.h"

enum { SQL_MAX = 512 };

/* SQLite reads each column of each row: those that nobody asked for are not in the statement. */
static const struct {
	unsigned column;
	const char *names;
} columns_of[] = {
    {STORE_COLUMN_SIZE, ", n.size"},
    {STORE_COLUMN_DATES, ", n.internal_at, n.internal_zone, n.saved_at"},
    {STORE_COLUMN_ENVELOPE, ", v.envelope"},
    {STORE_COLUMN_STRUCTURE, ", m.body_text, m.bodystructure"},
    {STORE_COLUMN_ORDER, ", m.has_sent, m.sent_at, m.sent_zone, m.subject, m.message_id"},
};

struct store_scan {
	struct store_view *view;
	unsigned columns;
	sqlite3_stmt *stmt;
	bool running;
	struct store_scan *next; /* of all that are open */
	struct store_row *row;   /* what was given last */
	char *kept;              /* its texts, when the statement was stopped meanwhile */
	size_t at, end;          /* entries of the view that are still to come */
	size_t n_in_batch;
};

static void write_sql(unsigned columns, struct buf *sql)
{
	buf_add(sql, STR("SELECT n.uid"));
	for (size_t i = 0; i < ARRAY_LEN(columns_of); i++)
		if ((columns & columns_of[i].column) != 0)
			buf_add(sql, str_of_cstr(columns_of[i].names));
	buf_add(sql, STR(" FROM entries n"));
	if ((columns & STORE_COLUMN_ENVELOPE) != 0)
		buf_add(sql, STR(" CROSS JOIN envelopes v ON v.id = n.message"));
	if ((columns & (STORE_COLUMN_STRUCTURE | STORE_COLUMN_ORDER)) != 0)
		buf_add(sql, STR(" CROSS JOIN messages m ON m.id = n.message"));
	buf_add(sql, STR(" WHERE n.mailbox = ?1 AND n.uid BETWEEN ?2 AND ?3 ORDER BY n.uid"));
}

int store_scan_open(
    struct store_view *v, size_t first, size_t end, unsigned columns, struct store_scan **ret_scan)
{
	struct buf sql CLEANUP(buf_done) = BUF_MAX(SQL_MAX);
	assert(columns <= STORE_COLUMNS_ALL);
	struct store_scan *scan = calloc(1, sizeof(*scan));
	if (!scan)
		abort();
	store_let_go(v->store);
	*scan = (struct store_scan){
	    .view = v, .columns = columns, .at = first, .end = end < v->n ? end : v->n};
	write_sql(columns, &sql);
	/* Two scans of one kind at a time would share a statement: this one has its own. */
	int result =
	    sqlite3_prepare_v3(v->store->db.handle, sql.p, (int)sql.len, 0, &scan->stmt, NULL);
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

static void read_message(sqlite3_stmt *stmt, unsigned columns, int at, struct store_row *row)
{
	if ((columns & STORE_COLUMN_STRUCTURE) != 0) {
		row->body = db_column_str(stmt, at++);
		row->bodystructure = db_column_str(stmt, at++);
	}
	if ((columns & STORE_COLUMN_ORDER) != 0) {
		row->has_sent = sqlite3_column_int(stmt, at++) != 0;
		row->sent_at = sqlite3_column_int64(stmt, at++);
		row->sent_zone = sqlite3_column_int(stmt, at++);
		row->subject = db_column_str(stmt, at++);
		row->message_id = db_column_str(stmt, at++);
	}
}

/* The columns stand in the order of `columns_of`, behind the UID. */
static void read_row(struct store_scan *scan, const struct store_entry *e, struct store_row *row)
{
	sqlite3_stmt *stmt = scan->stmt;
	int at = 1;
	*row = (struct store_row){.at = scan->at, .entry = *e};
	if ((scan->columns & STORE_COLUMN_SIZE) != 0)
		row->size = db_column_u64(stmt, at++);
	if ((scan->columns & STORE_COLUMN_DATES) != 0) {
		row->internal_at = sqlite3_column_int64(stmt, at++);
		row->internal_zone = sqlite3_column_int(stmt, at++);
		row->saved_at = sqlite3_column_int64(stmt, at++);
	}
	if ((scan->columns & STORE_COLUMN_ENVELOPE) != 0)
		row->envelope = db_column_str(stmt, at++);
	read_message(stmt, scan->columns, at, row);
}

/* Goes to the entry with this UID; false where the view has none. */
static bool find_entry(struct store_scan *scan, uint32_t uid, struct store_entry *ret_entry)
{
	for (; scan->at < scan->end; scan->at++) {
		*ret_entry = store_view_entry(scan->view, scan->at);
		if (ret_entry->uid >= uid)
			return ret_entry->uid == uid;
	}
	return false;
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
		struct store_entry e = {0};
		if (!find_entry(scan, db_column_u32(scan->stmt, 0), &e))
			continue;
		read_row(scan, &e, ret_row);
		scan->row = ret_row;
		scan->at++;
		return 1;
	}
	return 0;
}
