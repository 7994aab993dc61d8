#include "session/imap/compression.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "base/num.h"

enum {
	RAW_WINDOW_BITS = -15, /* RFC 4978 §4: 32 KB, no header, no checksum */
	LEVEL = 3,             /* text shrinks nearly as much as with 6, in half the time */
	MEMORY_LEVEL = 7,
	/* Of data_type, as inflate leaves it (zlib.h). */
	BETWEEN_BLOCKS = 128,
	BITS_LEFT = 7,
};

struct imap_compression {
	z_stream in, out;
	bool in_ended; /* the client's last block */
	bool blank;    /* no text since the block began */
	bool flushed;  /* what came so far ends with a block without text, at a byte */
	bool has_out;
	unsigned char input[COMPRESSION_INPUT_LEN];
};

struct imap_compression *imap_compression_new(struct str pending)
{
	struct imap_compression *c = calloc(1, sizeof(*c));

	if (c == NULL || inflateInit2(&c->in, RAW_WINDOW_BITS) != Z_OK)
		abort();
	assert(pending.len <= sizeof(c->input));
	if (pending.len > 0)
		memcpy(c->input, pending.p, pending.len);
	c->in.next_in = c->input;
	c->in.avail_in = (unsigned)pending.len;
	c->blank = true;
	return c;
}

void imap_compression_release(struct imap_compression *c)
{
	if (c->has_out)
		(void)deflateEnd(&c->out);
	c->has_out = false;
}

void imap_compression_free(struct imap_compression *c)
{
	if (c == NULL)
		return;
	imap_compression_release(c);
	(void)inflateEnd(&c->in);
	free(c);
}

/* Unpacks what there is. 0 with `*ret_len` perhaps 0, or -EPROTO. */
static int unpack(struct imap_compression *c, char *to, size_t len, size_t *ret_len)
{
	c->in.next_out = (unsigned char *)to;
	c->in.avail_out = (unsigned)num_min(len, INT_MAX);
	unsigned room = c->in.avail_out;
	int r =
	    inflate(&c->in, Z_BLOCK); /* or it would go on into what is not compressed any more */

	*ret_len = room - c->in.avail_out;
	bool between = (c->in.data_type & BETWEEN_BLOCKS) != 0;
	c->blank = c->blank && *ret_len == 0;
	c->flushed = between && c->blank && (c->in.data_type & BITS_LEFT) == 0;
	c->blank = c->blank || between;
	c->in_ended = r == Z_STREAM_END;
	return r == Z_OK || r == Z_BUF_ERROR || r == Z_STREAM_END ? 0 : -EPROTO;
}

static int refill(struct imap_compression *c, int fd)
{
	ssize_t n = read(fd, c->input, sizeof(c->input));

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (n == 0)
		return -ENODATA;
	c->in.next_in = c->input;
	c->in.avail_in = (unsigned)n;
	return 0;
}

/*
 * Unpacking comes first, also without input: what did not fit the last time may still stand in the
 * window. Behind the client's last block nothing can come. Input is read once: who sends what
 * stands for nothing, without end, shall not keep us from looking at the clock and the registry.
 */
int imap_compression_read(struct imap_compression *c, int fd, char *to, size_t len, size_t *ret_len)
{
	assert(len > 0);
	for (bool refilled = false;;) {
		size_t n = 0;
		int r = c->in_ended ? -EPROTO : unpack(c, to, len, &n);
		if (r == 0 && n > 0) {
			*ret_len = n;
			return 0;
		}
		bool all_used = c->in.avail_in == 0;
		if (r == 0 && all_used && refilled)
			return -EAGAIN;
		if (r == 0 && all_used) {
			r = refill(c, fd);
			refilled = true;
		}
		if (r < 0)
			return r;
	}
}

int imap_compression_end(struct imap_compression *c, int fd, struct str *ret_rest)
{
	while (!c->in_ended && !c->flushed) {
		char none;
		size_t n = 0;
		int r = c->in.avail_in > 0 ? unpack(c, &none, 1, &n) : refill(c, fd);
		if (r < 0)
			return r;
		if (n > 0)
			return -EPROTO;
	}
	*ret_rest = str_of((const char *)c->in.next_in, c->in.avail_in);
	return 0;
}

static void begin_out(struct imap_compression *c)
{
	if (c->has_out)
		return;
	/* One that was released begins anew at a byte, and never looks back: the receiver cannot
	 * tell. */
	c->out = (z_stream){0};
	if (deflateInit2(&c->out, LEVEL, Z_DEFLATED, RAW_WINDOW_BITS, MEMORY_LEVEL,
	        Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	c->has_out = true;
}

static int pack(
    struct imap_compression *c, int fd, struct str s, int (*write)(int fd, struct str piece))
{
	char piece[COMPRESSION_PIECE_LEN];
	unsigned char input_end = 0;

	/* zlib's interface has no const here; it does not write to its input. */
	c->out.next_in = s.len > 0 ? (unsigned char *)(uintptr_t)s.p : &input_end;
	c->out.avail_in = (unsigned)s.len;
	do {
		c->out.next_out = (unsigned char *)piece;
		c->out.avail_out = sizeof(piece);
		int result = deflate(&c->out, Z_SYNC_FLUSH);
		assert(result == Z_OK || result == Z_BUF_ERROR);
		int r = write(fd, str_of(piece, sizeof(piece) - c->out.avail_out));
		if (r < 0)
			return r;
	} while (c->out.avail_out == 0);
	assert(c->out.avail_in == 0);
	return 0;
}

int imap_compression_write(
    struct imap_compression *c, int fd, struct str s, int (*write)(int fd, struct str piece))
{
	begin_out(c);
	while (s.len > 0) {
		struct str part = str_first(s, INT_MAX);
		int r = pack(c, fd, part, write);
		if (r < 0)
			return r;
		s = str_from(s, part.len);
	}
	return 0;
}
