#include "mail/test_dkim.h"

#include <errno.h>

#include "base/base64.h"
#include "mail/dkim_sign.h"
#include "mail/header.h"

#define RFC8463 str_of(rfc8463_text, sizeof(rfc8463_text) - 1)
#define MESSAGE str_of(message_text, sizeof(message_text) - 1)

enum { NOW = 1700000000, ARENA_LEN = 1 << 20 };

/* RFC 8463 appendix A */
static const char rfc8463_text[] =
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
    " subject : date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
    " date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
    " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
    " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
    "From: Joe SixPack <joe@football.example.com>\r\n"
    "To: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner ready?\r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
    "\r\n"
    "Hi.\r\n"
    "\r\n"
    "We lost the game.  Are you hungry yet?\r\n"
    "\r\n"
    "Joe.\r\n";

static const struct test_record football[] = {
    {"brisbane._domainkey.football.example.com",
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
    {"test._domainkey.football.example.com",
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
        "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"
        "DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
        "Ip3G+2kryOTIKT+l/K4w3QIDAQAB"},
};

struct verified {
	struct arena arena;
	struct dkim_verdict v[DKIM_SIGNATURES_MAX];
	size_t n;
};

static struct verified verify(struct str message, const struct test_record *records, size_t n)
{
	struct verified r = {.arena = ARENA_MAX(ARENA_LEN)};
	struct test_zone zone = {.v = records, .n = n};
	struct dkim_lookups lookups = {test_find, &zone};
	struct str header, body;

	header_split(message, &header, &body);
	assert_int_equal(dkim_verify(header, body, NOW, &lookups, &r.arena, r.v, &r.n), 0);
	return r;
}

static void expect_verdict(struct verified *r, size_t i, enum dkim_result result, const char *why)
{
	assert_true(i < r->n);
	if (r->v[i].result != result || (why == NULL) != (r->v[i].reason == NULL) ||
	    (why != NULL && strcmp(why, r->v[i].reason) != 0))
		fail_msg("signature %zu: %s (%s), not %s (%s)", i, dkim_result_word(r->v[i].result),
		    r->v[i].reason, dkim_result_word(result), why);
}

static void the_example_of_rfc_8463(void **state UNUSED)
{
	struct verified r = verify(RFC8463, football, 2);

	assert_int_equal(r.n, 2);
	expect_verdict(&r, 0, DKIM_PASS, NULL);
	expect_verdict(&r, 1, DKIM_PASS, NULL);
	assert_int_equal(r.v[0].bits, 256);
	assert_int_equal(r.v[1].bits, 1024);
	expect_str(r.v[0].signature.domain, "football.example.com");
	expect_str(r.v[0].signature.selector, "brisbane");
	arena_done(&r.arena);
	r = verify(RFC8463, NULL, 0);
	expect_verdict(&r, 0, DKIM_PERMERROR, "no key in the DNS");
	arena_done(&r.arena);
}

/* Any byte of what is signed that changes is seen. */
static void changes_are_seen(void **state UNUSED)
{
	char text[sizeof(rfc8463_text)];
	size_t from = str_find(RFC8463, STR("From: Joe"));
	size_t n_failed = 0;

	for (size_t at = from; at < sizeof(rfc8463_text) - 1; at += 7) {
		memcpy(text, rfc8463_text, sizeof(text));
		text[at] ^= 1;
		struct verified r = verify(str_of(text, sizeof(text) - 1), football, 2);
		/* but white space for white space, and case in names of fields */
		n_failed += r.v[0].result == DKIM_FAIL && r.v[1].result == DKIM_FAIL;
		arena_done(&r.arena);
	}
	assert_true(n_failed >= (sizeof(rfc8463_text) - 1 - from) / 7 - 2);
}

/* --- ours --- */

static const char message_text[] = "Received: from a by b; Mon, 23 Nov 2026 10:00:00 +0000\r\n"
                                   "From: Alice <alice@example.org>\r\n"
                                   "To: bob@example.net\r\n"
                                   "Subject: a\r\n folded  one\r\n"
                                   "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
                                   "Message-ID: <1@example.org>\r\n"
                                   "List-Id: <x.example.org>\r\n"
                                   "\r\n"
                                   "Hello  there \r\n\r\nBye\r\n\r\n";

static void sign(struct str text, const struct test_key *key, struct buf *out)
{
	struct buf names CLEANUP(buf_done) = BUF_MAX(1000), field CLEANUP(buf_done) = BUF_MAX(1024);
	struct dkim_signer signer = {
	    .domain = STR("example.org"), .selector = STR("sel"), .kind = key->kind, .at = NOW};
	uint8_t body_hash[DKIM_HASH_LEN], hash[DKIM_HASH_LEN];
	unsigned char signature[DKIM_SIGNATURE_LEN_MAX];
	struct str header, body;
	struct dkim_body b;

	header_split(text, &header, &body);
	dkim_body_begin(&b, DKIM_RELAXED, DKIM_BODY_WHOLE);
	dkim_body_add(&b, body);
	dkim_body_end(&b, body_hash);
	assert_true(dkim_sign_names(header, &names));
	assert_true(dkim_sign_prepare(&signer, header, buf_str(&names), body_hash, &field, hash));
	assert_true(str_ends(buf_str(&field), STR("b=")));
	assert_true(dkim_sign_complete(buf_str(&field), test_key_sign(key, hash, signature), out));
	buf_add(out, text);
}

static void what_we_sign_verifies(void **state UNUSED)
{
	for (enum dkim_key_kind kind = 0; kind < N_DKIM_KEY_KINDS; kind++) {
		struct test_key key = test_key_make("sel._domainkey.example.org", kind, 2048);
		struct test_record zone[] = {{key.name, key.record}};
		struct buf text CLEANUP(buf_done) = BUF_MAX(10000);
		sign(MESSAGE, &key, &text);
		struct verified r = verify(buf_str(&text), zone, 1);
		expect_verdict(&r, 0, DKIM_PASS, NULL);
		assert_int_equal(r.v[0].unsigned_bytes, 0);
		arena_done(&r.arena);
		/* lines are of a bearable length */
		for (struct str rest = buf_str(&text); rest.len > 0;)
			assert_in_range(str_cut_line(&rest).len, 0, 80);
		/* another From on top, another Subject: over-signed */
		struct buf forged CLEANUP(buf_done) = BUF_MAX(10000);
		buf_add(&forged, STR("From: mallory@example.com\r\n"));
		buf_add(&forged, buf_str(&text));
		r = verify(buf_str(&forged), zone, 1);
		expect_verdict(&r, 0, DKIM_FAIL, "signature did not verify");
		arena_done(&r.arena);
		/* a list's Sender and Received: not */
		buf_clear(&forged);
		buf_add(&forged, STR("Received: by c; x\r\nSender: list@example.com\r\n"));
		buf_add(&forged, buf_str(&text));
		r = verify(buf_str(&forged), zone, 1);
		expect_verdict(&r, 0, DKIM_PASS, NULL);
		arena_done(&r.arena);
		EVP_PKEY_free(key.key);
	}
}

static void names_that_are_signed(void **state UNUSED)
{
	struct buf names CLEANUP(buf_done) = BUF_MAX(1000);

	dkim_sign_names(STR("From: a\r\nTo: b\r\nX: c\r\nList-Id: d\r\n\r\n"), &names);
	expect_buf(names,
	    "From:From:Reply-To:Subject:Date:To:To:Cc:Message-ID:In-Reply-To:References:"
	    "MIME-Version:Content-Type:Content-Transfer-Encoding:List-Id");
	struct buf many CLEANUP(buf_done) = BUF_MAX(100000);
	repeat(&many, "List-Unsubscribe-Post: x\r\nFrom: y\r\nResent-Message-ID: z\r\n", 100);
	buf_clear(&names);
	assert_true(dkim_sign_names(buf_str(&many), &names));
	assert_in_range(names.len, 1, DKIM_SIGN_NAMES_MAX);
	assert_true(str_starts(buf_str(&names), STR("From:From:From:From:From:Reply-To")));
}

/* --- what does not count --- */

static void keys(void **state UNUSED)
{
	static const struct {
		const char *record, *why;
	} cases[] = {
	    {"", "key record has a syntax error"},
	    {"v=DKIM1", "key record without a key"},
	    {"v=DKIM2; p=AAAA", "key record of an unknown version"},
	    {"p=AAAA; v=DKIM1", "key record of an unknown version"},
	    {"v=DKIM1; p=", "key was taken back"},
	    {"v=DKIM1; p=!!", "key record without a key"},
	    {"v=DKIM1; k=dsa; p=AAAA", "unknown kind of key"},
	    {"v=DKIM1; h=sha1; p=AAAA", "key is not for SHA-256"},
	    {"v=DKIM1; s=tlsrpt; p=AAAA", "key is not for mail"},
	    {"v=DKIM1; p=AAAA; p=AAAA", "key record has a syntax error"},
	    {"v=DKIM1; h=sha1 : sha256; s=tlsrpt:*; t=y:s; p=AA AA", NULL},
	    {"p=AAAA;", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dkim_key key;
		const char *why = dkim_key_parse(str_of_cstr(cases[i].record), &key);
		if ((why == NULL) != (cases[i].why == NULL) ||
		    (why != NULL && strcmp(why, cases[i].why) != 0))
			fail_msg("%s: %s", cases[i].record, why);
	}
	struct dkim_key key;
	assert_null(dkim_key_parse(STR("v=DKIM1; t=y:s; p=AAAA"), &key));
	assert_true(key.is_testing && key.is_strict);
	struct buf large CLEANUP(buf_done) = BUF_MAX(2 * DKIM_RECORD_MAX);
	repeat(&large, "p", DKIM_RECORD_MAX + 1);
	assert_string_equal(dkim_key_parse(buf_str(&large), &key), "key record has a syntax error");
}

static void short_keys_are_refused(void **state UNUSED)
{
	static const unsigned bits[] = {512, 1016, 1024};

	for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
		struct test_key key =
		    test_key_make("sel._domainkey.example.org", DKIM_KEY_RSA, bits[i]);
		struct test_record zone[] = {{key.name, key.record}};
		struct buf text CLEANUP(buf_done) = BUF_MAX(10000);
		sign(MESSAGE, &key, &text);
		struct verified r = verify(buf_str(&text), zone, 1);
		if (bits[i] < DKIM_RSA_BITS_LEAST)
			expect_verdict(&r, 0, DKIM_PERMERROR, "key is too short");
		else
			expect_verdict(&r, 0, DKIM_PASS, NULL);
		arena_done(&r.arena);
		EVP_PKEY_free(key.key);
	}
}

#define BH "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=AAAA"

static void fields_that_are_none(void **state UNUSED)
{
	static const struct {
		const char *value, *why;
	} cases[] = {
	    {"", "syntax error"},
	    {"v", "syntax error"},
	    {"v=1; v=1", "syntax error"},
	    {"a=rsa-sha256; d=e.org; s=s; h=from; " BH, "unknown version"},
	    {"v=2; a=rsa-sha256; d=e.org; s=s; h=from; " BH, "unknown version"},
	    {"v=1; a=rsa-sha1; d=e.org; s=s; h=from; " BH, "SHA-1 is not accepted"},
	    {"v=1; a=x; d=e.org; s=s; h=from; " BH, "unknown algorithm"},
	    {"v=1; d=e.org; s=s; h=from; " BH, "no algorithm"},
	    {"v=1; a=rsa-sha256; s=s; h=from; " BH, "no domain"},
	    {"v=1; a=rsa-sha256; d=e..org; s=s; h=from; " BH, "no domain"},
	    {"v=1; a=rsa-sha256; d=e.org; h=from; " BH, "no selector"},
	    {"v=1; a=rsa-sha256; d=e.org; s=s; " BH, "no list of header fields"},
	    {"v=1; a=rsa-sha256; d=e.org; s=s; h=to; " BH, "From is not signed"},
	    {"v=1; a=rsa-sha256; d=e.org; s=s; h=from; i=a@f.org; " BH,
	        "identity is not of the domain"},
	    {"v=1; a=rsa-sha256; d=e.org; s=s; h=from; i=a@xe.org; " BH,
	        "identity is not of the domain"},
	    {"v=1; a=rsa-sha256; d=e.org; s=s; h=from; c=x; " BH, "unknown canonicalization"},
	    {"v=1; a=rsa-sha256; d=e.org; s=s; h=from; c=simple/x; " BH,
	        "unknown canonicalization"},
	    {"v=1; a=rsa-sha256; d=e.org; s=s; h=from; t=x; " BH, "a number cannot be read"},
	    {"v=1; a=rsa-sha256; d=e.org; s=s; h=from; l=-1; " BH, "a number cannot be read"},
	    {"v=1; a=rsa-sha256; d=e.org; s=s; h=from; t=9; x=8; " BH,
	        "expires before it was made"},
	    {"v=1; a=rsa-sha256; d=e.org; s=s; q=http; h=from; " BH, "unknown way to the key"},
	    {"v=1; a=rsa-sha256; d=e.org; s=s; h=from; bh=AAAA; b=AAAA", "no hash of the body"},
	    {"v=1; a=rsa-sha256; d=e.org; s=s; h=from; "
	     "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=",
	        "no signature"},
	    {"v=1; a=rsa-sha256; d=e.org; s=s; h=from; i=a@sub.e.org; c=relaxed; " BH, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena a CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
		struct dkim_signature s;
		const char *why = dkim_signature_parse(str_of_cstr(cases[i].value), &a, &s);
		if ((why == NULL) != (cases[i].why == NULL) ||
		    (why != NULL && strcmp(why, cases[i].why) != 0))
			fail_msg("%s: %s", cases[i].value, why);
	}
}

/* Replaces `from` by `to` (of the same length or not) once. */
static void replace(struct str text, const char *from, const char *to, struct buf *out)
{
	size_t at = str_find(text, str_of_cstr(from));

	assert_true(at < text.len);
	buf_add(out, str_first(text, at));
	buf_add(out, str_of_cstr(to));
	buf_add(out, str_from(text, at + strlen(from)));
}

static void times_and_lookups(void **state UNUSED)
{
	static const struct {
		const char *to;
		enum dkim_result result;
		const char *why;
	} cases[] = {
	    {"t=1528637909; x=1528637910", DKIM_FAIL, "signature has expired"},
	    {"t=1700000301", DKIM_FAIL, "signature is from the future"},
	    {"t=1700000300", DKIM_FAIL, "signature did not verify"},
	    {"l=1", DKIM_FAIL, "body hash did not verify"},
	    {"l=999", DKIM_FAIL, "body is shorter than what was signed"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text CLEANUP(buf_done) = BUF_MAX(10000);
		replace(RFC8463, "t=1528637909", cases[i].to, &text);
		struct verified r = verify(buf_str(&text), football, 2);
		expect_verdict(&r, 0, cases[i].result, cases[i].why);
		expect_verdict(&r, 1, DKIM_PASS, NULL);
		arena_done(&r.arena);
	}
	struct buf text CLEANUP(buf_done) = BUF_MAX(10000);
	replace(RFC8463, "s=brisbane", "s=later", &text);
	struct verified r = verify(buf_str(&text), football, 2);
	expect_verdict(&r, 0, DKIM_TEMPERROR, "key cannot be had now");
	arena_done(&r.arena);
	buf_clear(&text);
	replace(RFC8463, "s=brisbane", "s=test", &text);
	r = verify(buf_str(&text), football, 2);
	expect_verdict(&r, 0, DKIM_PERMERROR, "key is of another kind");
	arena_done(&r.arena);
}

/* What is added behind l= is let pass, and told. */
static void a_body_that_is_signed_in_part(void **state UNUSED)
{
	struct test_key key = test_key_make("sel._domainkey.example.org", DKIM_KEY_ED25519, 0);
	struct test_record zone[] = {{key.name, key.record}};
	struct buf field CLEANUP(buf_done) = BUF_MAX(1024), text CLEANUP(buf_done) = BUF_MAX(10000);
	uint8_t hash[DKIM_HASH_LEN];
	unsigned char signature[DKIM_SIGNATURE_LEN_MAX];
	struct buf canonical CLEANUP(buf_done) = BUF_MAX(10000);

	buf_add(&field,
	    STR("DKIM-Signature: v=1; a=ed25519-sha256; c=simple/simple; d=example.org; s=sel;"
	        " l=4; h=From; bh="));
	dkim_hash(STR("one\r"), hash);
	base64_encode(str_of(hash, sizeof(hash)), &field);
	buf_add(&field, STR("; b="));
	dkim_canon_field(DKIM_SIMPLE, STR("From: a@example.org\r\n"), &canonical);
	dkim_canon_signature(DKIM_SIMPLE, buf_str(&field), &canonical);
	dkim_hash(buf_str(&canonical), hash);
	dkim_sign_complete(buf_str(&field), test_key_sign(&key, hash, signature), &text);
	buf_add(&text, STR("From: a@example.org\r\n\r\none\r\ntwo\r\n"));
	struct verified r = verify(buf_str(&text), zone, 1);
	assert_int_equal(r.v[0].unsigned_bytes, 6);
	expect_verdict(&r, 0, DKIM_PASS, NULL);
	arena_done(&r.arena);
	EVP_PKEY_free(key.key);
}

static void no_more_than_some_signatures(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(100000);

	for (size_t i = 0; i < DKIM_SIGNATURES_MAX + 2; i++)
		buf_add(&text, STR("DKIM-Signature: v=1; a=x\r\n"));
	buf_add(&text, STR("From: a\r\n\r\n"));
	struct verified r = verify(buf_str(&text), NULL, 0);
	assert_int_equal(r.n, DKIM_SIGNATURES_MAX);
	expect_verdict(&r, 0, DKIM_NEUTRAL, "no domain");
	arena_done(&r.arena);
	r = verify(STR("From: a\r\n\r\n"), NULL, 0);
	assert_int_equal(r.n, 0);
	arena_done(&r.arena);
	struct test_zone zone = {0};
	struct dkim_lookups lookups = {test_find, &zone};
	struct arena none CLEANUP(arena_done) = ARENA_MAX(0);
	assert_int_equal(
	    dkim_verify(buf_str(&text), STR(""), NOW, &lookups, &none, r.v, &r.n), -E2BIG);
}

/* Each way to hash the body costs a pass over it. */
static void bodies_are_hashed_in_a_few_ways(void **state UNUSED)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct dkim_lookups lookups = {test_find, &(struct test_zone){0}};
	struct dkim_message m = {.header = STR("From: a@b\r\n\r\n"),
	    .body = STR("a body of some length\r\n"),
	    .now = NOW,
	    .lookups = &lookups,
	    .arena = &a};
	static const char zero[DKIM_HASH_LEN];

	for (size_t i = 0; i <= 2 * DKIM_SIGNATURES_MAX; i++) {
		struct dkim_verdict v = {.signature = {.body_limit = i / 2,
		                             .body_hash = str_of(zero, sizeof(zero)),
		                             .names = STR("From")}};
		dkim_verify_read(&m, &v);
		assert_int_equal(v.result, DKIM_FAIL);
		assert_string_equal(v.reason, i < 2 * DKIM_SIGNATURES_MAX
		                                  ? "body hash did not verify"
		                                  : "body is hashed in too many ways");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_example_of_rfc_8463),
	    cmocka_unit_test(changes_are_seen),
	    cmocka_unit_test(what_we_sign_verifies),
	    cmocka_unit_test(names_that_are_signed),
	    cmocka_unit_test(keys),
	    cmocka_unit_test(short_keys_are_refused),
	    cmocka_unit_test(fields_that_are_none),
	    cmocka_unit_test(times_and_lookups),
	    cmocka_unit_test(a_body_that_is_signed_in_part),
	    cmocka_unit_test(no_more_than_some_signatures),
	    cmocka_unit_test(bodies_are_hashed_in_a_few_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
