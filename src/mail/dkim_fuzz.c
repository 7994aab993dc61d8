/* Any bytes as a message with signatures, as a key record and as a body in pieces. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "mail/dkim.h"
#include "mail/dkim_sign.h"
#include "mail/header.h"
#include "mail/tag_list.h"

enum { ARENA_LEN = 1 << 20, NOW = 1700000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The record is what stands in the message, behind the header. */
static enum dkim_lookup find(void *ctx, struct str name, struct arena *a, struct str *ret_record)
{
	assert(name.len > 0);
	return arena_dup(a, *(struct str *)ctx, ret_record) ? DKIM_KEY_FOUND : DKIM_KEY_LATER;
}

static void check_message(struct str text)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct dkim_verdict v[DKIM_SIGNATURES_MAX];
	struct str header, body;
	size_t n;

	header_split(text, &header, &body);
	struct dkim_lookups lookups = {find, &body};
	if (dkim_verify(header, body, NOW, &lookups, &a, v, &n) < 0)
		return;
	assert(n <= DKIM_SIGNATURES_MAX);
	for (size_t i = 0; i < n; i++) {
		assert((v[i].result == DKIM_PASS) == (v[i].reason == NULL));
		assert(dkim_result_word(v[i].result) != NULL);
	}
}

/* A body hashes the same whole and in pieces, and what is in its form is its own form. */
static void check_body(struct str text, enum dkim_canon canon)
{
	uint8_t whole[DKIM_HASH_LEN], pieces[DKIM_HASH_LEN];
	struct dkim_body b;
	uint64_t whole_len;

	dkim_body_begin(&b, canon, DKIM_BODY_WHOLE);
	dkim_body_add(&b, text);
	dkim_body_end(&b, whole);
	whole_len = b.len;
	assert(whole_len <= 2 * text.len + 2);
	size_t step = text.len > 0 ? 1 + (unsigned char)text.p[0] % 5 : 1;
	dkim_body_begin(&b, canon, DKIM_BODY_WHOLE);
	for (size_t at = 0; at < text.len; at += step)
		dkim_body_add(&b, str_first(str_from(text, at), step));
	dkim_body_end(&b, pieces);
	assert(b.len == whole_len && memcmp(whole, pieces, DKIM_HASH_LEN) == 0);
}

static void check_field(struct str text)
{
	struct buf once CLEANUP(buf_done) = BUF_MAX(3 * text.len + 8);
	struct buf twice CLEANUP(buf_done) = BUF_MAX(3 * text.len + 8);

	assert(dkim_canon_field(DKIM_RELAXED, text, &once));
	assert(dkim_canon_field(DKIM_RELAXED, buf_str(&once), &twice));
	/* a lone CR before a line end is the one thing that is read otherwise the second time */
	if (str_index(text, '\r') == text.len)
		assert(str_eq(buf_str(&once), buf_str(&twice)));
	buf_clear(&once);
	assert(dkim_canon_signature(DKIM_SIMPLE, text, &once));
}

static void check_signing(struct str text)
{
	struct buf names CLEANUP(buf_done) = BUF_MAX(DKIM_SIGN_NAMES_MAX);
	struct buf field CLEANUP(buf_done) = BUF_MAX(DKIM_SIGN_FIELD_MAX);
	struct dkim_signer signer = {STR("example.org"), STR("s"), DKIM_KEY_RSA, NOW};
	uint8_t hash[DKIM_HASH_LEN] = {0};

	assert(dkim_sign_names(text, &names));
	assert(dkim_sign_prepare(&signer, text, buf_str(&names), hash, &field, hash));
	assert(str_ends(buf_str(&field), STR("b=")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = str_of(data, len);
	struct dkim_key key;
	struct tag_list tags;

	check_message(text);
	check_body(text, DKIM_SIMPLE);
	check_body(text, DKIM_RELAXED);
	check_field(text);
	check_signing(text);
	if (dkim_key_parse(text, &key) == NULL)
		assert(key.public_len > 0);
	if (tag_list_parse(text, &tags))
		assert(tags.n <= TAG_LIST_MAX);
	return 0;
}
