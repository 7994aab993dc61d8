/* store_annotation.h: METADATA. */
#include "store/store_annotation.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/store_private.h"

/* Removed ones are told to the sessions that are there: a day of them, or so many. */
enum { REMOVAL_KEPT_S = 24 * 3600, REMOVALS_MAX = 1000, LIST_MIN = 16 };

static int put(struct store *s, uint64_t mailbox, const struct store_annotation *a, uint64_t modseq)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_ANNOTATION_PUT, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)mailbox, (int64_t)modseq, (int64_t)clock_wall());
	db_bind_str(stmt, 4, a->entry);
	if (a->has_value)
		db_bind_blob(stmt, 5, a->value);
	else
		sqlite3_bind_null(stmt, 5);
	return db_finish(&s->db, stmt);
}

static int check_room(struct store *s, uint64_t mailbox)
{
	uint64_t n = 0, used = 0;
	int error = db_number(&s->db, DB_ANNOTATION_COUNT, &n, (int64_t)mailbox);
	if (!error)
		error = db_number(&s->db, DB_ANNOTATION_USAGE, &used);
	if (error)
		return error;
	if (n > STORE_ANNOTATIONS_MAX)
		return -E2BIG;
	return used > STORE_ANNOTATION_STORAGE_MAX ? -EDQUOT : 0;
}

static int set_all(struct store *s, uint64_t mailbox, const struct store_annotation *list, size_t n,
    uint64_t modseq)
{
	struct store_box box;
	int error = mailbox > 0 ? store_box_load(s, mailbox, &box) : 0;
	if (!error)
		error =
		    db_run(&s->db, DB_ANNOTATION_FORGET, (int64_t)clock_wall() - REMOVAL_KEPT_S);
	for (size_t i = 0; !error && i < n; i++)
		error = list[i].value.len > STORE_ANNOTATION_LEN_MAX
		            ? -EFBIG
		            : put(s, mailbox, &list[i], modseq);
	if (!error)
		error = db_run(&s->db, DB_ANNOTATION_TRIM, REMOVALS_MAX);
	return error ? error : check_room(s, mailbox);
}

int store_annotations_set(struct store *s, uint64_t mailbox, const struct store_annotation *list,
    size_t n, uint64_t *ret_modseq)
{
	int error = db_begin(&s->db);
	if (error)
		return store_note_error(s, error);
	uint64_t modseq = store_next_modseq(s);
	error = db_end(&s->db, set_all(s, mailbox, list, n, modseq));
	if (error)
		return store_note_error(s, error);
	*ret_modseq = modseq;
	return 0;
}

/* A growing list in an arena: the old one is left behind. */
struct listing {
	struct arena *a;
	void *v;
	size_t n, cap;
};

static void *push(struct listing *l, size_t size)
{
	if (l->n == l->cap) {
		size_t cap = l->cap > 0 ? 2 * l->cap : LIST_MIN;
		void *larger = arena_array(l->a, cap, size);
		if (!larger)
			return NULL;
		if (l->n > 0)
			memcpy(larger, l->v, l->n * size);
		l->v = larger;
		l->cap = cap;
	}
	return (char *)l->v + size * l->n++;
}

static bool is_wanted(struct str found, struct str entry, enum store_annotation_depth depth)
{
	struct str below = str_from(found, entry.len);

	if (below.len == 0 || depth == ANNOTATION_ALL_BELOW)
		return true;
	return depth == ANNOTATION_CHILDREN && str_index(str_from(below, 1), '/') == below.len - 1;
}

static int add_annotation(struct listing *l, sqlite3_stmt *row)
{
	struct store_annotation *to = push(l, sizeof(*to));

	if (!to || !arena_dup(l->a, db_column_str(row, 0), &to->entry) ||
	    !arena_dup(l->a, db_column_str(row, 1), &to->value))
		return -E2BIG;
	to->has_value = true;
	return 0;
}

int store_annotations_get(struct store *s, uint64_t mailbox, struct str entry,
    enum store_annotation_depth depth, struct arena *a, const struct store_annotation **ret_list,
    size_t *ret_n)
{
	struct listing l = {.a = a};
	struct buf first CLEANUP(buf_done) = BUF_MAX(STORE_ANNOTATION_NAME_MAX + 1);
	struct buf end CLEANUP(buf_done) = BUF_MAX(STORE_ANNOTATION_NAME_MAX + 1);
	sqlite3_stmt *stmt;
	int row = 0, error = db_get(&s->db, DB_ANNOTATIONS, &stmt);
	if (error)
		return store_note_error(s, error);
	/* All that begin with the entry and a slash: from there to what stands behind the slash. */
	buf_add(&first, entry);
	buf_add_c(&first, '/');
	buf_add(&end, entry);
	buf_add_c(&end, '/' + 1);
	if (buf_failed(&first))
		return -EINVAL;
	db_bind(stmt, (int64_t)mailbox);
	db_bind_str(stmt, 2, entry);
	db_bind_str(stmt, 3, buf_str(&first));
	db_bind_str(stmt, 4, buf_str(&end));
	while (!error && (row = db_step(&s->db, stmt)) > 0)
		if (is_wanted(db_column_str(stmt, 0), entry, depth))
			error = add_annotation(&l, stmt);
	sqlite3_reset(stmt);
	if (error || row < 0)
		return error ? error : store_note_error(s, row);
	*ret_list = l.v;
	*ret_n = l.n;
	return 0;
}

static int list_changed(struct store *s, uint64_t since, uint64_t but, struct listing *l)
{
	sqlite3_stmt *stmt;
	int row = 0, error = db_get(&s->db, DB_ANNOTATIONS_CHANGED, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)since, (int64_t)but);
	while (!error && (row = db_step(&s->db, stmt)) > 0) {
		struct store_annotation_change *to = push(l, sizeof(*to));
		if (!to || !arena_dup(l->a, db_column_str(stmt, 0), &to->mailbox) ||
		    !arena_dup(l->a, db_column_str(stmt, 1), &to->entry))
			error = -E2BIG;
	}
	sqlite3_reset(stmt);
	return error ? error : row;
}

int store_annotations_changed(struct store *s, uint64_t *modseq, uint64_t but, struct arena *a,
    const struct store_annotation_change **ret_list, size_t *ret_n)
{
	struct listing l = {.a = a};
	int error = db_begin_read(&s->db);
	if (error)
		return store_note_error(s, error);
	uint64_t now = s->db.state.next_modseq - 1;
	if (now > *modseq)
		error = list_changed(s, *modseq, but, &l);
	db_end_read(&s->db);
	if (error)
		return store_note_error(s, error);
	*modseq = now;
	*ret_list = l.v;
	*ret_n = l.n;
	return 0;
}

int store_annotations_usage(struct store *s, uint64_t *ret_used)
{
	return store_note_error(s, db_number(&s->db, DB_ANNOTATION_USAGE, ret_used));
}
