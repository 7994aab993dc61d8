#include "mail/envelope_reader.h"

#include "mail/envelope.h"
#include "mail/expect.h"

static void read_header(
    const char *header, struct buf *text, struct arena *a, struct envelope_firsts *ret_firsts)
{
	buf_clear(text);
	assert_int_equal(envelope_write(str_of_cstr(header), text), 0);
	assert_true(envelope_read_firsts(buf_str(text), a, ret_firsts));
}

static void check_display(const struct envelope_address *address, const char *want)
{
	struct buf display CLEANUP(buf_done) = BUF_MAX(1000);

	assert_true(envelope_address_display(address, &display));
	expect_buf(display, want);
}

/* What envelope_write makes is read back. */
static void test_firsts(void **state)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(10000);
	struct buf text CLEANUP(buf_done) = BUF_MAX(10000);
	struct envelope_firsts f;

	(void)state;
	read_header(
	    "Date: x\r\nSubject: \"a \\ b\" (\r\nFrom: \"A \\\"B\\\"\" <a@x.test>, c@x.test\r\n"
	    "To: =?utf-8?q?J=C3=BCrgen?= <to@y.test>\r\nCc: \xc3\xbc <cc@z.test>, d@z.test\r\n"
	    "Bcc: x@y.test\r\nIn-Reply-To: <1@a> <2@b>\r\nMessage-ID: <3@c>\r\n\r\n",
	    &text, &a, &f);
	expect_str(f.from.name, "A \"B\"");
	expect_str(f.from.mailbox, "a");
	expect_str(f.from.host, "x.test");
	expect_str(f.to.mailbox, "to");
	expect_str(f.cc.name, "\xc3\xbc");
	expect_str(f.cc.mailbox, "cc");
	expect_str(f.in_reply_to, "<1@a> <2@b>");
	check_display(&f.from, "A \"B\"");
	check_display(&f.to, "J\xc3\xbcrgen");
}

static void test_missing(void **state)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(10000);
	struct buf text CLEANUP(buf_done) = BUF_MAX(10000);
	struct envelope_firsts f;

	(void)state;
	read_header("\r\n", &text, &a, &f);
	assert_null(f.from.name.p);
	assert_null(f.from.mailbox.p);
	assert_null(f.in_reply_to.p);
	check_display(&f.from, "");
	/* RFC 5957 §3: a name that decodes to nothing is none. */
	read_header("From: =?utf-8?q?\x3f= <a@x.test>\r\nTo: undisclosed:;\r\nCc: alone\r\n\r\n",
	    &text, &a, &f);
	check_display(&f.from, "a@x.test");
	expect_str(f.to.mailbox, "undisclosed");
	check_display(&f.to, "undisclosed");
	check_display(&f.cc, "alone");
}

static void test_malformed(void **state)
{
	static const char *const texts[] = {"", "(", "(NIL", "(NIL NIL ((\"a\" NIL", "(NIL NIL (",
	    "(\"x", "({5}\r\nab", "({x}\r\nab", "(NIL NIL ((NIL NIL \"a\" \"b\")",
	    "(NIL NIL NIL NIL NIL NIL NIL NIL"};
	struct arena a CLEANUP(arena_done) = ARENA_MAX(10000);
	struct envelope_firsts f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_false(envelope_read_firsts(str_of_cstr(texts[i]), &a, &f));
	struct arena none CLEANUP(arena_done) = ARENA_MAX(1);
	assert_false(envelope_read_firsts(
	    STR("(NIL NIL ((\"a\\\"bcdefghijklmnopqrst\" NIL NIL NIL)) "), &none, &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_firsts),
	    cmocka_unit_test(test_missing),
	    cmocka_unit_test(test_malformed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
