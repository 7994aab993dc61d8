#include "mail/summary.h"

#include <errno.h>

#include "mail/expect.h"
#include "mail/message_id.h"

static void summary_has_everything(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(SUMMARY_ARENA_MAX);
	struct summary summary;
	struct str message = STR("Subject: =?utf-8?Q?=C3=BC?=\r\nFrom: a@b\r\n"
	                         "Date: Thu, 1 Jan 1970 01:00 +0100\r\nMessage-ID: <1@x>\r\n"
	                         "References: <a@x> <b@x>\r\nIn-Reply-To: <b@x> <c@x>\r\n\r\nhi");

	struct mail_source source = mail_source_of(message);
	assert_int_equal(summary_make(&source, &a, &summary), 0);
	assert_int_equal(summary.root->body_len, 2);
	assert_int_equal(summary.header.len + 2, message.len);
	assert_true(str_starts(summary.envelope, STR("(\"Thu, 1 Jan 1970 01:00 +0100\" ")));
	expect_str(
	    summary.body, "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 2 1)");
	assert_true(str_ends(summary.bodystructure, STR(" 2 1 NIL NIL NIL NIL)")));
	expect_str(summary.subject, "\u00fc");
	assert_true(summary.has_date);
	assert_int_equal(summary.date.epoch_s, 0);
	assert_int_equal(summary.date.zone_minutes, 60);
	expect_str(summary.message_id, "1@x");
	assert_int_equal(summary.n_references, 3);
	assert_int_equal(summary.n_in_references, 2);
	expect_str(summary.references[0], "a@x");
	expect_str(summary.references[1], "b@x");
	expect_str(summary.references[2], "c@x");
}

static void summary_of_nothing(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(SUMMARY_ARENA_MAX);
	struct summary summary;

	struct mail_source source = mail_source_of(STR(""));
	assert_int_equal(summary_make(&source, &a, &summary), 0);
	expect_str(summary.envelope, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
	assert_int_equal(summary.subject.len + summary.message_id.len, 0);
	assert_false(summary.has_date);
	assert_int_equal(summary.n_references, 0);
}

static void summary_replaces_texts_that_are_too_long(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(SUMMARY_ARENA_MAX);
	struct buf message CLEANUP(buf_done) = BUF_MAX(32 << 20);
	struct summary summary;

	/* Three times the From list, which is allowed to be almost as long as the header. */
	buf_add(&message, STR("From: "));
	repeat(&message, "someone.with.a.long.name@a.long.domain.example.test,\r\n ", 30000);
	buf_add(&message, STR("\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"));
	for (int i = 0; i < 500; i++) {
		buf_add(&message, STR("--b\r\nContent-Type: a/b; x="));
		repeat(&message, "0123456789abcdef", 600);
		buf_add(&message, STR("\r\n\r\n"));
	}
	struct mail_source source = mail_source_of(buf_str(&message));
	assert_int_equal(summary_make(&source, &a, &summary), 0);
	assert_true(summary.envelope.len < SUMMARY_TEXT_MAX);
	expect_str(summary.body, "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0)");
	expect_str(
	    summary.bodystructure, "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)");
	assert_int_equal(summary.root->n_children, 500);
}

static void summary_references_are_bounded(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(SUMMARY_ARENA_MAX);
	struct buf message CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct summary summary;

	buf_add(&message, STR("References:"));
	for (int i = 0; i < MESSAGE_ID_REFERENCES_MAX + 100; i++)
		buf_printf(&message, " <%d@x>", i);
	struct mail_source source = mail_source_of(buf_str(&message));
	assert_int_equal(summary_make(&source, &a, &summary), 0);
	assert_int_equal(summary.n_references, MESSAGE_ID_REFERENCES_MAX);
}

static void summary_subject_is_bounded(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(SUMMARY_ARENA_MAX);
	struct buf message CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct summary summary;

	buf_add(&message, STR("Subject: "));
	repeat(&message, "x", 2 * SUMMARY_SUBJECT_MAX);
	struct mail_source source = mail_source_of(buf_str(&message));
	assert_int_equal(summary_make(&source, &a, &summary), 0);
	assert_int_equal(summary.subject.len, SUMMARY_SUBJECT_MAX);
}

static void summary_tells_a_full_arena(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(sizeof(struct mime_part) + 64);
	struct summary summary = {.n_references = 7};

	struct mail_source source = mail_source_of(STR("Subject: x\r\n\r\n"));
	assert_int_equal(summary_make(&source, &a, &summary), -E2BIG);
	assert_int_equal(summary.n_references, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(summary_has_everything),
	    cmocka_unit_test(summary_of_nothing),
	    cmocka_unit_test(summary_replaces_texts_that_are_too_long),
	    cmocka_unit_test(summary_references_are_bounded),
	    cmocka_unit_test(summary_subject_is_bounded),
	    cmocka_unit_test(summary_tells_a_full_arena),
	};
	return cmocka_run_group_tests_name("mail/summary", tests, NULL, NULL);
}
