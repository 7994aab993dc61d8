#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtp/parameter.h"

static void assert_str(struct str s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	if (s.len > 0)
		assert_memory_equal(s.p, expected, s.len);
}

static void mail_all(void **state)
{
	(void)state;
	struct smtp_mail_parameters p;
	assert_int_equal(smtp_mail_parameters_parse(STR(""), &p), SMTP_PARAMETER_OK);
	assert_int_equal(p.size, 0);
	assert_int_equal(p.body, SMTP_BODY_7BIT);
	assert_false(p.smtputf8);
	struct str all = STR(" size=1000000  Body=BinaryMIME SMTPUTF8 RET=hdrs ENVID=QQ+2B314159 ");
	assert_int_equal(smtp_mail_parameters_parse(all, &p), SMTP_PARAMETER_OK);
	assert_int_equal(p.size, 1000000);
	assert_int_equal(p.body, SMTP_BODY_BINARYMIME);
	assert_true(p.smtputf8);
	assert_int_equal(p.ret, SMTP_RET_HDRS);
	assert_str(p.envid, "QQ+2B314159");
}

static void mail_results(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum smtp_parameter_result result;
	} cases[] = {
	    {" SIZE=18446744073709551615", SMTP_PARAMETER_OK},
	    {" SIZE=18446744073709551616", SMTP_PARAMETER_SYNTAX},
	    {" SIZE=000000000000000000001", SMTP_PARAMETER_SYNTAX},
	    {" SIZE=-1", SMTP_PARAMETER_SYNTAX},
	    {" SIZE=", SMTP_PARAMETER_SYNTAX},
	    {" SIZE", SMTP_PARAMETER_SYNTAX},
	    {"SIZE=1", SMTP_PARAMETER_SYNTAX},
	    {" =1", SMTP_PARAMETER_SYNTAX},
	    {" -A=1", SMTP_PARAMETER_SYNTAX},
	    {" SIZE=1 SIZE=1", SMTP_PARAMETER_TWICE},
	    {" SIZE=1=2", SMTP_PARAMETER_SYNTAX},
	    {" BODY=9BIT", SMTP_PARAMETER_SYNTAX},
	    {" BODY=8BITMIME", SMTP_PARAMETER_OK},
	    {" BODY", SMTP_PARAMETER_SYNTAX},
	    {" SMTPUTF8=YES", SMTP_PARAMETER_SYNTAX},
	    {" RET=SOME", SMTP_PARAMETER_SYNTAX},
	    {" RET=FULL", SMTP_PARAMETER_OK},
	    {" ENVID=a+0Db", SMTP_PARAMETER_SYNTAX},
	    {" ENVID=a+b", SMTP_PARAMETER_SYNTAX},
	    {" ENVID=a\tb", SMTP_PARAMETER_SYNTAX},
	    {" AUTH=<>", SMTP_PARAMETER_UNKNOWN},
	    {" NOTIFY=NEVER", SMTP_PARAMETER_UNKNOWN},
	    {" X-OTHER", SMTP_PARAMETER_UNKNOWN},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct smtp_mail_parameters p = {.size = 7};
		assert_int_equal(
		    smtp_mail_parameters_parse(str_of_cstr(cases[i].text), &p), cases[i].result);
		if (cases[i].result != SMTP_PARAMETER_OK)
			assert_int_equal(p.size, 7);
	}
}

static void rcpt_all(void **state)
{
	(void)state;
	struct smtp_rcpt_parameters p;
	assert_int_equal(
	    smtp_rcpt_parameters_parse(STR(" NOTIFY=SUCCESS,delay ORCPT=rfc822;Bob+40x@y"), &p),
	    SMTP_PARAMETER_OK);
	assert_int_equal(p.notify, SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY);
	assert_str(p.orcpt_type, "rfc822");
	assert_str(p.orcpt, "Bob+40x@y");
	assert_int_equal(
	    smtp_rcpt_parameters_parse(STR(" ORCPT=utf-8;j\xc3\xb6@y"), &p), SMTP_PARAMETER_OK);
	assert_str(p.orcpt_type, "utf-8");
	static const char *const bad[] = {" NOTIFY=", " NOTIFY", " NOTIFY=NEVER,DELAY",
	    " NOTIFY=SUCCESS,", " NOTIFY=,SUCCESS", " NOTIFY=NOW", " ORCPT=rfc822", " ORCPT=;a",
	    " ORCPT=rfc822;", " ORCPT=rfc822;j\xc3\xb6", " ORCPT=rfc822;a+4"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
		    smtp_rcpt_parameters_parse(str_of_cstr(bad[i]), &p), SMTP_PARAMETER_SYNTAX);
	assert_int_equal(smtp_rcpt_parameters_parse(STR(" SIZE=1"), &p), SMTP_PARAMETER_UNKNOWN);
}

static void length_limits(void **state)
{
	(void)state;
	char text[1024] = " ENVID=";
	memset(text + 7, 'e', SMTP_ENVID_MAX + 1);
	struct smtp_mail_parameters mail;
	assert_int_equal(
	    smtp_mail_parameters_parse(str_of(text, 7 + SMTP_ENVID_MAX), &mail), SMTP_PARAMETER_OK);
	assert_int_equal(smtp_mail_parameters_parse(str_of(text, 8 + SMTP_ENVID_MAX), &mail),
	    SMTP_PARAMETER_SYNTAX);
	memcpy(text, " ORCPT=a;", 9);
	memset(text + 9, 'o', SMTP_ORCPT_MAX);
	struct smtp_rcpt_parameters rcpt;
	assert_int_equal(
	    smtp_rcpt_parameters_parse(str_of(text, 7 + SMTP_ORCPT_MAX), &rcpt), SMTP_PARAMETER_OK);
	assert_int_equal(smtp_rcpt_parameters_parse(str_of(text, 8 + SMTP_ORCPT_MAX), &rcpt),
	    SMTP_PARAMETER_SYNTAX);
}

static void xtext(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(16);
	assert_true(smtp_xtext_decode(STR("a+2Bb+3D+20"), &out));
	assert_str(buf_str(&out), "a+b= ");
	assert_false(smtp_xtext_decode(STR("x+0A"), &out));
	assert_false(smtp_xtext_decode(STR("x=y"), &out));
	assert_str(buf_str(&out), "a+b= ");
	assert_false(smtp_xtext_decode(STR("0123456789abcdef"), &out));
	assert_int_equal(out.len, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mail_all),
	    cmocka_unit_test(mail_results),
	    cmocka_unit_test(rcpt_all),
	    cmocka_unit_test(length_limits),
	    cmocka_unit_test(xtext),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
