/* store_mailbox.h: folders. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "base/num.h"
#include "base/utf8.h"
#include "store/changed.h"
#include "store/expunged.h"
#include "store/store_private.h"

enum { INBOX_ID = 1, NAME_UNITS_MAX = 2 * STORE_MAILBOX_NAME_MAX };

static const struct str inbox = STR_INIT("INBOX");

/* Appends the normal form C of valid UTF-8 (RFC 5198 §3, which RFC 9051 §5.1 asks for). */
static int add_nfc(struct str name, struct buf *out)
{
	UChar units[NAME_UNITS_MAX], composed[NAME_UNITS_MAX];
	char bytes[STORE_MAILBOX_NAME_MAX + 1];
	int32_t n_units = 0, n_composed, n_bytes = 0;
	UErrorCode status = U_ZERO_ERROR;
	const UNormalizer2 *nfc = unorm2_getNFCInstance(&status);
	u_strFromUTF8(units, NAME_UNITS_MAX, &n_units, name.p, (int32_t)name.len, &status);
	n_composed = unorm2_normalize(nfc, units, n_units, composed, NAME_UNITS_MAX, &status);
	u_strToUTF8(bytes, sizeof(bytes), &n_bytes, composed, n_composed, &status);
	if (U_FAILURE(status) || n_bytes > STORE_MAILBOX_NAME_MAX)
		return -ENAMETOOLONG;
	return buf_add(out, str_of(bytes, (size_t)n_bytes)) ? 0 : -ENAMETOOLONG;
}

/* Levels are not empty, characters are no controls and no wildcards. */
static int check_name(struct str name)
{
	struct str rest = name;
	while (rest.len > 0) {
		int c = utf8_next(&rest);
		if (c == UTF8_INVALID || c < ' ' || (c >= 0x7f && c < 0xa0) || c == '%' ||
		    c == '*' || c == 0x2028 || c == 0x2029)
			return -EINVAL;
	}
	size_t depth = 0;
	if (name.len == 0 || name.p[name.len - 1] == '/')
		return -EINVAL;
	for (rest = name; rest.len > 0; depth++) {
		if (str_cut(&rest, '/').len == 0)
			return -EINVAL;
	}
	return depth > STORE_MAILBOX_DEPTH_MAX ? -ENAMETOOLONG : 0;
}

int store_mailbox_name(struct str name, struct buf *out)
{
	if (name.len > STORE_MAILBOX_NAME_MAX)
		return -ENAMETOOLONG;
	int error = check_name(name);
	if (error)
		return error;
	size_t before = out->len;
	/* INBOX in any case is INBOX, as a superior too. */
	if (str_starts_nocase(name, inbox) && (name.len == inbox.len || name.p[inbox.len] == '/')) {
		if (!buf_add(out, inbox))
			return -ENAMETOOLONG;
		name = str_from(name, inbox.len);
	}
	error = name.len > 0 ? add_nfc(name, out) : 0;
	if (!error && out->len - before > STORE_MAILBOX_NAME_MAX)
		error = -ENAMETOOLONG;
	if (error)
		out->len = before;
	return error;
}

/* A name in its one spelling, for the functions below. */
struct spelled {
	struct buf buf;
	struct str name;
};

static void spelled_done(struct spelled *spelled)
{
	buf_done(&spelled->buf);
}

static int spell(struct str name, struct spelled *spelled)
{
	spelled->buf = BUF_MAX(STORE_MAILBOX_NAME_MAX);
	int error = store_mailbox_name(name, &spelled->buf);
	spelled->name = buf_str(&spelled->buf);
	return error;
}

static int read_row(sqlite3_stmt *stmt, struct arena *a, struct store_mailbox *ret_mailbox)
{
	struct store_mailbox m = {.id = db_column_u64(stmt, 0),
	    .use = db_column_u32(stmt, 3) < STORE_N_USES ? db_column_u32(stmt, 3) : STORE_NO_USE,
	    .uidvalidity = db_column_u32(stmt, 4),
	    .uidnext = db_column_u32(stmt, 5),
	    .highest_modseq = db_column_u64(stmt, 6),
	    .n_messages = db_column_u32(stmt, 8),
	    .n_unseen = db_column_u32(stmt, 9),
	    .n_deleted = db_column_u32(stmt, 10),
	    .size = db_column_u64(stmt, 11),
	    .subscribed = db_column_u32(stmt, 13) != 0};
	struct str object_id = db_column_str(stmt, 2);
	memcpy(m.object_id, object_id.p, num_min(object_id.len, STORE_OBJECT_ID_LEN));
	m.n_recent = db_column_u32(stmt, 7); /* for now: where they begin */
	if (!arena_dup(a, db_column_str(stmt, 1), &m.name))
		return -E2BIG;
	*ret_mailbox = m;
	return 0;
}

/* Replaces the first recent UID by how many there are. */
static int count_recent(struct store *s, struct store_mailbox *m)
{
	uint32_t first = m->n_recent;
	m->n_recent = first <= 1 ? m->n_messages : 0;
	if (first <= 1 || first >= m->uidnext)
		return 0;
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_ENTRIES_FROM_COUNT, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)m->id, first);
	int row = db_step(&s->db, stmt);
	if (row < 0)
		return row;
	m->n_recent = db_column_u32(stmt, 0);
	sqlite3_reset(stmt);
	return 0;
}

/* A growing list in an arena: the old one is left behind. */
static int push(struct arena *a, struct store_mailbox **list, size_t *n, size_t *cap,
    const struct store_mailbox *m)
{
	if (*n == *cap) {
		size_t room = *cap ? 2 * *cap : 16;
		struct store_mailbox *larger = ARENA_NEW_ARRAY(a, struct store_mailbox, room);
		if (!larger)
			return -E2BIG;
		if (*n > 0)
			memcpy(larger, *list, *n * sizeof(**list));
		*list = larger;
		*cap = room;
	}
	(*list)[(*n)++] = *m;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct store_mailbox *x = a, *y = b;
	bool x_inbox = str_eq(x->name, inbox), y_inbox = str_eq(y->name, inbox);
	if (x_inbox != y_inbox)
		return x_inbox ? -1 : 1;
	return str_cmp(x->name, y->name);
}

static int list_all(struct store *s, struct arena *a, struct store_mailbox **ret_list, size_t *n)
{
	struct store_mailbox *list = NULL;
	size_t cap = 0;
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_MAILBOX_LIST, &stmt);
	int row = 0;
	while (!error && (row = db_step(&s->db, stmt)) > 0) {
		struct store_mailbox m;
		error = read_row(stmt, a, &m);
		if (!error)
			error = push(a, &list, n, &cap, &m);
	}
	for (size_t i = 0; !error && row == 0 && i < *n; i++)
		error = count_recent(s, &list[i]);
	if (!error && row == 0)
		error = db_get(&s->db, DB_SUBSCRIPTIONS_ALONE, &stmt);
	while (!error && row == 0 && (row = db_step(&s->db, stmt)) > 0) {
		struct store_mailbox m = {.subscribed = true};
		if (!arena_dup(a, db_column_str(stmt, 0), &m.name))
			error = -E2BIG;
		else
			error = push(a, &list, n, &cap, &m);
		row = 0;
	}
	sqlite3_reset(stmt);
	*ret_list = list;
	return error ? error : row;
}

int store_mailbox_list(
    struct store *s, struct arena *a, struct store_mailbox **ret_list, size_t *ret_n)
{
	struct store_mailbox *list = NULL;
	size_t n = 0;
	int error = db_begin_read(&s->db);
	if (error)
		return store_note_error(s, error);
	error = list_all(s, a, &list, &n);
	db_end_read(&s->db);
	if (error)
		return store_note_error(s, error);
	if (n > 0)
		qsort(list, n, sizeof(*list), by_name);
	*ret_list = list;
	*ret_n = n;
	return 0;
}

static int find_mailbox(
    struct store *s, struct str name, struct arena *a, struct store_mailbox *ret_mailbox)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_MAILBOX_BY_NAME, &stmt);
	if (error)
		return error;
	db_bind_str(stmt, 1, name);
	int row = db_step(&s->db, stmt);
	if (row <= 0)
		return row < 0 ? row : -ENOENT;
	struct store_mailbox m;
	error = read_row(stmt, a, &m);
	sqlite3_reset(stmt);
	if (!error)
		error = count_recent(s, &m);
	if (!error)
		*ret_mailbox = m;
	return error;
}

int store_mailbox_find(
    struct store *s, struct str name, struct arena *a, struct store_mailbox *ret_mailbox)
{
	struct spelled spelled CLEANUP(spelled_done) = {0};
	if (spell(name, &spelled) < 0)
		return -ENOENT;
	int error = db_begin_read(&s->db);
	if (error)
		return store_note_error(s, error);
	error = find_mailbox(s, spelled.name, a, ret_mailbox);
	db_end_read(&s->db);
	return store_note_error(s, error);
}

int store_mailbox_create(
    struct store *s, struct str name, enum store_special_use use, uint64_t *ret_id)
{
	struct spelled spelled CLEANUP(spelled_done) = {0};
	int error = spell(name, &spelled);
	if (!error)
		error = db_begin(&s->db);
	if (error)
		return store_note_error(s, error);
	uint64_t id = 0;
	error = db_end(&s->db, store_box_create(s, spelled.name, use, &id));
	if (error)
		return store_note_error(s, error);
	*ret_id = id;
	return 0;
}

/* `max` messages of a mailbox, in steps, so that no list of them all is needed. */
static int remove_messages(struct store *s, struct store_box *box, uint64_t modseq, size_t max)
{
	for (size_t n_removed = 0; n_removed < max;) {
		uint32_t uids[1000];
		size_t n = 0;
		sqlite3_stmt *stmt;
		int error = db_get(&s->db, DB_ENTRY_OF_MAILBOX, &stmt);
		if (error)
			return error;
		db_bind(stmt, (int64_t)box->id, 0);
		int row;
		while ((row = db_step(&s->db, stmt)) > 0 && n < ARRAY_LEN(uids))
			uids[n++] = db_column_u32(stmt, 0);
		sqlite3_reset(stmt);
		if (row < 0 || n == 0)
			return row < 0 ? row : 0;
		for (size_t i = 0; i < n; i++) {
			error = store_box_remove(s, box, uids[i], modseq);
			if (error)
				return error;
		}
		n_removed += n;
	}
	return 0;
}

static int load_removable(struct store *s, struct str name, struct store_box *ret_box)
{
	uint64_t id;
	int error = store_box_find(s, name, &id);
	if (error)
		return error;
	return id == INBOX_ID ? -EPERM : store_box_load(s, id, ret_box);
}

static int thin_out(struct store *s, struct str name, bool *more)
{
	struct store_box box;
	int error = load_removable(s, name, &box);
	if (error || box.n_messages <= STORE_THIN_OUT_MAX)
		return error;
	uint32_t n_before = box.n_messages;
	error = remove_messages(s, &box, store_next_modseq(s), STORE_THIN_OUT_MAX);
	if (!error)
		error = expunged_trim(s, &box, n_before - box.n_messages);
	*more = box.n_messages > STORE_THIN_OUT_MAX;
	return error ? error : store_box_save(s, &box);
}

int store_mailbox_thin_out(struct store *s, struct str name, bool *ret_more)
{
	struct spelled spelled CLEANUP(spelled_done) = {0};
	bool more = false;
	if (spell(name, &spelled) < 0)
		return -ENOENT;
	int error = db_begin(&s->db);
	if (!error)
		error = db_end(&s->db, thin_out(s, spelled.name, &more));
	if (error)
		return store_note_error(s, error);
	s->dead_left = true;
	*ret_more = more;
	return 0;
}

static int remove_mailbox(struct store *s, struct str name)
{
	struct store_box box;
	int error = load_removable(s, name, &box);
	uint64_t id = error ? 0 : box.id;
	if (!error)
		error = remove_messages(s, &box, store_next_modseq(s), SIZE_MAX);
	if (!error)
		error = db_run(&s->db, DB_EXPUNGED_FORGET, (int64_t)id);
	if (!error)
		error = db_run(&s->db, DB_RIGHTS_FORGET_ALL, (int64_t)id);
	if (!error)
		error = db_run(&s->db, DB_MAILBOX_REMOVE, (int64_t)id);
	return error;
}

int store_mailbox_delete(struct store *s, struct str name)
{
	struct spelled spelled CLEANUP(spelled_done) = {0};
	if (spell(name, &spelled) < 0)
		return -ENOENT;
	int error = db_begin(&s->db);
	if (error)
		return store_note_error(s, error);
	error = db_end(&s->db, remove_mailbox(s, spelled.name));
	if (!error)
		store_bury_dead(s);
	return store_note_error(s, error);
}

static int set_name(struct store *s, uint64_t id, struct str name)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_MAILBOX_RENAME, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)id);
	db_bind_str(stmt, 2, name);
	return db_finish(&s->db, stmt);
}

/* Some messages of INBOX, the oldest first. */
struct part {
	uint32_t n, first, last;
	uint32_t n_unseen, n_deleted;
	uint64_t size;
};

/* Those below the UID `end`. */
static int find_part(struct store *s, uint32_t end, struct part *ret_part)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_ENTRIES_PART, &stmt);
	if (error)
		return error;
	db_bind(stmt, INBOX_ID, end, STORE_RENAME_MAX);
	int row = db_step(&s->db, stmt);
	if (row <= 0)
		return row < 0 ? row : -EBADMSG;
	*ret_part = (struct part){.n = db_column_u32(stmt, 0),
	    .first = db_column_u32(stmt, 1),
	    .last = db_column_u32(stmt, 2),
	    .n_unseen = db_column_u32(stmt, 3),
	    .n_deleted = db_column_u32(stmt, 4),
	    .size = db_column_u64(stmt, 5)};
	sqlite3_reset(stmt);
	return 0;
}

static void count_part(struct store_box *box, const struct part *part, int by)
{
	box->n_messages += part->n * (uint32_t)by;
	box->n_unseen += part->n_unseen * (uint32_t)by;
	box->n_deleted += part->n_deleted * (uint32_t)by;
	box->size += part->size * (uint64_t)by;
}

/* They keep their UIDs, unless the other mailbox has got messages meanwhile. */
static int move_rows(struct store *s, struct store_box *target, const struct part *part)
{
	uint64_t modseq = target->highest_modseq;
	uint32_t shift = target->uidnext > part->first ? target->uidnext - part->first : 0;
	if (part->last >= UINT32_MAX - shift)
		return -E2BIG;
	int error = db_run(&s->db, DB_EXPUNGED_PART, INBOX_ID, (int64_t)modseq, part->last);
	if (!error)
		error = db_run(&s->db, DB_ENTRIES_RENUMBER, INBOX_ID, (int64_t)target->id,
		    (int64_t)modseq, part->last, shift);
	target->uidnext = part->last + shift + 1;
	return error;
}

/* Moves a part of what stands below the UID `*rest` in INBOX; 0 when that was all. */
static int move_part(struct store *s, uint64_t id, uint32_t *rest)
{
	struct store_box from, target;
	struct part part;
	int error = store_box_load(s, INBOX_ID, &from);
	if (!error)
		error = store_box_load(s, id, &target);
	if (!error)
		error = find_part(s, *rest, &part);
	if (error)
		return error;
	from.highest_modseq = target.highest_modseq = store_next_modseq(s);
	count_part(&from, &part, -1);
	count_part(&target, &part, 1);
	if (part.n > 0)
		error = move_rows(s, &target, &part);
	if (!error && part.n > 0)
		error = expunged_trim(s, &from, part.n);
	if (!error)
		error = store_box_save(s, &from);
	if (part.n < STORE_RENAME_MAX) {
		target.uidnext = (uint32_t)num_max(target.uidnext, *rest);
		*rest = 0;
	}
	return error ? error : store_box_save(s, &target);
}

/* RFC 9051 §6.3.6: renaming INBOX moves its messages and leaves INBOX, empty. */
static int rename_inbox(struct store *s, struct str to, uint32_t *rest)
{
	uint64_t id;
	struct store_box from;
	int error = store_box_create(s, to, STORE_NO_USE, &id);
	if (!error)
		error = store_box_load(s, INBOX_ID, &from);
	if (error)
		return error;
	*rest = from.uidnext;
	return move_part(s, id, rest);
}

static int rename_boxes(struct store *s, struct str from, struct str to, struct arena *a)
{
	struct store_mailbox *list = NULL;
	size_t n = 0;
	uint64_t id;
	int error = list_all(s, a, &list, &n);
	bool found = false;
	for (size_t i = 0; !error && i < n; i++) {
		struct str tail = str_from(list[i].name, from.len);
		if (list[i].id == 0 || !str_starts(list[i].name, from) ||
		    (tail.len > 0 && tail.p[0] != '/'))
			continue;
		found |= tail.len == 0;
		struct buf name CLEANUP(buf_done) = BUF_MAX(STORE_MAILBOX_NAME_MAX);
		buf_add(&name, to);
		buf_add(&name, tail);
		if (buf_failed(&name))
			return -ENAMETOOLONG;
		if (store_box_find(s, buf_str(&name), &id) != -ENOENT)
			return -EEXIST;
		error = check_name(buf_str(&name));
		if (!error)
			error = set_name(s, list[i].id, buf_str(&name));
	}
	return error ? error : found ? 0 : -ENOENT;
}

/* Superiors of a new name are made, as CREATE does. */
static int make_superiors(struct store *s, struct str name)
{
	size_t end = name.len;
	while (end > 0 && name.p[end - 1] != '/')
		end--;
	if (end == 0)
		return 0;
	uint64_t id;
	int error = store_box_create(s, str_first(name, end - 1), STORE_NO_USE, &id);
	return error == -EEXIST ? 0 : error;
}

static int rename_mailbox(struct store *s, struct str from, struct str to, uint32_t *rest)
{
	uint64_t id;
	if (store_box_find(s, to, &id) == 0)
		return -EEXIST;
	struct str below = str_from(to, from.len);
	if (str_starts(to, from) && below.len > 0 && below.p[0] == '/' && !str_eq(from, inbox))
		return -EINVAL;
	if (str_eq(from, inbox))
		return rename_inbox(s, to, rest);
	struct arena a CLEANUP(arena_done) = ARENA_MAX(STORE_MAILBOXES_MAX * 4096);
	int error = rename_boxes(s, from, to, &a);
	return error ? error : make_superiors(s, to);
}

int store_mailbox_rename(struct store *s, struct str from, struct str to, uint32_t *ret_rest)
{
	struct spelled old CLEANUP(spelled_done) = {0}, new CLEANUP(spelled_done) = {0};
	uint32_t rest = 0;
	if (spell(from, &old) < 0)
		return -ENOENT;
	int error = spell(to, &new);
	if (!error)
		error = db_begin(&s->db);
	if (!error)
		error = db_end(&s->db, rename_mailbox(s, old.name, new.name, &rest));
	if (error)
		return store_note_error(s, error);
	*ret_rest = rest;
	return 0;
}

static int rename_rest(struct store *s, struct str to, uint32_t *rest)
{
	uint64_t id;
	int error = store_box_find(s, to, &id);
	return error ? error : move_part(s, id, rest);
}

int store_mailbox_rename_rest(struct store *s, struct str to, uint32_t *rest)
{
	struct spelled new CLEANUP(spelled_done) = {0};
	uint32_t left = *rest;
	if (spell(to, &new) < 0)
		return -ENOENT;
	int error = db_begin(&s->db);
	if (!error)
		error = db_end(&s->db, rename_rest(s, new.name, &left));
	if (error)
		return store_note_error(s, error);
	*rest = left;
	return 0;
}

static int subscribe(struct store *s, struct str name, bool on)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_SUBSCRIPTIONS_COUNT, &stmt);
	if (error)
		return error;
	int row = db_step(&s->db, stmt);
	bool full = row > 0 && db_column_u32(stmt, 0) >= STORE_MAILBOXES_MAX;
	sqlite3_reset(stmt);
	if (row < 0)
		return row;
	if (on && full)
		return -E2BIG;
	error = db_get(&s->db, on ? DB_SUBSCRIBE : DB_UNSUBSCRIBE, &stmt);
	if (error)
		return error;
	db_bind_str(stmt, 1, name);
	return db_finish(&s->db, stmt);
}

int store_mailbox_subscribe(struct store *s, struct str name, bool on)
{
	struct spelled spelled CLEANUP(spelled_done) = {0};
	int error = spell(name, &spelled);
	if (!error)
		error = db_begin(&s->db);
	if (error)
		return store_note_error(s, error);
	return store_note_error(s, db_end(&s->db, subscribe(s, spelled.name, on)));
}
