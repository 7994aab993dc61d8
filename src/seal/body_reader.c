/* Reading a sealed body piece by piece: seal/body.h, `body_reader_*`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "seal/body.h"
#include "seal/body_stream.h"

enum { READER_WINDOW_LOG_MAX = 23 }; /* 8 MiB, more than level BODY_LEVEL ever takes */

struct body_reader {
	struct body body;
	struct body_source source;
	struct body_stream stream;
	ZSTD_DCtx *decompressor;
	uint64_t sealed_at; /* read so far */
	uint64_t n_given;
	uint8_t chunk[BODY_CHUNK_LEN + CIPHER_TAG_LEN];
	ZSTD_inBuffer in; /* in `chunk` */
	bool frame_ended;
	int failed; /* the first error; it stays */
};

int body_reader_new(
    const struct body *body, struct body_source source, struct body_reader **ret_reader)
{
	if (!body_stream_len_is_valid(body->sealed_len) || body->plain_len > BODY_LEN_MAX)
		return -EBADMSG;
	struct body_reader *reader = calloc(1, sizeof(*reader));
	if (reader == NULL)
		abort();
	reader->body = *body;
	reader->source = source;
	body_stream_init(&reader->stream, body->content_key);
	reader->decompressor = ZSTD_createDCtx();
	if (reader->decompressor == NULL)
		abort();
	ZSTD_DCtx_setParameter(reader->decompressor, ZSTD_d_windowLogMax, READER_WINDOW_LOG_MAX);
	*ret_reader = reader;
	return 0;
}

void body_reader_free(struct body_reader **reader)
{
	if (*reader == NULL)
		return;
	ZSTD_freeDCtx((*reader)->decompressor);
	cipher_wipe(*reader, sizeof(**reader));
	free(*reader);
	*reader = NULL;
}

/* Fetches and opens the next chunk. */
static int body_reader_fill(struct body_reader *reader)
{
	uint64_t left = reader->body.sealed_len - reader->sealed_at;
	size_t len = left < sizeof(reader->chunk) ? (size_t)left : sizeof(reader->chunk);

	if (len == 0)
		return -EBADMSG; /* zstd wants more than there is */
	int r = reader->source.read(reader->source.context, reader->sealed_at, reader->chunk, len);
	if (r < 0)
		return r;
	reader->sealed_at += len;
	if (!body_stream_open(
	        &reader->stream, str_of(reader->chunk, len), len == left, reader->chunk))
		return -EBADMSG;
	reader->in = (ZSTD_inBuffer){reader->chunk, len - CIPHER_TAG_LEN, 0};
	return 0;
}

/* At the end nothing may be left over, neither sealed nor compressed. */
static int body_reader_check_end(const struct body_reader *reader)
{
	bool whole = reader->frame_ended && reader->in.pos == reader->in.size &&
	             reader->sealed_at == reader->body.sealed_len &&
	             reader->n_given == reader->body.plain_len;

	return whole ? 0 : -EBADMSG;
}

static int body_reader_pull(struct body_reader *reader, ZSTD_outBuffer *out)
{
	while (out->pos < out->size && !reader->frame_ended) {
		size_t before = out->pos;
		size_t left = ZSTD_decompressStream(reader->decompressor, out, &reader->in);
		if (ZSTD_isError(left))
			return -EBADMSG;
		reader->n_given += out->pos - before;
		if (reader->n_given > reader->body.plain_len)
			return -EBADMSG;
		reader->frame_ended = left == 0;
		if (!reader->frame_ended && out->pos < out->size &&
		    reader->in.pos == reader->in.size) {
			int r = body_reader_fill(reader);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int body_reader_read(struct body_reader *reader, void *p, size_t len, size_t *ret_got)
{
	ZSTD_outBuffer out = {p, len, 0};
	int r = reader->failed;

	if (r == 0 && len > 0)
		r = body_reader_pull(reader, &out);
	if (r == 0 && len > 0 && out.pos == 0)
		r = body_reader_check_end(reader);
	if (r < 0) {
		reader->failed = r;
		cipher_wipe(p, len);
		return r;
	}
	*ret_got = out.pos;
	return 0;
}
