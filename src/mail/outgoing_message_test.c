#include "mail/expect.h"

#include "mail/outgoing_message.h"

enum { ARENA_LEN = 1 << 20 };

struct looked {
	struct arena arena;
	struct outgoing_found found;
};

static struct looked look(struct str message, bool complete, enum outgoing_body declared)
{
	struct looked l = {.arena = ARENA_MAX(ARENA_LEN)};

	outgoing_examine(message, complete, declared, &l.arena, &l.found);
	return l;
}

static void expect_refused(struct str message, const char *why)
{
	struct looked l = look(message, true, OUTGOING_8BIT);

	assert_int_equal(l.found.verdict, OUTGOING_MALFORMED);
	assert_string_equal(l.found.detail, why);
	arena_done(&l.arena);
}

static void expect_completed(struct str message, struct str sender, const char *as)
{
	struct looked l = look(message, true, OUTGOING_8BIT);
	struct outgoing_completion with = {
	    .date = {.epoch_s = 1795345504}, .message_id = STR("<id@here>"), .sender = sender};
	struct buf out CLEANUP(buf_done) = BUF_MAX(10000);

	assert_int_equal(l.found.verdict, OUTGOING_OK);
	assert_true(outgoing_complete(&l.found, &with, &out));
	expect_buf(out, as);
	arena_done(&l.arena);
}

static void a_plain_message(void **state UNUSED)
{
	struct looked l = look(STR("From: Alice <alice@example.org>, \"b c\"@example.net\r\n"
	                           "Sender: carol@example.org (Carol)\r\nTLS-Required: no\r\n"
	                           "Subject: x\r\n\r\nbody\r\n"),
	    true, OUTGOING_7BIT);

	assert_int_equal(l.found.verdict, OUTGOING_OK);
	assert_int_equal(l.found.n_authors, 2);
	expect_str(l.found.authors[0], "alice@example.org");
	expect_str(l.found.authors[1], "\"b c\"@example.net");
	expect_str(l.found.sender, "carol@example.org");
	expect_str(l.found.text, "body\r\n");
	assert_true(l.found.tls_optional && l.found.lacks_date && l.found.lacks_message_id);
	assert_false(l.found.needs_smtputf8);
	assert_int_equal(l.found.body, OUTGOING_7BIT);
	arena_done(&l.arena);
}

/* Who sends it again is asked for its rights as its author is; the last time stands on top. */
static void a_message_sent_again(void **state UNUSED)
{
	struct str message =
	    STR("Resent-From: Dora <dora@example.org>\r\nResent-Sender: eve@example.org\r\n"
	        "Resent-Date: x\r\nResent-From: earlier@example.com\r\n"
	        "From: alice@example.org\r\n\r\nbody\r\n");
	struct looked l = look(message, true, OUTGOING_7BIT);

	assert_int_equal(l.found.verdict, OUTGOING_OK);
	assert_int_equal(l.found.n_authors, 3);
	expect_str(l.found.authors[0], "alice@example.org");
	expect_str(l.found.authors[1], "dora@example.org");
	expect_str(l.found.authors[2], "eve@example.org");
	expect_str(l.found.sender, "");
	arena_done(&l.arena);
	/* What an alias sends on says nothing of rights here. */
	l = look(message, false, OUTGOING_7BIT);
	assert_int_equal(l.found.n_authors, 1);
	arena_done(&l.arena);
	expect_refused(STR("From: a@b\r\nResent-From: nobody\r\n\r\n"),
	    "its Resent-From field does not name addresses like name@example.org, at most 16 "
	    "together "
	    "with From");
	expect_refused(STR("From: a@b\r\nResent-Sender: a@b, c@d\r\n\r\n"),
	    "its Resent-Sender field does not name addresses like name@example.org, at most 16 "
	    "together "
	    "with From");
	expect_refused(STR("From: "
	                   "a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@"
	                   "b\r\nResent-From: c@d\r\n\r\n"),
	    "its Resent-From field does not name addresses like name@example.org, at most 16 "
	    "together "
	    "with From");
}

static void what_the_content_needs(void **state UNUSED)
{
	static const struct {
		struct str message;
		enum outgoing_body declared, needs;
		bool smtputf8;
	} cases[] = {
	    {STR_INIT("From: a@b\r\n\r\nx\r\n"), OUTGOING_BINARY, OUTGOING_7BIT, false},
	    {STR_INIT("From: a@b\r\n\r\n\xc3\xa4\r\n"), OUTGOING_7BIT, OUTGOING_8BIT, false},
	    {STR_INIT("From: a@b\r\n\r\n\xff\r\n"), OUTGOING_8BIT, OUTGOING_8BIT, false},
	    {STR_INIT("From: a@b\r\nSubject: \xc3\xa4\r\n\r\nx"), OUTGOING_8BIT, OUTGOING_8BIT,
	        true},
	    {STR_INIT("From: a@b\r\n\r\nx\ny\r\n"), OUTGOING_BINARY, OUTGOING_BINARY, false},
	    {STR_INIT("From: a@b\r\ncontent-transfer-encoding:  Binary \r\n\r\nx\r\n"),
	        OUTGOING_BINARY, OUTGOING_BINARY, false},
	    {STR_INIT("From: a@b\r\n\r\n--x\r\nContent-Transfer-Encoding: binary\r\n\r\nx\r\n"),
	        OUTGOING_BINARY, OUTGOING_BINARY, false},
	    {STR_INIT("From: a@b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n"), OUTGOING_BINARY,
	        OUTGOING_7BIT, false},
	    {STR_INIT("From: a@b\r\n\r\nx\ry\r\n"), OUTGOING_BINARY, OUTGOING_BINARY, false},
	    {STR_INIT("From: a@b\r\n\r\n\0\r\n"), OUTGOING_BINARY, OUTGOING_BINARY, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct looked l = look(cases[i].message, true, cases[i].declared);
		assert_int_equal(l.found.verdict, OUTGOING_OK);
		assert_int_equal(l.found.body, cases[i].needs);
		assert_int_equal(l.found.needs_smtputf8, cases[i].smtputf8);
		arena_done(&l.arena);
	}
}

/* Nobody hides an author behind more entries than are read. */
static void a_very_long_list(void **state UNUSED)
{
	enum { GROUPS = 5001 };
	struct buf text CLEANUP(buf_done) = BUF_MAX(100000);
	buf_add(&text, STR("From: a@b"));
	for (size_t i = 0; i < GROUPS; i++)
		buf_add(&text, i % 100 == 0 ? STR(",\r\n x:;") : STR(",x:;"));
	buf_add(&text, STR(",\r\n c@d\r\n\r\n"));
	assert_false(buf_failed(&text));
	expect_refused(
	    buf_str(&text), "its From field does not name 1 to 16 addresses like name@example.org");
}

static void what_is_refused(void **state UNUSED)
{
	expect_refused(STR(""), "it has no From field");
	expect_refused(STR("\r\nbody\r\n"), "it has no From field");
	expect_refused(STR("From: a@b\nTo: c@d\r\n\r\n"),
	    "line 1 of the header has a CR or LF that is no line end");
	expect_refused(STR("From: a@b\rTo: c@d\r\n\r\n"),
	    "line 1 of the header has a CR or LF that is no line end");
	expect_refused(STR("From: a@b\r\nX: \0\r\n\r\n"), "line 2 of the header has a NUL byte");
	expect_refused(STR(" From: a@b\r\n\r\n"), "line 1 of the header is no header field");
	expect_refused(
	    STR("From: a@b\r\nhello\r\n\r\n"), "line 2 of the header is no header field");
	expect_refused(STR("From: a@b\r\n: x\r\n\r\n"), "line 2 of the header is no header field");
	expect_refused(
	    STR("From a Mon\r\nFrom: a@b\r\n\r\n"), "line 1 of the header is no header field");
	expect_refused(
	    STR("From: a@b\r\nSubject: \xff\r\n\r\n"), "the header has bytes that are not UTF-8");
	expect_refused(STR("From: a@b\r\nfrom: c@d\r\n\r\n"),
	    "its header has 2 From fields, and may have one");
	expect_refused(STR("From: a@b\r\nDate: x\r\nDate: x\r\n\r\n"),
	    "its header has 2 Date fields, and may have one");
	/* what one program reads as a@b and another as c@d */
	expect_refused(STR("From: <a@b> <c@d>\r\n\r\n"),
	    "its From field does not name 1 to 16 addresses like name@example.org");
	expect_refused(STR("From: c@d <a@b>\r\n\r\n"),
	    "its From field does not name 1 to 16 addresses like name@example.org");
	expect_refused(STR("From: a@b\r\nSender: <a@b> c@d\r\n\r\n"),
	    "its Sender field does not name one address like name@example.org");
	expect_refused(STR("From: nobody\r\n\r\n"),
	    "its From field does not name 1 to 16 addresses like name@example.org");
	expect_refused(STR("From: them:;\r\n\r\n"),
	    "its From field does not name 1 to 16 addresses like name@example.org");
	expect_refused(STR("From: a@b\r\nSender: c@d, e@f\r\n\r\n"),
	    "its Sender field does not name one address like name@example.org");
	expect_refused(STR("From: a@b\r\n\r\nx\r\ny\nz\r\n"),
	    "line 2 of the body has a CR or LF that is no line end");
	expect_refused(STR("From: a@b\r\n\r\n.\r.\r\n"),
	    "line 1 of the body has a CR or LF that is no line end");
	expect_refused(STR("From: a@b\r\n\r\n\0\r\n"), "line 1 of the body has a NUL byte");
}

static void expect_long(const char *before, const char *what, size_t n, const char *why)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(8 << 20);

	buf_add(&text, str_of_cstr(before));
	repeat(&text, what, n);
	buf_add(&text, STR("\r\n\r\n"));
	if (why != NULL) {
		expect_refused(buf_str(&text), why);
		return;
	}
	struct looked l = look(buf_str(&text), true, OUTGOING_7BIT);
	assert_int_equal(l.found.verdict, OUTGOING_OK);
	arena_done(&l.arena);
}

static void limits(void **state UNUSED)
{
	expect_long("From: a@b\r\n\r\n", "x", OUTGOING_LINE_MAX, NULL);
	expect_long("From: a@b\r\n\r\n", "x", OUTGOING_LINE_MAX + 1,
	    "line 1 of the body is longer than 998 octets");
	expect_long("From: a@b\r\nX:", "x", OUTGOING_LINE_MAX - 2, NULL);
	expect_long("From: a@b\r\nX:", "x", OUTGOING_LINE_MAX - 1,
	    "line 2 of the header is longer than 998 octets");
	expect_long("From: a@b\r\n", "X: y\r\n", 9998, NULL);
	expect_long("From: a@b\r\n", "X: y\r\n", 9999, "its header has more than 9999 fields");
	expect_long("From: a@b\r\n", "X: yyyyyyyyyyyyyyyyyyyyyyyyy\r\n", OUTGOING_HEADER_MAX / 28,
	    "its header is larger than 1048576 bytes");
	expect_long("From: a@b", ",\r\n a@b", OUTGOING_AUTHORS - 1, NULL);
	expect_long("From: a@b", ",\r\n a@b", OUTGOING_AUTHORS,
	    "its From field does not name 1 to 16 addresses like name@example.org");
	expect_long("From: a@b\r\n", "Received: x\r\n", OUTGOING_HOPS_MAX, NULL);
	struct buf text CLEANUP(buf_done) = BUF_MAX(10000);
	repeat(&text, "Received: x\r\n", OUTGOING_HOPS_MAX + 1);
	struct looked l = look(buf_str(&text), false, OUTGOING_7BIT);
	assert_int_equal(l.found.verdict, OUTGOING_LOOP);
	arena_done(&l.arena);
}

/* What an alias sends on was not written here. */
static void others_messages_are_left_alone(void **state UNUSED)
{
	static const struct str fine[] = {
	    STR_INIT(""),
	    STR_INIT("From: a@b\r\nFrom: a@b\r\nrubbish\r\n\r\nx\r\n"),
	    STR_INIT("Subject: \xff\r\n\r\n\0\xff\r\n"),
	};
	static const struct str dangerous[] = {
	    STR_INIT("From: a@b\n\r\n"),
	    STR_INIT("From: a@b\r\n\r\n.\n.\r\n"),
	    STR_INIT("From: a@b\r\n\r\nx\r.\r\n"),
	};
	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		struct looked l = look(fine[i], false, OUTGOING_7BIT);
		assert_int_equal(l.found.verdict, OUTGOING_OK);
		arena_done(&l.arena);
	}
	for (size_t i = 0; i < ARRAY_LEN(dangerous); i++) {
		struct looked l = look(dangerous[i], false, OUTGOING_7BIT);
		assert_int_equal(l.found.verdict, OUTGOING_MALFORMED);
		arena_done(&l.arena);
	}
}

static void headers_are_completed(void **state UNUSED)
{
	expect_completed(STR("From: a@b\r\n\r\nx\r\n"), STR(""),
	    "Date: Sun, 22 Nov 2026 11:05:04 +0000\r\nMessage-ID: <id@here>\r\nFrom: a@b\r\n");
	expect_completed(STR("From: a@b\r\nDate: never\r\nMessage-Id: x\r\n\r\n"), STR(""),
	    "From: a@b\r\nDate: never\r\nMessage-Id: x\r\n");
	/* Bcc and its folds, wherever; not what only looks like it, and not in the body */
	expect_completed(STR("bcc: x@y,\r\n z@y\r\nFrom: a@b\r\nBCC : q\r\nResent-Bcc:\r\n\tr\r\n"
	                     "Return-Path: <s>\r\nX-Bcc: kept\r\nDate: d\r\nMessage-ID: m\r\n"
	                     "Subject: Bcc: kept\r\n Bcc: kept too\r\n\r\nBcc: body\r\n"),
	    STR(""),
	    "From: a@b\r\nX-Bcc: kept\r\nDate: d\r\nMessage-ID: m\r\n"
	    "Subject: Bcc: kept\r\n Bcc: kept too\r\n");
	expect_completed(STR("From: a@b\r\nSender: c@d\r\nDate: d\r\nMessage-ID: m\r\n\r\n"),
	    STR("e@f"), "Sender: e@f\r\nFrom: a@b\r\nDate: d\r\nMessage-ID: m\r\n");
	/* a header alone, with and without its last line end */
	expect_completed(STR("Date: d\r\nMessage-ID: m\r\nFrom: a@b"), STR(""),
	    "Date: d\r\nMessage-ID: m\r\nFrom: a@b\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_plain_message),
	    cmocka_unit_test(a_message_sent_again),
	    cmocka_unit_test(what_the_content_needs),
	    cmocka_unit_test(what_is_refused),
	    cmocka_unit_test(a_very_long_list),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(others_messages_are_left_alone),
	    cmocka_unit_test(headers_are_completed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
