#include "mail/expect.h"

#include "mail/dkim_canon.h"
#include "base/base64.h"

static void assert_body(enum dkim_canon canon, struct str body, struct str as)
{
	uint8_t want[DKIM_HASH_LEN], got[DKIM_HASH_LEN];
	struct dkim_body b;

	assert_true(as.len <= 2 * body.len + 2);
	dkim_hash(as, want);
	for (size_t step = 1; step <= body.len + 1; step++) {
		dkim_body_begin(&b, canon, DKIM_BODY_WHOLE);
		for (size_t at = 0; at < body.len; at += step)
			dkim_body_add(&b, str_first(str_from(body, at), step));
		dkim_body_end(&b, got);
		if (b.len != as.len || memcmp(got, want, DKIM_HASH_LEN) != 0)
			fail_msg("\"%.*s\" in pieces of %zu", STR_FMT(body), step);
	}
}

#define expect_canonical(canon, from, to) assert_body(canon, STR(from), STR(to))

/* RFC 6376 §3.4.5 */
static void examples_of_the_standard(void **state UNUSED)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);
	dkim_canon_field(DKIM_RELAXED, STR("A: X\r\n"), &out);
	dkim_canon_field(DKIM_RELAXED, STR("B : Y\t\r\n\tZ  \r\n"), &out);
	expect_buf(out, "a:X\r\nb:Y Z\r\n");
	buf_clear(&out);
	dkim_canon_field(DKIM_SIMPLE, STR("A: X\r\n"), &out);
	dkim_canon_field(DKIM_SIMPLE, STR("B : Y\t\r\n\tZ  \r\n"), &out);
	expect_buf(out, "A: X\r\nB : Y\t\r\n\tZ  \r\n");
	expect_canonical(DKIM_RELAXED, " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n");
	expect_canonical(DKIM_SIMPLE, " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n");
}

static void bodies(void **state UNUSED)
{
	expect_canonical(DKIM_SIMPLE, "", "\r\n");
	expect_canonical(DKIM_RELAXED, "", "");
	expect_canonical(DKIM_SIMPLE, "\r\n\r\n\r\n", "\r\n");
	expect_canonical(DKIM_RELAXED, "\r\n\r\n\r\n", "");
	expect_canonical(DKIM_RELAXED, " \t\r\n \r\n", "");
	expect_canonical(DKIM_SIMPLE, " \r\n", " \r\n");
	expect_canonical(DKIM_SIMPLE, "a", "a\r\n");
	expect_canonical(DKIM_RELAXED, "a", "a\r\n");
	expect_canonical(DKIM_RELAXED, "a \t", "a\r\n");
	expect_canonical(DKIM_SIMPLE, "a \t", "a \t\r\n");
	expect_canonical(DKIM_RELAXED, "\r\n\r\na\r\n\r\nb\r\n\r\n", "\r\n\r\na\r\n\r\nb\r\n");
	expect_canonical(DKIM_RELAXED, "a  \r\n\t b  c\t\r\n", "a\r\n b c\r\n");
	expect_canonical(DKIM_RELAXED, "a\n\nb\n\n", "a\r\n\r\nb\r\n");
	expect_canonical(DKIM_SIMPLE, "a\n\nb\n\n", "a\r\n\r\nb\r\n");
	expect_canonical(DKIM_RELAXED, "a\rb \r c\r", "a\rb \r c\r\r\n");
	expect_canonical(DKIM_SIMPLE, "a\rb \r c\r", "a\rb \r c\r\r\n");
	expect_canonical(DKIM_SIMPLE, "\r\r\n", "\r\r\n");
	expect_canonical(DKIM_RELAXED, "\r\r\n", "\r\r\n");
	expect_canonical(DKIM_RELAXED, "a \0  b\r\n", "a \0 b\r\n");
	expect_canonical(DKIM_RELAXED, "\xc3\xa4  \xc3\xb6\r\n", "\xc3\xa4 \xc3\xb6\r\n");
	expect_canonical(DKIM_RELAXED, "first line\r\nsecond line\r\n\r\nthird  \r\n \r\n",
	    "first line\r\nsecond line\r\n\r\nthird\r\n");
}

static void a_limit_cuts_what_is_hashed(void **state UNUSED)
{
	uint8_t want[DKIM_HASH_LEN], got[DKIM_HASH_LEN];
	struct str canonical = STR("a b\r\nc\r\n");
	struct dkim_body b;

	for (uint64_t limit = 0; limit <= canonical.len + 3; limit++) {
		dkim_hash(str_first(canonical, limit), want);
		dkim_body_begin(&b, DKIM_RELAXED, limit);
		dkim_body_add(&b, STR("a  b\r\nc \r\n\r\n"));
		dkim_body_end(&b, got);
		assert_memory_equal(want, got, DKIM_HASH_LEN);
		assert_int_equal(b.len, canonical.len);
	}
}

static void expect_field(enum dkim_canon canon, struct str field, const char *as)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);

	assert_true(dkim_canon_field(canon, field, &out));
	expect_buf(out, as);
}

static void fields(void **state UNUSED)
{
	expect_field(DKIM_RELAXED, STR("SUBJect: AbC\r\n"), "subject:AbC\r\n");
	expect_field(DKIM_RELAXED, STR("Subject \t:\t AbC\r\n"), "subject:AbC\r\n");
	expect_field(DKIM_RELAXED, STR("A: b\n c\n"), "a:b c\r\n");
	expect_field(DKIM_RELAXED, STR("A: b"), "a:b\r\n");
	expect_field(DKIM_RELAXED, STR("A: b\r"), "a:b\r\n");
	expect_field(DKIM_RELAXED, STR("A:\r\n\r\n"), "a:\r\n");
	expect_field(DKIM_RELAXED, STR("A:  \r\n \r\n b \r\n \r\n"), "a:b\r\n");
	expect_field(DKIM_RELAXED, STR("A:b\rc\r\n"), "a:b\rc\r\n");
	expect_field(DKIM_SIMPLE, STR("A: b\n c"), "A: b\r\n c\r\n");
	expect_field(DKIM_SIMPLE, STR("A:\n"), "A:\r\n");
}

static void expect_bare(enum dkim_canon canon, struct str field, const char *as)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);

	assert_true(dkim_canon_signature(canon, field, &out));
	expect_buf(out, as);
}

static void a_signature_is_hashed_without_itself(void **state UNUSED)
{
	expect_bare(DKIM_SIMPLE, STR("S: a=1; b=xyz; bh=q\r\n"), "S: a=1; b=; bh=q");
	expect_bare(DKIM_SIMPLE, STR("S: a=1; bh=q; b= x\r\n y\r\n"), "S: a=1; bh=q; b=");
	expect_bare(DKIM_RELAXED, STR("S: a=1; bh=q;\r\n b = x\r\n y;\r\n"), "s:a=1; bh=q; b =;");
	expect_bare(DKIM_RELAXED, STR("S: b=1;\r\n c=2\r\n"), "s:b=; c=2");
	expect_bare(DKIM_RELAXED, STR("S: c=2\r\n"), "s:c=2");
	expect_bare(DKIM_RELAXED, STR("S: c=b=1; b="), "s:c=b=1; b=");
	expect_bare(DKIM_SIMPLE, STR(""), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(examples_of_the_standard),
	    cmocka_unit_test(bodies),
	    cmocka_unit_test(a_limit_cuts_what_is_hashed),
	    cmocka_unit_test(fields),
	    cmocka_unit_test(a_signature_is_hashed_without_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
