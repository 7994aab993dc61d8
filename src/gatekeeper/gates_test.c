#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gatekeeper/gates.h"

static struct network network_of(const char *text, char peer[static GATE_PEER_MAX])
{
	struct sockaddr_storage address = {0};
	struct network network;
	if (strchr(text, ':')) {
		struct sockaddr_in6 *in6 = (void *)&address;
		in6->sin6_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
	} else {
		struct sockaddr_in *in = (void *)&address;
		in->sin_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
	}
	assert_true(gates_address(&address, peer, &network));
	return network;
}

static bool same_network(const char *a, const char *b)
{
	char peer[GATE_PEER_MAX];
	struct network x = network_of(a, peer), y = network_of(b, peer);
	return memcmp(&x, &y, sizeof x) == 0;
}

static void addresses(void **state)
{
	(void)state;
	char peer[GATE_PEER_MAX];
	(void)network_of("192.0.2.7", peer);
	assert_string_equal(peer, "192.0.2.7");
	(void)network_of("::ffff:192.0.2.7", peer);
	assert_string_equal(peer, "192.0.2.7");
	(void)network_of("2001:db8::1:2", peer);
	assert_string_equal(peer, "2001:db8::1:2");
	assert_true(same_network("192.0.2.7", "::ffff:192.0.2.7"));
	assert_false(same_network("192.0.2.7", "192.0.2.8"));
	assert_true(same_network("2001:db8:1:2:3::4", "2001:db8:1:2:ffff::1"));
	assert_false(same_network("2001:db8:1:2::", "2001:db8:1:3::"));
	assert_false(same_network("::1", "::2"));
	struct sockaddr_storage local = {.ss_family = AF_UNIX};
	struct network network;
	assert_false(gates_address(&local, peer, &network));
}

static struct gates *new_gates(size_t max, size_t max_per_network, uint64_t budget_max)
{
	struct gates *gates = gates_new();
	gates->max = max;
	gates->max_per_network = max_per_network;
	gates->budget_max = budget_max;
	return gates;
}

static void limits_of_connections(void **state)
{
	(void)state;
	char peer[GATE_PEER_MAX];
	struct gates *gates = new_gates(3, 2, 0);
	struct network a = network_of("192.0.2.1", peer), b = network_of("192.0.2.2", peer);
	assert_int_equal(gates_admit(gates, &a, 1), GATES_ADMIT);
	(void)gates_add(gates, 10, &a, "192.0.2.1");
	assert_int_equal(gates_admit(gates, &a, 1), GATES_ADMIT);
	(void)gates_add(gates, 10 + GATES_BUCKETS, &a, "192.0.2.1");
	assert_int_equal(gates_admit(gates, &a, 1), GATES_NETWORK_FULL);
	assert_int_equal(gates_admit(gates, &b, 1), GATES_ADMIT);
	(void)gates_add(gates, 12, &b, "192.0.2.2");
	assert_int_equal(gates_admit(gates, &b, 1), GATES_FULL);
	struct gate_record *record = gates_find(gates, 10);
	assert_non_null(record);
	assert_string_equal(record->peer, "192.0.2.1");
	gates_remove(gates, record);
	assert_null(gates_find(gates, 10));
	assert_int_equal(gates_admit(gates, &a, 1), GATES_ADMIT);
	assert_int_equal(gates->n, 2);
	gates_free(gates);
}

static void limit_of_rate(void **state)
{
	(void)state;
	char peer[GATE_PEER_MAX];
	struct gates *gates = new_gates(SIZE_MAX, SIZE_MAX, 0);
	struct network a = network_of("2001:db8::1", peer), b = network_of("2001:db8:1::1", peer);
	uint64_t now = 1000000;
	for (unsigned i = 0; i < GATES_BURST; i++)
		assert_int_equal(gates_admit(gates, &a, now), GATES_ADMIT);
	assert_int_equal(gates_admit(gates, &a, now), GATES_TOO_FAST);
	assert_int_equal(gates_admit(gates, &b, now), GATES_ADMIT);
	assert_int_equal(gates_admit(gates, &a, now + 1000 / GATES_PER_SECOND), GATES_ADMIT);
	assert_int_equal(gates_admit(gates, &a, now + 1000 / GATES_PER_SECOND), GATES_TOO_FAST);
	now += 1000 * GATES_BURST / GATES_PER_SECOND + 1000;
	for (unsigned i = 0; i < GATES_BURST; i++)
		assert_int_equal(gates_admit(gates, &a, now), GATES_ADMIT);
	assert_int_equal(gates_admit(gates, &a, now), GATES_TOO_FAST);
	struct network loopback = network_of("127.0.0.1", peer);
	for (unsigned i = 0; i < 2 * GATES_BURST; i++)
		assert_int_equal(gates_admit(gates, &loopback, now), GATES_ADMIT);
	gates_free(gates);
}

static void budget(void **state)
{
	(void)state;
	char peer[GATE_PEER_MAX];
	struct gates *gates = new_gates(10, 10, 1000);
	struct network a = network_of("192.0.2.1", peer);
	struct gate_record *x = gates_add(gates, 1, &a, peer);
	struct gate_record *y = gates_add(gates, 2, &a, peer);
	assert_true(gates_grant(gates, x, 600));
	assert_false(gates_grant(gates, y, 401));
	assert_true(gates_grant(gates, y, 400));
	assert_false(gates_grant(gates, x, 601));
	assert_false(gates_grant(gates, x, UINT64_MAX));
	assert_int_equal(x->budget, 600);
	assert_true(gates_grant(gates, x, 0));
	assert_true(gates_grant(gates, y, 1000));
	gates_remove(gates, y);
	assert_int_equal(gates->budget, 0);
	assert_true(gates_grant(gates, x, 1000));
	gates_free(gates);
}

/* Records are used again, clean; and a child has none of them. */
static void memory(void **state)
{
	(void)state;
	char peer[GATE_PEER_MAX];
	struct gates *gates = new_gates(10, 10, 1000);
	struct network a = network_of("192.0.2.1", peer);
	struct gate_record *x = gates_add(gates, 1, &a, peer);
	x->knows_keyholder = true;
	gates_remove(gates, x);
	struct gate_record *y = gates_add(gates, 2, &a, peer);
	assert_ptr_equal(x, y);
	assert_false(y->knows_keyholder);
	assert_ptr_equal(gates_find(gates, 2), y);
	assert_ptr_not_equal(gates_add(gates, 3, &a, peer), y);
	int status;
	pid_t pid = fork();
	if (pid == 0)
		_exit(msync(gates, 1, MS_ASYNC) < 0 && errno == ENOMEM ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	gates_free(gates);
}

static struct gate_record *overdue[4];
static size_t n_overdue;

static void note_overdue(struct gate_record *record)
{
	overdue[n_overdue++] = record;
	record->overdue_at_ms = 5000;
}

static void gates_that_do_not_end(void **state)
{
	(void)state;
	char peer[GATE_PEER_MAX];
	struct gates *gates = new_gates(10, 10, 0);
	struct network a = network_of("192.0.2.1", peer);
	struct gate_record *x = gates_add(gates, 1, &a, peer);
	struct gate_record *y = gates_add(gates, 1 + GATES_BUCKETS, &a, peer);
	(void)gates_add(gates, 2, &a, peer); /* may last */
	x->overdue_at_ms = 1000;
	y->overdue_at_ms = 2000;
	gates_each_overdue(gates, 999, note_overdue);
	assert_int_equal(n_overdue, 0);
	gates_each_overdue(gates, 1000, note_overdue);
	assert_true(n_overdue == 1 && overdue[0] == x);
	gates_each_overdue(gates, 4000, note_overdue);
	assert_true(n_overdue == 2 && overdue[1] == y);
	gates_each_overdue(gates, 6000, note_overdue);
	assert_int_equal(n_overdue, 4);
	gates_free(gates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses),
	    cmocka_unit_test(limits_of_connections),
	    cmocka_unit_test(limit_of_rate),
	    cmocka_unit_test(budget),
	    cmocka_unit_test(memory),
	    cmocka_unit_test(gates_that_do_not_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
