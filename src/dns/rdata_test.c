#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dns/rdata.h"

static void exchanges_are_read(void **state UNUSED)
{
	struct dns_mx mx;

	assert_true(dns_mx_parse(STR("\x01\x02\x02mx\x07"
	                             "example\0"),
	    &mx));
	assert_int_equal(mx.preference, 258);
	assert_string_equal(mx.exchange.text, "mx.example");
	assert_true(dns_mx_parse(STR("\0\0\0"), &mx));
	assert_string_equal(mx.exchange.text, "");
	assert_false(dns_mx_parse(STR("\0\0\0x"), &mx));
	assert_false(dns_mx_parse(STR("\0\x0a"), &mx));
	assert_false(dns_mx_parse(STR("\0"), &mx));
}

static void strings_of_a_text_are_joined(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(100);

	assert_true(dns_txt_parse(STR("\x06v=STSv\x00\x03"
	                              "1; "),
	    &text));
	assert_true(str_eq(buf_str(&text), STR("v=STSv1; ")));
	buf_clear(&text);
	assert_false(dns_txt_parse(STR(""), &text));
	assert_false(dns_txt_parse(STR("\x02"
	                               "ab\x03"
	                               "cd"),
	    &text));
	assert_int_equal(text.len, 0);
	struct buf small CLEANUP(buf_done) = BUF_MAX(2);
	assert_false(dns_txt_parse(STR("\x03"
	                               "abc"),
	    &small));
}

static void addresses_are_read(void **state UNUSED)
{
	char text[DNS_ADDRESS_TEXT_MAX];

	assert_true(dns_address_parse(STR("\xc0\x00\x02\x01"), DNS_A, text));
	assert_string_equal(text, "192.0.2.1");
	assert_true(
	    dns_address_parse(STR("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"), DNS_AAAA, text));
	assert_string_equal(text, "2001:db8::1");
	assert_false(dns_address_parse(STR("\xc0\x00\x02\x01"), DNS_AAAA, text));
	assert_false(dns_address_parse(STR("\xc0\x00\x02"), DNS_A, text));
	assert_false(dns_address_parse(STR("\xc0\x00\x02\x01"), DNS_TXT, text));
}

static void targets_are_read(void **state UNUSED)
{
	struct dns_name name;

	assert_true(dns_target_parse(STR("\x01"
	                                 "a\x01"
	                                 "b\0"),
	    &name));
	assert_string_equal(name.text, "a.b");
	assert_false(dns_target_parse(STR("\x01"
	                                  "a\0\0"),
	    &name));
	assert_false(dns_target_parse(STR(""), &name));
}

static void certificate_associations_are_read(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(100);
	struct dns_tlsa tlsa;

	assert_true(dns_tlsa_parse(STR("\x03\x01\x01\xab\xcd"), &tlsa));
	assert_int_equal(tlsa.usage, 3);
	assert_int_equal(tlsa.selector, 1);
	assert_int_equal(tlsa.matching, 1);
	dns_tlsa_print(&tlsa, &text);
	assert_true(str_eq(buf_str(&text), STR("3 1 1 abcd")));
	assert_false(dns_tlsa_parse(STR("\x03\x01\x01"), &tlsa));
	assert_false(dns_tlsa_parse(STR(""), &tlsa));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(exchanges_are_read),
	    cmocka_unit_test(strings_of_a_text_are_joined),
	    cmocka_unit_test(addresses_are_read),
	    cmocka_unit_test(targets_are_read),
	    cmocka_unit_test(certificate_associations_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
