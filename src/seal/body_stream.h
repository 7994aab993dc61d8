/*
 * seal/body_stream.h: the chunks of a sealed body (internal to seal/).
 *
 * The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): each chunk is sealed with the
 * nonce counter (8 bytes) · 1 if it is the last · three zeros, under a key that one message alone
 * has. All chunks but the last are BODY_CHUNK_LEN long; the last has 1 byte at least.
 */
#ifndef SEAL_BODY_STREAM_H
#define SEAL_BODY_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "seal/cipher.h"

struct body_stream {
	uint8_t key[CIPHER_KEY_LEN];
	uint64_t n_done; /* chunks sealed or opened */
};

void body_stream_init(struct body_stream *stream, const uint8_t content_key[static CIPHER_KEY_LEN]);
void body_stream_done(struct body_stream *stream);

/* Seals `len` bytes in place; the tag follows them. */
void body_stream_seal(struct body_stream *stream, uint8_t *chunk, size_t len, bool last);
/* Opens the next chunk (its tag at its end) to `out`; false when it is not authentic. */
MUST_USE bool body_stream_open(
    struct body_stream *stream, struct str chunk, bool last, uint8_t *out);

/* Whether a stream can be so long; how many chunks it has then. */
bool body_stream_len_is_valid(uint64_t sealed_len);
size_t body_stream_n_chunks(uint64_t sealed_len);

#endif
