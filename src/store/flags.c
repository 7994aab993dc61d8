/* store_change.h: flags. */
#include <assert.h>
#include <errno.h>

#include "store/changed.h"
#include "store/store_change.h"
#include "store/view_entries.h"

enum { RUNS_NOTED_MAX = 1000 }; /* of one change; more are noted as one */

/* new = (old & keep) | set, whatever the mode. */
struct masks {
	uint64_t keep, set;
};

static struct masks masks_of(const struct store_flag_change *change)
{
	uint64_t flags = change->flags & STORE_FLAGS_MASK & ~change->kept;
	switch (change->mode) {
	case STORE_FLAGS_SET:
		return (struct masks){change->kept, flags};
	case STORE_FLAGS_ADD:
		return (struct masks){STORE_FLAGS_MASK, flags};
	case STORE_FLAGS_REMOVE:
		return (struct masks){STORE_FLAGS_MASK & ~flags, 0};
	}
	return (struct masks){STORE_FLAGS_MASK, 0};
}

/*
 * A change under way. The view has been brought up to date within the transaction: what it says of
 * a message is what the table says, so that nothing need be read, and a run of neighbours is one
 * statement.
 */
struct flagging {
	struct store_view *view;
	const struct store_flag_change *change;
	struct masks masks;
	struct store_box box;
	uint64_t modseq; /* 0: nothing changed yet */
	uint32_t *positions;
	size_t n;
	uint32_t *modified;
	size_t n_modified;
	size_t n_runs;
	uint32_t first_uid; /* of what is not noted yet */
};

static uint64_t stored_flags(const struct store_entry *e)
{
	return e->flags & STORE_FLAGS_MASK;
}

static uint64_t new_flags(const struct flagging *f, const struct store_entry *e)
{
	return (stored_flags(e) & f->masks.keep) | f->masks.set;
}

/* One that is there and is not to change ends a run as one that is not asked for does. */
static bool is_changing(struct flagging *f, size_t at)
{
	const struct store_entry e = store_view_entry(f->view, at);
	if (e.flags & STORE_GONE)
		return false;
	if (f->change->conditional && e.modseq > f->change->unchanged_since) {
		f->modified[f->n_modified++] = e.uid;
		return false;
	}
	return new_flags(f, &e) != stored_flags(&e);
}

/*
 * The entries first ≤ i < end of the view change, and all of them differ. The statement is OR FAIL,
 * so that SQLite does not keep the old pages of a million rows to undo it alone.
 */
static int change_run(struct flagging *f, size_t first, size_t end)
{
	struct store_view *v = f->view;
	struct db *db = &v->store->db;
	uint32_t first_uid = store_view_entry(v, first).uid;
	uint32_t last_uid = store_view_entry(v, end - 1).uid;
	if (f->modseq == 0)
		f->modseq = store_next_modseq(v->store);
	int error = db_run(db, DB_ENTRIES_FLAGS, (int64_t)v->mailbox, first_uid, last_uid,
	    (int64_t)f->masks.keep, (int64_t)f->masks.set, (int64_t)f->modseq);
	if (error)
		return error;
	if ((size_t)sqlite3_changes64(db->handle) != end - first) {
		db->damaged = true; /* the view was read from the same table */
		return -EBADMSG;
	}
	for (size_t at = first; at < end; at++) {
		const struct store_entry e = store_view_entry(v, at);
		store_box_count_flags(&f->box, stored_flags(&e), -1);
		store_box_count_flags(&f->box, new_flags(f, &e), 1);
		f->positions[f->n++] = (uint32_t)at;
	}
	if (++f->n_runs < RUNS_NOTED_MAX)
		return changed_note(v->store, v->mailbox, f->modseq, first_uid, last_uid);
	if (f->first_uid == 0)
		f->first_uid = first_uid;
	return 0;
}

/* Where the entry with this UID stands; `next` is looked at first. SIZE_MAX: nowhere. */
static size_t find(const struct store_view *v, uint32_t uid, size_t next)
{
	/* Those asked for are mostly neighbours. */
	if (next < v->n && store_view_entry(v, next).uid == uid)
		return next;
	size_t at = store_view_at(v, uid);
	return at < v->n && store_view_entry(v, at).uid == uid ? at : SIZE_MAX;
}

static int change_runs(struct flagging *f, struct store_uids uids)
{
	const struct store_view *v = f->view;
	size_t first = 0, end = 0;
	int error = 0;
	for (size_t i = 0; !error && i < uids.n; i++) {
		size_t at = find(v, uids.v[i], end);
		if (at == SIZE_MAX || !is_changing(f, at))
			continue;
		if (at != end && end > first)
			error = change_run(f, first, end);
		if (at != end || end == first)
			first = at;
		end = at + 1;
	}
	if (!error && end > first)
		error = change_run(f, first, end);
	if (!error && f->first_uid != 0)
		error = changed_note(f->view->store, v->mailbox, f->modseq, f->first_uid,
		    store_view_entry(v, end - 1).uid);
	return error;
}

static int change_all(struct flagging *f, struct store_uids uids)
{
	struct store *s = f->view->store;
	int error = store_box_load(s, f->view->mailbox, &f->box);
	if (!error)
		error = view_catch_up(f->view, &f->box);
	if (!error)
		error = change_runs(f, uids);
	if (error || f->n == 0)
		return error;
	f->box.highest_modseq = f->modseq;
	return store_box_save(s, &f->box);
}

/* What was committed shows, and a refresh need not find it again. */
static int show(struct flagging *f)
{
	struct store_view *v = f->view;
	for (size_t i = 0; i < f->n; i++) {
		const struct store_entry e = store_view_entry(v, f->positions[i]);
		int error =
		    view_entries_set(&v->entries, f->positions[i], new_flags(f, &e), f->modseq);
		if (error)
			return error;
	}
	if (f->n > 0)
		v->seen_modseq = f->modseq;
	return 0;
}

int store_flags(struct store_view *v, struct store_uids uids,
    const struct store_flag_change *change, struct arena *a, struct store_flag_result *ret_result)
{
	struct flagging f = {.view = v,
	    .change = change,
	    .masks = masks_of(change),
	    .positions = ARENA_NEW_ARRAY(a, uint32_t, uids.n),
	    .modified = change->conditional ? ARENA_NEW_ARRAY(a, uint32_t, uids.n) : NULL};
	struct db *db = &v->store->db;
	assert(v->loaded);
	if (!f.positions || (change->conditional && !f.modified))
		return -E2BIG;
	int error = db_begin(db);
	if (!error)
		error = db_end(db, change_all(&f, uids));
	if (!error)
		error = show(&f);
	if (error)
		return store_note_error(v->store, error);
	*ret_result = (struct store_flag_result){
	    .changed = f.positions, .n_changed = f.n, .modified = {f.modified, f.n_modified}};
	return 0;
}
