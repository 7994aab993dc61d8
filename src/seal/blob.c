#include "seal/blob.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "seal/body_stream.h"

/* Offsets in header and trailer; docs/formats.md draws them. */
enum {
	BLOB_AT_VERSION = 6,
	BLOB_AT_FLAGS = 7,
	BLOB_AT_ID = 8,
	BLOB_VERSION = 1,
	BLOB_TRAILER_AT_LEN = 0,
	BLOB_TRAILER_AT_CHECKSUM = 8,
	BLOB_READ_LEN = 65536,
};

static const struct str blob_magic = STR_INIT("GPblob");

void blob_name(const uint8_t id[static BODY_BLOB_ID_LEN], char ret_name[static BLOB_NAME_LEN + 1])
{
	sodium_bin2hex(ret_name, BLOB_NAME_LEN + 1, id, BODY_BLOB_ID_LEN);
}

uint64_t blob_file_len(const struct body *body)
{
	return BLOB_HEADER_LEN + body->sealed_len + BLOB_TRAILER_LEN;
}

int blob_decode_header(struct str bytes, uint8_t ret_id[static BODY_BLOB_ID_LEN])
{
	const uint8_t *p = (const uint8_t *)bytes.p;

	if (bytes.len < BLOB_HEADER_LEN || !str_starts(bytes, blob_magic))
		return -EBADMSG;
	if (p[BLOB_AT_VERSION] != BLOB_VERSION || p[BLOB_AT_FLAGS] != CIPHER_FORMAT_FLAGS)
		return -EPROTONOSUPPORT;
	memcpy(ret_id, p + BLOB_AT_ID, BODY_BLOB_ID_LEN);
	return 0;
}

/* Of the header, the digest of the chunks, and the length in the trailer. */
static void blob_checksum(const uint8_t *header, const uint8_t *digest, const uint8_t *trailer,
    uint8_t ret_sum[static CIPHER_CHECKSUM_LEN])
{
	struct str parts[] = {str_of(header, BLOB_HEADER_LEN), str_of(digest, BODY_DIGEST_LEN),
	    str_of(trailer, BLOB_TRAILER_AT_CHECKSUM)};

	cipher_checksum(parts, ARRAY_LEN(parts), ret_sum);
}

static int blob_sink(void *context, struct str piece)
{
	return fd_write_all(*(const int *)context, piece);
}

struct blob_writer {
	int fd;
	uint8_t header[BLOB_HEADER_LEN];
	struct body_writer *body;
};

int blob_writer_new(int fd, struct blob_writer **ret_writer)
{
	struct blob_writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		abort();
	writer->fd = fd;
	memcpy(writer->header, blob_magic.p, blob_magic.len);
	writer->header[BLOB_AT_VERSION] = BLOB_VERSION;
	writer->header[BLOB_AT_FLAGS] = CIPHER_FORMAT_FLAGS;
	cipher_random(writer->header + BLOB_AT_ID, BODY_BLOB_ID_LEN);
	int r = fd_write_all(fd, str_of(writer->header, sizeof(writer->header)));
	if (r < 0) {
		free(writer);
		return r;
	}
	writer->body =
	    body_writer_new((struct body_sink){.write = blob_sink, .context = &writer->fd});
	*ret_writer = writer;
	return 0;
}

void blob_writer_free(struct blob_writer **writer)
{
	if (*writer != NULL)
		body_writer_free(&(*writer)->body);
	free(*writer);
	*writer = NULL;
}

int blob_writer_add(struct blob_writer *writer, struct str piece)
{
	return body_writer_add(writer->body, piece);
}

int blob_writer_end(struct blob_writer *writer, struct body *ret_body)
{
	uint8_t trailer[BLOB_TRAILER_LEN];
	struct body body;
	int r = body_writer_end(writer->body, &body);

	if (r < 0)
		return r;
	body.in_blob = true;
	memcpy(body.blob_id, writer->header + BLOB_AT_ID, BODY_BLOB_ID_LEN);
	num_put64(trailer + BLOB_TRAILER_AT_LEN, blob_file_len(&body));
	blob_checksum(writer->header, body.digest, trailer, trailer + BLOB_TRAILER_AT_CHECKSUM);
	r = fd_write_all(writer->fd, str_of(trailer, sizeof(trailer)));
	if (r == 0)
		*ret_body = body;
	body_wipe(&body);
	return r;
}

int blob_seal(int fd, const struct str *parts, size_t n_parts, struct body *ret_body)
{
	struct blob_writer *writer CLEANUP(blob_writer_free) = NULL;
	int r = blob_writer_new(fd, &writer);

	for (size_t i = 0; r >= 0 && i < n_parts; i++)
		r = blob_writer_add(writer, parts[i]);
	return r < 0 ? r : blob_writer_end(writer, ret_body);
}

/* Reads exactly `len` bytes; a file that ends before is damaged. */
static int blob_pread(int fd, void *p, size_t len, uint64_t at)
{
	int r = fd_pread_all(fd, p, len, (off_t)at);

	return r == -ENODATA ? -EBADMSG : r;
}

/* A blob being read: its header and trailer, and the digest of what passed. */
struct blob_reader {
	int fd;
	uint8_t header[BLOB_HEADER_LEN];
	uint8_t trailer[BLOB_TRAILER_LEN];
	uint64_t sealed_len;
	crypto_generichash_state digest;
	struct body_reader *body;
};

/* Header, length and trailer, without a key. */
static int blob_load(struct blob_reader *reader, int fd, uint8_t ret_id[static BODY_BLOB_ID_LEN])
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	uint64_t len = (uint64_t)st.st_size;
	if (len < BLOB_HEADER_LEN + BLOB_TRAILER_LEN)
		return -EBADMSG;
	int r = blob_pread(fd, reader->header, BLOB_HEADER_LEN, 0);
	if (r == 0)
		r = blob_decode_header(str_of(reader->header, BLOB_HEADER_LEN), ret_id);
	if (r == 0)
		r = blob_pread(fd, reader->trailer, BLOB_TRAILER_LEN, len - BLOB_TRAILER_LEN);
	if (r < 0)
		return r;
	reader->fd = fd;
	reader->sealed_len = len - BLOB_HEADER_LEN - BLOB_TRAILER_LEN;
	crypto_generichash_init(&reader->digest, NULL, 0, BODY_DIGEST_LEN);
	return num_get64(reader->trailer + BLOB_TRAILER_AT_LEN) == len ? 0 : -EBADMSG;
}

/* Compares the checksum after all chunks went through the digest. */
static int blob_check_digest(struct blob_reader *reader)
{
	uint8_t digest[BODY_DIGEST_LEN], sum[CIPHER_CHECKSUM_LEN];
	crypto_generichash_state state = reader->digest;

	crypto_generichash_final(&state, digest, sizeof(digest));
	blob_checksum(reader->header, digest, reader->trailer, sum);
	return memcmp(sum, reader->trailer + BLOB_TRAILER_AT_CHECKSUM, sizeof(sum)) == 0 ? 0
	                                                                                 : -EBADMSG;
}

static int blob_source(void *context, uint64_t at, void *p, size_t len)
{
	struct blob_reader *reader = context;
	int r = blob_pread(reader->fd, p, len, BLOB_HEADER_LEN + at);

	if (r == 0)
		crypto_generichash_update(&reader->digest, p, len);
	return r;
}

void blob_reader_free(struct blob_reader **reader)
{
	if (*reader == NULL)
		return;
	body_reader_free(&(*reader)->body);
	free(*reader);
	*reader = NULL;
}

int blob_reader_new(int fd, const struct body *body, struct blob_reader **ret_reader)
{
	uint8_t id[BODY_BLOB_ID_LEN];
	struct blob_reader *reader = calloc(1, sizeof(*reader));

	if (reader == NULL)
		abort();
	int r = blob_load(reader, fd, id);
	if (r == 0 &&
	    (memcmp(id, body->blob_id, sizeof(id)) != 0 || reader->sealed_len != body->sealed_len))
		r = -EBADMSG;
	struct body_source source = {.read = blob_source, .context = reader};
	if (r == 0)
		r = body_reader_new(body, source, &reader->body);
	if (r < 0)
		blob_reader_free(&reader);
	else
		*ret_reader = reader;
	return r;
}

int blob_reader_read(struct blob_reader *reader, void *p, size_t len, size_t *ret_got)
{
	size_t got;
	int r = body_reader_read(reader->body, p, len, &got);

	if (r == 0 && got == 0 && len > 0)
		r = blob_check_digest(reader);
	if (r == 0)
		*ret_got = got;
	return r;
}

int blob_open(int fd, const struct body *body, struct buf *out)
{
	struct blob_reader *reader CLEANUP(blob_reader_free) = NULL;
	size_t before = out->len, got = 1;
	uint8_t beyond;
	int r = blob_reader_new(fd, body, &reader);

	while (r == 0 && got > 0) {
		/* After the last byte one more is asked for, to be told of the end. */
		size_t want = num_min(BLOB_READ_LEN, body->plain_len - (out->len - before));
		void *to = want == 0 ? &beyond : (void *)buf_reserve(out, want);
		r = to == NULL ? -EFBIG : blob_reader_read(reader, to, want == 0 ? 1 : want, &got);
		if (r == 0 && want > 0)
			buf_commit(out, got);
	}
	if (r < 0)
		out->len = before;
	return r;
}

int blob_check(int fd)
{
	uint8_t id[BODY_BLOB_ID_LEN], piece[BLOB_READ_LEN];
	struct blob_reader reader;
	int r = blob_load(&reader, fd, id);

	for (uint64_t at = 0; r == 0 && at < reader.sealed_len; at += sizeof(piece))
		r = blob_source(&reader, at, piece, num_min(sizeof(piece), reader.sealed_len - at));
	return r == 0 ? blob_check_digest(&reader) : r;
}
