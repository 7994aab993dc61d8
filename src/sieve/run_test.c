/* What scripts do with a message (RFC 5228, 5229, 5231, 5233). */
#include "sieve/run.h"

#include "mail/expect.h"

static const struct sieve_message letter = {
    .bytes = STR_INIT("Return-Path: <coyote@desert.example.org>\r\n"
                      "From: Wile E. Coyote <coyote@desert.example.org>\r\n"
                      "To: roadrunner@acme.example.com,\r\n"
                      " Friends: a+lists@acme.example.com, b@acme.example.com;, broken\r\n"
                      "Subject: =?utf-8?q?I_have_a_pr=C3=A4sent?=\r\n for you\r\n"
                      "Date: Sun, 22 Nov 2026 09:05:07 +0130\r\n"
                      "Received: by x; Sat, 21 Nov 2026 23:00:00 +0000\r\n"
                      "X-Spam: 12\r\n"
                      "X-Spam: 3\r\n"
                      "Empty:  \r\n"
                      "\r\n"
                      "Look, I'm sorry about the whole anvil thing.\r\n"),
    .sender = STR_INIT("coyote@desert.example.org"),
    .recipient = STR_INIT("roadrunner+birds@acme.example.com"),
    .subaddress_separator = '+',
    .now_s = 1795476000, /* Mon, 23 Nov 2026 19:20:00 +0000 */
    .zone_minutes = -90,
};

/* The actions as "keep fileinto=x redirect=y"; "failed: …" in front where it did. */
static void run(struct str script, const struct sieve_message *message, struct buf *out)
{
	static const char *const names[] = {
	    [SIEVE_KEEP] = "keep", [SIEVE_FILEINTO] = "fileinto", [SIEVE_REDIRECT] = "redirect"};
	struct arena program_arena CLEANUP(arena_done) = ARENA_MAX(SIEVE_PROGRAM_LEN_MAX);
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(SIEVE_RUN_LEN_MAX);
	struct sieve_problems problems = {0};
	struct sieve_program program;
	struct sieve_result result;

	if (!sieve_check(script, sieve_language, &program_arena, &problems, &program))
		fail_msg("%.*s: %s", STR_FMT(script), problems.first[0].text);
	sieve_run(&program, message, &arena, &result);
	if (result.failed)
		buf_printf(
		    out, "failed: line %u: %s; ", result.problem.place.line, result.problem.text);
	for (size_t i = 0; i < result.n_actions; i++) {
		const struct sieve_action *action = &result.actions[i];
		buf_printf(out, "%s%s%s%.*s", i > 0 ? " " : "", names[action->kind],
		    action->target.len > 0 ? "=" : "", STR_FMT(action->target));
		if (action->flags.len > 0)
			buf_printf(out, "[%.*s]", STR_FMT(action->flags));
	}
}

static void expect_actions(struct str script, const char *want)
{
	struct buf got CLEANUP(buf_done) = BUF_MAX(1 << 16);

	run(script, &letter, &got);
	if (!str_eq(buf_str(&got), str_of_cstr(want)))
		fail_msg("%.*s\n  gives %.*s\n  not   %s", STR_FMT(script), STR_FMT(buf_str(&got)),
		    want);
}

#define ALL                                                                                        \
	"require [\"fileinto\", \"copy\", \"envelope\", \"variables\", \"relational\", "           \
	"\"subaddress\", \"encoded-character\", \"comparator-i;ascii-numeric\", "                  \
	"\"comparator-i;unicode-casemap\", \"imap4flags\", \"date\", \"index\"];"

/* The test, as the condition of an if. */
static void expect_test(const char *test, bool holds)
{
	struct buf script CLEANUP(buf_done) = BUF_MAX(4096);

	buf_printf(&script, "%s if %s { discard; }", ALL, test);
	expect_actions(buf_str(&script), holds ? "" : "keep");
}

static void the_implicit_keep(void **state UNUSED)
{
	expect_actions(STR(""), "keep");
	expect_actions(STR("keep;"), "keep");
	expect_actions(STR("keep; keep;"), "keep");
	expect_actions(STR("discard;"), "");
	expect_actions(STR("discard; keep;"), "keep");
	expect_actions(STR("redirect \"a@b.example\";"), "redirect=a@b.example");
	expect_actions(STR(ALL "redirect :copy \"a@b.example\";"), "redirect=a@b.example keep");
	expect_actions(STR(ALL "fileinto \"x\";"), "fileinto=x");
	expect_actions(STR(ALL "fileinto :copy \"x\"; fileinto \"x\"; fileinto \"y\";"),
	    "fileinto=x fileinto=y");
	expect_actions(STR(ALL "fileinto \"INBOX\";"), "keep");
	expect_actions(STR("stop; discard;"), "keep");
	expect_actions(STR("if true { discard; stop; } keep;"), "");
}

static void branches(void **state UNUSED)
{
	expect_actions(STR(ALL "if true { fileinto \"a\"; } elsif true { fileinto \"b\"; } else { "
	                       "fileinto \"c\"; }"),
	    "fileinto=a");
	expect_actions(STR(ALL "if false { fileinto \"a\"; } elsif true { fileinto \"b\"; } else { "
	                       "fileinto \"c\"; }"),
	    "fileinto=b");
	expect_actions(
	    STR(ALL "if false { fileinto \"a\"; } elsif false { fileinto \"b\"; } else { "
	            "fileinto \"c\"; }"),
	    "fileinto=c");
	expect_actions(
	    STR(ALL "if true { if false { keep; } else { fileinto \"a\"; } } elsif true { "
	            "fileinto \"b\"; }"),
	    "fileinto=a");
	expect_actions(STR(ALL "if false { if true { keep; } } else { fileinto \"a\"; if false {} }"
	                       "if false {} else { fileinto \"b\"; }"),
	    "fileinto=a fileinto=b");
	expect_test("anyof (false, true)", true);
	expect_test("anyof (false, false)", false);
	expect_test("allof (true, true)", true);
	expect_test("allof (true, not true)", false);
}

static void headers_are_decoded_and_trimmed(void **state UNUSED)
{
	expect_test("header :is \"subject\" \"i have a pr\xc3\xa4sent for you\"", true);
	expect_test(
	    "header :comparator \"i;unicode-casemap\" :contains \"Subject\" \"PR\xc3\x84SENT\"",
	    true);
	expect_test("header :contains \"Subject\" \"PR\xc3\x84SENT\"", false);
	expect_test("header :is \"empty\" \"\"", true);
	expect_test("header :contains \"nothing\" \"\"", false);
	expect_test("header [\"nothing\", \"x-spam\"] [\"4\", \"3\"]", true);
	expect_test("header :matches \"from\" \"*<coyote@*>\"", true);
	expect_test("exists [\"from\", \"x-spam\"]", true);
	expect_test("exists [\"from\", \"nothing\"]", false);
	expect_test("header :contains \"subject\" \"pr${hex:C3 A4}sent\"", true);
	expect_test("header :contains \"subject\" \"pr${unicode:e4}sent\"", true);
}

static void numbers_and_sizes(void **state UNUSED)
{
	expect_test("header :value \"gt\" :comparator \"i;ascii-numeric\" \"x-spam\" \"11\"", true);
	expect_test(
	    "header :value \"gt\" :comparator \"i;ascii-numeric\" \"x-spam\" \"12\"", false);
	expect_test(
	    "header :count \"eq\" :comparator \"i;ascii-numeric\" [\"x-spam\", \"from\"] \"3\"",
	    true);
	expect_test("header :count \"eq\" :comparator \"i;ascii-numeric\" \"nothing\" \"0\"", true);
	expect_test("address :count \"eq\" :comparator \"i;ascii-numeric\" \"to\" \"3\"", true);
	expect_test("size :over 100", true);
	expect_test("size :over 1K", false);
	expect_test("size :under 1K", true);
	struct buf exact CLEANUP(buf_done) = BUF_MAX(100);
	buf_printf(
	    &exact, "anyof (size :over %zu, size :under %zu)", letter.bytes.len, letter.bytes.len);
	buf_add_c(&exact, '\0');
	expect_test(exact.p, false);
}

static void addresses_have_parts(void **state UNUSED)
{
	expect_test("address \"from\" \"coyote@desert.example.org\"", true);
	expect_test("address :contains \"from\" \"Wile\"", false);
	expect_test("address :localpart \"to\" \"B\"", true);
	expect_test("address :domain \"to\" \"acme.example.com\"", true);
	expect_test("address :contains \"to\" \"broken\"", false);
	expect_test("address :user \"to\" \"a\"", true);
	expect_test("address :detail \"to\" \"lists\"", true);
	expect_test("address :detail :contains \"from\" \"\"", false);
	expect_test("envelope \"From\" \"coyote@desert.example.org\"", true);
	expect_test("envelope :detail \"to\" \"birds\"", true);
	expect_test("envelope :user \"to\" \"roadrunner\"", true);
	expect_test("envelope \"auth\" \"\"", true);
}

static void variables_hold_what_was_set(void **state UNUSED)
{
	expect_actions(
	    STR(ALL "set \"Name\" \"Lists\"; fileinto \"${name}.${unset}x\";"), "fileinto=Lists.x");
	expect_actions(
	    STR(ALL "set \"a\" \"juMBlEd lETteRS\"; set :upperfirst :lower \"b\" \"${a}\"; "
	            "set :length \"c\" \"${a}\"; fileinto \"${b} ${c}\";"),
	    "fileinto=Jumbled letters 15");
	expect_actions(
	    STR(ALL "set :quotewildcard \"a\" \"Rock*\"; fileinto \"${a}\";"), "fileinto=Rock\\*");
	expect_actions(
	    STR(ALL "set :length \"a\" \"pr\xc3\xa4\"; fileinto \"${a}\";"), "fileinto=3");
	expect_actions(
	    STR(ALL
	        "set \"a\" \"1\"; set \"a\" \"${a}2\"; set \"a\" \"${a}3\"; fileinto \"${a}\";"),
	    "fileinto=123");
	expect_actions(
	    STR(ALL "if header :matches \"from\" \"*<*@*.org>\" { fileinto \"${2} of ${3}\"; }"),
	    "fileinto=coyote of desert.example");
	expect_actions(
	    STR(ALL
	        "if allof (header :matches \"x-spam\" \"?*\", not header :matches \"from\" \"x*\")"
	        "{ fileinto \"${0} ${1} ${2} ${3}|\"; }"),
	    "fileinto=12 1 2 |");
	expect_actions(STR(ALL "fileinto \"&%${}! ${doh!} ${BAD${name}x\";"),
	    "fileinto=&%${}! ${doh!} ${BADx");
	expect_test("string :matches \" ${state} pending\" \"* pending\"", true);
	expect_test(
	    "string :count \"eq\" :comparator \"i;ascii-numeric\" [\"a\", \"${x}\", \"b\"] \"2\"",
	    true);
	expect_actions(
	    STR(ALL "set \"to\" \"a@b.example\"; redirect \"${to}\";"), "redirect=a@b.example");
}

static void flags_are_sets_of_words(void **state UNUSED)
{
	expect_actions(STR(ALL "setflag \"\\\\Seen $x \\\\seen\";"), "keep[\\Seen $x]");
	expect_actions(STR(ALL "addflag [\"a\", \"b c\"]; removeflag \"B\"; keep; setflag \"d\"; "
	                       "fileinto \"x\";"),
	    "keep[a c] fileinto=x[d]");
	expect_actions(
	    STR(ALL "setflag \"v\" \"a b\"; addflag \"v\" \"c\"; fileinto :flags \"${v}\" \"x\"; "
	            "keep :flags \"y\";"),
	    "fileinto=x[a b c] keep[y]");
	expect_actions(STR(ALL "keep :flags \"a\"; keep :flags \"b\";"), "keep[b]");
	expect_actions(STR(ALL "setflag [\"\", \"\\\\Recent\", \"a{\", \"ok\"];"), "keep[ok]");
	expect_actions(STR(ALL "setflag \"a b\"; if hasflag \"B\" { discard; }"), "");
	expect_actions(STR(ALL "setflag \"a b\"; if hasflag \"c\" { discard; }"), "keep[a b]");
	expect_actions(STR(ALL "set \"v\" \"NonJunk gnus-forward\"; if hasflag :contains \"v\" "
	                       "[\"x\", \"forward\"] "
	                       "{ discard; }"),
	    "");
	expect_actions(
	    STR(ALL "setflag \"a b\"; setflag \"v\" \"c\"; if hasflag :count \"eq\" :comparator "
	            "\"i;ascii-numeric\" [\"v\", \"v\"] \"2\" { discard; }"),
	    "");
	expect_actions(STR(ALL "setflag \"a\"; fileinto \"x\";\nfileinto \"${none}\";"),
	    "failed: line 2: \"\" cannot be the name of a mailbox; keep");
}

static void dates_have_parts(void **state UNUSED)
{
	expect_test("date :originalzone \"date\" \"iso8601\" \"2026-11-22T09:05:07+01:30\"", true);
	expect_test("date :zone \"+0000\" \"date\" \"iso8601\" \"2026-11-22T07:35:07Z\"", true);
	expect_test("date \"date\" \"iso8601\" \"2026-11-22T06:05:07-01:30\"", true);
	expect_test("date :originalzone \"date\" \"year\" \"2026\"", true);
	expect_test("date :originalzone \"date\" \"month\" \"11\"", true);
	expect_test("date :originalzone \"date\" \"day\" \"22\"", true);
	expect_test("date :originalzone \"date\" \"date\" \"2026-11-22\"", true);
	expect_test("date :originalzone \"date\" \"time\" \"09:05:07\"", true);
	expect_test("date :originalzone \"date\" \"hour\" \"09\"", true);
	expect_test("date :originalzone \"date\" \"minute\" \"05\"", true);
	expect_test("date :originalzone \"date\" \"second\" \"07\"", true);
	expect_test("date :originalzone \"date\" \"weekday\" \"0\"", true);
	expect_test("date :originalzone \"date\" \"zone\" \"+0130\"", true);
	expect_test("date :zone \"-0500\" \"date\" \"zone\" \"-0500\"", true);
	expect_test("date :originalzone \"date\" \"julian\" \"61366\"", true);
	expect_test(
	    "date :originalzone \"date\" \"std11\" \"Sun, 22 Nov 2026 09:05:07 +0130\"", true);
	expect_test("date :zone \"+0000\" \"received\" \"hour\" \"23\"", true);
	expect_test("date \"subject\" \"year\" \"2026\"", false);
	expect_test(
	    "date :count \"eq\" :comparator \"i;ascii-numeric\" \"subject\" \"year\" \"0\"", true);
	expect_test("currentdate :zone \"+0000\" \"date\" \"2026-11-23\"", true);
	expect_test("currentdate :value \"ge\" \"hour\" \"17\"", true);
	expect_test("currentdate \"zone\" \"-0130\"", true);
}

static void an_index_names_one_field(void **state UNUSED)
{
	expect_test("header :index 1 \"x-spam\" \"12\"", true);
	expect_test("header :index 1 \"x-spam\" \"3\"", false);
	expect_test("header :index 2 \"x-spam\" \"3\"", true);
	expect_test("header :index 1 :last \"x-spam\" \"3\"", true);
	expect_test("header :index 2 :last \"x-spam\" \"12\"", true);
	expect_test("header :index 3 :last :contains \"x-spam\" \"\"", false);
	expect_test("header :index 3 :contains \"x-spam\" \"\"", false);
	expect_test("header :index 2 [\"from\", \"x-spam\"] \"12\"", true);
	expect_test("address :index 2 [\"from\", \"to\"] \"b@acme.example.com\"", true);
	expect_test("address :index 1 [\"from\", \"to\"] \"b@acme.example.com\"", false);
	expect_test("date :index 2 :originalzone \"date\" \"year\" \"2026\"", false);
}

static void what_turns_out_wrong_keeps_the_message(void **state UNUSED)
{
	expect_actions(STR(ALL "fileinto \"a\";\nset \"to\" \"nobody\";\nredirect \"${to}\";"),
	    "failed: line 3: \"nobody\" is not one mail address; keep");
	expect_actions(STR(ALL "fileinto \"a\";\nfileinto \"${none}\";"),
	    "failed: line 2: \"\" cannot be the name of a mailbox; keep");
	expect_actions(STR(ALL "set \"h\" \"subject\";\nif address \"${h}\" \"a\" { discard; }"),
	    "failed: line 2: header 'Subject' holds no addresses; keep");
	expect_actions(STR(ALL "set \"p\" \"cc\";\nif envelope \"${p}\" \"a\" { discard; }"),
	    "failed: line 2: the envelope has no part \"cc\"; keep");
}

static void limits_keep_the_message(void **state UNUSED)
{
	struct buf script CLEANUP(buf_done) = BUF_MAX(1 << 18);
	struct buf got CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct buf long_message CLEANUP(buf_done) = BUF_MAX(1 << 22);

	expect_actions(
	    STR("redirect \"a@x.example\"; redirect \"b@x.example\"; redirect \"c@x.example\";"
	        "redirect \"d@x.example\"; redirect \"a@x.example\";"),
	    "redirect=a@x.example redirect=b@x.example redirect=c@x.example redirect=d@x.example");
	expect_actions(
	    STR("redirect \"a@x.example\"; redirect \"b@x.example\"; redirect \"c@x.example\";"
	        "redirect \"d@x.example\"; redirect \"e@x.example\";"),
	    "failed: line 1: one message is redirected to more than 4 addresses; keep");

	repeat(&script, ALL, 1);
	for (unsigned i = 0; i <= SIEVE_ACTIONS_MAX; i++)
		buf_printf(&script, "fileinto \"%u\";", i);
	expect_actions(
	    buf_str(&script), "failed: line 1: more than 32 actions for one message; keep");

	/* a script that doubles what it has: cut at what a variable holds, and ended by its memory
	 */
	buf_clear(&script);
	repeat(&script, ALL "set \"a\" \"0123456789\";", 1);
	repeat(&script, "set \"a\" \"${a}${a}\";", 400);
	expect_actions(buf_str(&script),
	    "failed: line 1: the script takes more time or memory for this "
	    "message than a script may take; keep");

	/* keys that try each place of a long field, again and again */
	buf_clear(&script);
	repeat(&script, ALL "if anyof (false", 1);
	repeat(&script, ", header :matches \"x\" \"*a*a*a*a*ab\"", 1000);
	repeat(&script, ") { discard; }", 1);
	repeat(&long_message, "X: ", 1);
	repeat(&long_message, "a", 500000);
	repeat(&long_message, "\r\n\r\n", 1);
	struct sieve_message message = {.bytes = buf_str(&long_message)};
	run(buf_str(&script), &message, &got);
	expect_buf(got,
	    "failed: line 1: the script takes more time or memory for this message than a "
	    "script may take; keep");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_implicit_keep),
	    cmocka_unit_test(branches),
	    cmocka_unit_test(headers_are_decoded_and_trimmed),
	    cmocka_unit_test(numbers_and_sizes),
	    cmocka_unit_test(addresses_have_parts),
	    cmocka_unit_test(variables_hold_what_was_set),
	    cmocka_unit_test(flags_are_sets_of_words),
	    cmocka_unit_test(dates_have_parts),
	    cmocka_unit_test(an_index_names_one_field),
	    cmocka_unit_test(what_turns_out_wrong_keeps_the_message),
	    cmocka_unit_test(limits_keep_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
