#include "mail/casemap.h"

#include "mail/expect.h"

static void check(const char *text, const char *want)
{
	struct buf key CLEANUP(buf_done) = BUF_MAX(1000);

	assert_true(casemap_key(str_of_cstr(text), &key));
	expect_buf(key, want);
}

static void test_letters(void **state)
{
	(void)state;
	check("", "");
	check("Hello, World_[1]", "HELLO, WORLD_[1]");
	check("\xc3\xa9", "E\xcc\x81");                   /* é */
	check("E\xcc\x81", "E\xcc\x81");                  /* the same, composed otherwise */
	check("\xc3\x9f", "\xc3\x9f");                    /* ß has no title case of its own */
	check("\xef\xac\x81", "fi");                      /* title case of fi is the ligature */
	check("\xd0\x96\xd0\xb6", "\xd0\x96\xd0\x96");    /* Жж */
	check("\xc7\x86", "D\x7a\xcc\x8c");               /* dž: title case is Dž */
	check("\xf0\x90\x90\xa8", "\xf0\x90\x90\x80");    /* beyond U+FFFF */
	check("\xef\xbc\xa1\xef\xbd\x81", "AA");          /* full width, which decomposes */
	check("\xef\xb7\xba", "\xd8\xb5\xd9\x84\xd9\x89 " /* U+FDFA, the longest */
	                      "\xd8\xa7\xd9\x84\xd9\x84\xd9\x87 " /* of all */
	                      "\xd8\xb9\xd9\x84\xd9\x8a\xd9\x87 "
	                      "\xd9\x88\xd8\xb3\xd9\x84\xd9\x85");
}

/* RFC 5051: after the letters, not between the cases. */
static void test_order(void **state)
{
	struct buf a CLEANUP(buf_done) = BUF_MAX(10), b CLEANUP(buf_done) = BUF_MAX(10);

	(void)state;
	assert_true(casemap_key(STR("_"), &a) && casemap_key(STR("z"), &b));
	assert_true(str_cmp(buf_str(&a), buf_str(&b)) > 0);
}

static void test_limits(void **state)
{
	struct buf key CLEANUP(buf_done) = BUF_MAX(5);

	(void)state;
	assert_false(casemap_key(STR("ab\xc3\xa9xyz"), &key));
	expect_buf(key, "ABE\xcc\x81");
	buf_clear(&key);
	assert_true(casemap_key(str_of("a\0b", 3), &key));
	expect_buf(key, "AB");
	buf_clear(&key);
	assert_true(casemap_key(STR("a\xff"), &key));
	expect_buf(key, "A\xef\xbf\xbd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_letters),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
