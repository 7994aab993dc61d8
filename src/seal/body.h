/*
 * seal/body.h: a message's bytes, compressed and sealed once for all who receive it.
 *
 * zstd, then ChaCha20-Poly1305 in chunks of BODY_CHUNK_LEN under a key of the
 * message's own, counted, the last chunk marked (the STREAM construction): no chunk can be changed,
 * left out, doubled, moved or cut off unseen. The sealed bytes stand in a record (seal/record.h) or
 * in a blob (seal/blob.h). What is needed to open them again is `struct body`; it travels in the
 * sealed header of each recipient's record, and the session keeps it in its sealed database.
 *
 * Pure over bytes; readers pull theirs through a callback. Messages up to BODY_SMALL_LEN
 * reuse one zstd context per process (about 300 KB); larger ones make theirs.
 *
 * Errors: -EBADMSG not authentic or cut off, -EFBIG above BODY_LEN_MAX or what `out` takes,
 * -EPROTONOSUPPORT an unknown compression, and what the callback returns.
 */
#ifndef SEAL_BODY_H
#define SEAL_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "seal/cipher.h"

#define BODY_LEN_MAX ((uint64_t)1 << 32)

enum {
	BODY_CHUNK_LEN = 65536,
	BODY_SMALL_LEN = 131072,
	BODY_BLOB_ID_LEN = 16,
	BODY_DIGEST_LEN = 32,
	BODY_ENCODED_LEN = 72, /* what body_encode writes */
	BODY_LEVEL = 1,        /* of zstd */
};

/* Secret: it opens the message. Wiped with body_wipe. */
struct body {
	uint8_t content_key[CIPHER_KEY_LEN];
	uint64_t plain_len;  /* of the message */
	uint64_t sealed_len; /* of the chunks */
	bool in_blob;
	uint8_t blob_id[BODY_BLOB_ID_LEN]; /* of the blob; zero in a record */
	uint8_t digest[BODY_DIGEST_LEN];   /* BLAKE2b-256 of the sealed bytes; not encoded */
};

void body_wipe(struct body *body);

/* Frees the zstd contexts that this process keeps; they are made again when they are needed. */
void body_forget(void);

/* Fixed bytes for the session's database (all but `digest`): secret as the struct is. */
void body_encode(const struct body *body, uint8_t ret_bytes[static BODY_ENCODED_LEN]);
MUST_USE int body_decode(struct str bytes, struct body *ret_body);

/* Seals the concatenation of the parts, appended to `out`, under a fresh content key. */
MUST_USE int body_seal(
    const struct str *parts, size_t n_parts, struct buf *out, struct body *ret_body);
/* The same into a callback, a piece at a time; a negative result of `write` ends it. */
struct body_sink {
	int (*write)(void *context, struct str piece);
	void *context;
};
MUST_USE int body_seal_to(
    const struct str *parts, size_t n_parts, struct body_sink sink, struct body *ret_body);

/*
 * The same of a message that comes in pieces. Given: body_writer_free. After an error (the sink's,
 * -EFBIG) there is no use in going on.
 */
struct body_writer;
struct body_writer *body_writer_new(struct body_sink sink);
MUST_USE int body_writer_add(struct body_writer *writer, struct str piece);
MUST_USE int body_writer_end(struct body_writer *writer, struct body *ret_body);
/* Nothing for NULL. For CLEANUP. */
void body_writer_free(struct body_writer **writer);

/* Opens all of it, appended to `out`; on failure what was appended is taken back. */
MUST_USE int body_open(const struct body *body, struct str sealed, struct buf *out);

/*
 * Opens it piece by piece. `read` fills `len` bytes from offset `at` of the sealed bytes: 0, or a
 * negative errno that ends the reading.
 */
struct body_source {
	int (*read)(void *context, uint64_t at, void *p, size_t len);
	void *context;
};
struct body_reader;
/* Given: body_reader_free. `source` is borrowed until then, `body` is copied. */
MUST_USE int body_reader_new(
    const struct body *body, struct body_source source, struct body_reader **ret_reader);
void body_reader_free(struct body_reader **reader);
/*
 * The next bytes of the message, at most `len`, 0 in `*ret_got` at its end. What it gives is
 * authentic, but the message is complete only when the end was reported.
 */
MUST_USE int body_reader_read(struct body_reader *reader, void *p, size_t len, size_t *ret_got);

#endif
