#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtp/command.h"
#include "smtp/hello.h"
#include "smtp/reply.h"

static void assert_str(struct str s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	if (s.len > 0)
		assert_memory_equal(s.p, expected, s.len);
}

static void lines(void **state)
{
	(void)state;
	static const struct {
		const char *line, *keyword, *argument;
		enum smtp_verb verb;
	} cases[] = {
	    {"EHLO a.example", "EHLO", "a.example", SMTP_EHLO},
	    {"mail FROM:<a@b> SIZE=1  ", "mail", "FROM:<a@b> SIZE=1", SMTP_MAIL},
	    {"QuIt", "QuIt", "", SMTP_QUIT},
	    {"NOOP  x y", "NOOP", "x y", SMTP_NOOP},
	    {"STARTTLS", "STARTTLS", "", SMTP_STARTTLS},
	    {"", "", "", SMTP_UNKNOWN},
	    {" EHLO", "", "EHLO", SMTP_UNKNOWN},
	    {"EHLO\tx", "EHLO\tx", "", SMTP_UNKNOWN},
	    {"DATAX", "DATAX", "", SMTP_UNKNOWN},
	    {"GET / HTTP/1.1", "GET", "/ HTTP/1.1", SMTP_UNKNOWN},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct smtp_command c = smtp_command_parse(str_of_cstr(cases[i].line));
		assert_int_equal(c.verb, cases[i].verb);
		assert_str(c.keyword, cases[i].keyword);
		assert_str(c.argument, cases[i].argument);
	}
	for (size_t v = 0; v < N_SMTP_VERBS; v++) {
		assert_true(smtp_command_line_max(v) >= SMTP_COMMAND_LINE_MAX);
		assert_true(smtp_command_line_max(v) <= SMTP_LINE_MAX);
	}
	assert_int_equal(smtp_command_line_max(SMTP_RCPT), SMTP_RCPT_LINE_MAX);
}

static void clean_lines(void **state)
{
	(void)state;
	assert_true(smtp_line_is_clean(STR("NOOP \tx")));
	assert_true(smtp_line_is_clean(STR("NOOP j\xc3\xb6")));
	assert_false(smtp_line_is_clean(STR("NOOP \0")));
	assert_false(smtp_line_is_clean(STR("NOOP \r")));
	assert_false(smtp_line_is_clean(STR("NOOP \x7f")));
	assert_false(smtp_line_is_clean(STR("NOOP \xc3")));
}

static void words(void **state)
{
	(void)state;
	struct str s = STR("From:<a@b>");
	assert_true(smtp_skip_from(&s));
	assert_str(s, "<a@b>");
	s = STR("TO:  <a@b>");
	assert_true(smtp_skip_to(&s));
	assert_str(s, "<a@b>");
	s = STR("TO <a@b>");
	assert_false(smtp_skip_to(&s));
	assert_false(smtp_skip_from(&s));
	assert_str(s, "TO <a@b>");
}

static void bdat(void **state)
{
	(void)state;
	uint64_t size = 99;
	bool last = true;
	assert_true(smtp_bdat_parse(STR("0"), &size, &last));
	assert_int_equal(size, 0);
	assert_false(last);
	assert_true(smtp_bdat_parse(STR("86 last"), &size, &last));
	assert_int_equal(size, 86);
	assert_true(last);
	static const char *const bad[] = {"", "LAST", "x", "-1", "1 ", "1 LAST x", "1 FIRST",
	    "18446744073709551616", "0x10", "1LAST"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(smtp_bdat_parse(str_of_cstr(bad[i]), &size, &last));
	assert_int_equal(size, 86);
}

static void replies(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(4096);
	assert_true(smtp_reply_format(SMTP_REPLY(550, 1, 1, "No such mailbox"), &out));
	assert_str(buf_str(&out), "550 5.1.1 No such mailbox\r\n");
	buf_clear(&out);
	assert_true(smtp_reply_format(SMTP_REPLY_PLAIN(220, "x ESMTP"), &out));
	assert_str(buf_str(&out), "220 x ESMTP\r\n");
	buf_clear(&out);
	assert_true(smtp_reply_format(SMTP_REPLY(214, 0, 0, "a\nb"), &out));
	assert_str(buf_str(&out), "214-2.0.0 a\r\n214 2.0.0 b\r\n");
	assert_true(smtp_reply_is_positive(SMTP_REPLY(354, 0, 0, "")));
	assert_false(smtp_reply_is_positive(SMTP_REPLY(421, 0, 0, "")));
	char lengthy[2000];
	memset(lengthy, 'x', sizeof lengthy);
	buf_clear(&out);
	struct smtp_reply reply = {.code = 250, .text = {lengthy, sizeof lengthy}};
	assert_true(smtp_reply_format(reply, &out));
	assert_true(out.len <= SMTP_REPLY_LINE_MAX);
	struct buf small CLEANUP(buf_done) = BUF_MAX(8);
	assert_false(smtp_reply_format(reply, &small));
}

static void hello(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(4096);
	struct smtp_offer offer = {.hostname = STR("mx.example"),
	    .size_max = 1000,
	    .rcpt_max = 100,
	    .mail_max = 5,
	    .starttls = true};
	assert_true(smtp_hello_format(&offer, &out));
	assert_str(buf_str(&out),
	    "250-mx.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
	    "250-BINARYMIME\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n"
	    "250-SIZE 1000\r\n250-LIMITS RCPTMAX=100 MAILMAX=5\r\n250 HELP\r\n");
	buf_clear(&out);
	offer.starttls = false;
	assert_true(smtp_hello_format(&offer, &out));
	assert_int_equal(str_find(buf_str(&out), STR("STARTTLS")), out.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines),
	    cmocka_unit_test(clean_lines),
	    cmocka_unit_test(words),
	    cmocka_unit_test(bdat),
	    cmocka_unit_test(replies),
	    cmocka_unit_test(hello),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
