/* Mailbox rows and the messages in them, within a transaction. */
#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "store/schema.h"
#include "store/store_private.h"

int store_box_load(struct store *s, uint64_t id, struct store_box *ret_box)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_MAILBOX_BY_ID, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)id);
	int row = db_step(&s->db, stmt);
	if (row <= 0)
		return row < 0 ? row : -ENOENT;
	*ret_box = (struct store_box){.id = id,
	    .uidvalidity = db_column_u32(stmt, 4),
	    .uidnext = db_column_u32(stmt, 5),
	    .highest_modseq = db_column_u64(stmt, 6),
	    .first_recent = db_column_u32(stmt, 7),
	    .n_messages = db_column_u32(stmt, 8),
	    .n_unseen = db_column_u32(stmt, 9),
	    .n_deleted = db_column_u32(stmt, 10),
	    .size = db_column_u64(stmt, 11),
	    .expunged_since = db_column_u64(stmt, 12)};
	sqlite3_reset(stmt);
	return 0;
}

int store_box_name(struct store *s, uint64_t id, struct arena *a, struct str *ret_name)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_MAILBOX_BY_ID, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)id);
	int row = db_step(&s->db, stmt);
	if (row <= 0)
		return row < 0 ? row : -ENOENT;
	bool copied = arena_dup(a, db_column_str(stmt, 1), ret_name);
	sqlite3_reset(stmt);
	return copied ? 0 : -E2BIG;
}

int store_box_save(struct store *s, const struct store_box *b)
{
	return db_run(&s->db, DB_MAILBOX_PUT, (int64_t)b->id, b->uidnext,
	    (int64_t)b->highest_modseq, b->n_messages, b->n_unseen, b->n_deleted, (int64_t)b->size,
	    (int64_t)b->expunged_since, b->first_recent, b->uidvalidity);
}

int store_box_find(struct store *s, struct str name, uint64_t *ret_id)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_MAILBOX_BY_NAME, &stmt);
	if (error)
		return error;
	db_bind_str(stmt, 1, name);
	int row = db_step(&s->db, stmt);
	if (row <= 0)
		return row < 0 ? row : -ENOENT;
	*ret_id = db_column_u64(stmt, 0);
	sqlite3_reset(stmt);
	return 0;
}

static int count_boxes(struct store *s, uint64_t *ret_n)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_MAILBOX_COUNT, &stmt);
	if (error)
		return error;
	int row = db_step(&s->db, stmt);
	if (row < 0)
		return row;
	*ret_n = db_column_u64(stmt, 0);
	sqlite3_reset(stmt);
	return 0;
}

static int use_is_free(struct store *s, enum store_special_use use)
{
	if (use == STORE_NO_USE)
		return 0;
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_MAILBOX_BY_USE, &stmt);
	if (error)
		return error;
	db_bind(stmt, use);
	int row = db_step(&s->db, stmt);
	sqlite3_reset(stmt);
	return row > 0 ? -EEXIST : row;
}

static int add_box(struct store *s, struct str name, enum store_special_use use, uint64_t *ret_id)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_MAILBOX_ADD, &stmt);
	if (error)
		return error;
	struct db_state *state = &s->db.state;
	char object_id[STORE_OBJECT_ID_LEN + 1];
	schema_object_id(object_id);
	db_bind(stmt, (int64_t)state->next_mailbox, state->next_uidvalidity, use,
	    (int64_t)store_next_modseq(s));
	db_bind_str(stmt, 5, name);
	db_bind_str(stmt, 6, str_of_cstr(object_id));
	error = db_finish(&s->db, stmt);
	if (error)
		return error;
	state->next_uidvalidity++;
	*ret_id = state->next_mailbox++;
	return 0;
}

/* A new mailbox has the rights of the one above it (RFC 4314 §4); 0: there is none. */
static int add_box_below(
    struct store *s, uint64_t above, struct str name, enum store_special_use use, uint64_t *ret_id)
{
	int error = add_box(s, name, use, ret_id);
	if (error || above == 0)
		return error;
	return rights_inherit(s, above, *ret_id);
}

int store_box_create(struct store *s, struct str name, enum store_special_use use, uint64_t *ret_id)
{
	uint64_t id = 0, above = 0, n_boxes = 0;
	int error = store_box_find(s, name, &id);
	if (error != -ENOENT)
		return error ? error : -EEXIST;
	error = use_is_free(s, use);
	if (!error)
		error = count_boxes(s, &n_boxes);
	if (error)
		return error;
	if (n_boxes + STORE_MAILBOX_DEPTH_MAX > STORE_MAILBOXES_MAX)
		return -E2BIG;
	for (size_t i = 1; i < name.len; i++) {
		struct str superior = str_first(name, i);
		if (name.p[i] != '/')
			continue;
		error = store_box_find(s, superior, &id);
		if (error == -ENOENT)
			error = add_box_below(s, above, superior, STORE_NO_USE, &id);
		if (error)
			return error;
		above = id;
	}
	return add_box_below(s, above, name, use, ret_id);
}

void store_box_count_flags(struct store_box *box, uint64_t flags, int by)
{
	if (!(flags & STORE_SEEN))
		box->n_unseen += (uint32_t)by;
	if (flags & STORE_DELETED)
		box->n_deleted += (uint32_t)by;
}

int store_box_add(struct store *s, struct store_box *box, const struct store_placement *p,
    uint64_t modseq, uint32_t *ret_uid)
{
	if (box->uidnext == UINT32_MAX)
		return -E2BIG;
	assert((p->flags & ~STORE_FLAGS_MASK) == 0);
	int error = db_run(&s->db, DB_ENTRY_ADD, (int64_t)box->id, box->uidnext, p->message,
	    (int64_t)p->flags, (int64_t)modseq, (int64_t)clock_wall(), (int64_t)p->size,
	    p->internal_at, p->internal_zone);
	if (error)
		return error;
	*ret_uid = box->uidnext++;
	box->n_messages++;
	box->size += p->size;
	box->highest_modseq = modseq;
	store_box_count_flags(box, p->flags, 1);
	return 0;
}

int store_message_release(struct store *s, uint32_t message)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_ENTRY_OF_MESSAGE, &stmt);
	if (error)
		return error;
	db_bind(stmt, message);
	int row = db_step(&s->db, stmt);
	sqlite3_reset(stmt);
	if (row)
		return row < 0 ? row : 0;
	error = db_run(&s->db, DB_DEAD_ADD, message);
	if (!error)
		error = db_run(&s->db, DB_ENVELOPE_REMOVE, message);
	if (!error)
		error = db_run(&s->db, DB_ORDER_REMOVE, message);
	if (!error)
		error = db_run(&s->db, DB_MESSAGE_REMOVE, message);
	return error;
}

int store_box_remove_row(struct store *s, struct store_box *box, uint32_t uid,
    const struct store_placement *row, uint64_t modseq)
{
	int error = db_run(&s->db, DB_ENTRY_REMOVE, (int64_t)box->id, uid);
	if (!error)
		error = db_run(&s->db, DB_EXPUNGED_ADD, (int64_t)box->id, (int64_t)modseq, uid);
	if (error)
		return error;
	box->n_messages--;
	box->size -= row->size;
	box->highest_modseq = modseq;
	store_box_count_flags(box, row->flags, -1);
	return store_message_release(s, row->message);
}

int store_box_remove(struct store *s, struct store_box *box, uint32_t uid, uint64_t modseq)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_ENTRY_GET, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)box->id, uid);
	int row = db_step(&s->db, stmt);
	if (row <= 0)
		return row < 0 ? row : -ENOENT;
	const struct store_placement placement = {.message = db_column_u32(stmt, 0),
	    .flags = db_column_u64(stmt, 1),
	    .size = db_column_u64(stmt, 3)};
	sqlite3_reset(stmt);
	return store_box_remove_row(s, box, uid, &placement, modseq);
}
