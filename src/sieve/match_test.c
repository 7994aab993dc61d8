/* Comparators and types of match (RFC 5228 §2.7, RFC 4790, RFC 5051, RFC 5231). */
#include <errno.h>

#include "sieve/match.h"

#include "mail/expect.h"

enum { ARENA_LEN = 1 << 22 };

static const struct sieve_match ascii_is = {.comparator = SIEVE_ASCII_CASEMAP, .type = SIEVE_IS};

static int matches(struct sieve_match match, struct str value, struct str key)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct sieve_captures captures;
	uint64_t budget = 1000000;

	return sieve_match(match, value, key, &arena, &budget, &captures);
}

static struct sieve_match with(enum sieve_comparator comparator, enum sieve_match_type type)
{
	return (struct sieve_match){.comparator = comparator, .type = type};
}

static void is_compares_all_of_it(void **state UNUSED)
{
	assert_int_equal(matches(ascii_is, STR("Frobnitzm"), STR("fROBNITZM")), 1);
	assert_int_equal(matches(ascii_is, STR("Frobnitzm"), STR("Frobnitz")), 0);
	assert_int_equal(matches(ascii_is, STR(""), STR("")), 1);
	assert_int_equal(matches(ascii_is, STR("GR\xc3\x9cN"), STR("gr\xc3\xbcn")), 0);
	assert_int_equal(matches(with(SIEVE_OCTET, SIEVE_IS), STR("a"), STR("A")), 0);
	assert_int_equal(matches(with(SIEVE_OCTET, SIEVE_IS), STR("a"), STR("a")), 1);
	assert_int_equal(
	    matches(with(SIEVE_UNICODE_CASEMAP, SIEVE_IS), STR("GR\xc3\x9cN"), STR("gr\xc3\xbcn")),
	    1);
	assert_int_equal(matches(with(SIEVE_UNICODE_CASEMAP, SIEVE_IS), STR("a"), STR("b")), 0);
}

static void contains_finds_a_piece(void **state UNUSED)
{
	struct sieve_match ascii = with(SIEVE_ASCII_CASEMAP, SIEVE_CONTAINS);
	struct sieve_match unicode = with(SIEVE_UNICODE_CASEMAP, SIEVE_CONTAINS);

	assert_int_equal(matches(ascii, STR("make MONEY fast"), STR("money")), 1);
	assert_int_equal(matches(ascii, STR("make money"), STR("monkey")), 0);
	assert_int_equal(matches(ascii, STR("money"), STR("money fast")), 0);
	assert_int_equal(matches(ascii, STR("fast money"), STR("money")), 1);
	assert_int_equal(matches(ascii, STR("x"), STR("")), 1);
	assert_int_equal(matches(ascii, STR(""), STR("")), 1);
	assert_int_equal(matches(ascii, STR(""), STR("x")), 0);
	assert_int_equal(matches(unicode, STR("im GR\xc3\x9cNEN"), STR("gr\xc3\xbcn")), 1);
	assert_int_equal(matches(unicode, STR("grau"), STR("gr\xc3\xbcn")), 0);
	assert_int_equal(matches(with(SIEVE_OCTET, SIEVE_CONTAINS), STR("Money"), STR("money")), 0);
}

/* The captures as "one|two|…", without ${0}; "-" where nothing matched. */
static void expect_captures(
    enum sieve_comparator comparator, struct str value, struct str key, const char *want)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct buf got CLEANUP(buf_done) = BUF_MAX(4096);
	struct sieve_captures captures = {0};
	uint64_t budget = 1000000;

	int result =
	    sieve_match(with(comparator, SIEVE_MATCHES), value, key, &arena, &budget, &captures);
	assert_true(result >= 0);
	if (result == 1)
		expect_str(captures.text[0], value.p);
	else
		buf_add_c(&got, '-');
	for (size_t i = 1; i < captures.n; i++) {
		if (i > 1)
			buf_add_c(&got, '|');
		buf_add(&got, captures.text[i]);
	}
	if (!str_eq(buf_str(&got), str_of_cstr(want)))
		fail_msg("%.*s with %.*s: %.*s, not %s", STR_FMT(value), STR_FMT(key),
		    STR_FMT(buf_str(&got)), want);
}

static void wildcards_capture_as_little_as_they_can(void **state UNUSED)
{
	enum sieve_comparator ascii = SIEVE_ASCII_CASEMAP;

	expect_captures(ascii, STR("frop"), STR("*"), "frop");
	expect_captures(ascii, STR("frop"), STR("FROP"), "");
	expect_captures(ascii, STR("frop"), STR("f*p"), "ro");
	expect_captures(ascii, STR("frop"), STR("f??p"), "r|o");
	expect_captures(ascii, STR("frop"), STR("?*"), "f|rop");
	expect_captures(ascii, STR("frop"), STR("*?"), "fro|p");
	expect_captures(ascii, STR("frop"), STR("f?p"), "-");
	expect_captures(ascii, STR("frop"), STR("frop?"), "-");
	expect_captures(ascii, STR("frop"), STR("frop*"), "");
	expect_captures(ascii, STR(""), STR("*"), "");
	expect_captures(ascii, STR(""), STR("?"), "-");
	expect_captures(ascii, STR(""), STR(""), "");
	expect_captures(ascii, STR("[acme-users] [fwd] version 1.0 is out"), STR("[*] *"),
	    "acme-users|[fwd] version 1.0 is out"); /* RFC 5229 §3.2's example */
	expect_captures(ascii, STR("abcabcabd"), STR("*ab*d"), "|cabcab");
	expect_captures(ascii, STR("aXbXcXd"), STR("*X*X*"), "a|b|cXd");
	expect_captures(ascii, STR("aXbXcXd"), STR("*X*d"), "a|bXcX");
	expect_captures(ascii, STR("a.b.c"), STR("?*.?"), "a|.b|c");
	expect_captures(ascii, STR("a.b.c@x"), STR("*.*@*"), "a|b.c|x");
}

static void backslashes_take_the_meaning_away(void **state UNUSED)
{
	expect_captures(SIEVE_OCTET, STR("a*b"), STR("a\\*b"), "");
	expect_captures(SIEVE_OCTET, STR("axb"), STR("a\\*b"), "-");
	expect_captures(SIEVE_OCTET, STR("a?"), STR("?\\?"), "a");
	expect_captures(SIEVE_OCTET, STR("a\\b"), STR("a\\\\b"), "");
	expect_captures(SIEVE_OCTET, STR("ab"), STR("a\\b"), "");
	expect_captures(SIEVE_OCTET, STR("a\\"), STR("a\\"), "");
	expect_captures(SIEVE_UNICODE_CASEMAP, STR("A*"), STR("a\\*"), "");
}

static void a_character_is_what_the_comparator_says(void **state UNUSED)
{
	expect_captures(SIEVE_OCTET, STR("gr\xc3\xbcn"), STR("gr?n"), "-");
	expect_captures(SIEVE_ASCII_CASEMAP, STR("gr\xc3\xbcn"), STR("gr??n"), "\xc3|\xbc");
	expect_captures(SIEVE_UNICODE_CASEMAP, STR("GR\xc3\x9cN"), STR("gr?n"), "\xc3\x9c");
	expect_captures(SIEVE_UNICODE_CASEMAP, STR("GR\xc3\x9cN!"), STR("*\xc3\xbc*"), "GR|N!");
	expect_captures(SIEVE_UNICODE_CASEMAP, STR("a\xff"), STR("a?"), "\xff");
}

static int value_order(enum sieve_comparator comparator, struct str a, struct str b)
{
	struct sieve_match match = {.comparator = comparator, .type = SIEVE_VALUE};
	int result = 2;

	for (int relation = 0; relation < N_SIEVE_RELATIONS; relation++) {
		match.relation = (enum sieve_relation)relation;
		bool holds = matches(match, a, b) == 1;
		if (holds && relation == SIEVE_GT)
			result = 1;
		if (holds && relation == SIEVE_LT)
			result = -1;
		if (holds && relation == SIEVE_EQ)
			result = 0;
	}
	for (int relation = 0; relation < N_SIEVE_RELATIONS; relation++) {
		match.relation = (enum sieve_relation)relation;
		assert_int_equal(
		    matches(match, a, b), sieve_relation_holds(match.relation, result));
	}
	return result;
}

static void values_have_an_order(void **state UNUSED)
{
	assert_int_equal(value_order(SIEVE_ASCII_NUMERIC, STR("2"), STR("10")), -1);
	assert_int_equal(value_order(SIEVE_ASCII_NUMERIC, STR("0010 apples"), STR("10")), 0);
	assert_int_equal(value_order(SIEVE_ASCII_NUMERIC, STR("apples"), STR("10")), 1);
	assert_int_equal(value_order(SIEVE_ASCII_NUMERIC, STR("10"), STR("")), -1);
	assert_int_equal(value_order(SIEVE_ASCII_NUMERIC, STR("-1"), STR("pears")), 0);
	assert_int_equal(value_order(SIEVE_ASCII_NUMERIC, STR("0"), STR("000")), 0);
	assert_int_equal(value_order(SIEVE_ASCII_NUMERIC, STR("99999999999999999999999"),
	                     STR("100000000000000000000000")),
	    -1);
	assert_int_equal(value_order(SIEVE_ASCII_CASEMAP, STR("apple"), STR("BANANA")), -1);
	assert_int_equal(value_order(SIEVE_ASCII_CASEMAP, STR("a_"), STR("aB")), 1);
	assert_int_equal(value_order(SIEVE_OCTET, STR("apple"), STR("BANANA")), 1);
	assert_int_equal(value_order(SIEVE_OCTET, STR("app"), STR("apple")), -1);
	assert_int_equal(value_order(SIEVE_OCTET, STR("\xff"), STR("a")), 1);
	assert_int_equal(value_order(SIEVE_UNICODE_CASEMAP, STR("\xc3\xa4"), STR("\xc3\x84")), 0);
}

static void names_are_found(void **state UNUSED)
{
	enum sieve_comparator comparator;
	enum sieve_relation relation;

	assert_true(sieve_comparator_find(STR("I;Octet"), &comparator));
	assert_int_equal(comparator, SIEVE_OCTET);
	assert_true(sieve_comparator_find(STR("i;unicode-casemap"), &comparator));
	assert_int_equal(comparator, SIEVE_UNICODE_CASEMAP);
	assert_false(sieve_comparator_find(STR("i;basic"), &comparator));
	assert_true(sieve_relation_find(STR("ne"), &relation));
	assert_int_equal(relation, SIEVE_NE);
	assert_false(sieve_relation_find(STR("eq "), &relation));
	assert_false(sieve_match_is_possible(with(SIEVE_ASCII_NUMERIC, SIEVE_CONTAINS)));
	assert_false(sieve_match_is_possible(with(SIEVE_ASCII_NUMERIC, SIEVE_MATCHES)));
	assert_true(sieve_match_is_possible(with(SIEVE_ASCII_NUMERIC, SIEVE_VALUE)));
}

/* A key that makes each star try each place ends when the budget does. */
static void costs_are_bounded(void **state UNUSED)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct arena small CLEANUP(arena_done) = ARENA_MAX(1024);
	struct buf value CLEANUP(buf_done) = BUF_MAX(1 << 21);
	struct buf key CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct sieve_captures captures = {0};
	uint64_t budget = 1000000;

	repeat(&value, "a", 20000);
	repeat(&key, "*a", 20);
	repeat(&key, "a", 2000);
	repeat(&key, "b", 1);
	assert_int_equal(sieve_match(with(SIEVE_OCTET, SIEVE_MATCHES), buf_str(&value),
	                     buf_str(&key), &arena, &budget, &captures),
	    -E2BIG);
	assert_int_equal(budget, 0);
	assert_int_equal(captures.n, 0);
	budget = 10;
	assert_int_equal(
	    sieve_match(ascii_is, STR("long enough"), STR("x"), &arena, &budget, &captures),
	    -E2BIG);
	budget = 100000;
	assert_int_equal(sieve_match(with(SIEVE_ASCII_CASEMAP, SIEVE_CONTAINS), buf_str(&value),
	                     buf_str(&key), &arena, &budget, &captures),
	    -E2BIG);
	budget = 1000000;
	assert_int_equal(sieve_match(with(SIEVE_UNICODE_CASEMAP, SIEVE_IS), buf_str(&value),
	                     buf_str(&key), &small, &budget, &captures),
	    -E2BIG);

	/* captures beyond the last that is kept match all the same */
	buf_clear(&key);
	repeat(&key, "?", 40);
	budget = 1000000;
	assert_int_equal(sieve_match(with(SIEVE_OCTET, SIEVE_MATCHES),
	                     STR("abcdefghijklmnopqrstuvwxyzabcdefghijklmn"), buf_str(&key), &arena,
	                     &budget, &captures),
	    1);
	assert_int_equal(captures.n, SIEVE_CAPTURES_MAX);
	expect_str(captures.text[32], "f");

	/* what is longer than a value may be is not looked at */
	buf_clear(&value);
	repeat(&value, "a", SIEVE_VALUE_LEN_MAX);
	repeat(&value, "b", 1);
	budget = 100000000;
	assert_int_equal(sieve_match(with(SIEVE_OCTET, SIEVE_CONTAINS), buf_str(&value), STR("b"),
	                     &arena, &budget, &captures),
	    0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_compares_all_of_it),
	    cmocka_unit_test(contains_finds_a_piece),
	    cmocka_unit_test(wildcards_capture_as_little_as_they_can),
	    cmocka_unit_test(backslashes_take_the_meaning_away),
	    cmocka_unit_test(a_character_is_what_the_comparator_says),
	    cmocka_unit_test(values_have_an_order),
	    cmocka_unit_test(names_are_found),
	    cmocka_unit_test(costs_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
