/* The grammar of RFC 5228 §8: what is read, and what a person is told about the rest. */
#include "sieve/lex.h"
#include "sieve/test_tree.h"

#include "mail/expect.h"

/* Reads `script`, and wants its tree in the form of test_tree.h. */
static void expect_tree(struct str script, const char *want)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(SIEVE_TREE_LEN_MAX);
	struct buf got CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct sieve_problems problems = {0};
	struct sieve_node *commands = NULL;

	if (!sieve_parse(script, &arena, &problems, &commands)) {
		(void)sieve_problems_write(&problems, &got);
		fail_msg("%.*s: %.*s", STR_FMT(script), STR_FMT(buf_str(&got)));
	}
	write_commands(commands, &got);
	if (!str_eq(buf_str(&got), str_of_cstr(want)))
		fail_msg(
		    "%.*s\n  is  %.*s\n  not %s", STR_FMT(script), STR_FMT(buf_str(&got)), want);
}

/* Reads `script`, and wants these problems and no others. */
static void expect_problems(struct str script, const char *want)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(SIEVE_TREE_LEN_MAX);
	struct buf got CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct sieve_problems problems = {0};
	struct sieve_node *commands = NULL;

	assert_false(sieve_parse(script, &arena, &problems, &commands));
	assert_true(sieve_problems_write(&problems, &got));
	if (!str_eq(buf_str(&got), str_of_cstr(want)))
		fail_msg("%.*s\n  has   %.*s\n  not   %s", STR_FMT(str_first(script, 200)),
		    STR_FMT(buf_str(&got)), want);
	assert_null(commands);
}

static void the_grammar_is_read(void **state UNUSED)
{
	expect_tree(STR(""), "");
	expect_tree(STR(" \t\r\n# nothing\n/* nor\n * here */"), "");
	expect_tree(STR("KEEP;"), "keep; ");
	expect_tree(
	    STR("require [\"fileinto\",\"reject\"];"), "require [\"fileinto\", \"reject\"]; ");
	expect_tree(
	    STR("require\"fileinto\";fileinto\"a\";"), "require \"fileinto\"; fileinto \"a\"; ");
	expect_tree(STR("if size :over 100K { discard; } else { }"),
	    "if size :over 102400 { discard; } else { } ");
	expect_tree(STR("if anyof (not exists [\"From\"], allof(true,false)) { stop; } elsif true "
	                "{ keep; }"),
	    "if anyof (not exists [\"From\"], allof (true, false)) { stop; } elsif true { keep; "
	    "} ");
	expect_tree(
	    STR("if header :Comparator \"i;octet\" :IS [\"Subject\"] \"x\" { if true { keep; } }"),
	    "if header :comparator \"i;octet\" :is [\"Subject\"] \"x\" { if true { keep; } } ");
	expect_tree(STR("a 1 :b \"c\" [\"d\"] 2 test 3;"), "a 1 :b \"c\" [\"d\"] 2 test 3; ");
	expect_tree(STR("a{b;}c;"), "a { b; } c; ");
	/* form alone: whoever forgets a ";" is told by those who know what keep takes */
	expect_tree(STR("keep\ndiscard;"), "keep discard; ");
}

static void numbers_have_quantifiers(void **state UNUSED)
{
	expect_tree(STR("a 0 1k 1K 1M 1G 007;"), "a 0 1024 1024 1048576 1073741824 7; ");
	expect_tree(STR("a 18446744073709551615;"), "a 18446744073709551615; ");
	expect_tree(STR("a 17179869183G;"), "a 18446744072635809792; ");
	expect_problems(STR("a 18446744073709551616;"),
	    "line 1, column 3: this number is too large; the largest is 18446744073709551615");
	expect_problems(STR("a 17179869184G;"),
	    "line 1, column 3: this number is too large; the largest is 18446744073709551615");
	expect_problems(STR("a 10KB;"),
	    "line 1, column 3: after a number K, M or G may stand, nothing else: \"10KB\"");
	expect_problems(STR("a 1_;"),
	    "line 1, column 3: after a number K, M or G may stand, nothing else: \"1_\"");
}

static void strings_stand_for_their_bytes(void **state UNUSED)
{
	expect_tree(STR("a \"\";"), "a \"\"; ");
	expect_tree(STR("a \"\\\"\\\\\\x\";"), "a \"\\\"\\\\x\"; ");
	expect_tree(STR("a \"one\ntwo\r\nthree\";"), "a \"one\r\ntwo\r\nthree\"; ");
	expect_tree(STR("a \"# no /* comment */\";"), "a \"# no /* comment */\"; ");
	expect_tree(STR("a \"b\\\r\nc\";"), "a \"b\r\nc\"; ");
	expect_tree(STR("a \"grün\";"), "a \"grün\"; ");
}

static void texts_of_several_lines(void **state UNUSED)
{
	expect_tree(STR("a text:\r\none\r\n..two\r\n...\r\n. three\r\n.\r\n;"),
	    "a \"one\r\n.two\r\n..\r\n. three\r\n\"; ");
	expect_tree(STR("a Text: \t# a comment\nx\n.\n;"), "a \"x\r\n\"; ");
	expect_tree(STR("a text:\n.\n;"), "a \"\"; ");
	expect_tree(STR("a [text:\nx\n.\n, \"y\"];"), "a [\"x\r\n\", \"y\"]; ");
	expect_problems(STR("a text: x\n.\n;"), "line 1, column 3: after \"text:\" the line has to "
	                                        "end; the text begins on the next one");
	expect_problems(STR("a text:\nx\n;"),
	    "line 1, column 3: this text does not end; it wants a line with a \".\" alone");
	expect_problems(STR("a text:"),
	    "line 1, column 3: after \"text:\" the line has to end; the "
	    "text begins on the next one");
}

static void what_is_wrong_is_told_with_its_place(void **state UNUSED)
{
	expect_problems(STR("keep"),
	    "line 1, column 5: expected \";\" or \"{\" behind a command, but the script ends here");
	expect_problems(STR("keep\n;}"), "line 2, column 2: expected a command, found \"}\"");
}

static void every_kind_of_token_is_named(void **state UNUSED)
{
	expect_problems(STR("\"keep\";"), "line 1, column 1: expected a command, found a string");
	expect_problems(
	    STR("\n  12;"), "line 2, column 3: expected a command, found the number 12");
	expect_problems(STR(":is;"), "line 1, column 1: expected a command, found \":is\"");
	expect_problems(STR("a [b];"), "line 1, column 4: expected a string, found \"b\"");
	expect_problems(STR("a [];"), "line 1, column 4: expected a string, found \"]\"");
	expect_problems(STR("a [\"b\" \"c\"];"),
	    "line 1, column 8: expected \",\" or \"]\" behind a string of a list, found a string");
	expect_problems(STR("if anyof (true; false) {}"),
	    "line 1, column 15: expected \",\" or \")\" behind a test of a list, found \";\"\n"
	    "line 1, column 22: expected \";\" or \"{\" behind a command, found \")\"");
	expect_problems(STR("if anyof () {}"), "line 1, column 11: expected a test, found \")\"");
	expect_problems(STR("}"), "line 1, column 1: expected a command, found \"}\"");
	expect_problems(STR("if true { keep;"),
	    "line 1, column 16: expected a command, or the \"}\" "
	    "of the block, but the script ends here");
	expect_problems(STR("a :;"),
	    "line 1, column 3: after a colon the name of a tag has to stand, "
	    "as in \":is\"");
	expect_problems(STR("a @;"), "line 1, column 3: \"@\" does not belong here");
	expect_problems(STR("grün;"), "line 1, column 3: \"??\" does not belong here");
	expect_problems(STR("a \"ü\" @;"), "line 1, column 7: \"@\" does not belong here");
	expect_problems(
	    STR("keep; /* \n"), "line 1, column 7: this comment does not end; it wants a */");
	expect_problems(
	    STR("keep; /*/"), "line 1, column 7: this comment does not end; it wants a */");
	expect_problems(
	    STR("a \"b;\n"), "line 1, column 3: this string does not end; it wants a \"");
}

static void reading_goes_on_behind_a_problem(void **state UNUSED)
{
	expect_problems(STR("keep keep2 keep3;;\nif true { 1; keep; 2; }\n] discard;\nstop"),
	    "line 1, column 18: expected a command, found \";\"\n"
	    "line 2, column 11: expected a command, found the number 1\n"
	    "line 2, column 20: expected a command, found the number 2\n"
	    "line 3, column 1: expected a command, found \"]\"\n"
	    "line 4, column 5: expected \";\" or \"{\" behind a command, but the script ends here");
	/* over the block of a command that is wrong, and not beyond */
	expect_problems(STR("if [] { keep; if true { stop; } } ] keep;"),
	    "line 1, column 5: expected a string, found \"]\"\n"
	    "line 1, column 35: expected a command, found \"]\"");
	/* not out of a block around it */
	expect_problems(STR("if true { ] } keep; ]"),
	    "line 1, column 11: expected a command, found \"]\"\n"
	    "line 1, column 21: expected a command, found \"]\"");
}

static void what_no_script_may_hold(void **state UNUSED)
{
	expect_problems(STR("keep;\n\"a\xff\""),
	    "line 2, column 3: this byte is not UTF-8; a script "
	    "has to be UTF-8 throughout");
	expect_problems(
	    STR("a\0b;"), "line 1, column 2: a NUL stands here, which no script may hold");
	expect_problems(STR("a;\rb;"),
	    "line 1, column 3: a CR without its LF stands here; lines end "
	    "with CRLF or LF");
}

/* A script of `n` times `piece` between two others. */
static struct str script_of(
    struct buf *out, const char *before, const char *piece, size_t n, const char *after)
{
	buf_clear(out);
	repeat(out, before, 1);
	repeat(out, piece, n);
	repeat(out, after, 1);
	return buf_str(out);
}

static void limits_hold(void **state UNUSED)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(SIEVE_TREE_LEN_MAX);
	struct buf script CLEANUP(buf_done) = BUF_MAX(2 * SIEVE_SCRIPT_LEN_MAX);
	struct sieve_problems problems = {0};
	struct sieve_node *commands;

	struct str text = script_of(&script, "if ", "not ", SIEVE_DEPTH_MAX - 1, "true { keep; }");
	assert_true(sieve_parse(text, &arena, &problems, &commands));
	text = script_of(&script, "if ", "not ", SIEVE_DEPTH_MAX, "true { keep; }");
	expect_problems(text, "line 1, column 132: blocks and tests stand more than 32 deep "
	                      "in one another here");
	text = script_of(&script, "", "a{", SIEVE_DEPTH_MAX + 1, "");
	assert_false(sieve_parse(text, &arena, &problems, &commands));
	assert_true(strstr(problems.first[0].text, "more than 32 deep") != NULL);

	text = script_of(&script, "#", " ", SIEVE_SCRIPT_LEN_MAX - 1, "");
	expect_tree(text, "");
	text = script_of(&script, "#", " ", SIEVE_SCRIPT_LEN_MAX, "");
	expect_problems(
	    text, "line 1, column 1: the script has 262145 bytes; at most 262144 are taken");

	/* the tree of the smallest commands, then one that takes too much */
	arena_clear(&arena);
	problems.n = 0;
	text = script_of(&script, "", "a;", SIEVE_SCRIPT_LEN_MAX / 4, "");
	assert_true(sieve_parse(text, &arena, &problems, &commands));
	arena_clear(&arena);
	text = script_of(&script, "", "a;", SIEVE_SCRIPT_LEN_MAX / 2, "");
	assert_false(sieve_parse(text, &arena, &problems, &commands));
	assert_int_equal(problems.n, 1);
	assert_string_equal(
	    problems.first[0].text, "the script needs more memory than a script may take");
}

static void more_problems_than_are_kept_are_counted(void **state UNUSED)
{
	struct buf script CLEANUP(buf_done) = BUF_MAX(4096);
	struct buf got CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(SIEVE_TREE_LEN_MAX);
	struct sieve_problems problems = {0};
	struct sieve_node *commands;

	struct str text = script_of(&script, "", "1;", 20, "");
	assert_false(sieve_parse(text, &arena, &problems, &commands));
	assert_int_equal(problems.n, 20);
	assert_true(sieve_problems_write(&problems, &got));
	assert_true(str_ends(buf_str(&got), STR("\nand 4 more")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_grammar_is_read),
	    cmocka_unit_test(numbers_have_quantifiers),
	    cmocka_unit_test(strings_stand_for_their_bytes),
	    cmocka_unit_test(texts_of_several_lines),
	    cmocka_unit_test(what_is_wrong_is_told_with_its_place),
	    cmocka_unit_test(every_kind_of_token_is_named),
	    cmocka_unit_test(reading_goes_on_behind_a_problem),
	    cmocka_unit_test(what_no_script_may_hold),
	    cmocka_unit_test(limits_hold),
	    cmocka_unit_test(more_problems_than_are_kept_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
