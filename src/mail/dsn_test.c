#include "mail/dsn.h"

#include <stdio.h>
#include <stdlib.h>

#include "mail/expect.h"
#include "mail/header.h"
#include "mail/mime.h"

static struct dsn sample(const struct dsn_recipient *recipients, size_t n)
{
	return (struct dsn){.host = STR("mail.example.test"),
	    .from = STR("postmaster@example.test"),
	    .to = STR("ada@example.test"),
	    .message_id = STR("dsn-7@mail.example.test"),
	    .boundary = STR("b-0123456789abcdef"),
	    .envelope_id = STR("QQ314159"),
	    .subject = STR("Lunch"),
	    .references = STR("<1@example.test>"),
	    .at_s = 1795439104,
	    .arrived_s = 1795439000,
	    .recipients = recipients,
	    .n_recipients = n,
	    .content = DSN_HEADER};
}

static void write_whole(const struct dsn *dsn, struct str content, struct buf *out)
{
	assert_true(dsn_write_begin(dsn, out));
	buf_add(out, content);
	assert_true(dsn_write_end(dsn, out));
}

static void expect_has(const struct buf *b, const char *text)
{
	if (str_find(buf_str(b), str_of_cstr(text)) == b->len && *text != 0)
		fail_msg("no \"%s\" in:\n%.*s", text, STR_FMT(buf_str(b)));
}

static void expect_has_not(const struct buf *b, const char *text)
{
	if (str_find(buf_str(b), str_of_cstr(text)) < b->len)
		fail_msg("\"%s\" in:\n%.*s", text, STR_FMT(buf_str(b)));
}

static void a_failure_has_three_parts(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(DSN_LEN_MAX);
	const struct dsn_recipient bob = {.recipient = STR("bob@example.net"),
	    .original_recipient = STR("rfc822;Bob@Example.NET"),
	    .action = DSN_FAILED,
	    .status = STR("5.1.1"),
	    .mta = STR("mx1.example.net [192.0.2.7]"),
	    .reply = STR("550 5.1.1 no such mailbox"),
	    .last_attempt_s = 1795439100};
	const struct dsn dsn = sample(&bob, 1);

	write_whole(&dsn, STR("Subject: Lunch\r\n"), &out);
	expect_buf(out,
	    "Date: Mon, 23 Nov 2026 13:05:04 +0000\r\n"
	    "From: Mail delivery <postmaster@example.test>\r\n"
	    "To: <ada@example.test>\r\n"
	    "Subject: Not delivered: Lunch\r\n"
	    "Message-ID: <dsn-7@mail.example.test>\r\n"
	    "In-Reply-To: <1@example.test>\r\n"
	    "References: <1@example.test>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    " boundary=\"b-0123456789abcdef\"\r\n"
	    "\r\n--b-0123456789abcdef\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
	    "This is the mail server mail.example.test.\r\n"
	    "\r\nYour message could not be delivered to:\r\n"
	    "\r\n  bob@example.net\r\n"
	    "    mx1.example.net [192.0.2.7] answered:\r\n"
	    "    550 5.1.1 no such mailbox\r\n"
	    "    This mailbox does not exist there. Check the address for a typing error.\r\n"
	    "\r\nThe parts below are for mail programs and administrators.\r\n"
	    "\r\n--b-0123456789abcdef\r\n"
	    "Content-Type: message/delivery-status\r\n\r\n"
	    "Original-Envelope-Id: QQ314159\r\n"
	    "Reporting-MTA: dns;mail.example.test\r\n"
	    "Arrival-Date: Mon, 23 Nov 2026 13:03:20 +0000\r\n"
	    "\r\nOriginal-Recipient: rfc822;Bob@Example.NET\r\n"
	    "Final-Recipient: rfc822;bob@example.net\r\n"
	    "Action: failed\r\n"
	    "Status: 5.1.1\r\n"
	    "Remote-MTA: dns;mx1.example.net ([192.0.2.7])\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 no such mailbox\r\n"
	    "Last-Attempt-Date: Mon, 23 Nov 2026 13:05:00 +0000\r\n"
	    "\r\n--b-0123456789abcdef\r\n"
	    "Content-Type: text/rfc822-headers\r\n\r\n"
	    "Subject: Lunch\r\n"
	    "\r\n--b-0123456789abcdef--\r\n");
}

static void a_delay_says_until_when(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(DSN_LEN_MAX);
	const struct dsn_recipient bob = {.recipient = STR("bob@example.net"),
	    .action = DSN_DELAYED,
	    .status = STR("4.4.1"),
	    .reason = STR("mx1.example.net does not answer."),
	    .retry_until_s = 1795871104};
	const struct dsn dsn = sample(&bob, 1);

	write_whole(&dsn, STR(""), &out);
	expect_has(&out, "Subject: Delayed: Lunch\r\n");
	expect_has(&out, "has not been delivered yet to:\r\n\r\n  bob@example.net\r\n"
	                 "    mx1.example.net does not answer.\r\n"
	                 "    You need not do anything: it will be tried again by itself.\r\n"
	                 "    It will be tried until Sat, 28 Nov 2026 13:05:04 +0000.\r\n");
	expect_has(&out, "Action: delayed\r\nStatus: 4.4.1\r\n"
	                 "Will-Retry-Until: Sat, 28 Nov 2026 13:05:04 +0000\r\n");
	expect_has_not(&out, "Remote-MTA");
	expect_has_not(&out, "Diagnostic-Code");
}

static void the_worst_gives_the_subject(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(DSN_LEN_MAX);
	const struct dsn_recipient both[] = {
	    {.recipient = STR("a@example.net"), .action = DSN_DELIVERED, .status = STR("2.0.0")},
	    {.recipient = STR("b@example.net"), .action = DSN_FAILED, .status = STR("5.7.1")},
	};
	struct dsn dsn = sample(both, 2);

	dsn.subject = STR("");
	write_whole(&dsn, STR(""), &out);
	expect_has(&out, "Subject: Not delivered\r\n");
	expect_has(&out, "Your message was delivered to:\r\n\r\n  a@example.net\r\n");
	expect_has(&out, "Your message could not be delivered to:\r\n\r\n  b@example.net\r\n");
}

/* RFC 6533: what is not ASCII changes the types of the parts, and Diagnostic-Code stays ASCII. */
static void addresses_of_all_letters_are_told(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(DSN_LEN_MAX);
	struct buf header CLEANUP(buf_done) = BUF_MAX(1000);
	const struct dsn_recipient jo = {.recipient = STR("jör@example.net"),
	    .action = DSN_FAILED,
	    .status = STR("5.6.7"),
	    .reply = STR("553 5.6.7 jör?")};
	struct dsn dsn = sample(&jo, 1);

	assert_false(dsn_needs_smtputf8(&dsn));
	assert_true(dsn_encode_header(STR("Subject: ö\r\n"), &header));
	dsn.content = DSN_HEADER_ENCODED;
	write_whole(&dsn, buf_str(&header), &out);
	expect_has(&out, "Content-Type: message/global-delivery-status\r\n"
	                 "Content-Transfer-Encoding: 8bit\r\n");
	expect_has(&out, "Final-Recipient: utf-8;jör@example.net\r\n");
	expect_has(&out, "Diagnostic-Code: smtp; 553 5.6.7 j??r?\r\n"
	                 "Localized-Diagnostic: i-default; 553 5.6.7 jör?\r\n");
	expect_has(&out, "Content-Type: message/global-headers\r\n"
	                 "Content-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogw7YNCg==\r\n");
	dsn.to = STR("ådа@example.test");
	assert_true(dsn_needs_smtputf8(&dsn));
}

/* Every value of another server or a client tries to begin a line, a field or a part of its own. */
static void nothing_breaks_out(void **state)
{
	(void)state;
	static const struct str evil =
	    STR_INIT("x\r\nBcc: eve@example.org\r\n\r\n--b-0123456789abcdef--\r\n");
	struct buf out CLEANUP(buf_done) = BUF_MAX(DSN_LEN_MAX);
	const struct dsn_recipient r = {.recipient = evil,
	    .original_recipient = evil,
	    .action = DSN_FAILED,
	    .status = evil,
	    .mta = evil,
	    .reply = evil,
	    .reason = evil};
	struct dsn dsn = sample(&r, 1);

	dsn.to = dsn.subject = dsn.references = dsn.envelope_id = evil;
	write_whole(&dsn, STR(""), &out);
	expect_has_not(&out, "\nBcc:");
	expect_has_not(&out, "\n Bcc:");
	size_t n = 0;
	for (struct str rest = buf_str(&out); rest.len > 0;)
		n += str_starts(str_cut_line(&rest), STR("--b-0123456789abcdef"));
	assert_int_equal(n, 4);
}

static size_t longest_line(struct str text)
{
	size_t longest = 0;

	while (text.len > 0) {
		struct str line = str_cut_line(&text);
		if (line.len > longest)
			longest = line.len;
	}
	return longest;
}

/* The header's promise: the longest values of the most recipients fit. */
static void the_largest_fits(void **state)
{
	(void)state;
	enum { LEN = 70000 };
	struct dsn_recipient *r = calloc(DSN_RECIPIENTS_MAX, sizeof(*r));
	char *text = malloc(LEN);
	struct buf out CLEANUP(buf_done) = BUF_MAX(DSN_LEN_MAX);

	assert_true(r != NULL && text != NULL);
	memset(text, 'x', LEN);
	text[LEN / 2] = (char)0xc3;
	for (size_t i = 0; i < DSN_RECIPIENTS_MAX; i++)
		r[i] = (struct dsn_recipient){.recipient = str_of(text, 320),
		    .original_recipient = str_of(text, 500),
		    .action = DSN_DELAYED,
		    .status = STR("4.4.1"),
		    .mta = str_of(text, 255),
		    .reply = str_of(text, LEN),
		    .reason = str_of(text, LEN),
		    .last_attempt_s = 1,
		    .retry_until_s = 2};
	const struct dsn dsn = sample(r, DSN_RECIPIENTS_MAX);
	write_whole(&dsn, STR(""), &out);
	assert_in_range(longest_line(buf_str(&out)), 320, 998);
	free(r);
	free(text);
}

static void too_small_a_buffer_is_told(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(100);
	const struct dsn_recipient bob = {.recipient = STR("b@example.net")};
	const struct dsn dsn = sample(&bob, 1);

	assert_false(dsn_write_begin(&dsn, &out));
	assert_false(dsn_write_end(&dsn, &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_failure_has_three_parts),
	    cmocka_unit_test(a_delay_says_until_when),
	    cmocka_unit_test(the_worst_gives_the_subject),
	    cmocka_unit_test(addresses_of_all_letters_are_told),
	    cmocka_unit_test(nothing_breaks_out),
	    cmocka_unit_test(the_largest_fits),
	    cmocka_unit_test(too_small_a_buffer_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
