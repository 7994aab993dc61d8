/*
 * Bodies from somebody who has the key: the encoded `struct body`, and any bytes at all as what
 * zstd made. Both ways of opening must agree.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/num.h"
#include "seal/body.h"
#include "seal/body_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { FUZZ_PLAIN_MAX = 1 << 20 };

static int read_memory(void *context, uint64_t at, void *p, size_t len)
{
	struct str *sealed = context;

	assert(at + len <= sealed->len);
	memcpy(p, sealed->p + at, len);
	return 0;
}

static int read_all(const struct body *body, struct str sealed, struct buf *out)
{
	struct body_source source = {.read = read_memory, .context = &sealed};
	struct body_reader *reader CLEANUP(body_reader_free) = NULL;
	char piece[4099];
	size_t got = 1;
	int r = body_reader_new(body, source, &reader);

	while (r == 0 && got > 0) {
		r = body_reader_read(reader, piece, sizeof(piece), &got);
		if (r == 0 && !buf_add(out, str_of(piece, got)))
			r = -1;
	}
	return r;
}

/* `compressed`, sealed as one message, opened both ways. */
static void open_compressed(struct str compressed, uint32_t plain_len)
{
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(1 << 22);
	struct buf whole CLEANUP(buf_done) = BUF_MAX(FUZZ_PLAIN_MAX);
	struct buf pieces CLEANUP(buf_done) = BUF_MAX(FUZZ_PLAIN_MAX);
	struct body body = {.plain_len = plain_len, .content_key = {7}};
	struct body_stream stream CLEANUP(body_stream_done);

	body_stream_init(&stream, body.content_key);
	for (struct str rest = compressed; rest.len > 0;) {
		struct str chunk = str_first(rest, BODY_CHUNK_LEN);
		char *to = buf_reserve(&sealed, chunk.len + CIPHER_TAG_LEN);
		assert(to != NULL);
		rest = str_from(rest, chunk.len);
		memcpy(to, chunk.p, chunk.len);
		body_stream_seal(&stream, (uint8_t *)to, chunk.len, rest.len == 0);
		buf_commit(&sealed, chunk.len + CIPHER_TAG_LEN);
	}
	body.sealed_len = sealed.len;
	int by_whole = body_open(&body, buf_str(&sealed), &whole);
	int by_pieces = read_all(&body, buf_str(&sealed), &pieces);
	if (by_whole == 0)
		assert(whole.len == plain_len);
	if (by_whole == 0 && by_pieces == 0)
		assert(str_eq(buf_str(&whole), buf_str(&pieces)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct body body;
	uint8_t encoded[BODY_ENCODED_LEN];

	cipher_init();
	if (len >= BODY_ENCODED_LEN && body_decode(str_of(data, BODY_ENCODED_LEN), &body) == 0) {
		body_encode(&body, encoded);
		assert(memcmp(encoded, data, BODY_ENCODED_LEN) == 0);
	}
	if (len > 4 && len <= FUZZ_PLAIN_MAX)
		open_compressed(str_of(data + 4, len - 4), num_get32(data) % FUZZ_PLAIN_MAX);
	return 0;
}
