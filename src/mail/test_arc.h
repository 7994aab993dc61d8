/* mail/test_arc.h: messages sealed by the unit tests of ARC. */
#ifndef MAIL_TEST_ARC_H
#define MAIL_TEST_ARC_H

#include "mail/arc_seal.h"
#include "mail/dkim_sign.h"
#include "mail/header.h"
#include "mail/test_dkim.h"

enum { TEST_NOW = 1795345504, TEST_MESSAGE_MAX = 4 << 20, TEST_ARENA_LEN = 4 << 20 };

struct test_chain {
	struct arena arena;
	struct arc_chain chain;
	struct arc_verdict verdict;
};

/* Reads and validates; the arena is released by who asks. */
static inline struct test_chain test_validate(struct str text, struct test_zone *zone)
{
	struct test_chain t = {.arena = ARENA_MAX(TEST_ARENA_LEN)};
	struct dkim_lookups lookups = {test_find, zone};
	struct dkim_message m = {.now = TEST_NOW, .lookups = &lookups, .arena = &t.arena};

	header_split(text, &m.header, &m.body);
	arc_read(m.header, &t.chain);
	assert_int_equal(arc_verify(&t.chain, &m, &t.verdict), 0);
	return t;
}

static inline enum arc_status test_status(struct str text, struct test_zone *zone)
{
	struct test_chain t = test_validate(text, zone);
	arena_done(&t.arena);
	return t.verdict.status;
}

static inline void test_complete(
    const struct test_key *key, struct buf *field, struct buf *text, struct buf *out)
{
	unsigned char signature[DKIM_SIGNATURE_LEN_MAX];
	uint8_t hash[DKIM_HASH_LEN];

	assert_true(arc_seal_is_text(buf_str(text)));
	dkim_hash(buf_str(text), hash);
	assert_true(dkim_sign_complete(buf_str(field), test_key_sign(key, hash, signature), out));
	buf_clear(field);
	buf_clear(text);
}

/* One more set on top of the message, as `sealer` and `status` say; `key` is of example.org. */
static inline void test_seal_as(const struct test_key *key, const struct arc_sealer *sealer,
    enum arc_status status, struct str message, struct buf *out)
{
	struct buf results CLEANUP(buf_done) = BUF_MAX(ARC_RESULTS_MAX);
	struct buf signature CLEANUP(buf_done) = BUF_MAX(ARC_FIELD_MAX);
	struct buf field CLEANUP(buf_done) = BUF_MAX(ARC_SEAL_FIELD_MAX);
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	uint8_t hash[DKIM_HASH_LEN];
	struct arc_chain chain;
	struct dkim_body b;
	struct str header, body;

	header_split(message, &header, &body);
	arc_read(header, &chain);
	dkim_body_begin(&b, DKIM_RELAXED, DKIM_BODY_WHOLE);
	dkim_body_add(&b, body);
	dkim_body_end(&b, hash);
	assert_true(
	    arc_seal_results(sealer->instance, STR("mail.example.org; dkim=none"), &results));
	assert_true(arc_seal_message(sealer, header, hash, &field, &text));
	test_complete(key, &field, &text, &signature);
	struct arc_set set = {.results = buf_str(&results), .signature = buf_str(&signature)};
	assert_true(arc_seal_chain(sealer, &chain, status, &set, &field, &text));
	test_complete(key, &field, &text, out);
	buf_add(out, buf_str(&signature));
	buf_add(out, buf_str(&results));
	assert_true(buf_add(out, message));
}

/* One more set, as a server does that validates first. False: it must not be sealed. */
static inline bool test_seal(
    const struct test_key *key, struct test_zone *zone, struct str message, struct buf *out)
{
	struct test_chain t = test_validate(message, zone);
	struct arc_sealer sealer = {STR("example.org"), STR("s"), t.verdict.next, TEST_NOW - 1000};

	arena_done(&t.arena);
	if (t.verdict.next == 0)
		return false;
	test_seal_as(key, &sealer, t.verdict.status, message, out);
	return true;
}

#endif
