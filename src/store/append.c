/* store_append.h: new messages from a signed-in client. */
#include "store/store_append.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/blob_file.h"
#include "store/ingest.h"
#include "store/io.h"
#include "store/metadata.h"
#include "store/room.h"
#include "store/store_ingest.h"

/* A gathered message: its bytes, or the blob they stand in. */
struct pending {
	struct body body; /* of a blob */
	struct buf bytes; /* of a small one */
	uint64_t flags;
	int64_t internal_at;
	int internal_zone;
};

struct store_append {
	struct store *store;
	uint64_t mailbox;
	uint64_t replaced_mailbox;
	uint32_t replaced_uid; /* 0: none */
	uint32_t replaced_validity;
	uint64_t room; /* bytes left of the quota */
	bool limited;
	bool has_blobs;
	bool committed;
	size_t small_len;
	struct pending *messages;
	size_t n, cap;
};

int store_append_begin(struct store *s, uint64_t mailbox, struct store_append **ret_append)
{
	struct store_box box;
	int error = db_begin_read(&s->db);
	if (error)
		return store_note_error(s, error);
	error = store_box_load(s, mailbox, &box);
	db_end_read(&s->db);
	uint64_t used, limit;
	if (!error)
		error = store_usage(s, &used, &limit);
	if (error)
		return store_note_error(s, error);
	struct store_append *a = calloc(1, sizeof(*a));
	if (!a)
		abort();
	*a = (struct store_append){.store = s,
	    .mailbox = mailbox,
	    .limited = limit > 0,
	    .room = limit > used ? limit - used : 0};
	*ret_append = a;
	return 0;
}

/* The entry is there: its mailbox's UIDVALIDITY and its size. */
static int find_replaced(struct store_append *a, uint32_t *ret_validity, uint64_t *ret_size)
{
	struct db *db = &a->store->db;
	struct store_box box;
	sqlite3_stmt *stmt;
	int error = store_box_load(a->store, a->replaced_mailbox, &box);
	if (!error)
		error = db_get(db, DB_ENTRY_GET, &stmt);
	if (error)
		return error == -ENOENT ? -ESTALE : error;
	db_bind(stmt, (int64_t)a->replaced_mailbox, a->replaced_uid);
	int row = db_step(db, stmt);
	if (row <= 0)
		return row < 0 ? row : -ESTALE;
	*ret_validity = box.uidvalidity;
	*ret_size = db_column_u64(stmt, 3);
	sqlite3_reset(stmt);
	return 0;
}

int store_append_replace(struct store_append *a, uint64_t mailbox, uint32_t uid)
{
	uint64_t size = 0;
	a->replaced_mailbox = mailbox;
	a->replaced_uid = uid;
	int error = db_begin_read(&a->store->db);
	if (error)
		return store_note_error(a->store, error);
	error = find_replaced(a, &a->replaced_validity, &size);
	db_end_read(&a->store->db);
	if (error)
		return store_note_error(a->store, error);
	a->room += a->limited ? size : 0;
	return 0;
}

/* Blobs of messages that will not be stored go away again. */
static void drop_blobs(struct store_append *a)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->messages[i].body.in_blob)
			blob_file_remove(a->store->blobs_fd, &a->messages[i].body);
	}
}

void store_append_free(struct store_append *a)
{
	if (!a)
		return;
	if (!a->committed)
		drop_blobs(a);
	for (size_t i = 0; i < a->n; i++) {
		body_wipe(&a->messages[i].body);
		buf_done(&a->messages[i].bytes);
	}
	free(a->messages);
	free(a);
}

static struct pending *push(struct store_append *a)
{
	if (a->n == a->cap) {
		a->cap = a->cap ? 2 * a->cap : 4;
		struct pending *larger = reallocarray(a->messages, a->cap, sizeof(*larger));
		if (!larger)
			abort();
		a->messages = larger;
	}
	struct pending *p = &a->messages[a->n];
	*p = (struct pending){0};
	return p;
}

static int keep_bytes(struct store_append *a, struct pending *p, struct str bytes)
{
	if (bytes.len > BLOB_FILE_MIN) {
		struct stat st;
		if (fstat(a->store->blobs_fd, &st) < 0)
			return -errno;
		a->has_blobs = true;
		return blob_file_write(a->store->blobs_fd, st.st_mode & 0660, &bytes, 1, &p->body);
	}
	if (a->small_len + bytes.len > STORE_APPEND_SMALL_MAX)
		return -E2BIG;
	p->bytes = BUF_MAX(BLOB_FILE_MIN);
	buf_add(&p->bytes, bytes);
	a->small_len += bytes.len;
	return 0;
}

int store_append_add(struct store_append *a, const struct store_append_message *m)
{
	if (m->bytes.len > STORE_MESSAGE_LEN_MAX)
		return -EFBIG;
	if (a->n == STORE_APPEND_MESSAGES_MAX)
		return -E2BIG;
	if (a->limited && m->bytes.len > a->room)
		return -EDQUOT;
	int error = room_check(a->store->folder_fd, a->small_len + m->bytes.len);
	if (error)
		return error;
	struct pending *p = push(a);
	p->flags = m->flags & STORE_FLAGS_MASK;
	p->internal_at = m->has_date ? m->internal_at : (int64_t)clock_wall();
	p->internal_zone = m->has_date ? m->internal_zone : 0;
	error = keep_bytes(a, p, m->bytes);
	if (error)
		return error;
	a->room -= a->limited ? m->bytes.len : 0;
	a->n++;
	return 0;
}

/* Appends the record of message `i` of the group to the letterbox. */
static int write_record(struct store_append *a, size_t i, uint64_t group, struct str mailbox,
    const struct record_sender *sender)
{
	struct store *s = a->store;
	struct pending *p = &a->messages[i];
	struct buf keywords CLEANUP(buf_done) = BUF_MAX(METADATA_KEYWORDS_MAX);
	store_keywords_to_names(s, p->flags, &keywords);
	struct metadata m = {.kind = METADATA_APPENDED,
	    .mailbox_id = a->mailbox,
	    .mailbox = mailbox,
	    .system_flags = p->flags & STORE_SYSTEM_FLAGS,
	    .keywords = buf_str(&keywords),
	    .internal_at = p->internal_at,
	    .internal_zone = (int16_t)p->internal_zone,
	    .group = group,
	    .group_index = (uint16_t)i,
	    .group_n = (uint16_t)a->n,
	    .replaced_mailbox = a->replaced_uid > 0 ? a->replaced_mailbox : 0,
	    .replaced_validity = a->replaced_validity,
	    .replaced_uid = a->replaced_uid};
	struct buf metadata CLEANUP(buf_done) = BUF_MAX(RECORD_METADATA_MAX);
	if (!metadata_encode(&m, &metadata))
		return -E2BIG;
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(2 * BLOB_FILE_MIN);
	struct str bytes = buf_str(&p->bytes);
	int error = 0;
	if (!p->body.in_blob)
		error = body_seal(&bytes, 1, &sealed, &p->body);
	buf_clear(&s->record);
	if (!error)
		error = record_seal(sender, &s->keys.public, clock_wall_ms(), buf_str(&metadata),
		    &p->body, buf_str(&sealed), &s->record);
	struct letterbox_place place;
	return error ? error : letterbox_append(s->letterbox, buf_str(&s->record), &place);
}

static int write_records(struct store_append *a, uint64_t group)
{
	struct store *s = a->store;
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(8192);
	struct str name;
	int error = store_box_name(s, a->mailbox, &arena, &name);
	if (!error && a->has_blobs)
		error = io_fsync(s->blobs_fd);
	if (error)
		return error;
	struct record_sender sender;
	record_sender_init(&sender);
	for (size_t i = 0; !error && i < a->n; i++)
		error = write_record(a, i, group, name, &sender);
	record_sender_done(&sender);
	return error ? error : letterbox_sync(s->letterbox);
}

/* In the transaction and under the letterbox's lock: all of it, but the commit. */
static int store_group(struct store_append *a, uint32_t *uids, struct store_box *ret_box)
{
	struct store *s = a->store;
	struct ingest_own own = {.uids = uids, .n = a->n};
	cipher_random(&own.group, sizeof(own.group));
	int error = store_box_load(s, a->mailbox, ret_box);
	uint64_t size;
	if (!error && a->replaced_uid > 0)
		error = find_replaced(a, &a->replaced_validity, &size);
	if (!error)
		error = write_records(a, own.group);
	size_t n_taken;
	bool more;
	if (!error)
		error = ingest_pending(s, SIZE_MAX, &own, &n_taken, &more);
	if (!error && own.n_found != a->n)
		error = -EIO; /* what was just written cannot be read */
	return error;
}

static int commit(struct store_append *a, uint32_t *uids, struct store_box *ret_box)
{
	struct store *s = a->store;
	int error = db_begin(&s->db);
	if (error)
		return error;
	error = letterbox_lock(s->letterbox, LETTERBOX_READ_WAIT_MS);
	if (error)
		return db_end(&s->db, error == -ETIMEDOUT ? -EBUSY : error);
	struct letterbox_place start = letterbox_end(s->letterbox);
	error = db_end(&s->db, store_group(a, uids, ret_box));
	if (error) {
		int undone = letterbox_undo(s->letterbox, start);
		if (!undone)
			undone = letterbox_sync(s->letterbox);
		/* Durable records that cannot be taken back will be taken in by and by. */
		if (undone) {
			a->committed = true;
			error = -EINPROGRESS;
		}
	}
	letterbox_unlock(s->letterbox);
	return error;
}

int store_append_commit(struct store_append *a, struct arena *arena, uint32_t *ret_uidvalidity,
    struct store_uids *ret_uids)
{
	if (a->n == 0 || (a->replaced_uid > 0 && a->n > 1))
		return -EINVAL;
	uint32_t *uids = ARENA_NEW_ARRAY(arena, uint32_t, a->n);
	if (!uids)
		return -E2BIG;
	/* What is there already comes in batches; only what is ours is left for the last one. */
	size_t n_taken;
	int error = store_ingest(a->store, &n_taken);
	struct store_box box;
	if (!error)
		error = commit(a, uids, &box);
	if (error)
		return store_note_error(a->store, error);
	a->committed = true;
	if (a->replaced_uid > 0)
		store_bury_dead(a->store);
	*ret_uidvalidity = box.uidvalidity;
	*ret_uids = (struct store_uids){uids, a->n};
	return 0;
}
