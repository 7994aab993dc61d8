#include "seal/body.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/num.h"
#include "seal/body_stream.h"

/* Offsets in the encoded form, which the sealed header of a record holds too. */
enum {
	BODY_AT_KEY = 0,
	BODY_AT_PLAIN_LEN = 32,
	BODY_AT_SEALED_LEN = 40,
	BODY_AT_COMPRESSION = 48,
	BODY_AT_IN_BLOB = 49,
	BODY_AT_ZERO = 50,
	BODY_AT_BLOB_ID = 56,
	BODY_COMPRESSION_ZSTD = 1,
};

_Static_assert(BODY_AT_BLOB_ID + BODY_BLOB_ID_LEN == BODY_ENCODED_LEN, "the parts fill it");

static ZSTD_CCtx *small_compressor;
static ZSTD_DCtx *small_decompressor;

void body_forget(void)
{
	ZSTD_freeCCtx(small_compressor);
	ZSTD_freeDCtx(small_decompressor);
	small_compressor = NULL;
	small_decompressor = NULL;
}

void body_wipe(struct body *body)
{
	cipher_wipe(body, sizeof(*body));
}

void body_encode(const struct body *body, uint8_t ret_bytes[static BODY_ENCODED_LEN])
{
	memset(ret_bytes, 0, BODY_ENCODED_LEN);
	memcpy(ret_bytes + BODY_AT_KEY, body->content_key, CIPHER_KEY_LEN);
	num_put64(ret_bytes + BODY_AT_PLAIN_LEN, body->plain_len);
	num_put64(ret_bytes + BODY_AT_SEALED_LEN, body->sealed_len);
	ret_bytes[BODY_AT_COMPRESSION] = BODY_COMPRESSION_ZSTD;
	ret_bytes[BODY_AT_IN_BLOB] = body->in_blob;
	memcpy(ret_bytes + BODY_AT_BLOB_ID, body->blob_id, BODY_BLOB_ID_LEN);
}

int body_decode(struct str bytes, struct body *ret_body)
{
	const uint8_t *p = (const uint8_t *)bytes.p;

	if (bytes.len != BODY_ENCODED_LEN || p[BODY_AT_IN_BLOB] > 1 ||
	    !sodium_is_zero(p + BODY_AT_ZERO, BODY_AT_BLOB_ID - BODY_AT_ZERO))
		return -EBADMSG;
	if (p[BODY_AT_COMPRESSION] != BODY_COMPRESSION_ZSTD)
		return -EPROTONOSUPPORT;
	struct body body = {
	    .plain_len = num_get64(p + BODY_AT_PLAIN_LEN),
	    .sealed_len = num_get64(p + BODY_AT_SEALED_LEN),
	    .in_blob = p[BODY_AT_IN_BLOB] == 1,
	};
	if (body.plain_len > BODY_LEN_MAX || !body_stream_len_is_valid(body.sealed_len))
		return -EBADMSG;
	if (!body.in_blob && !sodium_is_zero(p + BODY_AT_BLOB_ID, BODY_BLOB_ID_LEN))
		return -EBADMSG;
	memcpy(body.content_key, p + BODY_AT_KEY, CIPHER_KEY_LEN);
	memcpy(body.blob_id, p + BODY_AT_BLOB_ID, BODY_BLOB_ID_LEN);
	*ret_body = body;
	return 0;
}

/* Sealing: the pieces through zstd into chunks, each full chunk sealed and handed on. */
struct body_writer {
	struct body body;
	ZSTD_CCtx *compressor;
	bool small; /* the compressor is the process's */
	struct body_stream stream;
	struct body_sink sink;
	crypto_generichash_state digest;
	uint8_t chunk[BODY_CHUNK_LEN + CIPHER_TAG_LEN];
	size_t chunk_len;
};

static int body_writer_flush(struct body_writer *writer, bool last)
{
	body_stream_seal(&writer->stream, writer->chunk, writer->chunk_len, last);
	struct str sealed = str_of(writer->chunk, writer->chunk_len + CIPHER_TAG_LEN);
	crypto_generichash_update(&writer->digest, writer->chunk, sealed.len);
	writer->body.sealed_len += sealed.len;
	writer->chunk_len = 0;
	return writer->sink.write(writer->sink.context, sealed);
}

/* Compresses one piece; the last call ends the frame. */
static int body_compress(struct body_writer *writer, struct str piece, bool last)
{
	ZSTD_inBuffer in = {piece.p, piece.len, 0};
	size_t left;

	do {
		if (writer->chunk_len == BODY_CHUNK_LEN) {
			/* Full, and more follows: zstd had not emptied itself. */
			int r = body_writer_flush(writer, false);
			if (r < 0)
				return r;
		}
		ZSTD_outBuffer out = {writer->chunk, BODY_CHUNK_LEN, writer->chunk_len};
		left = ZSTD_compressStream2(
		    writer->compressor, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			abort(); /* no memory; there is no other reason */
		writer->chunk_len = out.pos;
	} while (last ? left != 0 : in.pos < in.size);
	return 0;
}

static ZSTD_CCtx *body_compressor(bool small)
{
	if (small && small_compressor != NULL)
		return small_compressor;
	ZSTD_CCtx *compressor = ZSTD_createCCtx();
	if (compressor == NULL)
		abort();
	if (small)
		small_compressor = compressor;
	return compressor;
}

static int body_total_len(const struct str *parts, size_t n_parts, uint64_t *ret_len)
{
	uint64_t len = 0;

	for (size_t i = 0; i < n_parts; i++)
		if (!num_add64(len, parts[i].len, &len))
			return -EFBIG;
	if (len > BODY_LEN_MAX)
		return -EFBIG;
	*ret_len = len;
	return 0;
}

static struct body_writer *body_writer_of(struct body_sink sink, bool small)
{
	struct body_writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		abort();
	writer->sink = sink;
	writer->small = small;
	writer->compressor = body_compressor(small);
	ZSTD_CCtx_reset(writer->compressor, ZSTD_reset_session_and_parameters);
	ZSTD_CCtx_setParameter(writer->compressor, ZSTD_c_compressionLevel, BODY_LEVEL);
	cipher_random(writer->body.content_key, sizeof(writer->body.content_key));
	body_stream_init(&writer->stream, writer->body.content_key);
	crypto_generichash_init(&writer->digest, NULL, 0, BODY_DIGEST_LEN);
	return writer;
}

struct body_writer *body_writer_new(struct body_sink sink)
{
	return body_writer_of(sink, false);
}

void body_writer_free(struct body_writer **writer)
{
	struct body_writer *w = *writer;

	*writer = NULL;
	if (w == NULL)
		return;
	if (!w->small)
		ZSTD_freeCCtx(w->compressor);
	cipher_wipe(w, sizeof(*w));
	free(w);
}

int body_writer_add(struct body_writer *writer, struct str piece)
{
	if (piece.len > BODY_LEN_MAX - writer->body.plain_len)
		return -EFBIG;
	writer->body.plain_len += piece.len;
	return body_compress(writer, piece, false);
}

int body_writer_end(struct body_writer *writer, struct body *ret_body)
{
	int r = body_compress(writer, (struct str){0}, true);

	if (r >= 0)
		r = body_writer_flush(writer, true);
	if (r < 0)
		return r;
	crypto_generichash_final(&writer->digest, writer->body.digest, BODY_DIGEST_LEN);
	*ret_body = writer->body;
	return 0;
}

int body_seal_to(
    const struct str *parts, size_t n_parts, struct body_sink sink, struct body *ret_body)
{
	uint64_t len;
	int r = body_total_len(parts, n_parts, &len);

	if (r < 0)
		return r;
	struct body_writer *writer CLEANUP(body_writer_free) =
	    body_writer_of(sink, len <= BODY_SMALL_LEN);
	ZSTD_CCtx_setPledgedSrcSize(writer->compressor, len);
	for (size_t i = 0; r >= 0 && i < n_parts; i++)
		r = body_writer_add(writer, parts[i]);
	return r < 0 ? r : body_writer_end(writer, ret_body);
}

static int body_sink_buf(void *context, struct str piece)
{
	return buf_add(context, piece) ? 0 : -EFBIG;
}

int body_seal(const struct str *parts, size_t n_parts, struct buf *out, struct body *ret_body)
{
	struct body_sink sink = {.write = body_sink_buf, .context = out};
	size_t before = out->len;
	int r = body_seal_to(parts, n_parts, sink, ret_body);

	if (r < 0)
		out->len = before;
	return r;
}

/* All chunks, decrypted to `plain`, which has room for them. */
static int body_open_chunks(const struct body *body, struct str sealed, uint8_t *plain)
{
	struct body_stream stream CLEANUP(body_stream_done);

	body_stream_init(&stream, body->content_key);
	for (struct str rest = sealed; rest.len > 0;) {
		struct str chunk = str_first(rest, BODY_CHUNK_LEN + CIPHER_TAG_LEN);
		rest = str_from(rest, chunk.len);
		if (!body_stream_open(&stream, chunk, rest.len == 0, plain))
			return -EBADMSG;
		plain += chunk.len - CIPHER_TAG_LEN;
	}
	return 0;
}

static int body_decompress(const struct body *body, struct str compressed, struct buf *out)
{
	char *to = buf_reserve(out, body->plain_len);

	if (to == NULL)
		return -EFBIG;
	if (small_decompressor == NULL && (small_decompressor = ZSTD_createDCtx()) == NULL)
		abort();
	size_t len = ZSTD_decompressDCtx(
	    small_decompressor, to, body->plain_len, compressed.p, compressed.len);
	if (ZSTD_isError(len) || len != body->plain_len)
		return -EBADMSG;
	buf_commit(out, len);
	return 0;
}

int body_open(const struct body *body, struct str sealed, struct buf *out)
{
	if (sealed.len != body->sealed_len || !body_stream_len_is_valid(body->sealed_len) ||
	    body->plain_len > BODY_LEN_MAX)
		return -EBADMSG;
	size_t n_chunks = body_stream_n_chunks(sealed.len);
	size_t compressed_len = sealed.len - n_chunks * CIPHER_TAG_LEN;
	uint8_t *compressed = malloc(compressed_len > 0 ? compressed_len : 1);
	if (compressed == NULL)
		return -ENOMEM;
	int r = body_open_chunks(body, sealed, compressed);
	if (r == 0)
		r = body_decompress(body, str_of(compressed, compressed_len), out);
	cipher_wipe(compressed, compressed_len);
	free(compressed);
	return r;
}
