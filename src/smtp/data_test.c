#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "smtp/data.h"

static void assert_str(struct str s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	if (s.len > 0)
		assert_memory_equal(s.p, expected, s.len);
}

/* What the scanner makes of `text` received at once: the runs in `out`, the first other result. */
static enum smtp_data scan(struct str *rest, struct buf *out)
{
	struct str run;
	enum smtp_data result;
	while ((result = smtp_data_next(rest, &run)) == SMTP_DATA_RUN) {
		assert_true(run.len > 0);
		buf_add(out, run);
	}
	assert_int_equal(run.len, 0);
	return result;
}

static void whole_messages(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message, *rest;
		enum smtp_data result;
	} cases[] = {
	    {".\r\nQUIT\r\n", "", "QUIT\r\n", SMTP_DATA_END},
	    {"a\r\n\r\nb\r\n.\r\n", "a\r\n\r\nb\r\n", "", SMTP_DATA_END},
	    {"..\r\n...x\r\n.y\r\nz.\r\n.\r\n", ".\r\n..x\r\ny\r\nz.\r\n", "", SMTP_DATA_END},
	    {"a\r\n..\r\n", "a\r\n.\r\n", "", SMTP_DATA_MORE},
	    {"a\r\nb", "a\r\n", "b", SMTP_DATA_MORE},
	    {"a\r\nb\r", "a\r\n", "b\r", SMTP_DATA_MORE},
	    {"a\r\n.", "a\r\n", ".", SMTP_DATA_MORE},
	    {"a\r\n.\r", "a\r\n", ".\r", SMTP_DATA_MORE},
	    {"", "", "", SMTP_DATA_MORE},
	    /* each of the ways to smuggle an end past a second reader */
	    {"a\n.\r\nb\r\n", "", "a\n.\r\nb\r\n", SMTP_DATA_BARE},
	    {"a\r\n.\nb\r\n", "a\r\n", ".\nb\r\n", SMTP_DATA_BARE},
	    {"a\r\n.\rb\r\n", "a\r\n", ".\rb\r\n", SMTP_DATA_BARE},
	    {"a\r.\r\nb\r\n", "", "a\r.\r\nb\r\n", SMTP_DATA_BARE},
	    {"a\r\r\n.\r\n", "", "a\r\r\n.\r\n", SMTP_DATA_BARE},
	    {"\n", "", "\n", SMTP_DATA_BARE},
	    {"ok\r\nx\n", "ok\r\n", "x\n", SMTP_DATA_BARE},
	    {"..\n", "", "..\n", SMTP_DATA_BARE},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out CLEANUP(buf_done) = BUF_MAX(4096);
		struct str rest = str_of_cstr(cases[i].text);
		assert_int_equal(scan(&rest, &out), cases[i].result);
		assert_str(buf_str(&out), cases[i].message);
		assert_str(rest, cases[i].rest);
	}
}

/* The same message cut at every place gives the same content and end. */
static void cut_anywhere(void **state)
{
	(void)state;
	static const char text[] = "Subject: x\r\n\r\n..dot\r\n.\x80\r\n\r\n.\r\nNEXT";
	for (size_t cut = 0; cut < sizeof text; cut++) {
		struct buf out CLEANUP(buf_done) = BUF_MAX(4096);
		struct buf in CLEANUP(buf_done) = BUF_MAX(4096);
		buf_add(&in, str_of(text, cut));
		struct str rest = buf_str(&in);
		enum smtp_data result = scan(&rest, &out);
		if (result == SMTP_DATA_MORE) {
			buf_consume(&in, in.len - rest.len);
			buf_add(&in, str_of(text + cut, sizeof text - 1 - cut));
			rest = buf_str(&in);
			result = scan(&rest, &out);
		}
		assert_int_equal(result, SMTP_DATA_END);
		assert_str(buf_str(&out), "Subject: x\r\n\r\n.dot\r\n\x80\r\n\r\n");
	}
}

static enum smtp_data line_of_length(size_t dots, size_t len)
{
	char text[SMTP_TEXT_LINE_MAX * 2];
	memset(text, 'x', sizeof text);
	memset(text, '.', dots);
	memcpy(text + dots + len - 2, "\r\n", 2);
	struct str rest = str_of(text, dots + len);
	struct str run;
	return smtp_data_next(&rest, &run);
}

static void line_lengths(void **state)
{
	(void)state;
	assert_int_equal(line_of_length(0, SMTP_TEXT_LINE_MAX), SMTP_DATA_RUN);
	assert_int_equal(line_of_length(0, SMTP_TEXT_LINE_MAX + 1), SMTP_DATA_LONG_LINE);
	assert_int_equal(line_of_length(1, SMTP_TEXT_LINE_MAX), SMTP_DATA_RUN);
	assert_int_equal(line_of_length(1, SMTP_TEXT_LINE_MAX + 1), SMTP_DATA_LONG_LINE);
}

static void skips_a_long_line(void **state)
{
	(void)state;
	struct str rest = STR("xxxx.\r\nnext\r\n");
	assert_int_equal(smtp_data_skip(&rest), SMTP_DATA_RUN);
	assert_str(rest, "next\r\n");
	rest = STR("xxxx");
	assert_int_equal(smtp_data_skip(&rest), SMTP_DATA_MORE);
	assert_int_equal(rest.len, 0);
	rest = STR("xxxx\r");
	assert_int_equal(smtp_data_skip(&rest), SMTP_DATA_MORE);
	assert_str(rest, "\r");
	rest = STR("xx\nxx\r\n");
	assert_int_equal(smtp_data_skip(&rest), SMTP_DATA_BARE);
	rest = STR("xx\rxx\r\n");
	assert_int_equal(smtp_data_skip(&rest), SMTP_DATA_BARE);
	rest = STR("xx\nxx");
	assert_int_equal(smtp_data_skip(&rest), SMTP_DATA_BARE);
}

static enum smtp_data check(struct str text, size_t rest_len)
{
	enum smtp_data result = smtp_text_check(&text);
	assert_int_equal(text.len, rest_len);
	return result;
}

static void checks_chunked_text(void **state)
{
	(void)state;
	assert_int_equal(check(STR(""), 0), SMTP_DATA_MORE);
	assert_int_equal(check(STR("a\r\n.\r\nb"), 1), SMTP_DATA_MORE);
	assert_int_equal(check(STR("a\r\nb\r\n"), 0), SMTP_DATA_MORE);
	assert_int_equal(check(STR("a\r\nb\r"), 2), SMTP_DATA_MORE);
	assert_int_equal(check(STR("a\r\nb\nc"), 3), SMTP_DATA_BARE);
	assert_int_equal(check(STR("a\rb"), 3), SMTP_DATA_BARE);
	char text[SMTP_TEXT_LINE_MAX + 1];
	memset(text, 'x', sizeof text);
	assert_int_equal(
	    check(str_of(text, SMTP_TEXT_LINE_MAX - 1), SMTP_TEXT_LINE_MAX - 1), SMTP_DATA_MORE);
	assert_int_equal(check(str_of(text, sizeof text), sizeof text), SMTP_DATA_LONG_LINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_messages),
	    cmocka_unit_test(cut_anywhere),
	    cmocka_unit_test(line_lengths),
	    cmocka_unit_test(skips_a_long_line),
	    cmocka_unit_test(checks_chunked_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
