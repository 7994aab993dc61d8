#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pop3/command.h"

static void assert_str(struct str s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	if (s.len > 0)
		assert_memory_equal(s.p, expected, s.len);
}

static struct pop3_command parse(struct str line)
{
	struct pop3_command c = {0};
	const char *error = NULL;

	if (!pop3_command_parse(line, &c, &error))
		fail_msg("`%.*s`: %s", STR_FMT(line), error);
	return c;
}

static void expect_error(struct str line, const char *expected)
{
	struct pop3_command c;
	const char *error = NULL;

	assert_false(pop3_command_parse(line, &c, &error));
	assert_string_equal(error, expected);
}

static void commands_without_arguments(void **state)
{
	static const struct {
		const char *line;
		enum pop3_command_id id;
	} cases[] = {{"CAPA", POP3_CAPA}, {"stls", POP3_STLS}, {"QuIt", POP3_QUIT},
	    {"NOOP", POP3_NOOP}, {"STAT ", POP3_STAT}, {"RSET  ", POP3_RSET}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(parse(str_of_cstr(cases[i].line)).id, cases[i].id);
	expect_error(STR("STAT 1"), "too many arguments");
	expect_error(STR("STATS"), "unknown command");
	expect_error(STR(""), "unknown command");
	expect_error(STR(" STAT"), "unknown command");
	expect_error(STR("APOP joe c4c9334bac560ecc979e58001b3e22fb"), "unknown command");
	expect_error(STR("GET / HTTP/1.1"), "unknown command");
	expect_error(STR("NOOP\0"), "NUL or CR within a line");
	expect_error(STR("NOOP\rQUIT"), "NUL or CR within a line");
}

static void message_numbers(void **state)
{
	(void)state;
	assert_false(parse(STR("LIST")).has_message);
	assert_int_equal(parse(STR("LIST 1")).message, 1);
	assert_int_equal(parse(STR("UIDL  4294967295 ")).message, UINT32_MAX);
	assert_int_equal(parse(STR("RETR 007")).message, 7);
	assert_int_equal(parse(STR("DELE 2")).message, 2);
	struct pop3_command c = parse(STR("top 3 0"));
	assert_int_equal(c.id, POP3_TOP);
	assert_int_equal(c.message, 3);
	assert_int_equal(c.lines, 0);
	assert_int_equal(parse(STR("TOP 3 4000000000")).lines, 4000000000);
	expect_error(STR("RETR"), "expected a message number");
	expect_error(STR("RETR 0"), "expected a message number");
	expect_error(STR("RETR -1"), "expected a message number");
	expect_error(STR("RETR 1x"), "expected a message number");
	expect_error(STR("DELE 4294967296"), "expected a message number");
	expect_error(STR("DELE 1 2"), "too many arguments");
	expect_error(STR("TOP 1"), "expected a number of lines");
	expect_error(STR("TOP 1 -1"), "expected a number of lines");
	expect_error(STR("TOP 1 1 1"), "too many arguments");
}

/* RFC 1939 §7: PASS has one argument, in which spaces count. */
static void texts_are_taken_as_they_are(void **state)
{
	(void)state;
	assert_str(parse(STR("USER joe@example.test")).argument, "joe@example.test");
	assert_str(parse(STR("PASS  a b ")).argument, " a b ");
	assert_str(parse(STR("PASS pässword")).argument, "pässword");
	expect_error(STR("USER"), "expected a space and an argument");
	expect_error(STR("PASS "), "expected a space and an argument");
}

static void sasl(void **state)
{
	struct pop3_command c = parse(STR("AUTH PLAIN AGpvZQBwdw=="));

	(void)state;
	assert_int_equal(c.id, POP3_AUTH);
	assert_str(c.mechanism, "PLAIN");
	assert_true(c.has_initial);
	assert_str(c.initial, "AGpvZQBwdw==");
	c = parse(STR("AUTH login"));
	assert_str(c.mechanism, "login");
	assert_false(c.has_initial);
	assert_str(parse(STR("AUTH PLAIN =")).initial, "=");
	assert_str(parse(STR("AUTH")).mechanism, "");
	expect_error(STR("AUTH PLAIN = x"), "too many arguments");
}

static void lines(void **state)
{
	struct str rest = STR("NOOP\r\nSTAT\n\r\nQUI"), line;

	(void)state;
	assert_int_equal(pop3_line_cut(&rest, 8, &line), POP3_LINE_WHOLE);
	assert_str(line, "NOOP");
	assert_int_equal(pop3_line_cut(&rest, 8, &line), POP3_LINE_WHOLE);
	assert_str(line, "STAT");
	assert_int_equal(pop3_line_cut(&rest, 8, &line), POP3_LINE_WHOLE);
	assert_str(line, "");
	assert_int_equal(pop3_line_cut(&rest, 8, &line), POP3_LINE_MORE);
	assert_str(rest, "QUI");
}

static void a_line_has_a_greatest_length(void **state)
{
	struct str rest = STR("123456\r\n"), line;

	(void)state;
	assert_int_equal(pop3_line_cut(&rest, 8, &line), POP3_LINE_WHOLE);
	rest = STR("1234567\r\n");
	assert_int_equal(pop3_line_cut(&rest, 8, &line), POP3_LINE_TOO_LONG);
	rest = STR("12345678");
	assert_int_equal(pop3_line_cut(&rest, 8, &line), POP3_LINE_TOO_LONG);
	rest = STR("1234567");
	assert_int_equal(pop3_line_cut(&rest, 8, &line), POP3_LINE_MORE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands_without_arguments),
	    cmocka_unit_test(message_numbers),
	    cmocka_unit_test(texts_are_taken_as_they_are),
	    cmocka_unit_test(sasl),
	    cmocka_unit_test(lines),
	    cmocka_unit_test(a_line_has_a_greatest_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
