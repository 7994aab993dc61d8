#include "mail/imap_string.h"

#include "mail/expect.h"

static void expect_written(struct str s, const char *want)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(10000);

	imap_string_write(s, &out);
	assert_false(buf_failed(&out));
	expect_buf(out, want);
}

static void imap_string_quotes(void **state)
{
	(void)state;
	expect_written(STR(""), "\"\"");
	expect_written(STR("a b"), "\"a b\"");
	expect_written(STR("a\"b\\"), "\"a\\\"b\\\\\"");
	expect_written(STR("tab\t"), "\"tab\t\"");
}

static void imap_string_writes_literals(void **state)
{
	(void)state;
	expect_written(STR("\u00fc"), "{2}\r\n\u00fc");
	expect_written(STR("a\r\nb"), "{4}\r\na\r\nb");
	expect_written(STR("a\nb\""), "{4}\r\na\nb\"");
}

static void imap_string_leaves_nul_out(void **state)
{
	(void)state;
	expect_written(STR("a\0b"), "\"ab\"");
	expect_written(STR("\0\n\0x\0"), "{2}\r\n\nx");
}

static void imap_string_quotes_only_short_ones(void **state)
{
	(void)state;
	struct buf text CLEANUP(buf_done) = BUF_MAX(5000);
	struct buf out CLEANUP(buf_done) = BUF_MAX(5000);

	repeat(&text, "x", IMAP_QUOTED_LEN_MAX);
	imap_string_write(buf_str(&text), &out);
	assert_int_equal(out.len, IMAP_QUOTED_LEN_MAX + 2);
	repeat(&text, "x", 1);
	buf_clear(&out);
	imap_string_write(buf_str(&text), &out);
	assert_true(str_starts(buf_str(&out), STR("{1001}\r\nx")));
}

static void imap_nstring_has_nil(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(100);

	imap_nstring_write(NULL, &out);
	imap_nstring_write(&STR(""), &out);
	imap_nstring_write_nonempty(STR(""), &out);
	imap_nstring_write_nonempty(STR("x"), &out);
	expect_buf(out, "NIL\"\"NIL\"x\"");
	struct buf small CLEANUP(buf_done) = BUF_MAX(2);
	imap_string_write(STR("abc"), &small);
	assert_true(buf_failed(&small));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(imap_string_quotes),
	    cmocka_unit_test(imap_string_writes_literals),
	    cmocka_unit_test(imap_string_leaves_nul_out),
	    cmocka_unit_test(imap_string_quotes_only_short_ones),
	    cmocka_unit_test(imap_nstring_has_nil),
	};
	return cmocka_run_group_tests_name("mail/imap_string", tests, NULL, NULL);
}
