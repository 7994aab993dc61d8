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
#include "store/replaced.h"
#include "store/room.h"
#include "store/spool.h"
#include "store/store_ingest.h"

/* A gathered message: its bytes, or the blob they stand in. */
struct pending {
	struct body body; /* of a blob */
	struct buf bytes; /* of a small one */
	uint64_t flags;
	int64_t internal_at;
	int internal_zone;
	struct letterbox_place place; /* of its record */
};

/* What writing the records takes, and where they stand. */
struct writing {
	struct arena arena;
	uint64_t group;
	struct store_box box;
	struct str mailbox;    /* its name */
	uint32_t next_message; /* none of ours has a lower number */
	struct letterbox_place start, end;
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
	uint64_t used = 0, limit = s->keys.public.quota_bytes;
	if (!error && limit > 0) /* else nobody needs to go through all the files */
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

/* The message's stored bytes, which go with its only entry; 0 where it has another. */
static int stored_len(struct db *db, uint32_t message, uint64_t *ret_len)
{
	struct body body;
	sqlite3_stmt *stmt;
	int error = db_get(db, DB_ENTRIES_OF_MESSAGE, &stmt);
	if (error)
		return error;
	db_bind(stmt, message);
	int row = db_step(db, stmt);
	if (row < 0)
		return row;
	bool alone = db_column_u32(stmt, 0) == 1;
	sqlite3_reset(stmt);
	error = db_get(db, DB_MESSAGE_BODY, &stmt);
	if (error)
		return error;
	db_bind(stmt, message);
	row = db_step(db, stmt);
	if (row < 0)
		return row;
	*ret_len = 0;
	if (alone && row > 0 && body_decode(db_column_str(stmt, 3), &body) == 0) {
		*ret_len = body.sealed_len;
		body_wipe(&body);
	}
	sqlite3_reset(stmt);
	return 0;
}

/* The entry is there: its mailbox's UIDVALIDITY and what its going gives back of the quota. */
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
	uint32_t message = db_column_u32(stmt, 0);
	sqlite3_reset(stmt);
	return stored_len(db, message, ret_size);
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

static int write_blob(struct store_append *a, struct pending *p, struct str bytes)
{
	struct stat st;
	if (fstat(a->store->blobs_fd, &st) < 0)
		return -errno;
	return blob_file_write(a->store->blobs_fd, st.st_mode & 0660, &bytes, 1, &p->body);
}

static int keep_bytes(
    struct store_append *a, struct pending *p, const struct store_append_message *m)
{
	struct str bytes = m->bytes;
	int error = m->spool ? store_spool_take(m->spool, &bytes, &p->body) : 0;
	bool small =
	    bytes.len <= BLOB_FILE_MIN && a->small_len + bytes.len <= STORE_APPEND_HERE_MAX;
	if (!error && !p->body.in_blob && !small)
		error = write_blob(a, p, bytes);
	if (error)
		return error;
	a->has_blobs = a->has_blobs || p->body.in_blob;
	if (p->body.in_blob)
		return 0;
	p->bytes = BUF_MAX(BLOB_FILE_MIN);
	buf_add(&p->bytes, bytes);
	a->small_len += bytes.len;
	return 0;
}

int store_append_add(struct store_append *a, const struct store_append_message *m)
{
	uint64_t len = m->spool ? store_spool_len(m->spool) : m->bytes.len;
	if (len > STORE_MESSAGE_LEN_MAX)
		return -EFBIG;
	if (a->n == STORE_APPEND_MESSAGES_MAX)
		return -E2BIG;
	if (a->limited && len > a->room)
		return -EDQUOT;
	/* What is spooled is on the disk. */
	int error = room_check(a->store->folder_fd, a->small_len + (m->spool ? 0 : len));
	if (error)
		return error;
	struct pending *p = push(a);
	p->flags = m->flags & STORE_FLAGS_MASK;
	p->internal_at = m->has_date ? m->internal_at : (int64_t)clock_wall();
	p->internal_zone = m->has_date ? m->internal_zone : 0;
	error = keep_bytes(a, p, m);
	if (error)
		return error;
	a->room -= a->limited ? len : 0;
	a->n++;
	return 0;
}

/* Seals the record of message `i` of the group to the store's buffer. */
static int seal_record(struct store_append *a, size_t i, const struct writing *w)
{
	struct store *s = a->store;
	struct pending *p = &a->messages[i];
	struct buf keywords CLEANUP(buf_done) = BUF_MAX(METADATA_KEYWORDS_MAX);
	store_keywords_to_names(s, p->flags, &keywords);
	struct metadata m = {.kind = METADATA_APPENDED,
	    .mailbox_id = a->mailbox,
	    .mailbox = w->mailbox,
	    .system_flags = p->flags & STORE_SYSTEM_FLAGS,
	    .keywords = buf_str(&keywords),
	    .internal_at = p->internal_at,
	    .internal_zone = (int16_t)p->internal_zone,
	    .group = w->group,
	    .group_index = (uint16_t)i,
	    .group_n = (uint16_t)a->n,
	    .replaced_mailbox = a->replaced_uid > 0 ? a->replaced_mailbox : 0,
	    .replaced_validity = a->replaced_validity,
	    .replaced_uid = a->replaced_uid};
	uint8_t proof[METADATA_PROOF_LEN];
	if (m.replaced_mailbox != 0)
		replaced_prove(s, &m, proof);
	struct buf metadata CLEANUP(buf_done) = BUF_MAX(RECORD_METADATA_MAX);
	if (!metadata_encode(&m, &metadata))
		return -E2BIG;
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(2 * BLOB_FILE_MIN);
	struct str bytes = buf_str(&p->bytes);
	int error = 0;
	if (!p->body.in_blob)
		error = body_seal(&bytes, 1, &sealed, &p->body);
	buf_clear(&s->record);
	return error ? error
	             : record_seal(&s->sender, &s->keys.public, clock_wall_ms(), buf_str(&metadata),
	                   &p->body, buf_str(&sealed), &s->record);
}

/* Within a transaction, before anything is written. Given: writing_done. */
static int begin_writing(struct store_append *a, struct writing *w)
{
	*w = (struct writing){.arena = ARENA_MAX(8192)};
	if (!a->store->has_sender)
		record_sender_init(&a->store->sender);
	a->store->has_sender = true;
	cipher_random(&w->group, sizeof(w->group));
	int error = store_box_load(a->store, a->mailbox, &w->box);
	return error ? error : store_box_name(a->store, a->mailbox, &w->arena, &w->mailbox);
}

static void writing_done(struct writing *w)
{
	arena_done(&w->arena);
}

/* Under the letterbox's lock; the first may be sealed before. */
static int write_records(struct store_append *a, const struct writing *w, bool sealed)
{
	int error = 0;
	for (size_t i = 0; !error && i < a->n; i++) {
		if (i > 0 || !sealed)
			error = seal_record(a, i, w);
		if (!error)
			error = letterbox_append(
			    a->store->letterbox, buf_str(&a->store->record), &a->messages[i].place);
	}
	return error;
}

static int sync_blobs(const struct store_append *a)
{
	return a->has_blobs ? io_fsync(a->store->blobs_fd) : 0;
}

/* Under the letterbox's lock. True: nothing of it is left. */
static bool undo(struct store_append *a, struct letterbox_place start)
{
	int undone = letterbox_undo(a->store->letterbox, start);
	if (!undone)
		undone = letterbox_sync(a->store->letterbox);
	a->committed = undone != 0; /* what records may name has to stay */
	return undone == 0;
}

/* --- alone: what the message is to replace has to be there in the same transaction --- */

/* In the transaction and under the letterbox's lock: all of it, but the commit. */
static int store_alone(struct store_append *a, struct writing *w, uint32_t *uids)
{
	struct store *s = a->store;
	struct ingest_own own = {.uids = uids, .n = a->n, .mailbox = a->mailbox};
	uint64_t size;
	int error = begin_writing(a, w);
	own.group = w->group;
	if (!error)
		error = find_replaced(a, &a->replaced_validity, &size);
	if (!error)
		error = sync_blobs(a);
	if (!error)
		error = write_records(a, w, false);
	if (!error)
		error = letterbox_sync_name(s->letterbox);
	size_t n_taken;
	bool more;
	if (!error)
		error = ingest_pending(s, SIZE_MAX, &own, &n_taken, &more);
	if (!error && own.n_found != a->n)
		error = -EIO; /* what was just written cannot be read */
	return error;
}

static int commit_alone(struct store_append *a, uint32_t *uids, uint32_t *ret_uidvalidity)
{
	struct store *s = a->store;
	struct writing w CLEANUP(writing_done) = {0};
	size_t n_taken;
	/* What is there already comes in batches; only what is ours is left for the last one. */
	int error = store_ingest(s, &n_taken);
	if (!error)
		error = db_begin(&s->db);
	if (error)
		return error;
	error = letterbox_lock(s->letterbox, LETTERBOX_READ_WAIT_MS);
	if (error)
		return db_end(&s->db, error == -ETIMEDOUT ? -EBUSY : error);
	struct letterbox_place start = letterbox_end(s->letterbox);
	error = db_end(&s->db, store_alone(a, &w, uids));
	/* Durable records that cannot be taken back will be taken in by and by. */
	if (error && !undo(a, start))
		error = -EINPROGRESS;
	letterbox_unlock(s->letterbox);
	*ret_uidvalidity = w.box.uidvalidity;
	return error;
}

/*
 * --- together ---
 *
 * Records are appended under the letterbox's lock for no longer than that takes, and not synced.
 * Then each waits in a queue; who comes to its head takes in all that is there, in one transaction,
 * with one sync of the letterbox and one of the database, and those behind it find theirs done.
 * Nothing was promised to anybody before both syncs, so a crash leaves what it left before.
 */

/* The append's own read of the database, before it writes. */
static int look_around(struct store_append *a, struct writing *w)
{
	struct store *s = a->store;
	bool pending;
	int error = ingest_is_pending(s, &pending); /* that the letterbox is the right one */
	if (!error)
		error = db_begin_read(&s->db);
	if (error)
		return error;
	error = begin_writing(a, w);
	w->next_message = s->db.state.next_message;
	db_end_read(&s->db);
	return error;
}

static int write_together(struct store_append *a, struct writing *w)
{
	struct letterbox *l = a->store->letterbox;
	int error = sync_blobs(a);
	if (!error)
		error = seal_record(a, 0, w);
	if (!error)
		error = letterbox_lock(l, LETTERBOX_READ_WAIT_MS);
	if (error)
		return error == -ETIMEDOUT ? -EBUSY : error;
	w->start = letterbox_end(l);
	error = write_records(a, w, true);
	if (!error)
		error = letterbox_sync_name(l);
	w->end = letterbox_end(l);
	a->committed = true;
	if (error)
		(void)undo(a, w->start);
	letterbox_unlock(l);
	return error;
}

static bool is_taken_in(const struct store *s, const struct writing *w)
{
	struct letterbox_place at = {s->db.state.segment, s->db.state.offset};
	return letterbox_place_cmp(at, w->end) >= 0;
}

/* One batch, unless others took in what is ours. 1: ours is in the database. */
static int take_in_batch(struct store_append *a, const struct writing *w, struct ingest_own *own)
{
	struct store *s = a->store;
	size_t n_taken;
	bool more = false;
	int error = db_begin_read(&s->db);
	if (error)
		return error;
	bool done = is_taken_in(s, w);
	db_end_read(&s->db);
	if (done)
		return 1;
	error = db_begin(&s->db);
	if (error)
		return error;
	done = is_taken_in(s, w);
	if (!done)
		error = ingest_pending(s, STORE_INGEST_BATCH, own, &n_taken, &more);
	if (!done && !error)
		done = is_taken_in(s, w);
	if (!done && !error && !more)
		error = -EIO; /* what was just written cannot be read */
	error = db_end(&s->db, error);
	return error ? error : done;
}

static int take_in(struct store_append *a, const struct writing *w, struct ingest_own *own)
{
	int done = 0;
	ingest_queue(a->store);
	while (done == 0)
		done = take_in_batch(a, w, own);
	ingest_leave_queue(a->store);
	return done < 0 ? done : letterbox_written(a->store->letterbox);
}

/* After `error`. 0: it is taken in after all; that error: nothing of it is left, or nobody knows;
 * -EINPROGRESS: it is durable. */
static int take_back(struct store_append *a, const struct writing *w, int error)
{
	struct store *s = a->store;
	bool undone = false;
	if (db_begin(&s->db) == 0) {
		bool there = is_taken_in(s, w);
		if (!there && letterbox_lock(s->letterbox, LETTERBOX_READ_WAIT_MS) == 0) {
			if (letterbox_place_cmp(letterbox_end(s->letterbox), w->end) == 0)
				undone = undo(a, w->start);
			letterbox_unlock(s->letterbox);
		}
		int ended = db_end(&s->db, -ECANCELED);
		if (there && ended == -ECANCELED)
			return letterbox_written(s->letterbox);
	}
	if (undone || error == -EIO || error == -ENOSPC || error == -EDQUOT)
		return error; /* a sync that failed may succeed the next time, and mean nothing */
	return letterbox_sync(s->letterbox) == 0 ? -EINPROGRESS : error;
}

/* The UIDs of what others took in. -EINPROGRESS: it is not in this mailbox any more. */
static int find_uids(struct store_append *a, const struct writing *w, uint32_t *uids)
{
	struct db *db = &a->store->db;
	sqlite3_stmt *stmt;
	size_t left = a->n, n_found = 0;
	int row = 0, error = db_begin_read(db);
	if (error)
		return error;
	error = db_get(db, DB_MESSAGES_LAST, &stmt);
	if (!error)
		db_bind(stmt, w->next_message, (int64_t)a->mailbox);
	while (!error && left > 0 && (row = db_step(db, stmt)) > 0) {
		struct letterbox_place at = {db_column_u32(stmt, 1), db_column_u64(stmt, 2)};
		while (left > 0 && letterbox_place_cmp(a->messages[left - 1].place, at) > 0)
			left--;
		if (left == 0 || letterbox_place_cmp(a->messages[left - 1].place, at) < 0)
			continue;
		uids[--left] = db_column_u32(stmt, 3);
		n_found += uids[left] > 0;
	}
	if (!error) {
		sqlite3_reset(stmt);
		error = row < 0 ? row : n_found == a->n ? 0 : -EINPROGRESS;
	}
	db_end_read(db);
	return error;
}

static int commit_together(struct store_append *a, uint32_t *uids, uint32_t *ret_uidvalidity)
{
	struct writing w CLEANUP(writing_done) = {0};
	int error = look_around(a, &w);
	if (!error)
		error = write_together(a, &w);
	if (error)
		return error;
	struct ingest_own own = {.group = w.group, .mailbox = a->mailbox, .uids = uids, .n = a->n};
	error = take_in(a, &w, &own);
	if (error)
		error = take_back(a, &w, error);
	if (!error && own.n_found != a->n)
		error = find_uids(a, &w, uids);
	*ret_uidvalidity = w.box.uidvalidity;
	return error;
}

int store_append_commit(struct store_append *a, struct arena *arena, uint32_t *ret_uidvalidity,
    struct store_uids *ret_uids)
{
	bool alone = a->replaced_uid > 0;
	if (a->n == 0 || (alone && a->n > 1))
		return -EINVAL;
	uint32_t *uids = ARENA_NEW_ARRAY(arena, uint32_t, a->n);
	if (!uids)
		return -E2BIG;
	uint32_t uidvalidity = 0;
	int error =
	    alone ? commit_alone(a, uids, &uidvalidity) : commit_together(a, uids, &uidvalidity);
	if (error)
		return store_note_error(a->store, error);
	a->committed = true;
	if (alone)
		store_bury_dead(a->store);
	*ret_uidvalidity = uidvalidity;
	*ret_uids = (struct store_uids){uids, a->n};
	return 0;
}
