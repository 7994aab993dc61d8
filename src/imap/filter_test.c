/* Kept searches as trees; filters' names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/filter.h"

static struct arena arena = ARENA_MAX(4 << 20);

static struct imap_search_key *parse(const char *value)
{
	struct imap_search_key *key = NULL;

	if (!imap_parse_filter(str_of_cstr(value), &arena, &key))
		return NULL;
	assert_int_equal(key->op, SEARCH_AND);
	return key->child;
}

static void test_searches(void **state)
{
	struct imap_search_key *key = parse("OR SMALLER 5000 FROM \"boss@example.com\"");

	(void)state;
	assert_non_null(key);
	assert_int_equal(key->op, SEARCH_OR);
	assert_int_equal(key->child->op, SEARCH_SMALLER);
	assert_true(str_eq(key->child->next->text, STR("boss@example.com")));
	key = parse("UNSEEN FILTER on-the-road");
	assert_non_null(key);
	assert_int_equal(key->next->op, SEARCH_FILTER);
	assert_true(str_eq(key->next->text, STR("on-the-road")));
	arena_done(&arena);
}

/* Literals; what looks like one within another, or within quotes, is none. */
static void test_literals(void **state)
{
	struct imap_search_key *key =
	    parse("SUBJECT {5}\r\n{3}\"x TEXT {2+}\r\n\r\n BODY \"{1}\\\"\"");

	(void)state;
	assert_non_null(key);
	assert_true(str_eq(key->text, STR("{3}\"x")));
	assert_true(str_eq(key->next->text, STR("\r\n")));
	assert_true(str_eq(key->next->next->text, STR("{1}\"")));
	arena_done(&arena);
}

static void test_refused(void **state)
{
	static const char *const values[] = {"", " ", "OR SMALLER 5000", "SEEN ",
	    "SEEN\r\nx LOGOUT", "SUBJECT {5}\r\nabc", "SUBJECT {5}abcde", "SUBJECT {x}\r\n",
	    "SUBJECT \"a", "SUBJECT \"a\\", "FILTER a/b", "FILTER", "{3}\r\nabc", "SEEN) OR (SEEN",
	    "CHARSET UTF-8 SEEN"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (parse(values[i]) != NULL)
			fail_msg("`%s` was taken for a search", values[i]);
	struct imap_search_key *key;
	assert_false(imap_parse_filter(STR("SEEN\0SEEN"), &arena, &key));
	arena_done(&arena);
}

static void test_limit_of_literals(void **state)
{
	struct buf value CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct imap_search_key *key;

	(void)state;
	for (unsigned i = 0; i < FILTER_LITERALS_MAX; i++)
		buf_printf(&value, "%sTEXT {1}\r\nx", i > 0 ? " " : "");
	assert_true(imap_parse_filter(buf_str(&value), &arena, &key));
	buf_add(&value, STR(" TEXT {1}\r\nx"));
	assert_false(imap_parse_filter(buf_str(&value), &arena, &key));
	arena_done(&arena);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(imap_is_filter_name(STR("on-the-road")));
	assert_true(imap_is_filter_name(STR("a!#&'+,.:;<=>?@^_`|~")));
	assert_false(imap_is_filter_name(STR("")));
	assert_false(imap_is_filter_name(STR("a/b")));
	assert_false(imap_is_filter_name(STR("a b")));
	assert_false(imap_is_filter_name(STR("a]")));
	assert_false(imap_is_filter_name(STR("a*")));
	assert_false(imap_is_filter_name(STR("\xc3\xa9")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_searches),
	    cmocka_unit_test(test_literals),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_limit_of_literals),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
