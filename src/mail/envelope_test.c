#include "mail/envelope.h"

#include <errno.h>

#include "mail/address.h"
#include "mail/expect.h"

static void expect_envelope(struct str header, const char *want)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 16);

	assert_int_equal(envelope_write(header, &out), 0);
	expect_buf(out, want);
}

static void envelope_has_all_fields(void **state)
{
	(void)state;
	expect_envelope(
	    STR("Message-ID: <msg@id>\r\nIn-Reply-To: <reply@to.id>\r\n"
	        "Date: Thu, 15 Feb 2007 01:02:03 +0200\r\nSubject: subject\r\n header\r\n"
	        "From: From Real <f@fd>\r\nTo: t@td, u@ud\r\nCc: Cc Real <c@cd>\r\n"
	        "Bcc: b@bd\r\nSender: s@sd\r\nReply-To: r@rd\r\n\r\n"),
	    "(\"Thu, 15 Feb 2007 01:02:03 +0200\" \"subject header\" "
	    "((\"From Real\" NIL \"f\" \"fd\")) ((NIL NIL \"s\" \"sd\")) "
	    "((NIL NIL \"r\" \"rd\")) ((NIL NIL \"t\" \"td\")(NIL NIL \"u\" \"ud\")) "
	    "((\"Cc Real\" NIL \"c\" \"cd\")) ((NIL NIL \"b\" \"bd\")) \"<reply@to.id>\" "
	    "\"<msg@id>\")");
}

static void envelope_has_nil_for_what_is_missing(void **state)
{
	(void)state;
	expect_envelope(STR(""), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
	expect_envelope(STR("Subject:\r\nFrom:\r\nTo: \r\nMessage-ID: \r\n"),
	    "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL \"\")");
}

static void envelope_fills_sender_and_reply_to(void **state)
{
	(void)state;
	expect_envelope(STR("From: a@b\r\nSender: \r\nReply-To: (none)\r\n"),
	    "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) "
	    "((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)");
}

static void envelope_writes_groups_and_routes(void **state)
{
	(void)state;
	expect_envelope(STR("To: g: a@b;, h:;\r\nCc: <@r:c@d>\r\n"),
	    "(NIL NIL NIL NIL NIL ((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)"
	    "(NIL NIL \"h\" NIL)(NIL NIL NIL NIL)) ((NIL \"@r\" \"c\" \"d\")) NIL NIL NIL)");
}

static void envelope_host_is_never_nil_for_a_mailbox(void **state)
{
	(void)state;
	expect_envelope(STR("To: nobody, <>\r\n"),
	    "(NIL NIL NIL NIL NIL ((NIL NIL \"nobody\" \"\")(NIL NIL \"\" \"\")) "
	    "NIL NIL NIL NIL)");
}

static void envelope_uses_literals_for_8_bit(void **state)
{
	(void)state;
	expect_envelope(STR("Subject: \u00fc\r\nCc: \"\\\"\u00fc\" <a@b>\r\n"),
	    "(NIL {2}\r\n\u00fc NIL NIL NIL NIL (({3}\r\n\"\u00fc NIL \"a\" \"b\")) "
	    "NIL NIL NIL)");
}

static void envelope_takes_the_first_of_repeated_fields(void **state)
{
	(void)state;
	expect_envelope(STR("Subject: one\r\nsubject: two\r\n"),
	    "(NIL \"one\" NIL NIL NIL NIL NIL NIL NIL NIL)");
}

static void envelope_tells_when_it_does_not_fit(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(20);

	assert_int_equal(envelope_write(STR("Subject: x\r\n"), &out), -E2BIG);
}

static void envelope_takes_the_longest_lists(void **state)
{
	(void)state;
	struct buf header CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf out CLEANUP(buf_done) = BUF_MAX(16 << 20);

	buf_add(&header, STR("From: "));
	repeat(&header, "\"n\" <@r:a@b>,", ADDRESS_LIST_MAX + 1);
	assert_int_equal(envelope_write(buf_str(&header), &out), 0);
	assert_true(out.len > 3 * ADDRESS_LIST_MAX * (sizeof("(\"n\" \"@r\" \"a\" \"b\")") - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(envelope_has_all_fields),
	    cmocka_unit_test(envelope_has_nil_for_what_is_missing),
	    cmocka_unit_test(envelope_fills_sender_and_reply_to),
	    cmocka_unit_test(envelope_writes_groups_and_routes),
	    cmocka_unit_test(envelope_host_is_never_nil_for_a_mailbox),
	    cmocka_unit_test(envelope_uses_literals_for_8_bit),
	    cmocka_unit_test(envelope_takes_the_first_of_repeated_fields),
	    cmocka_unit_test(envelope_tells_when_it_does_not_fit),
	    cmocka_unit_test(envelope_takes_the_longest_lists),
	};
	return cmocka_run_group_tests_name("mail/envelope", tests, NULL, NULL);
}
