#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/dns_records.h"

static const struct config config = {
    .hostname = "mail.example.org", .submissions = 465, .submission = 587, .imaps = 993};

static void expect_in(const struct buf *text, const char *part)
{
	if (str_find(buf_str(text), str_of_cstr(part)) == text->len)
		fail_msg("\"%s\" is not in %.*s", part, STR_FMT(buf_str(text)));
}

static void lines_of_a_zone(void **state UNUSED)
{
	static const struct dns_key keys[] = {
	    {"r", "active", "v=DKIM1; k=rsa; p=AAAA"}, {"n", "new", "v=DKIM1; k=rsa; p=BBBB"}};
	const struct dns_facts facts = {
	    .domain = "example.org", .config = &config, .tlsa = "00ff", .keys = keys, .n_keys = 2};
	struct dns_records records CLEANUP(dns_records_done);
	struct buf out CLEANUP(buf_done) = BUF_MAX(100000);

	assert_true(dns_records_make(&facts, &records));
	assert_true(dns_records_zone(&records, &out));
	expect_in(&out, "MX     10 mail.example.org.\n");
	expect_in(&out, "TXT    \"v=spf1 mx -all\"\n");
	expect_in(&out, "\nr._domainkey.example.org. ");
	expect_in(&out, "TXT    \"v=DKIM1; k=rsa; p=BBBB\"\n");
	expect_in(&out, "\n_25._tcp.mail.example.org. ");
	expect_in(&out, "TLSA   3 1 1 00ff\n");
	expect_in(&out, "SRV    0 1 465 mail.example.org.\n");
	expect_in(&out, "SRV    0 0 0 .\n"); /* imap, which is not offered */
	expect_in(&out, "\n; mta-sts.example.org. ");
	buf_clear(&out);
	assert_true(dns_records_text(&records, &facts, &out));
	expect_in(&out, "# DKIM: the next key");
	expect_in(&out, "mx: mail.example.org\r\n");
}

/* RFC 1035 §3.3: a string has at most 255 bytes. */
static void long_texts_are_cut(void **state UNUSED)
{
	struct dns_record record = {.type = "TXT", .value = BUF_MAX(1000)};
	struct buf out CLEANUP(buf_done) = BUF_MAX(2000);

	for (size_t i = 0; i < 2 * DNS_STRING_MAX + 1; i++)
		buf_add_c(&record.value, 'x');
	assert_true(dns_record_value(&record, &out));
	assert_int_equal(out.len, record.value.len + 8);
	assert_int_equal(str_find(buf_str(&out), STR("\" \"")), 1 + DNS_STRING_MAX);
	record.value.len = DNS_STRING_MAX;
	buf_clear(&out);
	assert_true(dns_record_value(&record, &out));
	assert_int_equal(out.len, DNS_STRING_MAX + 2);
	buf_done(&record.value);
}

static void a_name_that_is_too_long(void **state UNUSED)
{
	char domain[600];
	const struct dns_facts facts = {.domain = domain, .config = &config};
	struct dns_records records CLEANUP(dns_records_done);

	memset(domain, 'x', sizeof(domain) - 1);
	domain[sizeof(domain) - 1] = '\0';
	assert_false(dns_records_make(&facts, &records));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_of_a_zone),
	    cmocka_unit_test(long_texts_are_cut),
	    cmocka_unit_test(a_name_that_is_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
