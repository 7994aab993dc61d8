/*
 * store_view.h: listing the messages of a view.
 *
 * The table `lists` keeps a large mailbox's list as it was at a MODSEQ, in few bytes. What happened
 * since then is found as a refresh finds it; so a list is never wrong, only more or less far
 * behind, and is written anew where nobody waits.
 */
#include <errno.h>

#include "base/num.h"
#include "store/changed.h"
#include "store/entry_code.h"
#include "store/view_entries.h"

enum { LIST_LEN_MAX = 256 << 20 /* of the code */ };

/* One entry of the mailbox as it was when it was selected. */
static int list_entry(struct store_view *v, struct store_entry entry)
{
	bool changed = entry.modseq > v->seen_modseq && !(entry.flags & STORE_GONE);
	if (entry.uid >= v->recent_from)
		entry.flags |= STORE_RECENT;
	int error = view_entries_add(&v->entries, &entry);
	if (error)
		return error;
	if (changed)
		view_mark_changed(v, v->entries.n - 1);
	v->n_gone += (entry.flags & STORE_GONE) != 0;
	return 0;
}

/* Those expunged since, up to the next one that is there; `*uid` is then a later one. */
static int list_gone_below(struct store_view *v, sqlite3_stmt *stmt, uint32_t end, uint32_t *uid)
{
	int row = 1;
	while (row > 0 && (*uid == 0 || *uid < end)) {
		if (*uid != 0) {
			int error =
			    list_entry(v, (struct store_entry){.uid = *uid, .flags = STORE_GONE});
			if (error)
				return error;
		}
		row = db_step(&v->store->db, stmt);
		*uid = row > 0 ? db_column_u32(stmt, 0) : UINT32_MAX;
	}
	return row < 0 ? row : 0;
}

/* What is there of what was there, and between it what is gone since. */
static int list_both(struct store_view *v, sqlite3_stmt *entries, sqlite3_stmt *gone)
{
	struct db *db = &v->store->db;
	uint32_t gone_uid = 0;
	int row = 0, error = 0;
	while (!error && (row = db_step(db, entries)) > 0) {
		struct store_entry entry = view_read_entry(entries);
		if (gone_uid < entry.uid)
			error = list_gone_below(v, gone, entry.uid, &gone_uid);
		if (!error)
			error = list_entry(v, entry);
	}
	if (!error && row == 0 && gone_uid < v->uidnext)
		error = list_gone_below(v, gone, v->uidnext, &gone_uid);
	return error ? error : row;
}

/* The rows of `entries` from this UID on. */
static int list_rows(struct store_view *v, uint32_t from)
{
	struct db *db = &v->store->db;
	sqlite3_stmt *entries, *gone;
	int error = db_get(db, DB_ENTRIES, &entries);
	if (!error)
		error = db_get(db, DB_EXPUNGED_SINCE, &gone);
	if (error)
		return error;
	db_bind(entries, (int64_t)v->mailbox, v->uidnext, from);
	db_bind(gone, (int64_t)v->mailbox, (int64_t)v->seen_modseq, from);
	error = list_both(v, entries, gone);
	sqlite3_reset(entries);
	sqlite3_reset(gone);
	return error;
}

static void list_nothing(struct store_view *v)
{
	view_entries_done(&v->entries);
	v->n_gone = v->n_changed = 0;
}

/* --- the list that is kept --- */

static bool is_marked(const struct view_entry *entry)
{
	return entry->changed;
}

/* Out of the list goes what was expunged before the mailbox was selected; what was later is gone.
 */
static int leave_out_expunged(struct store_view *v, uint64_t modseq)
{
	struct db *db = &v->store->db;
	struct view_entries *e = &v->entries;
	sqlite3_stmt *stmt;
	int row, error = db_get(db, DB_EXPUNGED_SINCE, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)v->mailbox, (int64_t)modseq, 0);
	size_t first = e->n;
	while ((row = db_step(db, stmt)) > 0) {
		uint32_t uid = db_column_u32(stmt, 0);
		size_t at = view_entries_at(e, uid);
		if (at == e->n || view_entries_uid(e, at) != uid)
			continue;
		struct view_entry entry = view_entries_get(e, at);
		entry.gone = db_column_u64(stmt, 1) > v->seen_modseq;
		entry.changed = !entry.gone; /* for the moment: it goes out */
		view_entries_put(e, at, entry);
		v->n_gone += entry.gone;
		if (entry.changed)
			first = num_min(first, at);
	}
	view_entries_take_out(e, first, is_marked);
	return row;
}

static int take_in_row(void *ctx, sqlite3_stmt *row)
{
	struct store_view *v = ctx;
	const struct store_entry entry = view_read_entry(row);
	size_t at = view_entries_at(&v->entries, entry.uid);
	if (at == v->entries.n || view_entries_uid(&v->entries, at) != entry.uid)
		return 0; /* a new one */
	int error = view_entries_set(&v->entries, at, entry.flags, entry.modseq);
	if (!error && entry.modseq > v->seen_modseq)
		view_mark_changed(v, at);
	return error;
}

/* Brings the kept list to what it was when the mailbox was selected. */
static int bring_up(struct store_view *v, uint64_t modseq)
{
	int error = leave_out_expunged(v, modseq);
	if (!error)
		error = changed_each(v->store, v->mailbox, modseq, take_in_row, v);
	for (size_t i = view_entries_at(&v->entries, v->recent_from); i < v->entries.n; i++) {
		struct view_entry entry = view_entries_get(&v->entries, i);
		entry.recent = true;
		view_entries_put(&v->entries, i, entry);
	}
	return error;
}

/* Lists what the kept list has; from `*ret_from` on rows are to be read. */
static int list_kept(struct store_view *v, const struct store_box *box, uint32_t *ret_from)
{
	struct db *db = &v->store->db;
	sqlite3_stmt *stmt;
	int error = db_get(db, DB_LIST_GET, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)v->mailbox, box->uidvalidity);
	int row = db_step(db, stmt);
	if (row <= 0)
		return row;
	uint64_t modseq = db_column_u64(stmt, 0);
	uint32_t from = db_column_u32(stmt, 1);
	bool usable =
	    modseq <= v->seen_modseq && box->expunged_since <= modseq && from <= v->uidnext;
	if (usable)
		v->list_is_wrong = entry_code_read(db_column_str(stmt, 2), &v->entries) < 0;
	sqlite3_reset(stmt);
	if (v->list_is_wrong)
		list_nothing(v);
	if (!usable || v->list_is_wrong)
		return 0;
	*ret_from = from;
	return bring_up(v, modseq);
}

int view_list(struct store_view *v, const struct store_box *box)
{
	uint32_t from = 1;
	if (box->expunged_since > v->seen_modseq)
		return -ESTALE;
	int error = list_kept(v, box, &from);
	if (!error)
		error = list_rows(v, from);
	if (!error && v->entries.n != v->n && from > 1) {
		/* As when a message went that was listed late: the rows have it all. */
		list_nothing(v);
		error = list_rows(v, 1);
	}
	if (!error && v->entries.n != v->n) {
		v->store->db.damaged = true; /* the numbers of the mailbox are wrong */
		error = -EBADMSG;
	}
	if (error) {
		list_nothing(v);
		return error;
	}
	v->loaded = true;
	return 0;
}

/* --- keeping it --- */

/* How much is to be read beside the kept list; its MODSEQ, 0 where there is none. */
static int is_behind(
    struct store_view *v, const struct store_box *box, uint64_t *ret_behind, uint64_t *ret_modseq)
{
	struct db *db = &v->store->db;
	sqlite3_stmt *stmt;
	int error = db_get(db, DB_LIST_BEHIND, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)v->mailbox, box->uidvalidity, box->n_messages);
	int row = db_step(db, stmt);
	if (row < 0)
		return row;
	bool complete = row > 0 && db_column_u64(stmt, 0) >= box->expunged_since;
	*ret_modseq = row > 0 ? db_column_u64(stmt, 0) : 0;
	*ret_behind =
	    complete ? db_column_u64(stmt, 2) + box->uidnext - db_column_u32(stmt, 1) : UINT64_MAX;
	sqlite3_reset(stmt);
	return 0;
}

static int look_behind(struct store_view *v, uint64_t *ret_behind)
{
	struct store_box box;
	uint64_t modseq = 0;
	int error = db_begin_read(&v->store->db);
	if (error)
		return error;
	error = store_box_load(v->store, v->mailbox, &box);
	if (!error)
		error = is_behind(v, &box, ret_behind, &modseq);
	db_end_read(&v->store->db);
	return error;
}

/* Unless another session was quicker. */
static int put_list(struct store_view *v, struct str code)
{
	struct store_box box;
	uint64_t behind = 0, modseq = 0;
	sqlite3_stmt *stmt;
	int error = store_box_load(v->store, v->mailbox, &box);
	if (!error)
		error = is_behind(v, &box, &behind, &modseq);
	bool is_newer = modseq < v->seen_modseq || (modseq == v->seen_modseq && v->list_is_wrong);
	if (error || !is_newer || box.uidvalidity != v->uidvalidity)
		return error;
	error = db_get(&v->store->db, DB_LIST_PUT, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)v->mailbox, v->uidvalidity, (int64_t)v->seen_modseq, v->uidnext);
	db_bind_blob(stmt, 5, code);
	return db_finish(&v->store->db, stmt);
}

int view_keep(struct store_view *v)
{
	struct buf code CLEANUP(buf_done) = BUF_MAX(LIST_LEN_MAX);
	assert(v->loaded);
	if (!entry_code_write(&v->entries, v->uidnext, &code))
		return 0;
	int error = db_begin(&v->store->db);
	return error ? error : db_end(&v->store->db, put_list(v, buf_str(&code)));
}

int store_view_tidy(struct store_view *v)
{
	uint64_t behind = 0;
	bool was_loaded = v->loaded;
	if (v->n < VIEW_LIST_MIN)
		return 0;
	int error = look_behind(v, &behind);
	if (error ||
	    (behind <= VIEW_LIST_BEHIND_MAX + v->n / VIEW_LIST_BEHIND_PART && !v->list_is_wrong))
		return error == -ENOENT ? 0 : store_note_error(v->store, error);
	error = store_view_load(v);
	if (!error)
		error = view_keep(v);
	v->list_is_wrong = false;
	if (!was_loaded && v->loaded) {
		list_nothing(v);
		v->loaded = false;
	}
	return error == -ENOENT || error == -ESTALE ? 0 : store_note_error(v->store, error);
}
