#include "mail/test_arc.h"

#include "mail/key_names.h"

#define PLAIN                                                                                      \
	"Received: from a by b; now\r\n"                                                           \
	"From: Joe <joe@example.com>\r\n"                                                          \
	"To: sue@example.net\r\n"                                                                  \
	"Subject: Is dinner  ready?\r\n"                                                           \
	"\r\n"                                                                                     \
	"Hi.\r\n"

static struct test_key key;
static struct test_record record;
static struct test_zone zone = {.v = &record, .n = 1};

static int make_key(void **state UNUSED)
{
	key = test_key_make("s._domainkey.example.org", DKIM_KEY_RSA, 1024);
	record = (struct test_record){key.name, key.record};
	return 0;
}

static int free_key(void **state UNUSED)
{
	EVP_PKEY_free(key.key);
	return 0;
}

/* A message sealed `n` times. */
static struct buf sealed(struct str message, unsigned n)
{
	struct buf text = BUF_MAX(TEST_MESSAGE_MAX);

	buf_add(&text, message);
	while (n-- > 0) {
		struct buf more = BUF_MAX(TEST_MESSAGE_MAX);
		assert_true(test_seal(&key, &zone, buf_str(&text), &more));
		buf_done(&text);
		text = more;
	}
	return text;
}

static void expect_fails(struct str text, const char *reason)
{
	struct test_chain t = test_validate(text, &zone);

	arena_done(&t.arena);
	if (t.verdict.status != ARC_FAIL || strcmp(t.verdict.reason, reason) != 0)
		fail_msg("%s (%s), not fail (%s)", arc_status_word(t.verdict.status),
		    t.verdict.reason, reason);
}

static void a_message_without_a_chain(void **state UNUSED)
{
	struct test_chain t = test_validate(STR(PLAIN), &zone);

	assert_int_equal(t.verdict.status, ARC_NONE);
	assert_int_equal(t.verdict.next, 1);
	assert_int_equal(t.chain.n, 0);
	arena_done(&t.arena);
	assert_int_equal(test_status(STR(""), &zone), ARC_NONE);
}

static void what_is_sealed_passes(void **state UNUSED)
{
	for (unsigned n = 1; n <= 4; n++) {
		struct buf text CLEANUP(buf_done) = sealed(STR(PLAIN), n);
		struct test_chain t = test_validate(buf_str(&text), &zone);
		assert_int_equal(t.verdict.status, ARC_PASS);
		assert_null(t.verdict.reason);
		assert_int_equal(t.verdict.oldest_pass, 0);
		assert_int_equal(t.verdict.next, n + 1);
		assert_int_equal(t.chain.n, n);
		arena_done(&t.arena);
	}
}

/* Any letter of the sets that changes is seen, and what is signed of the message. */
static void changes_are_seen(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = sealed(STR(PLAIN), 2);
	size_t end = str_find(buf_str(&text), STR("Received:"));

	for (size_t i = 0; i < end; i++) {
		if (!ascii_is_alpha(text.p[i]) || text.p[i] == 'i')
			continue;
		text.p[i] ^= 1;
		if (test_status(buf_str(&text), &zone) == ARC_PASS)
			fail_msg("at %zu: %.20s", i, text.p + i);
		text.p[i] ^= 1;
	}
	size_t subject = str_find(buf_str(&text), STR("dinner"));
	text.p[subject] ^= 1;
	expect_fails(buf_str(&text), "signature did not verify");
	text.p[subject] ^= 1;
	text.p[text.len - 5] ^= 1;
	expect_fails(buf_str(&text), "body hash did not verify");
}

/* What passes through relays may be put on top and its white space changed. */
static void harmless_changes_pass(void **state UNUSED)
{
	struct buf once CLEANUP(buf_done) = sealed(STR(PLAIN), 1);
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);

	buf_add(&text, STR("Received: by c; then\r\nX-More: x\r\n"));
	buf_add(&text, buf_str(&once));
	buf_add(&text, STR("\r\n\r\n"));
	assert_int_equal(test_status(buf_str(&text), &zone), ARC_PASS);
}

/* RFC 8617 §5.2: the newest signature must verify, older ones say how far back nothing changed. */
static void the_oldest_that_passes(void **state UNUSED)
{
	struct buf twice CLEANUP(buf_done) = sealed(STR(PLAIN), 2);
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);

	buf_add(&text, buf_str(&twice));
	buf_add(&text, STR("-- \r\nA list\r\n"));
	assert_int_equal(test_status(buf_str(&text), &zone), ARC_FAIL);
	/* sealed by one who had seen that the chain passed, and then changed the message */
	struct arc_sealer sealer = {STR("example.org"), STR("s"), 3, TEST_NOW};
	struct buf list CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	test_seal_as(&key, &sealer, ARC_PASS, buf_str(&text), &list);
	struct test_chain t = test_validate(buf_str(&list), &zone);
	arena_done(&t.arena);
	assert_int_equal(t.verdict.status, ARC_PASS);
	assert_int_equal(t.verdict.oldest_pass, 3);
}

/* RFC 8617 §5.1.2, and §5.1 step 2: it is sealed once more, and then never again. */
static void a_failed_chain_is_sealed_as_such(void **state UNUSED)
{
	struct buf once CLEANUP(buf_done) = sealed(STR(PLAIN), 1);
	struct buf failed CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	struct buf again CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);

	once.p[once.len - 5] ^= 1;
	assert_true(test_seal(&key, &zone, buf_str(&once), &failed));
	assert_true(str_starts(buf_str(&failed), STR("ARC-Seal: i=2; a=rsa-sha256; cv=fail;")));
	expect_fails(buf_str(&failed), "a seal says that the chain failed");
	assert_false(test_seal(&key, &zone, buf_str(&failed), &again));
	/* that seal covers its own set alone */
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	struct buf field CLEANUP(buf_done) = BUF_MAX(ARC_SEAL_FIELD_MAX);
	struct arc_set set = {.results = STR("ARC-Authentication-Results: i=2; r\r\n"),
	    .signature = STR("ARC-Message-Signature: i=2; m\r\n")};
	struct arc_sealer sealer = {STR("d.example"), STR("s"), 2, 5};
	struct test_chain t = test_validate(buf_str(&once), &zone);
	assert_true(arc_seal_chain(&sealer, &t.chain, ARC_FAIL, &set, &field, &text));
	expect_buf(text, "arc-authentication-results:i=2; r\r\n"
	                 "arc-message-signature:i=2; m\r\n"
	                 "arc-seal:i=2; a=rsa-sha256; cv=fail; d=d.example; s=s; t=5; b=");
	arena_done(&t.arena);
}

/* §4.2.1: fifty are the most, and the fifty-first cannot be. */
static void fifty_sets(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = sealed(STR(PLAIN), ARC_SETS_MAX);
	struct buf again CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);

	assert_int_equal(test_status(buf_str(&text), &zone), ARC_PASS);
	assert_false(test_seal(&key, &zone, buf_str(&text), &again));
	buf_add(&again, STR("ARC-Seal: i=51; cv=pass; b=x\r\n"));
	buf_add(&again, buf_str(&text));
	expect_fails(buf_str(&again), "ARC-Seal cannot be read");
}

static void structures_that_are_no_chain(void **state UNUSED)
{
#define AAR(i) "ARC-Authentication-Results: i=" #i "; x; none\r\n"
#define AMS(i) "ARC-Message-Signature: i=" #i "; a=rsa-sha256; b=x\r\n"
#define AS(i)  "ARC-Seal: i=" #i "; cv="
	static const struct {
		const char *header, *reason;
	} v[] = {
	    {AS(1) "none\r\n" AMS(1), "a set is not complete"},
	    {AS(1) "none\r\n" AAR(1), "a set is not complete"},
	    {AAR(1) AMS(1), "a set is not complete"},
	    {AS(2) "pass\r\n" AMS(2) AAR(2), "a set is not complete"},
	    {AS(1) "none\r\n" AMS(1) AAR(1) AAR(1), "two fields of one instance"},
	    {AS(1) "none\r\n" AMS(1) AMS(1) AAR(1), "two fields of one instance"},
	    {AS(1) "none\r\n" AS(1) "none\r\n" AMS(1) AAR(1), "two fields of one instance"},
	    {AS(1) "pass\r\n" AMS(1) AAR(1), "a seal says what it cannot know"},
	    {AS(1) "\r\n" AMS(1) AAR(1), "a seal says what it cannot know"},
	    {AS(1) "fail\r\n" AMS(1) AAR(1), "a seal says that the chain failed"},
	    {AS(1) "none; h=from\r\n" AMS(1) AAR(1), "a seal with h="},
	    {"ARC-Seal: cv=none\r\n" AMS(1) AAR(1), "ARC-Seal cannot be read"},
	    {"ARC-Seal: i=0; cv=none\r\n", "ARC-Seal cannot be read"},
	    {"ARC-Seal: i=1; i=1; cv=none\r\n", "ARC-Seal cannot be read"},
	    {"ARC-Message-Signature: i=a; b=x\r\n", "ARC-Message-Signature cannot be read"},
	    {"ARC-Authentication-Results: x; i=1\r\n", "ARC-Authentication-Results cannot be read"},
	    {"ARC-Authentication-Results: i=1 x; none\r\n",
	        "ARC-Authentication-Results cannot be read"},
	    {"ARC-Authentication-Results: i=001; x\r\n",
	        "ARC-Authentication-Results cannot be read"},
	    {"ARC-Authentication-Results: (((((((((x))))))))) i=1; x\r\n",
	        "ARC-Authentication-Results cannot be read"},
	    {AS(1) "none\r\n" AMS(1) AAR(1), "no domain"},
	    {AS(1) "none\r\nARC-Message-Signature: i=1; d=x.y; s=s; h=from:arc-seal; a=rsa-sha256; "
	           "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=eA==\r\n" AAR(1),
	        "ARC-Message-Signature signs a seal"},
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		expect_fails(str_of_cstr(v[i].header), v[i].reason);
	/* comments and folds are no matter */
	expect_fails(STR(AS(1) "none\r\n" AMS(
	                 1) "ARC-Authentication-Results:\r\n (a (b\\) c)) i = (d) 1\r\n\t; x\r\n"),
	    "no domain");
}

/* §5.2.1: what cannot be had now is a failure like others. */
static void keys_that_cannot_be_had(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = sealed(STR(PLAIN), 1);
	struct test_zone nothing = {0};
	struct test_chain t = test_validate(buf_str(&text), &nothing);

	assert_int_equal(t.verdict.status, ARC_FAIL);
	assert_string_equal(t.verdict.reason, "no key in the DNS");
	assert_int_equal(t.verdict.next, 2);
	arena_done(&t.arena);
	struct arc_sealer sealer = {STR("later.example"), STR("s"), 1, TEST_NOW};
	struct buf later CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	test_seal_as(&key, &sealer, ARC_NONE, STR(PLAIN), &later);
	expect_fails(buf_str(&later), "key cannot be had now");
}

static void a_large_field_is_no_part_of_a_chain(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);

	buf_add(&text, STR("ARC-Authentication-Results: i=1; x"));
	repeat(&text, " ", ARC_FIELD_MAX);
	buf_add(&text, STR("\r\n\r\n"));
	expect_fails(buf_str(&text), "ARC-Authentication-Results cannot be read");
}

/* --- sealing --- */

/* DKIM-Signature fields are covered, Authentication-Results and ARC's own are not (§4.1.2). */
static void what_is_signed(void **state UNUSED)
{
	static const uint8_t hash[DKIM_HASH_LEN];
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	struct buf field CLEANUP(buf_done) = BUF_MAX(ARC_SEAL_FIELD_MAX);
	struct arc_sealer sealer = {STR("d.example"), STR("s"), 7, 5};

	assert_true(arc_seal_message(&sealer,
	    STR("DKIM-Signature: one\r\nAuthentication-Results: x\r\nARC-Seal: i=1\r\n"
	        "dkim-signature: two\r\nReceived: r\r\nFrom: a@b\r\n"),
	    hash, &field, &text));
	struct str got = buf_str(&text);
	assert_true(str_starts(got, STR("from:a@b\r\ndkim-signature:two\r\ndkim-signature:one\r\n"
	                                "arc-message-signature:i=7; a=rsa-sha256; ")));
	assert_true(str_find(got, STR("authentication-results")) == got.len);
	assert_true(str_find(got, STR("received")) == got.len);
	assert_true(str_starts(buf_str(&field), STR("ARC-Message-Signature: i=7; a=rsa-sha256;")));
}

/* Of many signatures of DKIM some are covered. */
static void a_few_signatures_are_covered(void **state UNUSED)
{
	static const uint8_t hash[DKIM_HASH_LEN];
	struct buf header CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	struct buf field CLEANUP(buf_done) = BUF_MAX(ARC_SEAL_FIELD_MAX);
	struct arc_sealer sealer = {STR("d.example"), STR("s"), 1, 5};

	for (int i = 0; i < ARC_SIGNATURES_NAMED_MAX + 1; i++)
		buf_printf(&header, "DKIM-Signature: %d\r\n", i);
	assert_true(arc_seal_message(&sealer, buf_str(&header), hash, &field, &text));
	expect_str(str_first(buf_str(&text), 4 * 18), "dkim-signature:4\r\n"
	                                              "dkim-signature:3\r\n"
	                                              "dkim-signature:2\r\n"
	                                              "dkim-signature:1\r\n");
	assert_true(str_find(buf_str(&text), STR("signature:0")) == text.len);
}

/* No text that is signed here can be one of DKIM. */
static void texts_that_are_signed(void **state UNUSED)
{
	assert_true(arc_seal_is_text(STR("from:a\r\narc-message-signature:i=1; bh=x; b=")));
	assert_true(arc_seal_is_text(STR("arc-seal:i=1; cv=none; b=")));
	assert_false(arc_seal_is_text(STR("")));
	assert_false(arc_seal_is_text(STR("from:a\r\ndkim-signature:v=1; b=")));
	assert_false(arc_seal_is_text(STR("arc-seal:i=1; b=\r\ndkim-signature:v=1; b=")));
	assert_false(arc_seal_is_text(STR("arc-seal:i=1; b=\r\n v=1; b=")));
	assert_false(arc_seal_is_text(STR("arc-seal:i=1; b=\r\n")));
	assert_false(arc_seal_is_text(STR("ARC-Seal:i=1; b=")));
	assert_false(arc_seal_is_text(STR("xarc-seal:i=1; b=")));
	assert_false(arc_seal_is_text(STR("arc-seal:i=1;\rx; b=")));
	assert_false(arc_seal_is_text(STR("dkim-signature:v=1; x=\narc-seal:i=1; b=")));
}

static void what_does_not_fit_is_said(void **state UNUSED)
{
	static const uint8_t hash[DKIM_HASH_LEN];
	static char name[ARC_SEAL_FIELD_MAX];
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	struct buf field CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	struct buf results CLEANUP(buf_done) = BUF_MAX(20);
	struct arc_sealer sealer = {str_of(name, sizeof(name)), STR("s"), 1, 5};
	struct arc_set set = {0};
	struct arc_chain chain = {0};

	memset(name, 'd', sizeof(name));
	assert_false(arc_seal_message(&sealer, STR("From: a\r\n"), hash, &field, &text));
	assert_false(arc_seal_chain(&sealer, &chain, ARC_NONE, &set, &field, &text));
	assert_false(arc_seal_results(1, STR("mail.example.org"), &results));
}

/* --- names of keys --- */

static void names_of_keys(void **state UNUSED)
{
	static const char *const good[] = {"s._domainkey.a.b", "a-b.c_1._domainkey.example.org",
	    "s._domainkey._domainkey.example.org"};
	static const char *const bad[] = {"", "a.b", "_domainkey.a.b", "s._domainkey",
	    "s._domainkey.b", "s._domainkey.a.b.", "s..x._domainkey.a.b", ".s._domainkey.a.b",
	    "S._domainkey.a.b", "s._domainkey.a b.c", "s._domainkey.a/b.c",
	    "s._domainkey.\xc3\xa4.c", "*._domainkey.a.b", "s._domainkey.a\\.b.c",
	    "sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss._domainkey.a.b"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(key_name_is_valid(str_of_cstr(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (key_name_is_valid(str_of_cstr(bad[i])))
			fail_msg("%s", bad[i]);
	assert_false(key_name_is_valid(str_of("s._domainkey.a\0b.c", 18)));
	struct buf longest CLEANUP(buf_done) = BUF_MAX(300);
	buf_add(&longest, STR("s._domainkey"));
	repeat(&longest, ".aaaaaaaaa", 24);
	assert_true(key_name_is_valid(buf_str(&longest)));
	buf_add(&longest, STR(".a"));
	assert_false(key_name_is_valid(buf_str(&longest)));
}

#define SIGNED(d, s)                                                                               \
	"DKIM-Signature: v=1; a=rsa-sha256; d=" d "; s=" s "; h=from; b=eA==;"                     \
	" bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n"

static void the_keys_of_a_message(void **state UNUSED)
{
	struct buf twice CLEANUP(buf_done) =
	    sealed(STR(SIGNED("Example.com", "A") SIGNED("example.com", "a") SIGNED("x y", "b")
	                   SIGNED("B\xc3\xbc"
	                          "cher.example",
	                       "c") SIGNED("a\xff.b", "c") SIGNED("example.net", "d") PLAIN),
	        2);
	struct arena a CLEANUP(arena_done) = ARENA_MAX(TEST_ARENA_LEN);
	struct arc_chain chain;
	struct key_names names;
	struct str header, body;

	header_split(buf_str(&twice), &header, &body);
	arc_read(header, &chain);
	key_names_collect(header, &chain, &a, &names);
	assert_int_equal(names.n, 4);
	expect_str(names.v[0], "s._domainkey.example.org");
	expect_str(names.v[1], "a._domainkey.example.com");
	expect_str(names.v[2], "c._domainkey.xn--bcher-kva.example"); /* RFC 8616 */
	expect_str(names.v[3], "d._domainkey.example.net");
	assert_int_equal(key_names_find(&names, STR("A._domainkey.EXAMPLE.com")), 1);
	assert_int_equal(key_names_find(&names, STR("x")), 4);
}

/* A chain of fifty with a key each, and the signatures beside it: all are named, none twice. */
static void the_most_keys_of_a_message(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	struct arena a CLEANUP(arena_done) = ARENA_MAX(TEST_ARENA_LEN);
	struct arc_chain chain;
	struct key_names names;

	for (int i = 1; i <= ARC_SETS_MAX; i++)
		buf_printf(&text,
		    "ARC-Authentication-Results: i=%d; x\r\n"
		    "ARC-Message-Signature: i=%d; a=rsa-sha256; d=m%d.example; s=s; h=from; "
		    "b=eA==; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n"
		    "ARC-Seal: i=%d; cv=%s; a=rsa-sha256; d=s%d.example; s=s; b=eA==\r\n",
		    i, i, i, i, i == 1 ? "none" : "pass", i);
	for (int i = 0; i < 20; i++)
		buf_printf(&text,
		    "DKIM-Signature: v=1; a=rsa-sha256; d=d%d.example; s=s; h=from; b=eA==;"
		    " bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n",
		    i);
	arc_read(buf_str(&text), &chain);
	assert_null(chain.reason);
	key_names_collect(buf_str(&text), &chain, &a, &names);
	assert_int_equal(names.n, 1 + ARC_SETS_MAX + DKIM_SIGNATURES_MAX);
	assert_true(names.n <= KEY_NAMES_MAX);
	expect_str(names.v[0], "s._domainkey.m50.example");
	expect_str(names.v[1], "s._domainkey.s50.example");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_without_a_chain),
	    cmocka_unit_test(what_is_sealed_passes),
	    cmocka_unit_test(changes_are_seen),
	    cmocka_unit_test(harmless_changes_pass),
	    cmocka_unit_test(the_oldest_that_passes),
	    cmocka_unit_test(a_failed_chain_is_sealed_as_such),
	    cmocka_unit_test(fifty_sets),
	    cmocka_unit_test(structures_that_are_no_chain),
	    cmocka_unit_test(keys_that_cannot_be_had),
	    cmocka_unit_test(a_large_field_is_no_part_of_a_chain),
	    cmocka_unit_test(what_is_signed),
	    cmocka_unit_test(a_few_signatures_are_covered),
	    cmocka_unit_test(texts_that_are_signed),
	    cmocka_unit_test(what_does_not_fit_is_said),
	    cmocka_unit_test(names_of_keys),
	    cmocka_unit_test(the_keys_of_a_message),
	    cmocka_unit_test(the_most_keys_of_a_message),
	};
	return cmocka_run_group_tests(tests, make_key, free_key);
}
