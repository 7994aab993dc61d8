#include "mail/bodystructure.h"

#include <errno.h>

#include "mail/expect.h"

static void expect_form(struct str message, enum bodystructure_form form, const char *want)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct mime_part *root;

	assert_int_equal(mime_parse(message, &a, &root), 0);
	struct mail_source source = mail_source_of(message);
	assert_int_equal(bodystructure_write(&source, root, form, &out), 0);
	expect_buf(out, want);
}

static void bodystructure_of_text(void **state)
{
	(void)state;
	expect_form(STR("Subject: x\r\n\r\none\r\ntwo\r\n"), BODYSTRUCTURE_BASIC,
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 2)");
	expect_form(STR("Content-Type: TEXT/HTML; charset=utf-8\r\n"
	                "Content-Transfer-Encoding: 8bit\r\n\r\nx\r\n"),
	    BODYSTRUCTURE_EXTENDED,
	    "(\"TEXT\" \"HTML\" (\"charset\" \"utf-8\") NIL NIL \"8bit\" 3 1 NIL NIL NIL NIL)");
}

static void bodystructure_has_all_fields(void **state)
{
	(void)state;
	expect_form(STR("Content-Type: image/png; name=\"a \\\"b\"; x=\u00fc\r\n"
	                "Content-Transfer-Encoding: base64\r\nContent-ID: <i@d>\r\n"
	                "Content-Description: d\r\n e\r\nContent-Language: en, de\r\n"
	                "Content-Location: http://x/\r\nContent-MD5: m==\r\n"
	                "Content-Disposition: attachment; filename=f\r\n\r\nAAAA"),
	    BODYSTRUCTURE_EXTENDED,
	    "(\"image\" \"png\" (\"name\" \"a \\\"b\" \"x\" {2}\r\n\u00fc) \"<i@d>\" \"d e\" "
	    "\"base64\" 4 \"m==\" (\"attachment\" (\"filename\" \"f\")) (\"en\" \"de\") "
	    "\"http://x/\")");
	expect_form(STR("Content-Type: image/png\r\nContent-Language: en\r\n"
	                "Content-Disposition: inline\r\n\r\n"),
	    BODYSTRUCTURE_EXTENDED,
	    "(\"image\" \"png\" NIL NIL NIL \"7bit\" 0 NIL (\"inline\" NIL) \"en\" NIL)");
}

static void bodystructure_of_a_multipart(void **state)
{
	(void)state;
	struct str message =
	    STR("Content-Type: multipart/mixed; boundary=b\r\nContent-Language: en\r\n\r\n"
	        "--b\r\nContent-Type: text/plain\r\n\r\none\r\n"
	        "--b\r\nContent-Type: a/b\r\n\r\ntwo\r\n--b--\r\n");

	expect_form(message, BODYSTRUCTURE_BASIC,
	    "((\"text\" \"plain\" NIL NIL NIL \"7bit\" 3 1)(\"a\" \"b\" NIL NIL NIL \"7bit\" 3) "
	    "\"mixed\")");
	expect_form(message, BODYSTRUCTURE_EXTENDED,
	    "((\"text\" \"plain\" NIL NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL)"
	    "(\"a\" \"b\" NIL NIL NIL \"7bit\" 3 NIL NIL NIL NIL) \"mixed\" "
	    "(\"boundary\" \"b\") NIL \"en\" NIL)");
}

static void bodystructure_of_a_message(void **state)
{
	(void)state;
	expect_form(STR("Content-Type: message/rfc822\r\n\r\nSubject: in\r\n"
	                "Content-Type: text/plain\r\n\r\nbody\r\n"),
	    BODYSTRUCTURE_BASIC,
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 47 "
	    "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 6 1) 4)");
}

static void bodystructure_names_what_was_not_looked_into(void **state)
{
	(void)state;
	expect_form(STR("Content-Type: message/rfc822\r\n"
	                "Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"),
	    BODYSTRUCTURE_BASIC, "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 6)");
	expect_form(STR("Content-Type: multipart/mixed\r\n\r\nx\r\n"), BODYSTRUCTURE_BASIC,
	    "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 3 1)");
}

static void bodystructure_of_a_multipart_without_parts(void **state)
{
	(void)state;
	expect_form(STR("Content-Type: multipart/mixed; boundary=never\r\n\r\nx\r\n"),
	    BODYSTRUCTURE_BASIC,
	    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"mixed\")");
}

static void bodystructure_tells_when_it_does_not_fit(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf out CLEANUP(buf_done) = BUF_MAX(20);
	struct mime_part *root;

	assert_int_equal(mime_parse(STR("\r\n"), &a, &root), 0);
	struct mail_source source = mail_source_of(STR("\r\n"));
	assert_int_equal(bodystructure_write(&source, root, BODYSTRUCTURE_BASIC, &out), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bodystructure_of_text),
	    cmocka_unit_test(bodystructure_has_all_fields),
	    cmocka_unit_test(bodystructure_of_a_multipart),
	    cmocka_unit_test(bodystructure_of_a_message),
	    cmocka_unit_test(bodystructure_names_what_was_not_looked_into),
	    cmocka_unit_test(bodystructure_of_a_multipart_without_parts),
	    cmocka_unit_test(bodystructure_tells_when_it_does_not_fit),
	};
	return cmocka_run_group_tests_name("mail/bodystructure", tests, NULL, NULL);
}
