#include "seal/body_stream.h"

#include "base/num.h"
#include "seal/body.h"

enum { STREAM_CHUNK_LEN = BODY_CHUNK_LEN + CIPHER_TAG_LEN };

void body_stream_init(struct body_stream *stream, const uint8_t content_key[static CIPHER_KEY_LEN])
{
	stream->n_done = 0;
	cipher_derive(content_key, "body chunks", (struct str){0}, stream->key);
}

void body_stream_done(struct body_stream *stream)
{
	cipher_wipe(stream, sizeof(*stream));
}

static void body_stream_nonce(
    struct body_stream *stream, bool last, uint8_t nonce[static CIPHER_NONCE_LEN])
{
	memset(nonce, 0, CIPHER_NONCE_LEN);
	num_put64(nonce, stream->n_done++);
	nonce[8] = last;
}

void body_stream_seal(struct body_stream *stream, uint8_t *chunk, size_t len, bool last)
{
	uint8_t nonce[CIPHER_NONCE_LEN];

	body_stream_nonce(stream, last, nonce);
	cipher_seal(stream->key, nonce, (struct str){0}, str_of(chunk, len), chunk, chunk + len);
}

bool body_stream_open(struct body_stream *stream, struct str chunk, bool last, uint8_t *out)
{
	uint8_t nonce[CIPHER_NONCE_LEN];

	if (chunk.len <= CIPHER_TAG_LEN)
		return false;
	struct str sealed = str_first(chunk, chunk.len - CIPHER_TAG_LEN);
	body_stream_nonce(stream, last, nonce);
	return cipher_open(stream->key, nonce, (struct str){0}, sealed,
	    (const uint8_t *)chunk.p + sealed.len, out);
}

size_t body_stream_n_chunks(uint64_t sealed_len)
{
	return (size_t)((sealed_len + STREAM_CHUNK_LEN - 1) / STREAM_CHUNK_LEN);
}

bool body_stream_len_is_valid(uint64_t sealed_len)
{
	uint64_t last = sealed_len % STREAM_CHUNK_LEN;

	return sealed_len > 0 && sealed_len <= 2 * BODY_LEN_MAX &&
	       (last == 0 || last > CIPHER_TAG_LEN);
}
