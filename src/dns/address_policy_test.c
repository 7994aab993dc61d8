#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/address_policy.h"

static void public_addresses_are_taken(void **state UNUSED)
{
	static const char *const good[] = {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0",
	    "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.0.1",
	    "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.0.3.1", "192.167.1.1", "192.169.0.0",
	    "198.17.255.255", "198.20.0.0", "223.255.255.255", "2a00:1450:4001:82a::200e",
	    "2600::1", "2001:200::1", "2001:db9::1", "3ffe::1", "::ffff:8.8.8.8",
	    "64:ff9b::808:808", "2002:808:808::1"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (address_policy_refuses_text(good[i]) != NULL)
			fail_msg("%s: %s", good[i], address_policy_refuses_text(good[i]));
}

static void others_are_refused_by_their_kind(void **state UNUSED)
{
	static const struct {
		const char *address, *kind;
	} bad[] = {{"0.0.0.0", "no address of a host"}, {"10.1.2.3", "a private address"},
	    {"100.64.0.1", "an address of a carrier's network"},
	    {"100.127.255.255", "an address of a carrier's network"},
	    {"127.0.0.1", "a loopback address"}, {"127.255.255.255", "a loopback address"},
	    {"169.254.169.254", "a link-local address"}, {"172.16.0.1", "a private address"},
	    {"172.31.255.255", "a private address"}, {"192.168.0.1", "a private address"},
	    {"192.0.0.1", "an address for protocols"},
	    {"192.0.2.1", "an address for documentation"},
	    {"192.88.99.1", "a 6to4 relay's address"}, {"198.18.0.1", "an address for benchmarks"},
	    {"198.19.255.255", "an address for benchmarks"},
	    {"198.51.100.7", "an address for documentation"},
	    {"203.0.113.7", "an address for documentation"}, {"224.0.0.1", "a multicast address"},
	    {"239.255.255.255", "a multicast address"}, {"255.255.255.255", "a reserved address"},
	    {"::", "a reserved address"}, {"::1", "a loopback address"},
	    {"::7f00:1", "a reserved address"}, {"fe80::1", "a link-local address"},
	    {"febf::1", "a link-local address"}, {"fec0::1", "a site-local address"},
	    {"fc00::1", "a private address"}, {"fdff::1", "a private address"},
	    {"ff02::1", "a multicast address"}, {"2001:db8::1", "an address for documentation"},
	    {"3fff::1", "an address for documentation"}, {"2001::1", "an address for protocols"},
	    {"2001:10::1", "an address for protocols"}, {"100::1", "a reserved address"},
	    {"5f00::1", "a reserved address"}, {"64:ff9b:1::1", "a reserved address"},
	    {"", "no address"}, {"example.net", "no address"}, {"127.1", "no address"}};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *kind = address_policy_refuses_text(bad[i].address);
		if (kind == NULL)
			fail_msg("%s is taken", bad[i].address);
		assert_string_equal(kind, bad[i].kind);
	}
}

static void ipv4_inside_ipv6_is_judged_as_itself(void **state UNUSED)
{
	static const char *const bad[] = {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::1",
	    "2002:c0a8:101::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_non_null(address_policy_refuses_text(bad[i]));
	assert_string_equal(address_policy_refuses_text("::ffff:127.0.0.1"), "a loopback address");
	assert_string_equal(address_policy_refuses(STR("\x7f\0\0")), "no address");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(public_addresses_are_taken),
	    cmocka_unit_test(others_are_refused_by_their_kind),
	    cmocka_unit_test(ipv4_inside_ipv6_is_judged_as_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
