#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_str(struct str got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.len > 0 ? got.p : "", want, got.len);
}

static void str_of_takes_any_byte(void **state)
{
	(void)state;
	struct str s = STR("a\0b");

	assert_int_equal(s.len, 3);
	assert_int_equal(s.p[1], 0);
	assert_int_equal(str_of("abc", 2).len, 2);
	assert_int_equal(str_of_cstr(NULL).len, 0);
	assert_null(str_of_cstr(NULL).p);
	assert_str(str_of_cstr("abc"), "abc");
}

static void str_eq_compares_length_and_bytes(void **state)
{
	(void)state;
	assert_true(str_eq(STR(""), (struct str){NULL, 0}));
	assert_true(str_eq(STR("ab"), STR("ab")));
	assert_false(str_eq(STR("ab"), STR("aB")));
	assert_false(str_eq(STR("ab"), STR("abc")));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
	assert_true(str_eq_nocase(STR("iNbOx"), STR("INBOX")));
	assert_false(str_eq_nocase(STR("INBOX"), STR("INBO")));
	assert_false(str_eq_nocase(STR("INBO"), STR("INBOX")));
	/* Only letters fold: '[' and '{', '@' and '`' differ by the same bit. */
	assert_false(str_eq_nocase(STR("["), STR("{")));
	assert_false(str_eq_nocase(STR("@"), STR("`")));
	assert_false(str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
}

static void str_cmp_orders_by_bytes_then_length(void **state)
{
	(void)state;
	assert_int_equal(str_cmp(STR("a"), STR("a")), 0);
	assert_true(str_cmp(STR("a"), STR("b")) < 0);
	assert_true(str_cmp(STR("b"), STR("a")) > 0);
	assert_true(str_cmp(STR("a"), STR("aa")) < 0);
	assert_true(str_cmp(STR("aa"), STR("a")) > 0);
	assert_true(str_cmp(STR("\x7f"), STR("\x80")) < 0);
	assert_int_equal(str_cmp((struct str){NULL, 0}, STR("")), 0);
	assert_true(str_cmp((struct str){NULL, 0}, STR("x")) < 0);
}

static void str_starts_and_ends(void **state)
{
	(void)state;
	assert_true(str_starts(STR("abc"), STR("")));
	assert_true(str_starts(STR("abc"), STR("abc")));
	assert_false(str_starts(STR("abc"), STR("abcd")));
	assert_false(str_starts(STR("abc"), STR("b")));
	assert_true(str_starts_nocase(STR("MAIL FROM:"), STR("mail ")));
	assert_false(str_starts_nocase(STR("MAI"), STR("mail")));
	assert_true(str_ends(STR("abc"), STR("bc")));
	assert_true(str_ends(STR("abc"), STR("")));
	assert_false(str_ends(STR("abc"), STR("ab")));
	assert_false(str_ends(STR("c"), STR("bc")));
}

static void str_finds(void **state)
{
	(void)state;
	assert_int_equal(str_index(STR("abcb"), 'b'), 1);
	assert_int_equal(str_index(STR("abc"), 'x'), 3);
	assert_int_equal(str_index((struct str){NULL, 0}, 'x'), 0);
	assert_int_equal(str_index(STR("a\0b"), '\0'), 1);
	assert_int_equal(str_find(STR("aab"), STR("ab")), 1);
	assert_int_equal(str_find(STR("aab"), STR("")), 0);
	assert_int_equal(str_find(STR("aab"), STR("aabb")), 3);
	assert_int_equal(str_find(STR("aab"), STR("ba")), 3);
	assert_int_equal(str_find((struct str){NULL, 0}, STR("")), 0);
	assert_int_equal(str_find_nocase(STR("xyAb"), STR("aB")), 2);
	assert_int_equal(str_find_nocase(STR("xy"), STR("xyz")), 2);
	assert_int_equal(str_find_nocase(STR("xy"), STR("")), 0);
	assert_int_equal(str_find_nocase(STR("xy"), STR("z")), 2);
}

static void str_cuts_pieces(void **state)
{
	(void)state;
	assert_str(str_from(STR("abc"), 1), "bc");
	assert_str(str_from(STR("abc"), 3), "");
	assert_str(str_from(STR("abc"), 99), "");
	assert_null(str_from((struct str){NULL, 0}, 1).p);
	assert_str(str_first(STR("abc"), 2), "ab");
	assert_str(str_first(STR("abc"), 99), "abc");
	assert_str(str_trim(STR(" \t\r\na b\r\n ")), "a b");
	assert_str(str_trim(STR(" \r\n")), "");
	assert_str(str_trim(STR("")), "");

	struct str rest = STR("a,,b");
	assert_str(str_cut(&rest, ','), "a");
	assert_str(rest, ",b");
	assert_str(str_cut(&rest, ','), "");
	assert_str(str_cut(&rest, ','), "b");
	assert_int_equal(rest.len, 0);
	assert_str(str_cut(&rest, ','), "");
}

static void str_cuts_lines(void **state)
{
	(void)state;
	struct str rest = STR("one\r\ntwo\nth\rree\r\r\n\nlast\r");

	assert_str(str_cut_line(&rest), "one");
	assert_str(str_cut_line(&rest), "two");
	assert_str(str_cut_line(&rest), "th\rree\r");
	assert_str(str_cut_line(&rest), "");
	/* The end without LF: a CR there is taken for half of a line end. */
	assert_str(str_cut_line(&rest), "last");
	assert_int_equal(rest.len, 0);
}

static void str_skips_prefixes(void **state)
{
	(void)state;
	struct str rest = STR("FROM:<a>");

	assert_false(str_skip(&rest, STR("from:")));
	assert_str(rest, "FROM:<a>");
	assert_true(str_skip_nocase(&rest, STR("from:")));
	assert_str(rest, "<a>");
	assert_true(str_skip(&rest, STR("<a>")));
	assert_str(rest, "");
	assert_false(str_skip_nocase(&rest, STR("x")));
	assert_true(str_skip(&rest, STR("")));
}

static void str_to_cstr_refuses_nul_and_too_long(void **state)
{
	(void)state;
	char dst[4] = "xxx";

	assert_int_equal(str_to_cstr(STR("abc"), dst, sizeof(dst)), 0);
	assert_string_equal(dst, "abc");
	assert_int_equal(str_to_cstr(STR("abcd"), dst, sizeof(dst)), -ENAMETOOLONG);
	assert_string_equal(dst, "");
	memcpy(dst, "xxx", 4);
	assert_int_equal(str_to_cstr(STR("a\0b"), dst, sizeof(dst)), -EINVAL);
	assert_string_equal(dst, "");
	assert_int_equal(str_to_cstr((struct str){NULL, 0}, dst, sizeof(dst)), 0);
	assert_string_equal(dst, "");
	dst[0] = 'x';
	assert_int_equal(str_to_cstr(STR(""), dst, 0), -ENAMETOOLONG);
	assert_int_equal(dst[0], 'x');
}

static void ascii_classes_know_exactly_their_bytes(void **state)
{
	(void)state;
	static const char digits[] = "0123456789abcdefABCDEF";

	for (int c = -128; c < 128; c++) {
		unsigned char u = (unsigned char)c;
		bool lower = u >= 'a' && u <= 'z', upper = u >= 'A' && u <= 'Z';
		assert_int_equal(ascii_is_digit((char)c), u >= '0' && u <= '9');
		assert_int_equal(ascii_is_alpha((char)c), lower || upper);
		assert_int_equal((unsigned char)ascii_lower((char)c), upper ? u + 32 : u);
		assert_int_equal((unsigned char)ascii_upper((char)c), lower ? u - 32 : u);
		const char *at = u == 0 ? NULL : strchr(digits, u);
		int value = at == NULL ? -1 : (int)(at - digits);
		assert_int_equal(ascii_hex((char)c), value > 15 ? value - 6 : value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(str_of_takes_any_byte),
	    cmocka_unit_test(str_eq_compares_length_and_bytes),
	    cmocka_unit_test(str_cmp_orders_by_bytes_then_length),
	    cmocka_unit_test(str_starts_and_ends),
	    cmocka_unit_test(str_finds),
	    cmocka_unit_test(str_cuts_pieces),
	    cmocka_unit_test(str_cuts_lines),
	    cmocka_unit_test(str_skips_prefixes),
	    cmocka_unit_test(str_to_cstr_refuses_nul_and_too_long),
	    cmocka_unit_test(ascii_classes_know_exactly_their_bytes),
	};
	return cmocka_run_group_tests_name("base/str", tests, NULL, NULL);
}
