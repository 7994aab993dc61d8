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

static void mail_of_submission(void **state)
{
	(void)state;
	struct smtp_mail_parameters p;
	assert_int_equal(smtp_mail_parameters_parse(STR(" SIZE=1"), &p), SMTP_PARAMETER_OK);
	assert_int_equal(p.extensions, 0);
	assert_int_equal(p.by_mode, SMTP_BY_NONE);
	struct str all = STR(" BY=-120;nT HOLDFOR=90 RequireTLS AUTH=<>");
	assert_int_equal(smtp_mail_parameters_parse(all, &p), SMTP_PARAMETER_OK);
	assert_int_equal(p.extensions, SMTP_EXTENSION_DELIVERBY | SMTP_EXTENSION_FUTURERELEASE |
	                                   SMTP_EXTENSION_REQUIRETLS | SMTP_EXTENSION_AUTH);
	assert_int_equal(p.by_mode, SMTP_BY_NOTIFY);
	assert_true(p.by_trace);
	assert_int_equal(p.by_seconds, -120);
	assert_int_equal(p.hold_seconds, 90);
	assert_int_equal(p.hold_until, 0);
	assert_true(p.require_tls);
	all = STR(" HOLDUNTIL=2026-11-23T14:05:04+01:00 BY=60;R");
	assert_int_equal(smtp_mail_parameters_parse(all, &p), SMTP_PARAMETER_OK);
	assert_int_equal(p.hold_until, 1795439104);
	assert_int_equal(p.by_mode, SMTP_BY_RETURN);
	assert_false(p.by_trace);
	assert_false(p.require_tls);
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
	    {" MT-PRIORITY=3", SMTP_PARAMETER_UNKNOWN},
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

static void mail_results_of_submission(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum smtp_parameter_result result;
	} cases[] = {
	    {" AUTH=<>", SMTP_PARAMETER_OK},
	    {" AUTH=e+3Dmc2@example.com", SMTP_PARAMETER_OK},
	    {" AUTH=a=b", SMTP_PARAMETER_SYNTAX},
	    {" AUTH", SMTP_PARAMETER_SYNTAX},
	    {" REQUIRETLS", SMTP_PARAMETER_OK},
	    {" REQUIRETLS=YES", SMTP_PARAMETER_SYNTAX},
	    {" BY=1;R", SMTP_PARAMETER_OK},
	    {" BY=+999999999;rT", SMTP_PARAMETER_OK},
	    {" BY=-999999999;N", SMTP_PARAMETER_OK},
	    {" BY=0;NT", SMTP_PARAMETER_OK},
	    {" BY=0;R", SMTP_PARAMETER_SYNTAX},
	    {" BY=-1;R", SMTP_PARAMETER_SYNTAX},
	    {" BY=1000000000;N", SMTP_PARAMETER_SYNTAX},
	    {" BY=0000000001;N", SMTP_PARAMETER_SYNTAX},
	    {" BY=+-1;N", SMTP_PARAMETER_SYNTAX},
	    {" BY=;N", SMTP_PARAMETER_SYNTAX},
	    {" BY=1;", SMTP_PARAMETER_SYNTAX},
	    {" BY=1;RX", SMTP_PARAMETER_SYNTAX},
	    {" BY=1;RTT", SMTP_PARAMETER_SYNTAX},
	    {" BY=1", SMTP_PARAMETER_SYNTAX},
	    {" BY", SMTP_PARAMETER_SYNTAX},
	    {" HOLDFOR=999999999", SMTP_PARAMETER_OK},
	    {" HOLDFOR=1000000000", SMTP_PARAMETER_SYNTAX},
	    {" HOLDFOR=0", SMTP_PARAMETER_SYNTAX},
	    {" HOLDFOR", SMTP_PARAMETER_SYNTAX},
	    {" HOLDUNTIL=2026-11-23T13:05:04Z", SMTP_PARAMETER_OK},
	    {" HOLDUNTIL=2026-11-23", SMTP_PARAMETER_SYNTAX},
	    {" HOLDUNTIL=1970-01-01T00:00:00Z", SMTP_PARAMETER_SYNTAX},
	    {" HOLDUNTIL", SMTP_PARAMETER_SYNTAX},
	    {" HOLDFOR=1 HOLDUNTIL=2026-11-23T13:05:04Z", SMTP_PARAMETER_SYNTAX},
	    {" HOLDUNTIL=2026-11-23T13:05:04Z HOLDFOR=1", SMTP_PARAMETER_SYNTAX},
	    {" HOLDFOR=1 HOLDFOR=1", SMTP_PARAMETER_TWICE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct smtp_mail_parameters p;
		enum smtp_parameter_result result =
		    smtp_mail_parameters_parse(str_of_cstr(cases[i].text), &p);
		if (result != cases[i].result)
			fail_msg("%s: %d", cases[i].text, (int)result);
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

static void an_auth_parameter_has_a_limit(void **state)
{
	(void)state;
	struct smtp_mail_parameters p;
	for (size_t extra = 0; extra < 2; extra++) {
		struct buf text CLEANUP(buf_done) = BUF_MAX(1024);
		buf_add(&text, STR(" AUTH="));
		for (size_t i = 0; i < SMTP_AUTH_PARAMETER_MAX + extra; i++)
			buf_add_c(&text, 'a');
		assert_int_equal(smtp_mail_parameters_parse(buf_str(&text), &p),
		    extra ? SMTP_PARAMETER_SYNTAX : SMTP_PARAMETER_OK);
	}
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
	    cmocka_unit_test(mail_of_submission),
	    cmocka_unit_test(mail_results),
	    cmocka_unit_test(mail_results_of_submission),
	    cmocka_unit_test(rcpt_all),
	    cmocka_unit_test(length_limits),
	    cmocka_unit_test(an_auth_parameter_has_a_limit),
	    cmocka_unit_test(xtext),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
