/*
 * session/imap/compression.h: a connection's bytes compressed both ways (COMPRESS=DEFLATE, RFC
 * 4978): raw deflate (RFC 1951) within whatever the gate wraps around it.
 *
 * It lives in the session and not in the gate: the gate carries bytes that it does not understand,
 * and what a client compressed is unpacked where its limits are known. What comes in is unpacked in
 * pieces no larger than the place that waits for it, so a little that stands for a lot costs time
 * and not memory; all limits hold for what comes out.
 *
 * Memory: about 60 KB for what comes in, and 150 KB for what goes out, which are given back while
 * the connection is quiet (`imap_compression_release`).
 */
#ifndef SESSION_IMAP_COMPRESSION_H
#define SESSION_IMAP_COMPRESSION_H

#include "base/attr.h"
#include "base/str.h"

enum {
	COMPRESSION_INPUT_LEN = 8192,
	COMPRESSION_PIECE_LEN = 16384, /* of what is written at once */
};

struct imap_compression;

/*
 * `pending` is what was read already and is compressed: at most COMPRESSION_INPUT_LEN. Given:
 * imap_compression_free.
 */
struct imap_compression *imap_compression_new(struct str pending);
/* Nothing for NULL. */
void imap_compression_free(struct imap_compression *c);

/*
 * Reads from `fd` and unpacks at most `len` bytes to `to`: 0 and how many (not 0), -EAGAIN nothing
 * is there, or what came does not stand for a byte yet, -ENODATA the end, -EPROTO what came is not
 * deflate, or -errno.
 */
MUST_USE int imap_compression_read(
    struct imap_compression *c, int fd, char *to, size_t len, size_t *ret_len);

/*
 * The client says nothing more that is compressed (RFC 8437 §4.1). Reads on to where its last block
 * ends, or its last flush, an empty block at a byte: 0 and what was read behind it, borrowed;
 * -EAGAIN that has not come yet; -EPROTO there is more text; -ENODATA or -errno.
 */
MUST_USE int imap_compression_end(struct imap_compression *c, int fd, struct str *ret_rest);

/*
 * Compresses all of `s` and passes it on in pieces, to the last byte (a flush that the receiver can
 * unpack at once: RFC 4978 §4). 0, or what `write` gave.
 */
MUST_USE int imap_compression_write(
    struct imap_compression *c, int fd, struct str s, int (*write)(int fd, struct str piece));

/* Gives back what the way out needs; the next write makes it anew. */
void imap_compression_release(struct imap_compression *c);

#endif
