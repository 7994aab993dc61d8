#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "directory/password.h"

static void assert_prepared(struct str from, struct str expected)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(4096);
	assert_true(password_prepare(from, &out));
	assert_true(str_eq(buf_str(&out), expected));
}

static void assert_refused(struct str from)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(4096);
	assert_false(password_prepare(from, &out));
	assert_int_equal(out.len, 0);
}

/* The examples of RFC 8265 §4.3, as far as they are about one string. */
static void follows_opaque_string(void **state UNUSED)
{
	assert_prepared(STR("correct horse battery staple"), STR("correct horse battery staple"));
	assert_prepared(STR("Correct Horse Battery Staple"), STR("Correct Horse Battery Staple"));
	assert_prepared(STR("\xcf\x80\xc3\x9f\xc3\xa5"), STR("\xcf\x80\xc3\x9f\xc3\xa5"));
	assert_prepared(STR("Jack of \xe2\x99\xa6s"), STR("Jack of \xe2\x99\xa6s"));
	assert_prepared(STR("foo\xe1\x9a\x80 bar"), STR("foo  bar"));
	assert_refused(STR(""));
	assert_refused(STR("my cat is a \x09 by"));
}

static void composes_accents(void **state UNUSED)
{
	assert_prepared(STR("caf\x65\xcc\x81"), STR("caf\xc3\xa9"));
	assert_prepared(STR("caf\xc3\xa9"), STR("caf\xc3\xa9"));
}

static void refuses_what_is_no_text(void **state UNUSED)
{
	assert_refused(STR("\xff\xfe"));
	assert_refused(STR("a\0b"));
	assert_refused(STR("caf\xc3"));
	char longest[PASSWORD_LEN_MAX + 1];
	memset(longest, 'x', sizeof(longest));
	assert_prepared(str_of(longest, PASSWORD_LEN_MAX), str_of(longest, PASSWORD_LEN_MAX));
	assert_refused(str_of(longest, PASSWORD_LEN_MAX + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(follows_opaque_string),
	    cmocka_unit_test(composes_accents),
	    cmocka_unit_test(refuses_what_is_no_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
