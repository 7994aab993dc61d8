/*
 * Records: walked as a segment is, then the first of them with its checksums made right and opened.
 */
#include <assert.h>
#include <stdlib.h>

#include <sodium.h>

#include "base/num.h"
#include "seal/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void walk(struct str rest)
{
	struct record_frame frame;
	uint32_t len;

	if (rest.len >= RECORD_TRAILER_LEN &&
	    record_check_trailer((const uint8_t *)rest.p + rest.len - RECORD_TRAILER_LEN, &len) ==
	        0)
		assert(len <= RECORD_LEN_MAX);
	while (record_check_frame(rest, &frame) == 0) {
		assert(frame.total_len <= rest.len && frame.total_len > RECORD_HEADER_LEN);
		rest = str_from(rest, frame.total_len);
	}
}

static void open_record(struct str record)
{
	static const uint8_t private_key[SECRET_LEN] = {7};
	struct keys keys CLEANUP(keys_done) = {.private_key = secret_copy(private_key)};
	struct buf metadata CLEANUP(buf_done) = BUF_MAX(RECORD_METADATA_MAX);
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct record_frame frame;
	struct body body;

	cipher_pair_public(private_key, keys.public.public_key);
	keys.public.account_id = 1;
	if (record_open(&keys, record, &frame, &metadata, &body) == 0 && !body.in_blob &&
	    record_open_body(record, &body, &text) == 0)
		assert(text.len == body.plain_len);
}

/* Header and trailer say of themselves that they are whole. */
static void mend(uint8_t *p, size_t len)
{
	uint8_t digest[BODY_DIGEST_LEN], *trailer = p + len - RECORD_TRAILER_LEN;
	struct str front = str_of(p, 40);

	num_put32(p + 8, (uint32_t)len);
	cipher_checksum(&front, 1, p + 40);
	memcpy(trailer, "GPre", 4);
	num_put32(trailer + 4, (uint32_t)len);
	size_t body_len = num_get32(p + 16);
	if (body_len > len - RECORD_HEADER_LEN - RECORD_TRAILER_LEN)
		return;
	struct str headers = str_of(p, len - RECORD_TRAILER_LEN - body_len);
	crypto_generichash(digest, sizeof(digest), p + headers.len, body_len, NULL, 0);
	struct str parts[] = {headers, str_of(digest, sizeof(digest)), str_of(trailer, 8)};
	cipher_checksum(parts, ARRAY_LEN(parts), trailer + 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	cipher_init();
	walk(str_of(data, len));
	open_record(str_of(data, len));
	if (len < RECORD_HEADER_LEN + RECORD_TRAILER_LEN)
		return 0;
	uint8_t *mended = malloc(len);
	assert(mended != NULL);
	memcpy(mended, data, len);
	mend(mended, len);
	open_record(str_of(mended, len));
	free(mended);
	return 0;
}
