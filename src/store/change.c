/* store_change.h: copies, moves, removal. */
#include "store/store_change.h"

#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "base/num.h"
#include "store/expunged.h"
#include "store/store_private.h"
#include "store/store_usage.h"
#include "store/view_entries.h"

enum { LOOK_EVERY = 1024 }; /* at the clock */

#ifdef GATEPOST_FAULTS
static uint64_t copy_ms_max = STORE_COPY_MS_MAX;

void store_copy_limit(uint64_t ms)
{
	copy_ms_max = ms;
}
#else
enum { copy_ms_max = STORE_COPY_MS_MAX };
#endif

/* A row of `entries`. */
struct row {
	struct store_placement placement;
	uint64_t modseq;
};

/* 1 and the row, 0 when the message is not there any more, or -errno. */
static int get_row(struct store *s, uint64_t mailbox, uint32_t uid, struct row *ret_row)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_ENTRY_GET, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)mailbox, uid);
	int row = db_step(&s->db, stmt);
	if (row <= 0)
		return row;
	*ret_row = (struct row){.placement =
	                            {
	                                .message = db_column_u32(stmt, 0),
	                                .flags = db_column_u64(stmt, 1) & STORE_FLAGS_MASK,
	                                .size = db_column_u64(stmt, 3),
	                                .internal_at = sqlite3_column_int64(stmt, 4),
	                                .internal_zone = sqlite3_column_int(stmt, 5),
	                            },
	    .modseq = db_column_u64(stmt, 2)};
	sqlite3_reset(stmt);
	return 1;
}

struct copying {
	struct store_view *view;
	struct store_box source, target;
	uint64_t permitted;
	bool same; /* both are one mailbox: then only `target` counts */
	uint64_t modseq;
	struct arena *arena;
	struct store_uids asked;
	uint32_t *from; /* NULL: as many of the first of `asked` */
	uint32_t *to;
	size_t n;
};

/* From the first on that is not there any more, those that were copied are listed. */
static int list_copied(struct copying *c)
{
	if (c->from)
		return 0;
	c->from = ARENA_NEW_ARRAY(c->arena, uint32_t, c->asked.n);
	if (!c->from)
		return -E2BIG;
	if (c->n > 0)
		memcpy(c->from, c->asked.v, c->n * sizeof(*c->from));
	return 0;
}

static int copy_one(struct copying *c, uint32_t uid, enum store_copy_mode mode)
{
	struct store *s = c->view->store;
	struct row row;
	int found = get_row(s, c->view->mailbox, uid, &row);
	if (found <= 0)
		return found < 0 ? found : list_copied(c);
	if (c->modseq == 0)
		c->modseq = store_next_modseq(s);
	uint32_t new_uid = 0;
	struct store_placement new = row.placement;
	new.flags &= c->permitted;
	int error = store_box_add(s, &c->target, &new, c->modseq, &new_uid);
	if (!error && mode == STORE_MOVE)
		error = store_box_remove_row(
		    s, c->same ? &c->target : &c->source, uid, &row.placement, c->modseq);
	if (error)
		return error;
	if (c->from)
		c->from[c->n] = uid;
	c->to[c->n++] = new_uid;
	return 0;
}

static int copy_each(struct copying *c, enum store_copy_mode mode)
{
	struct store_uids uids = c->asked;
	uint64_t began = clock_ms();
	int error = 0;
	for (size_t i = 0; !error && i < uids.n; i++) {
		error = copy_one(c, uids.v[i], mode);
		if (!error && i % LOOK_EVERY == 0 && clock_ms() - began > copy_ms_max)
			error = -ETIME;
	}
	return error;
}

static int copy_all(struct copying *c, uint64_t target, enum store_copy_mode mode)
{
	struct store *s = c->view->store;
	int error = store_box_load(s, target, &c->target);
	if (!error && mode == STORE_COPY)
		error = store_check_count(s, c->asked.n);
	c->same = target == c->view->mailbox;
	if (!error && !c->same)
		error = store_box_load(s, c->view->mailbox, &c->source);
	if (!error)
		error = copy_each(c, mode);
	if (error || c->n == 0)
		return error;
	struct store_box *source = c->same ? &c->target : &c->source;
	if (mode == STORE_MOVE)
		error = expunged_trim(s, source, c->n);
	if (!error)
		error = store_box_save(s, &c->target);
	if (!error && !c->same && mode == STORE_MOVE)
		error = store_box_save(s, &c->source);
	return error;
}

int store_copy(struct store_view *v, struct store_uids uids, uint64_t target,
    enum store_copy_mode mode, uint64_t permitted, struct arena *a,
    struct store_copy_result *ret_result)
{
	struct copying c = {.view = v,
	    .permitted = permitted,
	    .arena = a,
	    .asked = uids,
	    .to = ARENA_NEW_ARRAY(a, uint32_t, uids.n)};
	if (!c.to)
		return -E2BIG;
	struct db *db = &v->store->db;
	int error = db_begin(db);
	if (!error)
		error = db_end(db, copy_all(&c, target, mode));
	if (error)
		return store_note_error(v->store, error);
	*ret_result = (struct store_copy_result){.uidvalidity = c.target.uidvalidity,
	    .from = c.from ? c.from : uids.v,
	    .to = c.to,
	    .n = c.n};
	return 0;
}

static int list_deleted_rows(struct store_view *v, uint32_t *uids, size_t max, size_t *ret_n)
{
	sqlite3_stmt *stmt;
	int error = db_get(&v->store->db, DB_ENTRY_DELETED, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)v->mailbox);
	size_t n = 0;
	int row;
	while ((row = db_step(&v->store->db, stmt)) > 0 && n < max)
		uids[n++] = db_column_u32(stmt, 0);
	sqlite3_reset(stmt);
	*ret_n = n;
	return row < 0 ? row : 0;
}

/* Of a view that is as the table is. */
static size_t list_deleted_entries(const struct store_view *v, uint32_t *uids, size_t max)
{
	size_t n = 0;
	for (size_t at = 0; at < v->entries.n && n < max; at++) {
		const struct store_entry e = store_view_entry(v, at);
		if ((e.flags & (STORE_DELETED | STORE_GONE)) == STORE_DELETED)
			uids[n++] = e.uid;
	}
	return n;
}

/* The UIDs of messages with \Deleted, those too that the view does not show yet. */
static int list_deleted(
    struct store_view *v, const struct store_box *box, struct arena *a, struct store_uids *ret_uids)
{
	size_t max = num_min(box->n_deleted, STORE_EXPUNGE_MAX), n = 0;
	uint32_t *uids = ARENA_NEW_ARRAY(a, uint32_t, max);
	if (!uids)
		return -E2BIG;
	int error = v->loaded ? view_catch_up(v, box) : list_deleted_rows(v, uids, max, &n);
	if (!error && v->loaded)
		n = list_deleted_entries(v, uids, max);
	*ret_uids = (struct store_uids){uids, n};
	return error;
}

/* Removes those of `uids` that have all of `flags`, `max` at most. */
static int remove_those(struct store_view *v, struct store_uids uids, size_t max, uint64_t flags,
    struct arena *a, struct store_uids *ret_removed)
{
	struct store *s = v->store;
	struct store_box box;
	uint32_t *removed = ARENA_NEW_ARRAY(a, uint32_t, uids.n);
	int error = removed ? store_box_load(s, v->mailbox, &box) : -E2BIG;
	if (error)
		return error;
	size_t n = 0;
	uint64_t modseq = store_next_modseq(s);
	for (size_t i = 0; !error && i < uids.n && n < max; i++) {
		struct row row;
		int found = get_row(s, v->mailbox, uids.v[i], &row);
		if (found < 0)
			return found;
		if (!found || (row.placement.flags & flags) != flags)
			continue;
		error = store_box_remove_row(s, &box, uids.v[i], &row.placement, modseq);
		removed[n++] = uids.v[i];
	}
	if (!error && n > 0)
		error = expunged_trim(s, &box, n);
	if (!error && n > 0)
		error = store_box_save(s, &box);
	*ret_removed = (struct store_uids){removed, n};
	return error;
}

static int expunge(struct store_view *v, struct store_uids uids, bool all, struct arena *a,
    struct store_uids *ret_removed)
{
	struct store_box box;
	int error = store_box_load(v->store, v->mailbox, &box);
	if (error || box.n_deleted == 0)
		return error;
	if (all)
		error = list_deleted(v, &box, a, &uids);
	return error ? error
	             : remove_those(v, uids, STORE_EXPUNGE_MAX, STORE_DELETED, a, ret_removed);
}

/*
 * After the transaction: the bytes of what it removed go too. Not where more is going to be
 * removed: somebody waits for all of it.
 */
static int finish_removal(struct store_view *v, const struct store_uids *removed, int error)
{
	error = db_end(&v->store->db, error);
	if (error)
		return store_note_error(v->store, error);
	if (removed->n == STORE_EXPUNGE_MAX)
		v->store->dead_left = true;
	else
		store_bury_dead(v->store);
	return 0;
}

int store_expunge(struct store_view *v, struct store_uids uids, bool all, struct arena *a,
    struct store_uids *ret_removed)
{
	struct store_uids removed = {0};
	int error = db_begin(&v->store->db);
	if (error)
		return store_note_error(v->store, error);
	error = finish_removal(v, &removed, expunge(v, uids, all, a, &removed));
	if (!error)
		*ret_removed = removed;
	return error;
}

int store_remove(
    struct store_view *v, struct store_uids uids, struct arena *a, struct store_uids *ret_removed)
{
	struct store_uids removed = {0};
	int error = db_begin(&v->store->db);
	if (error)
		return store_note_error(v->store, error);
	error = finish_removal(v, &removed, remove_those(v, uids, uids.n, 0, a, &removed));
	if (!error)
		*ret_removed = removed;
	return error;
}
