#include "seal/record.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/num.h"
#include "seal/body_stream.h"

/* Offsets in the plain header, the sealed header and the trailer; docs/formats.md draws them. */
enum {
	RECORD_AT_VERSION = 4,
	RECORD_AT_FLAGS = 5,
	RECORD_AT_TOTAL_LEN = 8,
	RECORD_AT_SEALED_LEN = 12,
	RECORD_AT_BODY_LEN = 16,
	RECORD_AT_ZERO = 20,
	RECORD_AT_TIME = 24,
	RECORD_AT_ZERO2 = 32,
	RECORD_AT_CHECKSUM = 40,
	RECORD_VERSION = 1,
	RECORD_FLAG_BLOB = 2,

	SEALED_AT_PUBLIC = 0,
	SEALED_AT_NONCE = SEALED_AT_PUBLIC + CIPHER_PUBLIC_LEN,
	SEALED_AT_CONTENT = SEALED_AT_NONCE + CIPHER_XNONCE_LEN,
	SEALED_OVERHEAD = SEALED_AT_CONTENT + CIPHER_TAG_LEN,
	SEALED_LEN_MIN = SEALED_OVERHEAD + BODY_ENCODED_LEN,
	SEALED_LEN_MAX = SEALED_LEN_MIN + RECORD_METADATA_MAX,

	TRAILER_AT_TOTAL_LEN = 4,
	TRAILER_AT_CHECKSUM = 8,
};

static const struct str record_magic = STR_INIT("GPrc");
static const struct str record_end_magic = STR_INIT("GPre");

static void record_header_checksum(const uint8_t *header, uint8_t *ret_sum)
{
	struct str front = str_of(header, RECORD_AT_CHECKSUM);

	cipher_checksum(&front, 1, ret_sum);
}

/* Of plain and sealed header, the digest of the sealed body, and the trailer's first 8 bytes. */
static void record_trailer_checksum(struct str headers, const uint8_t *digest,
    const uint8_t *trailer, uint8_t ret_sum[static CIPHER_CHECKSUM_LEN])
{
	struct str parts[] = {
	    headers, str_of(digest, BODY_DIGEST_LEN), str_of(trailer, TRAILER_AT_CHECKSUM)};

	cipher_checksum(parts, ARRAY_LEN(parts), ret_sum);
}

static bool record_frame_is_valid(const struct record_frame *frame)
{
	uint64_t sum = (uint64_t)RECORD_HEADER_LEN + frame->sealed_header_len + frame->body_len +
	               RECORD_TRAILER_LEN;

	if (frame->total_len != sum || sum > RECORD_LEN_MAX)
		return false;
	if (frame->sealed_header_len < SEALED_LEN_MIN || frame->sealed_header_len > SEALED_LEN_MAX)
		return false;
	return frame->in_blob ? frame->body_len == 0 : body_stream_len_is_valid(frame->body_len);
}

int record_check_header(struct str bytes, struct record_frame *ret_frame)
{
	const uint8_t *p = (const uint8_t *)bytes.p;
	uint8_t sum[CIPHER_CHECKSUM_LEN];

	if (bytes.len < RECORD_HEADER_LEN)
		return -ENODATA;
	if (!str_starts(bytes, record_magic))
		return -EBADMSG; /* before any sum: this is asked at every byte behind damage */
	record_header_checksum(p, sum);
	if (memcmp(sum, p + RECORD_AT_CHECKSUM, sizeof(sum)) != 0)
		return -EBADMSG;
	if (p[RECORD_AT_VERSION] != RECORD_VERSION ||
	    (p[RECORD_AT_FLAGS] & ~RECORD_FLAG_BLOB) != CIPHER_FORMAT_FLAGS)
		return -EPROTONOSUPPORT;
	struct record_frame frame = {
	    .total_len = num_get32(p + RECORD_AT_TOTAL_LEN),
	    .sealed_header_len = num_get32(p + RECORD_AT_SEALED_LEN),
	    .body_len = num_get32(p + RECORD_AT_BODY_LEN),
	    .time_ms = num_get64(p + RECORD_AT_TIME),
	    .in_blob = (p[RECORD_AT_FLAGS] & RECORD_FLAG_BLOB) != 0,
	};
	if (!record_frame_is_valid(&frame))
		return -EBADMSG;
	*ret_frame = frame;
	return 0;
}

int record_check_trailer(const uint8_t trailer[static RECORD_TRAILER_LEN], uint32_t *ret_total_len)
{
	uint32_t len = num_get32(trailer + TRAILER_AT_TOTAL_LEN);

	if (memcmp(trailer, record_end_magic.p, record_end_magic.len) != 0)
		return -EBADMSG;
	if (len < RECORD_HEADER_LEN + SEALED_LEN_MIN + RECORD_TRAILER_LEN || len > RECORD_LEN_MAX)
		return -EBADMSG;
	*ret_total_len = len;
	return 0;
}

/* The sealed body inside a record whose frame is known. */
static struct str record_body(struct str bytes, const struct record_frame *frame)
{
	return str_first(
	    str_from(bytes, RECORD_HEADER_LEN + frame->sealed_header_len), frame->body_len);
}

int record_check_frame(struct str bytes, struct record_frame *ret_frame)
{
	struct record_frame frame;
	uint8_t digest[BODY_DIGEST_LEN], sum[CIPHER_CHECKSUM_LEN];
	uint32_t total_len;
	int r = record_check_header(bytes, &frame);

	if (r < 0)
		return r;
	if (bytes.len < frame.total_len)
		return -ENODATA;
	const uint8_t *trailer = (const uint8_t *)bytes.p + frame.total_len - RECORD_TRAILER_LEN;
	if (record_check_trailer(trailer, &total_len) < 0 || total_len != frame.total_len)
		return -EBADMSG;
	struct str body = record_body(bytes, &frame);
	crypto_generichash(digest, sizeof(digest), (const uint8_t *)body.p, body.len, NULL, 0);
	record_trailer_checksum(
	    str_first(bytes, RECORD_HEADER_LEN + frame.sealed_header_len), digest, trailer, sum);
	if (memcmp(sum, trailer + TRAILER_AT_CHECKSUM, sizeof(sum)) != 0)
		return -EBADMSG;
	*ret_frame = frame;
	return 0;
}

void record_sender_init(struct record_sender *sender)
{
	*sender = (struct record_sender){0};
	cipher_pair_new(sender->private_key, sender->public_key);
}

void record_sender_done(struct record_sender *sender)
{
	cipher_wipe(sender, sizeof(*sender));
}

void record_header_key_forget(struct record_header_key *last)
{
	cipher_wipe(last, sizeof(*last));
}

bool record_len(size_t metadata_len, const struct body *body, uint32_t *ret_len)
{
	uint64_t len = RECORD_HEADER_LEN + SEALED_LEN_MIN + RECORD_TRAILER_LEN;

	if (metadata_len > RECORD_METADATA_MAX || body->sealed_len > RECORD_LEN_MAX)
		return false;
	len += metadata_len + (body->in_blob ? 0 : body->sealed_len);
	if (len > RECORD_LEN_MAX)
		return false;
	*ret_len = (uint32_t)len;
	return true;
}

static void record_put_header(
    uint8_t *p, uint32_t total_len, size_t metadata_len, uint64_t time_ms, const struct body *body)
{
	memset(p, 0, RECORD_HEADER_LEN);
	memcpy(p, record_magic.p, record_magic.len);
	p[RECORD_AT_VERSION] = RECORD_VERSION;
	p[RECORD_AT_FLAGS] = CIPHER_FORMAT_FLAGS | (body->in_blob ? RECORD_FLAG_BLOB : 0);
	num_put32(p + RECORD_AT_TOTAL_LEN, total_len);
	num_put32(p + RECORD_AT_SEALED_LEN, (uint32_t)(SEALED_LEN_MIN + metadata_len));
	num_put32(p + RECORD_AT_BODY_LEN, body->in_blob ? 0 : (uint32_t)body->sealed_len);
	num_put64(p + RECORD_AT_TIME, time_ms);
	record_header_checksum(p, p + RECORD_AT_CHECKSUM);
}

static bool record_header_key_is(const struct record_header_key *last, const uint8_t *ephemeral,
    const struct keys_public *recipient)
{
	return last->is_known && last->account_id == recipient->account_id &&
	       memcmp(last->ephemeral, ephemeral, CIPHER_PUBLIC_LEN) == 0 &&
	       memcmp(last->account_public, recipient->public_key, CIPHER_PUBLIC_LEN) == 0;
}

/* The header's key, in `last`: bound to both public keys and the account. */
static int record_agree(const uint8_t *private_key, const uint8_t *peer, const uint8_t *ephemeral,
    const struct keys_public *recipient, struct record_header_key *last)
{
	uint8_t shared[CIPHER_KEY_LEN], context[2 * CIPHER_PUBLIC_LEN + 8];

	if (record_header_key_is(last, ephemeral, recipient))
		return 0;
	if (!cipher_agree(private_key, peer, shared))
		return -EINVAL;
	memcpy(context, ephemeral, CIPHER_PUBLIC_LEN);
	memcpy(context + CIPHER_PUBLIC_LEN, recipient->public_key, CIPHER_PUBLIC_LEN);
	num_put64(context + 2 * CIPHER_PUBLIC_LEN, recipient->account_id);
	cipher_derive(shared, "record header", str_of(context, sizeof(context)), last->key);
	cipher_wipe(shared, sizeof(shared));
	memcpy(last->ephemeral, ephemeral, CIPHER_PUBLIC_LEN);
	memcpy(last->account_public, recipient->public_key, CIPHER_PUBLIC_LEN);
	last->account_id = recipient->account_id;
	last->is_known = true;
	return 0;
}

/* The sealed header behind the plain one at `p`. */
static void record_put_sealed(
    uint8_t *p, const struct record_sender *sender, struct str metadata, const struct body *body)
{
	uint8_t *sealed = p + RECORD_HEADER_LEN, *content = sealed + SEALED_AT_CONTENT;
	size_t content_len = BODY_ENCODED_LEN + metadata.len;

	memcpy(sealed + SEALED_AT_PUBLIC, sender->public_key, CIPHER_PUBLIC_LEN);
	cipher_nonce(sealed + SEALED_AT_NONCE, CIPHER_XNONCE_LEN);
	body_encode(body, content);
	if (metadata.len > 0)
		memcpy(content + BODY_ENCODED_LEN, metadata.p, metadata.len);
	cipher_xseal(sender->last.key, sealed + SEALED_AT_NONCE, str_of(p, RECORD_HEADER_LEN),
	    str_of(content, content_len), content, content + content_len);
}

/* Of the sealed bytes that stand in the record: none for a blob. Made once for all recipients. */
static void record_body_digest(const struct body *body, uint8_t ret_digest[static BODY_DIGEST_LEN])
{
	if (body->in_blob)
		crypto_generichash(ret_digest, BODY_DIGEST_LEN, NULL, 0, NULL, 0);
	else
		memcpy(ret_digest, body->digest, BODY_DIGEST_LEN);
}

int record_seal(struct record_sender *sender, const struct keys_public *recipient, uint64_t time_ms,
    struct str metadata, const struct body *body, struct str sealed_body, struct buf *out)
{
	uint8_t digest[BODY_DIGEST_LEN];
	uint32_t total_len;

	assert(sealed_body.len == (body->in_blob ? 0 : body->sealed_len));
	if (!record_len(metadata.len, body, &total_len))
		return -EFBIG;
	int r = record_agree(sender->private_key, recipient->public_key, sender->public_key,
	    recipient, &sender->last);
	if (r < 0)
		return r;
	uint8_t *p = (uint8_t *)buf_reserve(out, total_len);
	if (p != NULL) {
		size_t headers_len = RECORD_HEADER_LEN + SEALED_LEN_MIN + metadata.len;
		uint8_t *trailer = p + total_len - RECORD_TRAILER_LEN;
		record_put_header(p, total_len, metadata.len, time_ms, body);
		record_put_sealed(p, sender, metadata, body);
		if (sealed_body.len > 0)
			memcpy(p + headers_len, sealed_body.p, sealed_body.len);
		memcpy(trailer, record_end_magic.p, record_end_magic.len);
		num_put32(trailer + TRAILER_AT_TOTAL_LEN, total_len);
		record_body_digest(body, digest);
		record_trailer_checksum(
		    str_of(p, headers_len), digest, trailer, trailer + TRAILER_AT_CHECKSUM);
		buf_commit(out, total_len);
	}
	return p != NULL ? 0 : -EFBIG;
}

/* What the sealed header says of the body must be what the plain one says. */
static int record_decode_content(struct str content, const struct record_frame *frame,
    struct buf *metadata, struct body *ret_body)
{
	struct body body;
	int r = body_decode(str_first(content, BODY_ENCODED_LEN), &body);

	if (r == 0 && (body.in_blob != frame->in_blob ||
	                  (!body.in_blob && body.sealed_len != frame->body_len)))
		r = -EBADMSG;
	if (r == 0 && !buf_add(metadata, str_from(content, BODY_ENCODED_LEN)))
		r = -EFBIG;
	if (r == 0)
		*ret_body = body;
	body_wipe(&body);
	return r;
}

int record_open(const struct keys *keys, struct str bytes, struct record_frame *ret_frame,
    struct buf *metadata, struct body *ret_body)
{
	struct record_header_key last = {0};
	struct record_frame frame;
	int r = record_check_frame(bytes, &frame);

	if (r == 0)
		r = record_open_checked(keys, &last, bytes, &frame, metadata, ret_body);
	record_header_key_forget(&last);
	if (r == 0)
		*ret_frame = frame;
	return r;
}

int record_open_checked(const struct keys *keys, struct record_header_key *last, struct str bytes,
    const struct record_frame *frame, struct buf *metadata, struct body *ret_body)
{
	const uint8_t *p = (const uint8_t *)bytes.p, *sealed = p + RECORD_HEADER_LEN;
	size_t content_len = frame->sealed_header_len - SEALED_OVERHEAD;
	if (record_agree(keys->private_key->bytes, sealed + SEALED_AT_PUBLIC,
	        sealed + SEALED_AT_PUBLIC, &keys->public, last) < 0)
		return -EBADMSG;
	struct buf content CLEANUP(buf_done) = BUF_MAX(SEALED_LEN_MAX);
	uint8_t *opened = (uint8_t *)buf_reserve(&content, content_len);
	assert(opened != NULL);
	bool authentic = cipher_xopen(last->key, sealed + SEALED_AT_NONCE,
	    str_of(p, RECORD_HEADER_LEN), str_of(sealed + SEALED_AT_CONTENT, content_len),
	    sealed + SEALED_AT_CONTENT + content_len, opened);
	int r = authentic
	            ? record_decode_content(str_of(opened, content_len), frame, metadata, ret_body)
	            : -EACCES;
	cipher_wipe(opened, content_len);
	return r;
}

int record_open_body(struct str bytes, const struct body *body, struct buf *out)
{
	struct record_frame frame;
	int r = record_check_frame(bytes, &frame);

	return r < 0 ? r : record_open_body_checked(bytes, &frame, body, out);
}

int record_open_body_checked(
    struct str bytes, const struct record_frame *frame, const struct body *body, struct buf *out)
{
	if (frame->in_blob || body->in_blob)
		return -EINVAL;
	return body_open(body, record_body(bytes, frame), out);
}
