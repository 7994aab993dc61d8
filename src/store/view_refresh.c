/* store_view.h: bringing a view up to date. */
#include <errno.h>

#include "store/changed.h"
#include "store/view_entries.h"

/*
 * Refreshing. First everything that can fail, and it only marks entries and adds new ones behind
 * those that the client knows of: a refresh that fails has told nothing, so no number may have
 * moved, and the marks stay for the next one.
 */

/* A list of numbers in an arena. */
struct numbers {
	uint32_t *v;
	size_t n;
};

static void mark_gone_at(struct store_view *v, size_t at)
{
	struct view_entry entry = view_entries_get(&v->entries, at);
	if (entry.gone)
		return;
	v->n_gone += at < v->n;
	entry.gone = true;
	view_entries_put(&v->entries, at, entry);
}

/* When the record of what was expunged does not reach back to the last refresh. */
static int mark_missing(struct store_view *v)
{
	struct db *db = &v->store->db;
	sqlite3_stmt *stmt;
	int error = db_get(db, DB_ENTRIES, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)v->mailbox, UINT32_MAX, 1);
	size_t at = 0;
	int row;
	while ((row = db_step(db, stmt)) > 0) {
		uint32_t uid = db_column_u32(stmt, 0);
		for (; at < v->entries.n && view_entries_uid(&v->entries, at) < uid; at++)
			mark_gone_at(v, at);
		at += at < v->entries.n && view_entries_uid(&v->entries, at) == uid;
	}
	for (; row == 0 && at < v->entries.n; at++)
		mark_gone_at(v, at);
	return row;
}

/* Marks what others expunged since the last refresh. */
static int mark_gone(struct store_view *v, const struct store_box *box)
{
	struct db *db = &v->store->db;
	sqlite3_stmt *stmt;
	if (box->expunged_since > v->seen_modseq)
		return mark_missing(v);
	int error = db_get(db, DB_EXPUNGED_SINCE, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)v->mailbox, (int64_t)v->seen_modseq, 0);
	int row;
	while ((row = db_step(db, stmt)) > 0) {
		uint32_t uid = db_column_u32(stmt, 0);
		size_t at = view_entries_at(&v->entries, uid);
		if (at < v->entries.n && view_entries_uid(&v->entries, at) == uid)
			mark_gone_at(v, at);
	}
	return row;
}

static int take_in_changed(void *ctx, sqlite3_stmt *row)
{
	struct store_view *v = ctx;
	const struct store_entry entry = view_read_entry(row);
	size_t at = view_entries_at(&v->entries, entry.uid);
	if (at == v->entries.n)
		return 0; /* a new one */
	struct view_entry old = view_entries_get(&v->entries, at);
	if (old.uid != entry.uid || old.modseq == entry.modseq)
		return 0;
	int error = view_entries_set(&v->entries, at, entry.flags, entry.modseq);
	if (!error)
		view_mark_changed(v, at);
	return error;
}

/* New ones are \Recent from `recent_from` on. */
static int take_in_new(struct store_view *v, uint32_t recent_from)
{
	struct db *db = &v->store->db;
	size_t n = v->entries.n;
	sqlite3_stmt *stmt;
	int error = db_get(db, DB_ENTRIES_FROM, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)v->mailbox,
	    n > 0 ? (int64_t)view_entries_uid(&v->entries, n - 1) + 1 : 1);
	int row = 0;
	while (!error && (row = db_step(db, stmt)) > 0) {
		struct store_entry entry = view_read_entry(stmt);
		entry.flags |= entry.uid >= recent_from ? STORE_RECENT : 0;
		error = view_entries_add(&v->entries, &entry);
	}
	sqlite3_reset(stmt);
	return error ? error : row;
}

/* Where the marked entries stand. */
static void list_gone(const struct store_view *v, struct numbers *positions, struct numbers *uids)
{
	for (size_t i = 0; i < v->n && positions->n < v->n_gone; i++) {
		struct view_entry entry = view_entries_get(&v->entries, i);
		if (!entry.gone)
			continue;
		positions->v[positions->n++] = (uint32_t)i;
		uids->v[uids->n++] = entry.uid;
	}
}

static bool is_gone(const struct view_entry *entry)
{
	return entry->gone;
}

/* With those at `positions` all that are gone. */
static void take_out_gone(struct store_view *v, const struct numbers *positions)
{
	for (size_t i = 0; i < positions->n; i++) {
		struct view_entry entry = view_entries_get(&v->entries, positions->v[i]);
		v->n_recent -= entry.recent;
		v->n_changed -= entry.changed;
	}
	view_entries_take_out(&v->entries, positions->v[0], is_gone);
	v->n -= positions->n;
	v->n_gone = 0;
}

/* What came and went without being told never was. */
static void drop_untold(struct store_view *v)
{
	size_t at = v->n;
	while (at < v->entries.n && !view_entries_get(&v->entries, at).gone)
		at++;
	view_entries_take_out(&v->entries, at, is_gone);
}

/* Where the changed entries stand; they are told with this. */
static void list_changed(struct store_view *v, struct numbers *positions)
{
	size_t left = v->n_changed;
	for (size_t i = 0; left > 0; i++) {
		struct view_entry entry = view_entries_get(&v->entries, i);
		if (!entry.changed)
			continue;
		entry.changed = false;
		view_entries_put(&v->entries, i, entry);
		left--;
		if (!entry.gone)
			positions->v[positions->n++] = (uint32_t)i;
	}
	v->n_changed = 0;
}

static size_t show_new(struct store_view *v)
{
	size_t n_before = v->n;
	drop_untold(v);
	for (; v->n < v->entries.n; v->n++)
		v->n_recent += view_entries_get(&v->entries, v->n).recent;
	return v->n - n_before;
}

int view_catch_up(struct store_view *v, const struct store_box *box)
{
	if (box->highest_modseq <= v->seen_modseq)
		return 0;
	int error = v->loaded ? 0 : view_list(v, box);
	if (!error)
		error = mark_gone(v, box);
	if (!error)
		error = changed_each(v->store, v->mailbox, v->seen_modseq, take_in_changed, v);
	if (!error)
		error = take_in_new(v, box->first_recent);
	if (!error)
		v->seen_modseq = box->highest_modseq;
	return error;
}

static bool make_room(struct arena *a, size_t n, struct numbers *list)
{
	list->v = n > 0 ? ARENA_NEW_ARRAY(a, uint32_t, n) : NULL;
	return n == 0 || list->v != NULL;
}

static int refresh(struct store_view *v, bool keep_gone, struct arena *a, struct store_changes *c)
{
	struct store *s = v->store;
	struct numbers gone = {0}, gone_uids = {0}, changed = {0};
	struct store_box box;
	int error = store_box_load(s, v->mailbox, &box);
	if (!error)
		error = store_keywords_refresh(s);
	if (!error)
		error = view_catch_up(v, &box);
	size_t n_gone = keep_gone ? 0 : v->n_gone;
	if (!error && (!make_room(a, n_gone, &gone) || !make_room(a, n_gone, &gone_uids) ||
	                  !make_room(a, v->n_changed, &changed)))
		error = -E2BIG;
	if (error)
		return error;
	if (n_gone > 0) {
		list_gone(v, &gone, &gone_uids);
		take_out_gone(v, &gone);
	}
	list_changed(v, &changed);
	c->n_new = v->loaded ? show_new(v) : 0;
	uint64_t told_modseq = v->highest_modseq;
	view_adopt_box(v, &box);
	if (v->n_gone > 0)
		v->highest_modseq = told_modseq;
	c->gone = gone.v;
	c->gone_uids = gone_uids.v;
	c->n_gone = gone.n;
	c->changed = changed.v;
	c->n_changed = changed.n;
	c->keywords = v->seen_keywords != s->keyword_bits;
	v->seen_keywords = s->keyword_bits;
	return 0;
}

int store_view_refresh(
    struct store_view *v, bool keep_gone, struct arena *a, struct store_changes *ret_changes)
{
	struct store_changes changes = {0};
	int error = store_check_mark(v->store);
	if (!error)
		error = db_begin_read(&v->store->db);
	if (error)
		return store_note_error(v->store, error);
	error = refresh(v, keep_gone, a, &changes);
	db_end_read(&v->store->db);
	if (error)
		return store_note_error(v->store, error);
	*ret_changes = changes;
	return 0;
}
