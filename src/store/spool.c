#include "store/spool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/blob_file.h"
#include "store/room.h"
#include "store/store_message.h"
#include "store/store_private.h"

/* A file that waited so long is made anew before it is taken: the sweep could have it else. */
enum { RENEW_MS = STORE_ORPHAN_AGE_S / 2 * 1000 };
/* How often it is asked whether the disk has room (store/room.h). */
enum { ROOM_EVERY = 1 << 20 };

struct store_spool {
	struct store *store;
	uint64_t max, len;
	bool has_nul;
	int error;
	struct buf here;
	struct blob_file_writer *writer; /* NULL: it is all in memory, or was ended */
	struct body body;                /* of the blob, once that was ended … */
	uint64_t ended_at_ms;            /* … which was then */
	bool taken;                      /* and it belongs to a message */
	struct store_body *reading;
};

struct store_spool *store_spool_new(struct store *s, uint64_t max, size_t here)
{
	struct store_spool *spool = calloc(1, sizeof(*spool));
	if (!spool)
		abort();
	_Static_assert((int)STORE_SPOOL_HERE_MAX <= (int)BLOB_FILE_MIN, "longer ones have a file");
	assert(here <= STORE_SPOOL_HERE_MAX);
	*spool = (struct store_spool){.store = s, .max = max, .here = BUF_MAX(here)};
	return spool;
}

void store_spool_free(struct store_spool **spool)
{
	struct store_spool *p = *spool;
	*spool = NULL;
	if (!p)
		return;
	store_body_close(p->reading);
	blob_file_writer_free(&p->writer);
	if (p->body.in_blob && !p->taken)
		blob_file_remove(p->store->blobs_fd, &p->body);
	body_wipe(&p->body);
	buf_done(&p->here);
	free(p);
}

/* From here on in a file. */
static int begin_file(struct store_spool *p)
{
	struct stat st;
	int error = room_check(p->store->folder_fd, p->len);
	if (!error && fstat(p->store->blobs_fd, &st) < 0)
		error = -errno;
	if (!error)
		error = blob_file_writer_new(p->store->blobs_fd, st.st_mode & 0660, &p->writer);
	if (!error)
		error = blob_file_writer_add(p->writer, buf_str(&p->here));
	buf_done(&p->here);
	return error;
}

/* To the file; `len` counts the piece already. */
static int write_on(struct store_spool *p, struct str piece)
{
	bool asks = p->len / ROOM_EVERY != (p->len - piece.len) / ROOM_EVERY;
	int error = asks ? room_check(p->store->folder_fd, ROOM_EVERY) : 0;
	return error ? error : blob_file_writer_add(p->writer, piece);
}

static int write_piece(struct store_spool *p, struct str piece)
{
	if (piece.len > p->max - p->len)
		return -EFBIG;
	p->len += piece.len;
	p->has_nul = p->has_nul || (piece.len > 0 && memchr(piece.p, '\0', piece.len) != NULL);
	if (!p->writer && p->here.len + piece.len <= p->here.max) {
		buf_add(&p->here, piece);
		return 0;
	}
	int error = p->writer ? 0 : begin_file(p);
	return error ? error : write_on(p, piece);
}

int store_spool_write(struct store_spool *p, struct str piece)
{
	if (!p->error)
		p->error = write_piece(p, piece);
	if (p->error)
		blob_file_writer_free(&p->writer); /* its room on the disk is wanted */
	return p->error;
}

uint64_t store_spool_len(const struct store_spool *p)
{
	return p->len;
}

bool store_spool_has_nul(const struct store_spool *p)
{
	return p->has_nul;
}

int store_spool_error(const struct store_spool *p)
{
	return p->error;
}

static int end_file(struct store_spool *p)
{
	if (!p->error && p->writer)
		p->error = blob_file_writer_end(p->writer, &p->body);
	if (p->writer)
		p->ended_at_ms = clock_ms();
	blob_file_writer_free(&p->writer);
	return p->error;
}

void store_spool_end(struct store_spool *p)
{
	(void)end_file(p);
	store_body_close(p->reading);
	p->reading = NULL;
}

int store_spool_read(struct store_spool *p, struct mail_source *ret_bytes)
{
	int error = end_file(p);
	if (!error && p->body.in_blob && !p->reading)
		error = store_body_of_blob(p->store, &p->body, &p->reading);
	if (error)
		return error;
	*ret_bytes = p->reading ? store_body_source(p->reading) : mail_source_of(buf_str(&p->here));
	return 0;
}

int store_spool_write_all(struct store_spool *p, struct mail_source *bytes)
{
	int error = 0;
	struct str piece;
	for (uint64_t at = 0; !error && at < bytes->len; at += piece.len) {
		error = mail_source_look(bytes, at, &piece);
		if (!error)
			error = store_spool_write(p, piece);
	}
	return error;
}

/* What is not there any more is an error, and no acknowledged message without bytes. */
static int renew(struct store_spool *p)
{
	struct store_spool *anew CLEANUP(store_spool_free) = store_spool_new(p->store, p->max, 0);
	struct mail_source bytes;
	int error = store_spool_read(p, &bytes);
	if (!error)
		error = store_spool_write_all(anew, &bytes);
	if (!error)
		error = end_file(anew);
	if (error)
		return error;
	struct body old = p->body;
	p->body = anew->body;
	anew->body = old; /* and goes */
	body_wipe(&old);
	return 0;
}

int store_spool_take(struct store_spool *p, struct str *ret_here, struct body *ret_body)
{
	int error = end_file(p);
	if (!error && p->body.in_blob && clock_ms() - p->ended_at_ms >= RENEW_MS)
		error = renew(p);
	if (error)
		return error;
	p->taken = p->body.in_blob;
	*ret_here = buf_str(&p->here);
	*ret_body = p->body;
	return 0;
}
