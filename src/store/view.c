/* store_view.h: a selected mailbox. */
#include "store/store_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "store/store_private.h"
#include "store/view_entries.h"

enum { LIST_MIN = 64 };

struct store_entry view_read_entry(sqlite3_stmt *stmt)
{
	return (struct store_entry){.uid = db_column_u32(stmt, 0),
	    .message = db_column_u32(stmt, 1),
	    .flags = db_column_u64(stmt, 2) & STORE_FLAGS_MASK,
	    .modseq = db_column_u64(stmt, 3)};
}

void view_adopt_box(struct store_view *v, const struct store_box *box)
{
	v->uidvalidity = box->uidvalidity;
	v->uidnext = box->uidnext;
	v->highest_modseq = box->highest_modseq;
	v->seen_modseq = v->store->db.state.next_modseq - 1;
}

static int count_recent(struct store_view *v)
{
	if (v->recent_from <= 1)
		v->n_recent = (uint32_t)v->n; /* nobody selected it yet */
	if (v->recent_from <= 1 || v->recent_from >= v->uidnext)
		return 0;
	struct db *db = &v->store->db;
	sqlite3_stmt *stmt;
	int error = db_get(db, DB_ENTRIES_FROM_COUNT, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)v->mailbox, v->recent_from);
	int row = db_step(db, stmt);
	if (row < 0)
		return row;
	v->n_recent = db_column_u32(stmt, 0);
	sqlite3_reset(stmt);
	return 0;
}

static int look(struct store_view *v)
{
	struct store *s = v->store;
	struct store_box box;
	int error = store_box_load(s, v->mailbox, &box);
	if (!error)
		error = store_keywords_refresh(s);
	if (error)
		return error;
	view_adopt_box(v, &box);
	v->n = box.n_messages;
	v->seen_keywords = s->keyword_bits;
	v->recent_from = box.first_recent;
	return count_recent(v);
}

/* Who opens a mailbox for writing uses \Recent up: a writing transaction, if there is any. */
static int look_and_use_recent(struct store_view *v)
{
	struct store *s = v->store;
	int error = db_begin(&s->db);
	if (error)
		return error;
	error = look(v);
	if (!error && v->n_recent > 0)
		error = db_run(&s->db, DB_MAILBOX_RECENT, (int64_t)v->mailbox);
	return db_end(&s->db, error);
}

static int look_only(struct store_view *v)
{
	int error = db_begin_read(&v->store->db);
	if (error)
		return error;
	error = look(v);
	db_end_read(&v->store->db);
	return error;
}

int store_view_select(struct store *s, uint64_t mailbox, bool examine, struct store_view **ret_view)
{
	struct store_view *v = calloc(1, sizeof(*v));
	if (!v)
		abort();
	*v = (struct store_view){.store = s, .mailbox = mailbox};
	int error = look_only(v);
	if (!error && !examine && v->n_recent > 0) {
		*v = (struct store_view){.store = s, .mailbox = mailbox};
		error = look_and_use_recent(v);
	}
	if (error) {
		store_view_close(v);
		return store_note_error(s, error);
	}
	*ret_view = v;
	return 0;
}

void view_mark_changed(struct store_view *v, size_t at)
{
	struct view_entry entry = view_entries_get(&v->entries, at);
	if (entry.changed || at >= v->n)
		return;
	v->n_changed++;
	entry.changed = true;
	view_entries_put(&v->entries, at, entry);
}

int store_view_load(struct store_view *v)
{
	struct db *db = &v->store->db;
	struct store_box box;
	if (v->loaded)
		return 0;
	int error = db_begin_read(db);
	if (error)
		return store_note_error(v->store, error);
	error = store_box_load(v->store, v->mailbox, &box);
	if (!error)
		error = view_list(v, &box);
	db_end_read(db);
	return error ? store_note_error(v->store, error) : 0;
}

int store_view_open(struct store *s, uint64_t mailbox, bool examine, struct store_view **ret_view)
{
	struct store_view *v;
	int error = store_view_select(s, mailbox, examine, &v);
	if (error)
		return error;
	error = store_view_load(v);
	if (error)
		store_view_close(v);
	else
		*ret_view = v;
	return error;
}

void store_view_close(struct store_view *v)
{
	if (!v)
		return;
	view_entries_done(&v->entries);
	free(v);
}

size_t store_view_at(const struct store_view *v, uint32_t uid)
{
	assert(v->loaded);
	return num_min(view_entries_at(&v->entries, uid), v->n);
}

/* A list of numbers that grows in an arena. */
struct numbers {
	uint32_t *v;
	size_t n, cap;
};

static int push(struct arena *a, struct numbers *list, uint32_t number)
{
	if (list->n == list->cap) {
		size_t cap = list->cap ? 2 * list->cap : LIST_MIN;
		uint32_t *larger = ARENA_NEW_ARRAY(a, uint32_t, cap);
		if (!larger)
			return -E2BIG;
		if (list->n > 0)
			memcpy(larger, list->v, list->n * sizeof(*larger));
		list->v = larger;
		list->cap = cap;
	}
	list->v[list->n++] = number;
	return 0;
}

int store_view_use_recent(struct store_view *v)
{
	struct store *s = v->store;
	int error = db_begin(&s->db);
	if (!error)
		error = db_end(&s->db, db_run(&s->db, DB_MAILBOX_RECENT_BELOW, (int64_t)v->mailbox,
		                           (int64_t)v->uidnext));
	return error ? store_note_error(s, error) : 0;
}

static int list_vanished(
    struct store_view *v, uint64_t modseq, struct arena *a, struct numbers *uids, bool *complete)
{
	struct db *db = &v->store->db;
	struct store_box box;
	int error = store_box_load(v->store, v->mailbox, &box);
	sqlite3_stmt *stmt;
	if (!error)
		error = db_get(db, DB_EXPUNGED_SINCE, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)v->mailbox, (int64_t)modseq, 0);
	int row;
	while (!error && (row = db_step(db, stmt)) > 0) {
		uint32_t uid = db_column_u32(stmt, 0);
		size_t at = view_entries_at(&v->entries, uid);
		bool still_shown = at < v->n && view_entries_uid(&v->entries, at) == uid;
		if (!still_shown)
			error = push(a, uids, uid);
	}
	sqlite3_reset(stmt);
	*complete = modseq >= box.expunged_since;
	return error ? error : row;
}

int store_view_vanished(struct store_view *v, uint64_t modseq, struct arena *a,
    const uint32_t **ret_uids, size_t *ret_n, bool *ret_complete)
{
	struct numbers uids = {0};
	bool complete = false;
	int error = db_begin_read(&v->store->db);
	if (error)
		return store_note_error(v->store, error);
	error = list_vanished(v, modseq, a, &uids, &complete);
	db_end_read(&v->store->db);
	if (error)
		return store_note_error(v->store, error);
	*ret_uids = uids.v;
	*ret_n = uids.n;
	*ret_complete = complete;
	return 0;
}
