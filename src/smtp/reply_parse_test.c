#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/reply_parse.h"

static struct smtp_answer answer;
static size_t len;

static enum smtp_answer_result parse(const char *text)
{
	return smtp_answer_parse(str_of_cstr(text), &answer, &len);
}

static void expect_text(const char *expected)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(SMTP_ANSWER_TEXT_MAX);

	smtp_answer_text(&answer, &text);
	buf_add_c(&text, '\0');
	assert_string_equal(text.p, expected);
}

static void one_line(void **state UNUSED)
{
	assert_int_equal(parse("250 2.1.5 Recipient ok\r\n354 next"), SMTP_ANSWER_COMPLETE);
	assert_int_equal(answer.code, 250);
	assert_true(answer.enhanced);
	assert_int_equal(answer.subject, 1);
	assert_int_equal(answer.detail, 5);
	assert_int_equal(len, 24);
	expect_text("Recipient ok");
	assert_string_equal(smtp_answer_status(&answer).text, "2.1.5");
	assert_int_equal(parse("354\r\n"), SMTP_ANSWER_COMPLETE);
	expect_text("");
	assert_string_equal(smtp_answer_status(&answer).text, "3.0.0");
	assert_int_equal(parse("221 bye\n"), SMTP_ANSWER_COMPLETE);
}

static void many_lines(void **state UNUSED)
{
	assert_int_equal(
	    parse("550-5.7.1 Listed at\r\n550-5.7.1 example.org;\r\n550 5.7.1 go away\r\n"),
	    SMTP_ANSWER_COMPLETE);
	assert_int_equal(answer.code, 550);
	expect_text("Listed at example.org; go away");
	assert_int_equal(parse("250-a\r\n250-b"), SMTP_ANSWER_PARTIAL);
	assert_int_equal(parse("250-a\r\n250-b\r\n"), SMTP_ANSWER_PARTIAL);
	assert_int_equal(parse("250-a\r\n251 b\r\n"), SMTP_ANSWER_GARBAGE);
}

static void status_codes_of_another_class_are_text(void **state UNUSED)
{
	static const char *const none[] = {"550 4.1.1 x\r\n", "550 5.1 x\r\n", "550 5.1.1x\r\n",
	    "550 5.1.1000 x\r\n", "550 5..1 x\r\n", "550 x\r\n"};

	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		assert_int_equal(parse(none[i]), SMTP_ANSWER_COMPLETE);
		assert_false(answer.enhanced);
		assert_string_equal(smtp_answer_status(&answer).text, "5.0.0");
	}
	assert_int_equal(parse("452 4.2.2\r\n"), SMTP_ANSWER_COMPLETE);
	assert_true(answer.enhanced);
}

static void what_has_no_code_is_garbage(void **state UNUSED)
{
	static const char *const bad[] = {"SSH-2.0-OpenSSH\r\n", "HTTP/1.1 400\r\n", "\r\n",
	    "150 x\r\n", "650 x\r\n", "25x y\r\n", "2500 y\r\n", "250+y\r\n", "x", "25x", "250+"};
	static const char *const partial[] = {
	    "", "2", "25", "250", "250 ", "250-", "250 x", "250\r"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(parse(bad[i]), SMTP_ANSWER_GARBAGE);
	for (size_t i = 0; i < ARRAY_LEN(partial); i++)
		assert_int_equal(parse(partial[i]), SMTP_ANSWER_PARTIAL);
}

static enum smtp_answer_result parse_lines(size_t n, size_t width, bool ends)
{
	static char bytes[1 << 20];
	struct buf b = {.p = bytes, .cap = sizeof(bytes), .max = sizeof(bytes)};

	for (size_t i = 0; i < n; i++) {
		buf_add(&b, ends && i + 1 == n ? STR("250 ") : STR("250-"));
		for (size_t c = 0; c < width; c++)
			buf_add_c(&b, 'x');
		buf_add(&b, STR("\r\n"));
	}
	return smtp_answer_parse(buf_str(&b), &answer, &len);
}

static void endless_replies_end_at_their_limits(void **state UNUSED)
{
	struct buf line CLEANUP(buf_done) = BUF_MAX(SMTP_ANSWER_LINE_MAX);

	assert_int_equal(parse_lines(SMTP_ANSWER_LINES_MAX, 10, true), SMTP_ANSWER_COMPLETE);
	assert_int_equal(parse_lines(SMTP_ANSWER_LINES_MAX + 1, 10, true), SMTP_ANSWER_ENDLESS);
	assert_int_equal(parse_lines(SMTP_ANSWER_LINES_MAX, 10, false), SMTP_ANSWER_ENDLESS);
	assert_int_equal(parse_lines(1, SMTP_ANSWER_LINE_MAX - 6, true), SMTP_ANSWER_COMPLETE);
	assert_int_equal(parse_lines(1, SMTP_ANSWER_LINE_MAX, true), SMTP_ANSWER_ENDLESS);
	assert_int_equal(parse_lines(100, 1000, true), SMTP_ANSWER_ENDLESS);
	buf_add(&line, STR("250 "));
	while (line.len < SMTP_ANSWER_LINE_MAX)
		buf_add_c(&line, 'x');
	assert_int_equal(smtp_answer_parse(str_first(buf_str(&line), line.len - 1), &answer, &len),
	    SMTP_ANSWER_PARTIAL);
	assert_int_equal(smtp_answer_parse(buf_str(&line), &answer, &len), SMTP_ANSWER_ENDLESS);
}

static void text_is_short_and_clean(void **state UNUSED)
{
	assert_int_equal(parse("550 5.1.1 a\033[2Jb\xff\xc3\xbc\xe2\x80\xae"
	                       "c\tz\r\n"),
	    SMTP_ANSWER_COMPLETE);
	expect_text("a?[2Jb?\xc3\xbc?c?z");
	assert_int_equal(parse_lines(SMTP_ANSWER_LINES_MAX, 100, true), SMTP_ANSWER_COMPLETE);
	struct buf text CLEANUP(buf_done) = BUF_MAX(SMTP_ANSWER_TEXT_MAX);
	smtp_answer_text(&answer, &text);
	assert_false(buf_failed(&text));
	assert_in_range(text.len, SMTP_ANSWER_TEXT_MAX - 4, SMTP_ANSWER_TEXT_MAX);
}

static void extensions_are_known_by_name(void **state UNUSED)
{
	struct smtp_extensions e;

	assert_int_equal(
	    parse("250-mx.example.net PIPELINING\r\n250-size 1000\r\n250-Auth LOGIN\r\n"
	          "250-CHUNKING\r\n250-BINARYMIME\r\n250-DELIVERBY 240,x\r\n"
	          "250-LIMITS RCPTMAX=20 MAILMAX=x OTHER=1\r\n250-X-DSN\r\n250 8BITMIME\r\n"),
	    SMTP_ANSWER_COMPLETE);
	smtp_extensions_parse(&answer, &e);
	assert_false(e.pipelining); /* a word of the greeting */
	assert_true(e.size && e.chunking && e.binarymime && e.eight_bit && e.deliverby);
	assert_int_equal(e.size_max, 1000);
	assert_int_equal(e.deliverby_min, 240);
	assert_int_equal(e.rcpt_max, 20);
	assert_int_equal(e.mail_max, 0);
	assert_true(e.auth_login && !e.auth_plain);
	assert_false(e.dsn || e.smtputf8 || e.starttls || e.requiretls);
	assert_int_equal(
	    parse("250-a\r\n250-AUTH=PLAIN\r\n250-SIZE many\r\n250-STARTTLS\r\n250-DSN\r\n"
	          "250-REQUIRETLS\r\n250-SMTPUTF8\r\n250 PIPELINING\r\n"),
	    SMTP_ANSWER_COMPLETE);
	smtp_extensions_parse(&answer, &e);
	assert_true(e.auth_plain && e.size && e.starttls && e.dsn && e.requiretls && e.smtputf8 &&
	            e.pipelining);
	assert_int_equal(e.size_max, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_line),
	    cmocka_unit_test(many_lines),
	    cmocka_unit_test(status_codes_of_another_class_are_text),
	    cmocka_unit_test(what_has_no_code_is_garbage),
	    cmocka_unit_test(endless_replies_end_at_their_limits),
	    cmocka_unit_test(text_is_short_and_clean),
	    cmocka_unit_test(extensions_are_known_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
