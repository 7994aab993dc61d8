/* What the language has, and what the writer of a script is told about the rest. */
#include "sieve/check.h"

#include "mail/expect.h"

static bool check(struct str script, struct buf *problems_text, size_t *ret_n)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(SIEVE_PROGRAM_LEN_MAX);
	struct sieve_problems problems = {0};
	struct sieve_program program;
	bool is_right = sieve_check(script, sieve_language, &arena, &problems, &program);

	assert_true(sieve_problems_write(&problems, problems_text));
	*ret_n = problems.n;
	return is_right;
}

static void expect_right(struct str script)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 16);
	size_t n;

	if (!check(script, &text, &n))
		fail_msg("%.*s: %.*s", STR_FMT(script), STR_FMT(buf_str(&text)));
	assert_int_equal(n, 0);
}

/* The one problem that a script has. */
static void expect_problem(struct str script, const char *want)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 16);
	size_t n;

	assert_false(check(script, &text, &n));
	if (!str_eq(buf_str(&text), str_of_cstr(want)))
		fail_msg("%.*s\n  has   %.*s\n  not   %s", STR_FMT(script), STR_FMT(buf_str(&text)),
		    want);
	assert_int_equal(n, 1);
}

static void the_language_is_taken(void **state UNUSED)
{
	expect_right(STR(""));
	expect_right(
	    STR("require [\"fileinto\", \"copy\"]; require \"envelope\";"
	        "if anyof (header :contains \"subject\" [\"a\", \"b\"], not exists \"from\","
	        "          address :domain :is [\"from\", \"To\"] \"example.org\", size :over 1M,"
	        "          envelope :all :matches \"from\" \"*\", false) { fileinto :copy \"x\"; }"
	        "elsif true { redirect \"a@example.org\"; stop; } else { discard; } keep;"));
	expect_right(
	    STR("require [\"relational\", \"comparator-i;ascii-numeric\", \"subaddress\"];"
	        "if header :value \"gt\" :comparator \"i;ascii-numeric\" \"x-spam\" \"5\" {}"
	        "if address :count \"le\" :detail \"to\" \"3\" {}"));
	expect_right(
	    STR("require [\"variables\", \"fileinto\"]; set :upper :length \"a\" \"b ${c} ${1}\";"
	        "if string \"${a}\" [\"x\", \"${}\"] { fileinto \"${a}\"; }"));
}

static void require_comes_first_and_names_what_there_is(void **state UNUSED)
{
	expect_problem(STR("require \"nothing\";"),
	    "line 1, column 9: the script requires \"nothing\", "
	    "which this server does not have");
	expect_problem(STR("require \"FileInto\";"),
	    "line 1, column 9: the script requires \"FileInto\", "
	    "which this server does not have");
	expect_problem(STR("keep; require \"fileinto\";"),
	    "line 1, column 7: require stands at the beginning "
	    "of a script, in front of all other commands");
	expect_problem(STR("if true { require \"fileinto\"; }"),
	    "line 1, column 11: require stands at the beginning of a script, in front of all other "
	    "commands");
	expect_problem(STR("fileinto \"x\";"),
	    "line 1, column 1: the command 'fileinto' is there when the "
	    "script requires \"fileinto\"");
	expect_problem(STR("redirect :copy \"a@b.example\";"),
	    "line 1, column 10: unknown tagged argument ':copy' for the redirect command, unless "
	    "the script "
	    "requires \"copy\"");
	expect_problem(STR("if header :comparator \"i;ascii-numeric\" \"a\" \"1\" {}"),
	    "line 1, column 23: the comparator \"i;ascii-numeric\" is there when the script "
	    "requires "
	    "\"comparator-i;ascii-numeric\"");
	expect_problem(STR("require [\"variables\"]; require \"${x}\";"),
	    "line 1, column 32: no variables may stand in this string");
}

static void commands_and_tests_have_their_places(void **state UNUSED)
{
	expect_problem(STR("jump;"), "line 1, column 1: there is no command 'jump'");
	expect_problem(STR("if jump {}"), "line 1, column 4: there is no test 'jump'");
	expect_problem(STR("true;"), "line 1, column 1: cannot use test 'true' as a command");
	expect_problem(STR("if keep {}"), "line 1, column 4: cannot use command 'keep' as a test");
	expect_problem(
	    STR("else {}"), "line 1, column 1: 'else' stands behind the block of an if or elsif");
	expect_problem(STR("if true {} keep; elsif true {}"),
	    "line 1, column 18: 'elsif' stands behind the block of an if or elsif");
	expect_problem(STR("if true {} else {} else {}"),
	    "line 1, column 20: 'else' stands behind the block of an if or elsif");
	expect_problem(
	    STR("if true;"), "line 1, column 1: the if command wants a block, { and }, behind it");
	expect_problem(STR("keep {}"),
	    "line 1, column 1: the keep command ends with a semicolon; it takes no block");
	expect_problem(
	    STR("if {}"), "line 1, column 1: the if command wants one test, but none is specified");
	expect_problem(STR("if (true) {}"),
	    "line 1, column 5: the if command wants one test, but a list of tests is specified");
	expect_problem(STR("if anyof true {}"),
	    "line 1, column 10: the anyof test wants tests in parentheses, but one is specified");
}

static void what_is_forgotten_is_named(void **state UNUSED)
{
	expect_problem(STR("keep\ndiscard;"),
	    "line 2, column 1: missing semicolon behind the keep command, "
	    "in front of 'discard'");
	expect_problem(STR("keep true;"),
	    "line 1, column 6: the keep command accepts no sub-tests, but one is specified");
	expect_problem(STR("if header \"a\" \"b\" matches {}"),
	    "line 1, column 19: missing colon in front of 'matches', which is a tag of the header "
	    "test");
}

static void arguments_are_of_their_types(void **state UNUSED)
{
	expect_problem(STR("if header 4 \"b\" {}"),
	    "line 1, column 11: the header test expects a string list as argument 1 (header "
	    "names), but a "
	    "number is found");
	expect_problem(STR("if size :over \"a\" {}"),
	    "line 1, column 15: the size test expects a number as "
	    "argument 1 (limit), but a string is found");
	expect_problem(STR("redirect [\"a@b.example\"];"),
	    "line 1, column 10: the redirect command expects a string as argument 1 (address), but "
	    "a string "
	    "list is found");
	expect_problem(STR("if header \"a\" {}"), "line 1, column 4: the header test requires 2 "
	                                          "positional arguments, but 1 is specified");
	expect_problem(STR("keep 1;"), "line 1, column 1: the keep command requires 0 positional "
	                               "arguments, but 1 is specified");
	expect_problem(STR("if header :is :contains \"a\" \"b\" {}"),
	    "line 1, column 15: ':contains' and ':is' exclude each other in the header test");
	expect_problem(STR("if header \"a\" :is \"b\" {}"),
	    "line 1, column 15: unexpected tagged argument ':is' in the header test: tags stand in "
	    "front of "
	    "its other arguments");
	expect_problem(STR("if header :domain \"a\" \"b\" {}"),
	    "line 1, column 11: unknown tagged argument ':domain' for the header test (it has none "
	    "of that "
	    "name)");
	expect_problem(STR("if header :comparator 1 \"a\" \"b\" {}"),
	    "line 1, column 11: ':comparator' wants a string behind it, but a number is there");
	expect_problem(STR("if header :comparator"), "line 1, column 22: expected \";\" or \"{\" "
	                                             "behind a command, but the script ends here");
	expect_problem(
	    STR("if size 1 {}"), "line 1, column 4: the size test wants ':over' or ':under'");
}

static void values_are_judged_where_they_are_known(void **state UNUSED)
{
	expect_problem(STR("if address \"subject\" \"b\" {}"),
	    "line 1, column 12: header 'subject' is not allowed in the address test: it holds no "
	    "addresses");
	expect_problem(STR("require \"envelope\"; if envelope \"cc\" \"b\" {}"),
	    "line 1, column 33: the envelope has the parts \"from\", \"to\" and \"auth\", and no "
	    "\"cc\"");
	expect_problem(STR("redirect \"nobody\";"),
	    "line 1, column 10: \"nobody\" is not one mail address, as in \"name@example.org\"");
	expect_problem(STR("redirect \"a@b.example, c@d.example\";"),
	    "line 1, column 10: \"a@b.example, c@d.example\" is not one mail address, as in "
	    "\"name@example.org\"");
	expect_problem(
	    STR("require [\"fileinto\", \"encoded-character\"]; fileinto \"${hex:ff}\";"),
	    "line 1, column 53: \"?\" cannot be the name of a mailbox: UTF-8 without control "
	    "characters, 1 "
	    "to 1000 bytes");
	expect_problem(STR("if header :comparator \"i;x\" \"a\" \"b\" {}"),
	    "line 1, column 23: there is no comparator \"i;x\"");
	expect_problem(STR("require \"comparator-i;ascii-numeric\";"
	                   "if header :contains :comparator \"i;ascii-numeric\" \"a\" \"1\" {}"),
	    "line 1, column 41: the comparator \"i;ascii-numeric\" compares whole numbers: it "
	    "cannot do "
	    "':contains'");
	expect_problem(STR("require \"relational\"; if header :value \"more\" \"a\" \"1\" {}"),
	    "line 1, column 40: \"more\" is no relation; there are gt, ge, lt, le, eq and ne");
	expect_problem(STR("require \"encoded-character\"; if header \"a\" \"${unicode:d800}\" {}"),
	    "line 1, column 44: a number in this string names no character of Unicode (0 to D7FF, "
	    "E000 to "
	    "10FFFF)");
}

static void flags_dates_and_indexes(void **state UNUSED)
{
	expect_right(STR(
	    "require [\"imap4flags\", \"variables\", \"date\", \"index\"];"
	    "setflag \"a\"; addflag \"v\" [\"a\", \"b\"]; if hasflag :contains [\"v\", \"w\"] "
	    "\"a\" { keep "
	    ":flags [\"x\"]; } if date :index 1 :last :zone \"+0100\" \"date\" \"year\" \"1\" {}"));
	expect_problem(STR("require \"imap4flags\"; setflag \"v\" \"a\";"),
	    "line 1, column 31: flags are kept in a variable when the script requires "
	    "\"variables\"");
	expect_problem(STR("require \"imap4flags\"; setflag;"),
	    "line 1, column 23: the setflag command requires 1 or 2 positional arguments, but 0 "
	    "are "
	    "specified");
	expect_problem(STR("require \"date\"; if date \"date\" \"century\" \"20\" {}"),
	    "line 1, column 32: a date has no part \"century\"; it has year, month, day, date, "
	    "julian, hour, "
	    "minute, second, time, iso8601, std11, zone and weekday");
	expect_problem(STR("require \"date\"; if date :zone \"CET\" \"date\" \"year\" \"1\" {}"),
	    "line 1, column 31: \"CET\" is no time zone; one is written as in \"+0100\"");
	expect_problem(STR("require \"date\"; if currentdate :originalzone \"year\" \"1\" {}"),
	    "line 1, column 32: unknown tagged argument ':originalzone' for the currentdate test "
	    "(it has none "
	    "of that name)");
	expect_problem(STR("require \"index\"; if header :last \"a\" \"b\" {}"),
	    "line 1, column 21: ':last' stands beside ':index', not alone");
	expect_problem(STR("require \"index\"; if header :index 0 \"a\" \"b\" {}"),
	    "line 1, column 21: ':index' counts from 1");
}

static void variables_have_names(void **state UNUSED)
{
	expect_problem(STR("require \"variables\"; set \"1\" \"x\";"),
	    "line 1, column 26: ${1} is what a wildcard stood for; it cannot be set");
	expect_problem(STR("require \"variables\"; set \"a b\" \"x\";"),
	    "line 1, column 26: \"a b\" is not the name of a variable");
	expect_problem(STR("require \"variables\"; set \"${a}\" \"x\";"),
	    "line 1, column 26: \"${a}\" is not the name of a variable");
	expect_problem(STR("require \"variables\"; set \"a.b\" \"x\";"),
	    "line 1, column 26: \"a.b\" is in a namespace; there is none in which variables can be "
	    "set");
	expect_problem(STR("require \"variables\"; set \"a\" \"${b.c}\";"),
	    "line 1, column 30: there is no namespace for ${b.c}");
	expect_problem(STR("require \"variables\"; set \"a\" \"${33}\";"),
	    "line 1, column 30: ${33}: of the wildcards of a key the first 32 count");
	expect_problem(STR("require \"variables\"; set :lower :upper \"a\" \"b\";"),
	    "line 1, column 33: ':upper' and ':lower' exclude each other in the set command");
	expect_problem(STR("require \"variables\"; set "
	                   "\"a23456789012345678901234567890123456789012345678901234567890"
	                   "12345\" \"x\";"),
	    "line 1, column 26: the name of a variable has at most 64 characters: "
	    "a234567890123456789012345678901234567890123456789012345678901234");
}

static void a_script_has_so_many_variables(void **state UNUSED)
{
	struct buf script CLEANUP(buf_done) = BUF_MAX(1 << 16);

	repeat(&script, "require \"variables\";", 1);
	for (unsigned i = 0; i < SIEVE_VARIABLES_MAX; i++)
		buf_printf(&script, "set \"v%u\" \"\";", i);
	expect_right(buf_str(&script));
	repeat(&script, "\nset \"one_more\" \"\";", 1);
	expect_problem(buf_str(&script),
	    "line 2, column 5: a script has at most 256 variables; one_more is one more");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_language_is_taken),
	    cmocka_unit_test(require_comes_first_and_names_what_there_is),
	    cmocka_unit_test(commands_and_tests_have_their_places),
	    cmocka_unit_test(what_is_forgotten_is_named),
	    cmocka_unit_test(arguments_are_of_their_types),
	    cmocka_unit_test(values_are_judged_where_they_are_known),
	    cmocka_unit_test(flags_dates_and_indexes),
	    cmocka_unit_test(variables_have_names),
	    cmocka_unit_test(a_script_has_so_many_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
