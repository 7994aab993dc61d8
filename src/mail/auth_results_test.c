#include "mail/auth_results.h"

#include "mail/expect.h"

static void whose_a_field_is(void **state UNUSED)
{
	static const char *const ours[] = {" mail.example.org; none", "mail.example.org",
	    " MAIL.example.org ; dkim=pass", "\r\n\tmail.example.org 1; x",
	    " (c) mail.example.org(d);", "\"mail.example.org\"; none",
	    "\"mail\\.example.org\" 1 ; none", "mail.example.org.; x",
	    /* what cannot be read might be read as ours */
	    "", ";", "(open", "\"open", "mail.example.org x; y", "other.example x; y", "a, b; c",
	    "((((((((((deep))))))))))a; b", "=; x", "other.example 1 2; x"};
	static const char *const others[] = {" other.example; none", "example.org; dkim=pass",
	    "x.mail.example.org; none", "mail.example.org.other; none", "other.example 1; none",
	    "(mail.example.org) other; none", "m\xc3\xbcnchen.example; none"};

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (!auth_results_claims(str_of_cstr(ours[i]), STR("mail.example.org")))
			fail_msg("not ours: %s", ours[i]);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (auth_results_claims(str_of_cstr(others[i]), STR("mail.example.org")))
			fail_msg("ours: %s", others[i]);
}

static void expect_results(const struct auth_results *r, const char *want)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(4096);

	assert_true(auth_results_format(r, &text));
	expect_buf(text, want);
}

static void results_are_written(void **state UNUSED)
{
	struct dkim_verdict v[] = {
	    {.result = DKIM_PASS,
	        .signature = {.kind = DKIM_KEY_RSA,
	            .domain = STR("example.com"),
	            .selector = STR("s1"),
	            .signature = STR("\xff\xfe\xfd\xfc\xfb\xfa\xf9")}},
	    {.result = DKIM_FAIL,
	        .reason = "body hash did not verify",
	        .signature = {.kind = DKIM_KEY_ED25519,
	            .domain = STR("example.com(x); dkim=pass"),
	            .selector = STR("s2"),
	            .signature = STR("abc")}},
	    {.result = DKIM_NEUTRAL, .reason = "syntax error"},
	    {.result = DKIM_TEMPERROR,
	        .reason = "key cannot be had now",
	        .signature = {.domain = STR("b\xc3\xbc"
	                                    "cher.example"),
	            .selector = STR("\xff\xfe")}},
	};
	struct arc_verdict chain = {.status = ARC_PASS, .oldest_pass = 2};
	struct auth_results r = {.id = STR("mail.example.org"),
	    .signatures = v,
	    .n_signatures = 4,
	    .chain = &chain,
	    .remote_ip = STR("192.0.2.1")};

	expect_results(&r, "mail.example.org;\r\n"
	                   "\tdkim=pass header.d=example.com header.s=s1 header.a=rsa-sha256"
	                   " header.b=\"//79/Pv6\";\r\n"
	                   "\tdkim=fail reason=\"body hash did not verify\" header.s=s2"
	                   " header.a=ed25519-sha256;\r\n"
	                   "\tdkim=neutral reason=\"syntax error\";\r\n"
	                   "\tdkim=temperror reason=\"key cannot be had now\""
	                   " header.d=xn--bcher-kva.example;\r\n"
	                   "\tarc=pass header.oldest-pass=2 smtp.remote-ip=192.0.2.1");
	r.n_signatures = 0;
	r.remote_ip = STR("2001:db8::1");
	chain = (struct arc_verdict){.status = ARC_FAIL, .reason = "no key in the DNS"};
	expect_results(&r,
	    "mail.example.org;\r\n"
	    "\tdkim=none;\r\n"
	    "\tarc=fail reason=\"no key in the DNS\" smtp.remote-ip=\"2001:db8::1\"");
	r.remote_ip = STR("x; spf=pass");
	chain = (struct arc_verdict){.status = ARC_NONE};
	expect_results(&r, "mail.example.org;\r\n\tdkim=none;\r\n\tarc=none");
	struct buf small CLEANUP(buf_done) = BUF_MAX(20);
	assert_false(auth_results_format(&r, &small));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whose_a_field_is),
	    cmocka_unit_test(results_are_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
