#include "mail/mta_sts.h"

#include "mail/expect.h"

#include "base/buf.h"

static void expect_id(struct str record, const char *want)
{
	struct str id;

	if (!mta_sts_id(&record, 1, &id)) {
		if (want != NULL)
			fail_msg("no id in %.*s", STR_FMT(record));
		return;
	}
	if (want == NULL)
		fail_msg("an id in %.*s", STR_FMT(record));
	assert_true(str_eq(id, str_of_cstr(want)));
}

static void the_record_has_an_id(void **state UNUSED)
{
	expect_id(STR("v=STSv1; id=20160831085700Z;"), "20160831085700Z");
	expect_id(STR("v=STSv1;id=1"), "1");
	expect_id(STR("v=STSv1; \tx-y.z=abc:d ; id=A1 ; "), "A1");
	expect_id(STR("v=STSv1; id=1; id=2;"), "1");
	expect_id(STR("v=STSv1; id=12345678901234567890123456789012;"),
	    "12345678901234567890123456789012");
}

static void a_record_that_is_not_valid_has_none(void **state UNUSED)
{
	static const struct str wrong[] = {STR_INIT(""), STR_INIT("v=STSv1"), STR_INIT("v=STSv1;"),
	    STR_INIT("v=STSv1;;id=1"), STR_INIT("v=STSv1; id="), STR_INIT("v=STSv1; id=a-b"),
	    STR_INIT("v=STSv1; id=1;;"), STR_INIT("v=stsv1; id=1"), STR_INIT("v=STSv10; id=1"),
	    STR_INIT(" v=STSv1; id=1"), STR_INIT("v=STSv1; ID=1"), STR_INIT("v=STSv1; id=1; x"),
	    STR_INIT("v=STSv1; id=1; x=a b"), STR_INIT("v=STSv1; id=1; -x=a"),
	    STR_INIT("v=STSv1; id=1; x=a=b"),
	    STR_INIT("v=STSv1; id=123456789012345678901234567890123"),
	    STR_INIT("v=STSv1; id=1; n23456789012345678901234567890123=a")};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		expect_id(wrong[i], NULL);
}

static void one_record_counts_or_none(void **state UNUSED)
{
	const struct str one[] = {
	    STR("v=spf1 -all"), STR("v=STSv1; id=1"), STR("v=STSv2; id=2"), STR("")};
	const struct str two[] = {STR("v=STSv1; id=1"), STR("v=STSv1; wrong")};
	struct str id;

	assert_true(mta_sts_id(one, ARRAY_LEN(one), &id));
	assert_true(str_eq(id, STR("1")));
	assert_false(mta_sts_id(two, ARRAY_LEN(two), &id));
	assert_false(mta_sts_id(NULL, 0, &id));
}

static void a_policy_is_read(void **state UNUSED)
{
	struct mta_sts_policy p;
	const char *why;

	assert_true(mta_sts_parse(STR("version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n"
	                              "mx: *.example.net\r\nmax_age: 604800\r\n"),
	    &p, &why));
	assert_int_equal(p.mode, MTA_STS_ENFORCE);
	assert_int_equal(p.max_age, 604800);
	assert_int_equal(p.n_mx, 2);
	assert_true(str_eq(p.mx[0], STR("mail.example.com")));
	assert_true(str_eq(p.mx[1], STR("*.example.net")));
	assert_true(
	    mta_sts_parse(STR("max_age:99999999999\nmode:\t testing  \nversion:STSv1\nmx:a\n"), &p,
	        &why) == false);
	assert_true(mta_sts_parse(STR("max_age:9999999999\nmode:\t testing  \nversion:STSv1\n"
	                              "x-more: \xc3\xa4 b: c\nmx:a\nmode: enforce\nmax_age: 1"),
	    &p, &why));
	assert_int_equal(p.mode, MTA_STS_TESTING);
	assert_int_equal(p.max_age, MTA_STS_MAX_AGE_MAX);
	assert_true(
	    mta_sts_parse(STR("version: STSv1\n\nmode: none\nmax_age: 86400\n\n"), &p, &why));
	assert_int_equal(p.mode, MTA_STS_NONE);
}

static void a_policy_is_written_as_it_is_read(void **state UNUSED)
{
	static const struct str text =
	    STR_INIT("version: STSv1\r\nmode: testing\r\nmx: a.example\r\n"
	             "mx: *.b.example\r\nmax_age: 86400\r\n");
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);
	struct mta_sts_policy p;
	const char *why;

	assert_true(mta_sts_parse(text, &p, &why));
	assert_true(mta_sts_write(&p, &out));
	assert_true(str_eq(buf_str(&out), text));
}

static void what_is_no_policy_says_why(void **state UNUSED)
{
	static const struct {
		struct str text;
		const char *why;
	} wrong[] = {
	    {STR_INIT(""), "version"},
	    {STR_INIT("<html>\n"), "name: value"},
	    {STR_INIT("version: STSv2\nmode: none\nmax_age: 1"), "version"},
	    {STR_INIT("version: STSv1\nmode: None\nmax_age: 1"), "mode"},
	    {STR_INIT("version: STSv1\nmax_age: 1"), "mode"},
	    {STR_INIT("version: STSv1\nmode: none"), "max_age"},
	    {STR_INIT("version: STSv1\nmode: none\nmax_age: -1"), "max_age"},
	    {STR_INIT("version: STSv1\nmode: none\nmax_age: 12345678901"), "max_age"},
	    {STR_INIT("version: STSv1\nmode: enforce\nmax_age: 1"), "names no mx"},
	    {STR_INIT("version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.*.b"), "host name"},
	    {STR_INIT("version: STSv1\nmode: enforce\nmax_age: 1\nmx: *"), "host name"},
	    {STR_INIT("version: STSv1\nmode: enforce\nmax_age: 1\nmx: a..b"), "host name"},
	    {STR_INIT("version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.b."), "host name"},
	    {STR_INIT("version: STSv1\nmode: enforce\nmax_age: 1\nmx: -a.b"), "host name"},
	    {STR_INIT("version: STSv1\nmode: none\nmax_age: 1\nx: \x01"), "name: value"},
	    {STR_INIT("version: STSv1\nmode: none\nmax_age: 1\nx: \xff"), "name: value"},
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct mta_sts_policy p;
		const char *why = NULL;
		if (mta_sts_parse(wrong[i].text, &p, &why) || strstr(why, wrong[i].why) == NULL)
			fail_msg("%zu: %s", i, why);
	}
}

static void a_policy_has_limits(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(2 * MTA_STS_POLICY_LEN_MAX);
	struct mta_sts_policy p;
	const char *why = NULL;

	buf_add(&text, STR("version: STSv1\nmode: enforce\nmax_age: 1\n"));
	repeat(&text, "mx: a\n", MTA_STS_MX_MAX);
	assert_true(mta_sts_parse(buf_str(&text), &p, &why));
	assert_int_equal(p.n_mx, MTA_STS_MX_MAX);
	size_t len = text.len;
	buf_add(&text, STR("mx: a\n"));
	assert_false(mta_sts_parse(buf_str(&text), &p, &why));
	text.len = len;
	while (text.len + 10 <= MTA_STS_POLICY_LEN_MAX)
		buf_add(&text, STR("x: 345678\n"));
	assert_true(mta_sts_parse(buf_str(&text), &p, &why));
	buf_add(&text, STR("x: 345678\n"));
	assert_false(mta_sts_parse(buf_str(&text), &p, &why));
}

static void hosts_are_matched(void **state UNUSED)
{
	const struct str mx[] = {STR("mail.example.com"), STR("*.example.net")};

	assert_true(mta_sts_allows(mx, 2, STR("Mail.Example.COM")));
	assert_true(mta_sts_allows(mx, 2, STR("mail.example.com.")));
	assert_true(mta_sts_allows(mx, 2, STR("a.example.net")));
	assert_false(mta_sts_allows(mx, 2, STR("example.net")));
	assert_false(mta_sts_allows(mx, 2, STR(".example.net")));
	assert_false(mta_sts_allows(mx, 2, STR("a.b.example.net")));
	assert_false(mta_sts_allows(mx, 2, STR("x.mail.example.com")));
	assert_false(mta_sts_allows(mx, 2, STR("")));
	assert_false(mta_sts_allows(mx, 2, STR(".")));
	assert_false(mta_sts_allows(NULL, 0, STR("mail.example.com")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_record_has_an_id),
	    cmocka_unit_test(a_record_that_is_not_valid_has_none),
	    cmocka_unit_test(one_record_counts_or_none),
	    cmocka_unit_test(a_policy_is_read),
	    cmocka_unit_test(a_policy_is_written_as_it_is_read),
	    cmocka_unit_test(what_is_no_policy_says_why),
	    cmocka_unit_test(a_policy_has_limits),
	    cmocka_unit_test(hosts_are_matched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
