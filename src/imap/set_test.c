#include "imap/set.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool parse(const char *text, struct arena *a, struct imap_set *ret)
{
	struct imap_text whole = {str_of_cstr(text), NULL, 0};
	struct imap_parser p = imap_parser_of(whole, a);

	return imap_parse_set(&p, ret) && imap_parse_end(&p);
}

static void check(const char *text, uint32_t largest, const char *expected)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);
	struct imap_set set;

	assert_true(parse(text, &a, &set));
	imap_set_resolve(&set, largest);
	imap_set_write(&set, &out);
	assert_true(str_eq(buf_str(&out), str_of_cstr(expected)));
}

static void test_resolve(void **state)
{
	(void)state;
	check("1", 10, "1");
	check("3,1,2", 10, "1:3");
	check("5:2,4:8,10", 10, "2:8,10");
	check("*", 7, "7");
	check("*:3", 7, "3:7");
	check("9:*", 7, "7:9");
	check("*", 0, "");
	check("1:*", 0, "1");
	check("4294967295,1:4294967295", 3, "1:4294967295");
	check("1,3,5", 10, "1,3,5");
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
	    "", "0", "1:", ",1", "1,", "1:2:3", "a", "-1", "4294967296", "$,1", "1,$", "**"};
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct imap_set set;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(parse(bad[i], &a, &set));
	assert_true(parse("$", &a, &set) && set.saved);
}

static void test_has(void **state)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct imap_set set;

	(void)state;
	assert_true(parse("2:4,7,10:*", &a, &set));
	imap_set_resolve(&set, 12);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(
		    imap_set_has(&set, i), (i >= 2 && i <= 4) || i == 7 || (i >= 10 && i <= 12));
	assert_int_equal(imap_set_count(&set), 7);
}

static void test_too_many(void **state)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct imap_set set;

	(void)state;
	for (int i = 0; i < IMAP_SET_RANGES_MAX; i++)
		buf_add(&text, STR("1,"));
	buf_add(&text, STR("1"));
	buf_add_c(&text, '\0');
	assert_false(parse(text.p, &a, &set));
	assert_true(parse(text.p + 2, &a, &set));
}

static void test_builder(void **state)
{
	struct imap_set_builder b CLEANUP(imap_set_builder_done) = {0};
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);

	(void)state;
	imap_set_builder_add(&b, 3);
	imap_set_builder_add(&b, 4);
	imap_set_builder_add(&b, 6);
	imap_set_builder_add(&b, 5);
	imap_set_builder_add_range(&b, (struct imap_range){6, 9});
	struct imap_set set = imap_set_builder_set(&b);
	imap_set_write(&set, &out);
	assert_true(str_eq(buf_str(&out), STR("3:4,6,5:9")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_resolve),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_has),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_builder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
