/* store_view.h: a selected mailbox. */
#include "store/store_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "store/store_private.h"

enum { ENTRIES_MIN = 16, LIST_MIN = 64 };

static void add_entry(struct store_view *v, const struct store_entry *entry)
{
	if (v->n == v->cap) {
		v->cap += num_max(v->cap / 2, ENTRIES_MIN); /* half of 1 is nothing */
		struct store_entry *larger = reallocarray(v->entries, v->cap, sizeof(*larger));
		if (!larger)
			abort();
		v->entries = larger;
	}
	v->entries[v->n++] = *entry;
}

static struct store_entry read_entry(sqlite3_stmt *stmt)
{
	return (struct store_entry){.uid = db_column_u32(stmt, 0),
	    .message = db_column_u32(stmt, 1),
	    .flags = db_column_u64(stmt, 2) & STORE_FLAGS_MASK,
	    .modseq = db_column_u64(stmt, 3)};
}

static void adopt_box(struct store_view *v, const struct store_box *box)
{
	v->uidvalidity = box->uidvalidity;
	v->uidnext = box->uidnext;
	v->highest_modseq = box->highest_modseq;
	v->seen_modseq = v->store->db.state.next_modseq - 1;
}

/* Entries from `first_uid` on are \Recent for this view. */
static void mark_recent(struct store_view *v, uint32_t first_uid)
{
	v->n_recent = 0;
	for (size_t i = v->n; i > 0 && v->entries[i - 1].uid >= first_uid; i--) {
		v->entries[i - 1].flags |= STORE_RECENT;
		v->n_recent++;
	}
}

static int load(struct store_view *v)
{
	struct store *s = v->store;
	struct store_box box;
	int error = store_box_load(s, v->mailbox, &box);
	if (!error)
		error = store_keywords_refresh(s);
	sqlite3_stmt *stmt;
	if (!error)
		error = db_get(&s->db, DB_ENTRIES, &stmt);
	if (error)
		return error;
	v->cap = box.n_messages;
	v->entries = v->cap ? calloc(v->cap, sizeof(*v->entries)) : NULL;
	if (v->cap && !v->entries)
		abort();
	db_bind(stmt, (int64_t)v->mailbox);
	int row;
	while ((row = db_step(&s->db, stmt)) > 0) {
		struct store_entry entry = read_entry(stmt);
		add_entry(v, &entry);
	}
	if (row < 0)
		return row;
	adopt_box(v, &box);
	v->seen_keywords = s->keyword_bits;
	mark_recent(v, box.first_recent);
	return 0;
}

/* Who opens a mailbox for writing uses \Recent up: a writing transaction, if there is any. */
static int load_and_use_recent(struct store_view *v)
{
	struct store *s = v->store;
	int error = db_begin(&s->db);
	if (error)
		return error;
	error = load(v);
	if (!error && v->n_recent > 0)
		error = db_run(&s->db, DB_MAILBOX_RECENT, (int64_t)v->mailbox);
	return db_end(&s->db, error);
}

static int load_only(struct store_view *v)
{
	int error = db_begin_read(&v->store->db);
	if (error)
		return error;
	error = load(v);
	db_end_read(&v->store->db);
	return error;
}

int store_view_open(struct store *s, uint64_t mailbox, bool examine, struct store_view **ret_view)
{
	struct store_view *v = calloc(1, sizeof(*v));
	if (!v)
		abort();
	*v = (struct store_view){.store = s, .mailbox = mailbox};
	int error = load_only(v);
	if (!error && !examine && v->n_recent > 0) {
		free(v->entries);
		*v = (struct store_view){.store = s, .mailbox = mailbox};
		error = load_and_use_recent(v);
	}
	if (error) {
		store_view_close(v);
		return store_note_error(s, error);
	}
	*ret_view = v;
	return 0;
}

void store_view_close(struct store_view *v)
{
	if (!v)
		return;
	free(v->entries);
	free(v);
}

size_t store_view_at(const struct store_view *v, uint32_t uid)
{
	size_t low = 0, high = v->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (v->entries[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
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

/* Marks what others expunged since the last refresh. */
static int mark_gone(struct store_view *v)
{
	struct db *db = &v->store->db;
	sqlite3_stmt *stmt;
	int error = db_get(db, DB_EXPUNGED_SINCE, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)v->mailbox, (int64_t)v->seen_modseq);
	int row;
	while ((row = db_step(db, stmt)) > 0) {
		uint32_t uid = db_column_u32(stmt, 0);
		size_t at = store_view_at(v, uid);
		if (at == v->n || v->entries[at].uid != uid || (v->entries[at].flags & STORE_GONE))
			continue;
		v->entries[at].flags |= STORE_GONE;
		v->n_gone++;
	}
	return row;
}

/* Where the marked entries stand. */
static int list_gone(
    const struct store_view *v, struct arena *a, struct numbers *positions, struct numbers *uids)
{
	for (size_t i = 0; i < v->n && positions->n < v->n_gone; i++) {
		if (!(v->entries[i].flags & STORE_GONE))
			continue;
		int error = push(a, positions, (uint32_t)i);
		if (!error)
			error = push(a, uids, v->entries[i].uid);
		if (error)
			return error;
	}
	return 0;
}

static void take_out_gone(struct store_view *v)
{
	size_t kept = 0;
	for (size_t i = 0; i < v->n; i++) {
		if (v->entries[i].flags & STORE_GONE)
			v->n_recent -= (v->entries[i].flags & STORE_RECENT) != 0;
		else
			v->entries[kept++] = v->entries[i];
	}
	v->n = kept;
	v->n_gone = 0;
}

/* What the table has of the mailbox since the last refresh, changed and new, by UID. */
static int read_news(struct store_view *v, struct store_view *news)
{
	struct db *db = &v->store->db;
	sqlite3_stmt *stmt;
	int error = db_get(db, DB_ENTRIES_SINCE, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)v->mailbox, (int64_t)v->seen_modseq);
	int row;
	while ((row = db_step(db, stmt)) > 0) {
		struct store_entry entry = read_entry(stmt);
		add_entry(news, &entry);
	}
	return row;
}

/* Takes them in; new ones are \Recent from `recent_from` on. `changed` has room for all. */
static void take_in_news(struct store_view *v, const struct store_view *news, uint32_t recent_from,
    struct numbers *changed, size_t *n_new)
{
	for (size_t i = 0; i < news->n; i++) {
		struct store_entry entry = news->entries[i];
		size_t at = store_view_at(v, entry.uid);
		if (at == v->n) {
			if (entry.uid >= recent_from) {
				entry.flags |= STORE_RECENT;
				v->n_recent++;
			}
			add_entry(v, &entry);
			++*n_new;
			continue;
		}
		struct store_entry *old = &v->entries[at];
		if (old->uid != entry.uid || old->modseq == entry.modseq)
			continue;
		entry.flags |= old->flags & (STORE_RECENT | STORE_GONE);
		*old = entry;
		changed->v[changed->n++] = (uint32_t)at;
	}
}

static void entries_done(struct store_view *v)
{
	free(v->entries);
}

/*
 * First everything that can fail, then the view: a refresh that failed has told the client nothing,
 * so no number may have moved, and the next one must find the same news.
 */
static int refresh(struct store_view *v, bool keep_gone, struct arena *a, struct store_changes *c)
{
	struct store *s = v->store;
	struct store_view news CLEANUP(entries_done) = {0};
	struct numbers gone = {0}, gone_uids = {0}, changed = {0};
	struct store_box box;
	int error = store_box_load(s, v->mailbox, &box);
	if (!error)
		error = store_keywords_refresh(s);
	bool is_new = !error && s->db.state.next_modseq - 1 != v->seen_modseq;
	if (is_new)
		error = mark_gone(v);
	if (!error && !keep_gone && v->n_gone > 0)
		error = list_gone(v, a, &gone, &gone_uids);
	if (!error && is_new)
		error = read_news(v, &news);
	if (!error && news.n > 0 && !(changed.v = ARENA_NEW_ARRAY(a, uint32_t, news.n)))
		error = -E2BIG;
	if (error)
		return error;
	if (!keep_gone)
		take_out_gone(v);
	take_in_news(v, &news, box.first_recent, &changed, &c->n_new);
	adopt_box(v, &box);
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
	db_bind(stmt, (int64_t)v->mailbox, (int64_t)modseq);
	int row;
	while (!error && (row = db_step(db, stmt)) > 0) {
		uint32_t uid = db_column_u32(stmt, 0);
		size_t at = store_view_at(v, uid);
		bool still_shown = at < v->n && v->entries[at].uid == uid;
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
