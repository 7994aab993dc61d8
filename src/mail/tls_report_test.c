#include "mail/tls_report.h"

#include <zlib.h>

#include "mail/expect.h"

/* All targets of one record: "mail:address " and "https:url " one behind the other. */
static void expect_targets(struct str record, const char *want)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct tls_report_target v[TLS_REPORT_TARGETS_MAX];
	size_t n = tls_report_targets(&record, 1, &a, v);

	for (size_t i = 0; i < n; i++) {
		buf_add(&out, v[i].is_mail ? STR("mail:") : STR("web:"));
		buf_add(&out, v[i].target);
		buf_add_c(&out, ' ');
	}
	expect_buf(out, want);
}

static void expect_long_target(const char *before, size_t len, const char *behind, bool is_taken)
{
	struct buf record CLEANUP(buf_done) = BUF_MAX(2000);
	struct arena a CLEANUP(arena_done) = ARENA_MAX(10000);
	struct tls_report_target v[TLS_REPORT_TARGETS_MAX];

	buf_add(&record, STR("v=TLSRPTv1;rua="));
	buf_add(&record, str_of_cstr(before));
	for (size_t i = 0; i < len; i++)
		buf_add_c(&record, 'a');
	buf_add(&record, str_of_cstr(behind));
	struct str text = buf_str(&record);
	assert_int_equal(tls_report_targets(&text, 1, &a, v), is_taken);
}

static void the_record_says_where_reports_go(void **state UNUSED)
{
	expect_targets(
	    STR("v=TLSRPTv1; rua=mailto:reports@example.com"), "mail:reports@example.com ");
	expect_targets(STR("v=TLSRPTv1;rua=https://r.example.com/v1/tlsrpt"),
	    "web:https://r.example.com/v1/tlsrpt ");
	expect_targets(STR("v=TLSRPTv1; rua=mailto:a@b.example , \thttps://c.example/?d=e;"),
	    "mail:a@b.example web:https://c.example/?d=e ");
	expect_targets(STR("v=TLSRPTv1; x.y-z=1 ; rua=mailto:a%2Bb%21@c.example?subject=x ;"),
	    "mail:a+b!@c.example ");
	/* names and addresses that nothing can be sent to */
	expect_long_target("https://", 253, ":443/x", true);
	expect_long_target("https://", 254, "/x", false);
	expect_long_target("https://", 254, ":443/x", false);
	expect_long_target("https://", 0, "/x", false);
	expect_long_target("mailto:", 252, "@b", true);
	expect_long_target("mailto:", 253, "@b", false);
	expect_targets(STR("v=TLSRPTv1; rua=ftp://a.example/,mailto:a@b,http://c/"), "mail:a@b ");
}

static void a_record_that_is_not_valid_says_nothing(void **state UNUSED)
{
	static const struct str wrong[] = {STR_INIT(""), STR_INIT("v=TLSRPTv1"),
	    STR_INIT("v=TLSRPTv1;"), STR_INIT("v=tlsrptv1; rua=mailto:a@b"),
	    STR_INIT("v=TLSRPTv1; rua="), STR_INIT("v=TLSRPTv1; rua=mailto:a@b,"),
	    STR_INIT("v=TLSRPTv1; rua=mailto:a b@c"), STR_INIT("v=TLSRPTv1; rua=mailto:a!b@c"),
	    STR_INIT("v=TLSRPTv1;; rua=mailto:a@b"), STR_INIT("v=TLSRPTv1; RUA=mailto:a@b"),
	    STR_INIT("v=TLSRPTv1; rua=mailto:"), STR_INIT("v=TLSRPTv1; rua=mailto:a"),
	    STR_INIT("v=TLSRPTv1; rua=mailto:@b"), STR_INIT("v=TLSRPTv1; rua=mailto:a@b@c"),
	    STR_INIT("v=TLSRPTv1; rua=mailto:a%0d%0ab@c"), STR_INIT("v=TLSRPTv1; rua=mailto:a%2"),
	    STR_INIT("v=TLSRPTv1; rua=mailto:a%2Cb@c"), STR_INIT("v=TLSRPTv1; rua=https://"),
	    STR_INIT("v=TLSRPTv1; =x; rua=mailto:a@b")};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		expect_targets(wrong[i], "");
}

static void one_record_counts_or_none(void **state UNUSED)
{
	const struct str records[] = {STR("v=spf1 -all"), STR("v=TLSRPTv1; rua=mailto:a@b"),
	    STR("v=TLSRPTv1; rua=mailto:c@d")};
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct tls_report_target v[TLS_REPORT_TARGETS_MAX];

	assert_int_equal(tls_report_targets(records, 2, &a, v), 1);
	assert_int_equal(tls_report_targets(records, 3, &a, v), 0);
	assert_int_equal(tls_report_targets(NULL, 0, &a, v), 0);
}

static void more_targets_than_the_most_are_left_out(void **state UNUSED)
{
	struct buf record CLEANUP(buf_done) = BUF_MAX(4096);
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct tls_report_target v[TLS_REPORT_TARGETS_MAX];

	buf_add(&record, STR("v=TLSRPTv1; rua=mailto:a@b"));
	repeat(&record, ",mailto:a@b", TLS_REPORT_TARGETS_MAX);
	struct str text = buf_str(&record);
	assert_int_equal(tls_report_targets(&text, 1, &a, v), TLS_REPORT_TARGETS_MAX);
}

static const struct str strings[] = {STR_INIT("3 1 1 ab"), STR_INIT("3 1 1 cd")};
static const struct str patterns[] = {STR_INIT("*.example.net")};
static const struct tls_report_failure failures[] = {
    {.result = TLS_REPORT_CERTIFICATE_EXPIRED,
        .sending_ip = STR_INIT("192.0.2.1"),
        .receiving_mx = STR_INIT("mx.example.net"),
        .receiving_ip = STR_INIT("2001:db8::1"),
        .reason = STR_INIT("it \"ended\" \xff yesterday"),
        .sessions = 3},
    {.result = TLS_REPORT_STARTTLS_NOT_SUPPORTED, .sessions = 2},
};
static const struct tls_report_policy policies[] = {
    {.type = TLS_REPORT_TLSA,
        .domain = STR_INIT("mx.example.net"),
        .strings = strings,
        .n_strings = ARRAY_LEN(strings),
        .successes = 7},
    {.type = TLS_REPORT_STS,
        .domain = STR_INIT("example.net"),
        .mx = patterns,
        .n_mx = ARRAY_LEN(patterns),
        .successes = 5326,
        .failures = 5,
        .details = failures,
        .n_details = ARRAY_LEN(failures)},
    {.type = TLS_REPORT_NO_POLICY, .domain = STR_INIT("example.net")},
};
static const struct tls_report report = {
    .organization = STR_INIT("Example Mail"),
    .submitter = STR_INIT("mail.example.org"),
    .contact = STR_INIT("postmaster@example.org"),
    .domain = STR_INIT("example.net"),
    .id = STR_INIT("1.example.net@mail.example.org"),
    .begins_s = 1459468800,
    .ends_s = 1459555199,
    .policies = policies,
    .n_policies = ARRAY_LEN(policies),
};

static void a_report_is_json(void **state UNUSED)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(TLS_REPORT_LEN_MAX);

	assert_true(tls_report_json(&report, &out));
	expect_buf(out,
	    "{\"organization-name\":\"Example Mail\",\"date-range\":{"
	    "\"start-datetime\":\"2016-04-01T00:00:00Z\",\"end-datetime\":\"2016-04-01T23:59:59Z\"}"
	    ","
	    "\"contact-info\":\"postmaster@example.org\","
	    "\"report-id\":\"1.example.net@mail.example.org\",\"policies\":["
	    "{\"policy\":{\"policy-type\":\"tlsa\",\"policy-string\":[\"3 1 1 ab\",\"3 1 1 cd\"],"
	    "\"policy-domain\":\"mx.example.net\"},\"summary\":{"
	    "\"total-successful-session-count\":7,\"total-failure-session-count\":0}},"
	    "{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"example.net\","
	    "\"mx-host\":[\"*.example.net\"]},\"summary\":{"
	    "\"total-successful-session-count\":5326,\"total-failure-session-count\":5},"
	    "\"failure-details\":[{\"result-type\":\"certificate-expired\","
	    "\"sending-mta-ip\":\"192.0.2.1\",\"receiving-mx-hostname\":\"mx.example.net\","
	    "\"receiving-ip\":\"2001:db8::1\",\"failed-session-count\":3,"
	    "\"failure-reason-code\":\"it \\\"ended\\\" ? yesterday\"},"
	    "{\"result-type\":\"starttls-not-supported\",\"failed-session-count\":2}]},"
	    "{\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"example.net\"},"
	    "\"summary\":{\"total-successful-session-count\":0,"
	    "\"total-failure-session-count\":0}}]}");
	struct buf small CLEANUP(buf_done) = BUF_MAX(100);
	assert_false(tls_report_json(&report, &small));
}

/* What gzip makes of it again, by zlib's own reading. */
static void expect_unzipped(struct str gzip, struct str want)
{
	z_stream z = {.next_in = (z_const Bytef *)gzip.p, .avail_in = (uInt)gzip.len};
	char *text = malloc(want.len + 1);

	z.next_out = (Bytef *)text;
	z.avail_out = (uInt)want.len + 1;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_true(str_eq(str_of(text, z.total_out), want));
	inflateEnd(&z);
	free(text);
}

static void a_report_is_compressed(void **state UNUSED)
{
	struct buf json CLEANUP(buf_done) = BUF_MAX(TLS_REPORT_LEN_MAX);
	struct buf gzip CLEANUP(buf_done) = BUF_MAX(TLS_REPORT_LEN_MAX);

	assert_true(tls_report_json(&report, &json));
	assert_true(tls_report_gzip(buf_str(&json), &gzip));
	assert_true(gzip.len < json.len);
	expect_unzipped(buf_str(&gzip), buf_str(&json));
	struct buf small CLEANUP(buf_done) = BUF_MAX(100);
	assert_false(tls_report_gzip(buf_str(&json), &small));
}

static void a_mail_carries_the_report(void **state UNUSED)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(TLS_REPORT_LEN_MAX);
	const struct tls_report_mail mail = {
	    .report = &report,
	    .gzip = STR("not really gzip"),
	    .from = STR("tls-reports@example.org"),
	    .to = STR("reports@example.net"),
	    .message_id = STR("m1@mail.example.org"),
	    .boundary = STR("b0undary"),
	    .at_s = 1459560000,
	};

	assert_true(tls_report_mail(&mail, &out));
	expect_buf(out,
	    "Date: Sat, 2 Apr 2016 01:20:00 +0000\r\n"
	    "From: <tls-reports@example.org>\r\n"
	    "To: <reports@example.net>\r\n"
	    "Subject: Report Domain: example.net\r\n Submitter: mail.example.org\r\n"
	    " Report-ID: <1.example.net@mail.example.org>\r\n"
	    "Message-ID: <m1@mail.example.org>\r\n"
	    "TLS-Report-Domain: example.net\r\n"
	    "TLS-Report-Submitter: mail.example.org\r\n"
	    "TLS-Required: No\r\n"
	    "Auto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"b0undary\"\r\n"
	    "\r\n"
	    "--b0undary\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n"
	    "\r\n"
	    "This is a report about how connections to the mail servers of\r\n\r\n"
	    "    example.net\r\n\r\n"
	    "were encrypted, from the mail server\r\n\r\n"
	    "    mail.example.org\r\n\r\n"
	    "It is sent because the domain asks for it (a TXT record at\r\n"
	    "_smtp._tls.example.net).\r\n"
	    "The report itself is in the file below; RFC 8460 describes it.\r\n"
	    "\r\n--b0undary\r\n"
	    "Content-Type: application/tlsrpt+gzip\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment;\r\n"
	    " filename=\"mail.example.org!example.net!1459468800!1459555199.json.gz\"\r\n"
	    "\r\n"
	    "bm90IHJlYWxseSBnemlw\r\n"
	    "\r\n--b0undary--\r\n");
}

static void nothing_from_outside_ends_a_field(void **state UNUSED)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(TLS_REPORT_LEN_MAX);
	struct tls_report wrong = report;
	wrong.domain = STR("a\r\nBcc: b>\xff");
	const struct tls_report_mail mail = {.report = &wrong, .boundary = STR("b")};

	assert_true(tls_report_mail(&mail, &out));
	assert_true(str_find(buf_str(&out), STR("\nBcc")) == out.len);
	assert_true(str_find(buf_str(&out), STR("Domain: a??Bcc:?b>?\r\n")) < out.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_record_says_where_reports_go),
	    cmocka_unit_test(a_record_that_is_not_valid_says_nothing),
	    cmocka_unit_test(one_record_counts_or_none),
	    cmocka_unit_test(more_targets_than_the_most_are_left_out),
	    cmocka_unit_test(a_report_is_json),
	    cmocka_unit_test(a_report_is_compressed),
	    cmocka_unit_test(a_mail_carries_the_report),
	    cmocka_unit_test(nothing_from_outside_ends_a_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
