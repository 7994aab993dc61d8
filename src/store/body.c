/* store_message.h: the bytes of messages. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "seal/blob.h"
#include "store/io.h"
#include "store/store_message.h"
#include "store/store_private.h"

struct store_body {
	struct store *store;
	uint32_t message; /* 0: it has no row */
	struct body key;
	struct letterbox_place place;
	uint32_t record_len;
	struct buf bytes; /* the whole message, when `whole` */
	bool whole;
	/* Going through a blob. */
	int fd;
	struct blob_reader *reader;
	uint64_t reader_at;
	struct buf piece;
	uint64_t piece_at;
};

uint64_t store_body_len(const struct store_body *b)
{
	return b->key.plain_len;
}

/* Where a message's bytes are, from the database. */
static int find_body(struct store *s, uint32_t message, struct store_body *b)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_MESSAGE_BODY, &stmt);
	if (error)
		return error;
	db_bind(stmt, message);
	int row = db_step(&s->db, stmt);
	if (row <= 0)
		return row < 0 ? row : -ENOENT;
	b->place.segment = db_column_u32(stmt, 0);
	b->place.offset = db_column_u64(stmt, 1);
	b->record_len = db_column_u32(stmt, 2);
	error = body_decode(db_column_str(stmt, 3), &b->key);
	sqlite3_reset(stmt);
	return error;
}

/*
 * True when the message has no row any more: then missing bytes are no damage. A scan's snapshot
 * may be older than what freed them.
 */
static bool is_expunged(struct store *s, uint32_t message)
{
	store_scans_stop(s);
	struct store_body probe = {.store = s, .fd = -1};
	int error = find_body(s, message, &probe);
	body_wipe(&probe.key);
	return error == -ENOENT;
}

/*
 * Where the record begins and ends is known, and its body is authenticated with the key that the
 * database has for it. The checksum over all of the record would cost as much again; it is looked
 * at when the record is taken in, and by store_check.
 */
static int open_record(struct str record, struct store_body *b)
{
	struct record_frame frame;
	int error = record_check_header(record, &frame);
	if (error)
		return error;
	return frame.total_len == record.len
	           ? record_open_body_checked(record, &frame, &b->key, &b->bytes)
	           : -EBADMSG;
}

static int read_record(struct store_body *b)
{
	struct store *s = b->store;
	buf_clear(&s->record);
	int error = letterbox_read(s->letterbox, b->place, b->record_len, &s->record);
	if (error == -EUCLEAN) {
		store_report_record(
		    s, (struct letterbox_place){b->place.segment, 0}, "segment header is damaged");
		error = 0;
	}
	if (!error)
		error = open_record(buf_str(&s->record), b);
	b->whole = error == 0;
	return error;
}

/* Opens the blob from its beginning. */
static int start_blob(struct store_body *b)
{
	blob_reader_free(&b->reader);
	fd_close(&b->fd);
	char name[BLOB_NAME_LEN + 1];
	blob_name(b->key.blob_id, name);
	int error = io_open(b->store->blobs_fd, name, O_RDONLY, 0, &b->fd);
	if (!error)
		error = blob_reader_new(b->fd, &b->key, &b->reader);
	b->reader_at = 0;
	return error;
}

/* Says what is damaged, unless the message was expunged meanwhile. */
static int judge(struct store_body *b, int error)
{
	bool lost = error == -ENOENT || error == -ENODATA || error == -EBADMSG ||
	            error == -EACCES || error == -EPROTONOSUPPORT || error == -EFBIG ||
	            error == -EINVAL;
	if (!lost)
		return error;
	if (b->message != 0 && is_expunged(b->store, b->message))
		return -ENOENT;
	if (b->key.in_blob) {
		char name[BLOB_NAME_LEN + 1], path[STORE_FILE_NAME_MAX];
		blob_name(b->key.blob_id, name);
		snprintf(path, sizeof(path), "blobs/%s", name);
		store_report(b->store, path, b->reader_at, "blob is damaged or missing");
	} else {
		store_report_record(b->store, b->place, "record is damaged or missing");
	}
	return -EBADMSG;
}

static int read_whole_blob(struct store_body *b)
{
	int error = start_blob(b);
	blob_reader_free(&b->reader);
	if (!error)
		error = blob_open(b->fd, &b->key, &b->bytes);
	b->whole = error == 0;
	return error;
}

int store_body_open(struct store *s, uint32_t message, struct store_body **ret_body)
{
	struct store_body *b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	*b = (struct store_body){.store = s,
	    .message = message,
	    .fd = -1,
	    .bytes = BUF_MAX(STORE_MESSAGE_LEN_MAX),
	    .piece = BUF_MAX(STORE_BODY_PIECE)};
	int error = find_body(s, message, b);
	if (error == -EBADMSG && !s->db.damaged)
		s->db.damaged = true; /* a row that was written, but makes no sense */
	if (error) {
		store_body_close(b);
		return store_note_error(s, error);
	}
	if (!b->key.in_blob)
		error = read_record(b);
	else if (b->key.plain_len <= STORE_BODY_WHOLE_MAX)
		error = read_whole_blob(b);
	else
		error = start_blob(b);
	if (error) {
		error = judge(b, error);
		store_body_close(b);
		return error;
	}
	*ret_body = b;
	return 0;
}

int store_body_of_blob(struct store *s, const struct body *key, struct store_body **ret_body)
{
	struct store_body *b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	*b = (struct store_body){.store = s,
	    .key = *key,
	    .fd = -1,
	    .bytes = BUF_MAX(STORE_MESSAGE_LEN_MAX),
	    .piece = BUF_MAX(STORE_BODY_PIECE)};
	int error = start_blob(b);
	if (error) {
		error = judge(b, error);
		store_body_close(b);
		return error;
	}
	*ret_body = b;
	return 0;
}

void store_body_close(struct store_body *b)
{
	if (!b)
		return;
	blob_reader_free(&b->reader);
	fd_close(&b->fd);
	buf_done(&b->bytes);
	buf_done(&b->piece);
	body_wipe(&b->key);
	free(b);
}

int store_body_all(struct store_body *b, struct str *ret_bytes)
{
	if (!b->whole) {
		int error = read_whole_blob(b);
		if (error)
			return judge(b, error);
	}
	*ret_bytes = buf_str(&b->bytes);
	return 0;
}

/* Reads the next piece of the blob into `piece`. */
static int next_piece(struct store_body *b)
{
	buf_clear(&b->piece);
	char *room = buf_reserve(&b->piece, STORE_BODY_PIECE);
	size_t got = 0;
	int error = blob_reader_read(b->reader, room, STORE_BODY_PIECE, &got);
	if (error)
		return error;
	buf_commit(&b->piece, got);
	b->piece_at = b->reader_at;
	b->reader_at += got;
	return got > 0 ? 0 : -EBADMSG;
}

int store_body_piece(struct store_body *b, uint64_t at, struct str *ret_bytes)
{
	if (at >= b->key.plain_len) {
		*ret_bytes = STR("");
		return 0;
	}
	if (b->whole) {
		*ret_bytes = str_from(buf_str(&b->bytes), (size_t)at);
		return 0;
	}
	int error = 0;
	if (!b->reader || at < b->piece_at) {
		error = start_blob(b);
		buf_clear(&b->piece);
		b->piece_at = 0;
	}
	while (!error && at >= b->piece_at + b->piece.len)
		error = next_piece(b);
	if (error)
		return judge(b, error);
	*ret_bytes = str_from(buf_str(&b->piece), (size_t)(at - b->piece_at));
	return 0;
}

static int look(void *context, uint64_t at, struct str *ret_bytes)
{
	return store_body_piece(context, at, ret_bytes);
}

struct mail_source store_body_source(struct store_body *b)
{
	struct mail_source source = {.len = b->key.plain_len, .look = look, .context = b};
	if (b->whole)
		source.window = buf_str(&b->bytes);
	return source;
}
