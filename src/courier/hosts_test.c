/* Where mail goes, by what a resolver with a table says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/wait.h>

#include "courier/hosts.h"
#include "courier/test_dns.h"

#define FOUND  .result = DNS_FOUND
#define SECURE .security = DNS_SECURE

static const struct test_answer answers[] = {
    {"example.net", DNS_MX, FOUND, SECURE,
        .records = {"20 mx3.example.net", "10 mx1.example.net", "10 mx2.example.net"}},
    {"plain.example.net", DNS_A, FOUND, .records = {"192.0.1.1"}},
    {"null.example.net", DNS_MX, FOUND, .records = {"0 ."}},
    {"loop.example.net", DNS_MX, FOUND,
        .records = {"5 best.example.net", "10 OWN.example.net", "10 equal.example.net",
            "20 worse.example.net"}},
    {"own-best.example.net", DNS_MX, FOUND, .records = {"5 own.example.net", "7 b.example.net"}},
    {"down.example.net", DNS_MX, .result = DNS_FAILED},
    {"bogus.example.net", DNS_MX, .result = DNS_FAILED, .security = DNS_BOGUS},
    {"many.example.net", DNS_MX, FOUND,
        .records = {"9 a9.example.net", "8 a8.example.net", "7 a7.example.net", "6 a6.example.net",
            "5 a5.example.net", "4 a4.example.net", "3 a3.example.net", "2 a2.example.net",
            "1 a1.example.net", "11 a11.example.net", "12 a12.example.net", "10 a10.example.net"}},
    {"mx1.example.net", DNS_A, FOUND, SECURE, .records = {"192.0.1.1", "192.0.1.2"}},
    {"mx1.example.net", DNS_AAAA, FOUND, SECURE, .records = {"2001:470::1"}},
    {"_25._tcp.mx1.example.net", DNS_TLSA, FOUND, SECURE,
        .records = {"3 1 1 "
                    "0000000000000000000000000000000000000000000000000000000000000001"}},
    {"mx2.example.net", DNS_A, FOUND, SECURE, .canonical = "real.example.net",
        .records = {"192.0.1.3"}},
    {"mx2.example.net", DNS_AAAA, .result = DNS_NO_DATA, SECURE},
    {"_25._tcp.real.example.net", DNS_TLSA, FOUND, SECURE, .records = {"2 0 1 00"}},
    {"mx3.example.net", DNS_A, FOUND, SECURE, .records = {"192.0.1.4"}},
    {"mx3.example.net", DNS_AAAA, .result = DNS_FAILED},
    {"_25._tcp.mx3.example.net", DNS_TLSA, .result = DNS_FAILED},
    {"mx4.example.net", DNS_A, FOUND, .records = {"192.0.1.5"}},
    {"mx4.example.net", DNS_AAAA, .result = DNS_NO_DATA},
    {"_25._tcp.mx4.example.net", DNS_TLSA, FOUND, SECURE, .records = {"3 1 1 00"}},
    {"mx5.example.net", DNS_A, FOUND, .canonical = "cloud.example.com", .records = {"192.0.1.6"}},
    {"mx5.example.net", DNS_CNAME, FOUND, SECURE, .records = {"cloud.example.com"}},
    {"_25._tcp.mx5.example.net", DNS_TLSA, FOUND, SECURE, .records = {"3 1 1 00"}},
    {"mx6.example.net", DNS_A, FOUND, .canonical = "cloud.example.com", .records = {"192.0.1.6"}},
    {"mx6.example.net", DNS_CNAME, FOUND, .records = {"cloud.example.com"}},
    {"_25._tcp.mx6.example.net", DNS_TLSA, FOUND, SECURE, .records = {"3 1 1 00"}},
    {"mx7.example.net", DNS_A, FOUND, .canonical = "cloud.example.com", .records = {"192.0.1.6"}},
    {"mx7.example.net", DNS_CNAME, .result = DNS_FAILED},
    {"inside.example.net", DNS_A, FOUND, .records = {"10.0.0.1", "127.0.0.1"}},
    {"inside.example.net", DNS_AAAA, FOUND, .records = {"::1"}},
    {"mixed.example.net", DNS_A, FOUND, .records = {"10.0.0.1", "192.0.1.9"}},
    {"many-addresses.example.net", DNS_AAAA, FOUND,
        .records = {"2001:470::1", "2001:470::2", "2001:470::3", "2001:470::4", "2001:470::5"}},
    {"many-addresses.example.net", DNS_A, FOUND,
        .records = {"192.0.1.1", "192.0.1.2", "192.0.1.3", "192.0.1.4", "192.0.1.5", "192.0.1.6"}},
    {"noaddress.example.net", DNS_AAAA, .result = DNS_NO_DATA},
};

static int resolver;
static pid_t resolver_pid;
static struct hosts hosts;
static struct fate fate;
static struct addresses addresses;

static int start_resolver(void **state UNUSED)
{
	resolver_pid = test_dns_start(answers, ARRAY_LEN(answers), &resolver);
	return 0;
}

static int stop_resolver(void **state UNUSED)
{
	int status;

	close(resolver);
	return waitpid(resolver_pid, &status, 0) == resolver_pid ? status : -1;
}

static int find(const char *domain)
{
	fate = (struct fate){0};
	return hosts_find(resolver, domain, "own.example.net", &hosts, &fate);
}

static int find_addresses(const char *host, bool allow_private)
{
	fate = (struct fate){0};
	return hosts_addresses(resolver, host, 25, allow_private, &addresses, &fate);
}

static void expect_fate(enum carry_outcome outcome, const char *status, const char *words)
{
	assert_int_equal(fate.outcome, outcome);
	assert_string_equal(fate.status, status);
	if (strstr(fate.text, words) == NULL)
		fail_msg("%s", fate.text);
}

static void servers_come_by_preference(void **state UNUSED)
{
	bool first_was[2] = {false, false};

	for (int i = 0; i < 100; i++) {
		assert_int_equal(find("example.net"), 0);
		assert_int_equal(hosts.n, 3);
		assert_true(hosts.secure && hosts.v[0].secure);
		assert_string_equal(hosts.v[2].name, "mx3.example.net");
		bool is_second = strcmp(hosts.v[0].name, "mx2.example.net") == 0;
		assert_string_equal(hosts.v[is_second ? 1 : 0].name, "mx1.example.net");
		first_was[is_second] = true;
	}
	assert_true(first_was[0] && first_was[1]); /* by chance: once in 2^99 not */
}

static void a_domain_without_mx_is_its_own_server(void **state UNUSED)
{
	assert_int_equal(find("plain.example.net"), 0);
	assert_int_equal(hosts.n, 1);
	assert_string_equal(hosts.v[0].name, "plain.example.net");
	assert_false(hosts.v[0].secure);
}

static void the_best_ten_are_tried(void **state UNUSED)
{
	assert_int_equal(find("many.example.net"), 0);
	assert_int_equal(hosts.n, COURIER_HOSTS_MAX);
	for (size_t i = 0; i < hosts.n; i++)
		assert_int_equal(hosts.v[i].preference, i + 1);
}

static void domains_without_servers_say_why(void **state UNUSED)
{
	assert_int_equal(find("null.example.net"), -1);
	expect_fate(CARRY_NEVER, "5.1.10", "takes no mail");
	assert_int_equal(find("nowhere.example.net"), -1);
	expect_fate(CARRY_NEVER, "5.1.2", "does not exist");
	assert_int_equal(find("down.example.net"), -1);
	expect_fate(CARRY_LATER, "4.4.3", "cannot be looked up");
	assert_int_equal(find("bogus.example.net"), -1);
	expect_fate(CARRY_LATER, "4.7.5", "not signed");
}

static void own_name_and_what_is_no_better_is_left_out(void **state UNUSED)
{
	assert_int_equal(find("loop.example.net"), 0);
	assert_int_equal(hosts.n, 1);
	assert_string_equal(hosts.v[0].name, "best.example.net");
	assert_int_equal(find("own-best.example.net"), -1);
	expect_fate(CARRY_NEVER, "5.4.6", "a loop");
}

static void ipv6_comes_first(void **state UNUSED)
{
	assert_int_equal(find_addresses("mx1.example.net", false), 0);
	assert_int_equal(addresses.n, 3);
	assert_true(addresses.secure);
	assert_string_equal(addresses.v[0].text, "2001:470::1");
	assert_int_equal(addresses.v[0].socket.ss_family, AF_INET6);
	assert_string_equal(addresses.v[2].text, "192.0.1.2");
	assert_int_equal(((struct sockaddr_in *)&addresses.v[2].socket)->sin_port, htons(25));
	assert_int_equal(find_addresses("many-addresses.example.net", false), 0);
	assert_int_equal(addresses.n, COURIER_ADDRESSES_MAX);
	assert_int_equal(addresses.v[3].socket.ss_family, AF_INET6);
	assert_int_equal(addresses.v[4].socket.ss_family, AF_INET);
}

static void private_addresses_are_not_for_strangers(void **state UNUSED)
{
	assert_int_equal(find_addresses("inside.example.net", false), -1);
	expect_fate(CARRY_NEVER, "5.4.4", "address, where this server sends no mail");
	assert_int_equal(find_addresses("inside.example.net", true), 0);
	assert_int_equal(addresses.n, 3);
	assert_int_equal(find_addresses("mixed.example.net", false), 0);
	assert_int_equal(addresses.n, 1);
	assert_string_equal(addresses.v[0].text, "192.0.1.9");
	assert_int_equal(find_addresses("127.0.0.1", false), -1);
	expect_fate(CARRY_NEVER, "5.4.4", "a loopback address");
	assert_int_equal(find_addresses("::1", true), 0);
	assert_int_equal(find_addresses("noaddress.example.net", false), -1);
	expect_fate(CARRY_NEVER, "5.4.4", "has no address");
}

static enum tlsa_found find_tlsa(const char *name, bool secure, struct tlsa_set *set)
{
	struct host host = {.secure = secure};

	assert_int_equal(str_to_cstr(str_of_cstr(name), host.name, sizeof(host.name)), 0);
	assert_int_equal(find_addresses(name, false), 0);
	return hosts_tlsa(resolver, &host, &addresses, 25, set);
}

static void tlsa_counts_where_all_is_secure(void **state UNUSED)
{
	struct tlsa_set set;

	assert_int_equal(find_tlsa("mx1.example.net", true, &set), TLSA_FOUND);
	assert_int_equal(set.n, 1);
	assert_int_equal(set.v[0].usage, 3);
	assert_int_equal(set.v[0].data.len, 32);
	assert_string_equal(set.base, "mx1.example.net");
	tlsa_done(&set);
	assert_int_equal(find_tlsa("mx1.example.net", false, &set), TLSA_NONE);
	/* Behind a CNAME the name there counts. */
	assert_int_equal(find_tlsa("mx2.example.net", true, &set), TLSA_FOUND);
	assert_string_equal(set.base, "real.example.net");
	tlsa_done(&set);
	assert_int_equal(find_tlsa("mx4.example.net", true, &set), TLSA_NONE);
}

/* A secure alias of a name that is not: its own records count, and only its own. */
static void a_secure_alias_has_tlsa_of_its_own(void **state UNUSED)
{
	struct tlsa_set set;

	assert_int_equal(find_tlsa("mx5.example.net", true, &set), TLSA_FOUND);
	assert_string_equal(set.base, "mx5.example.net");
	tlsa_done(&set);
	assert_int_equal(find_tlsa("mx5.example.net", false, &set), TLSA_NONE);
	assert_int_equal(find_tlsa("mx6.example.net", true, &set), TLSA_NONE);
	assert_int_equal(find_tlsa("mx7.example.net", true, &set), TLSA_FAILED);
}

/* Who suppresses answers does not switch DANE off. */
static void missing_answers_do_not_weaken(void **state UNUSED)
{
	struct tlsa_set set;

	assert_int_equal(find_tlsa("mx3.example.net", true, &set), TLSA_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(servers_come_by_preference),
	    cmocka_unit_test(a_domain_without_mx_is_its_own_server),
	    cmocka_unit_test(the_best_ten_are_tried),
	    cmocka_unit_test(domains_without_servers_say_why),
	    cmocka_unit_test(own_name_and_what_is_no_better_is_left_out),
	    cmocka_unit_test(ipv6_comes_first),
	    cmocka_unit_test(private_addresses_are_not_for_strangers),
	    cmocka_unit_test(tlsa_counts_where_all_is_secure),
	    cmocka_unit_test(a_secure_alias_has_tlsa_of_its_own),
	    cmocka_unit_test(missing_answers_do_not_weaken),
	};

	return cmocka_run_group_tests(tests, start_resolver, stop_resolver);
}
