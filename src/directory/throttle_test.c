#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "directory/throttle.h"

enum { FAILURES = 10, START_MS = 1000000, VICTIM = 5 };

static struct throttle *new_throttle(void)
{
	struct throttle *t = NULL;
	clock_simulate(START_MS);
	assert_int_equal(throttle_new(FAILURES, &t), 0);
	return t;
}

static void networks_are_32_and_64_bits(void **state UNUSED)
{
	struct network a = network_of(STR("192.0.2.1"));
	struct network b = network_of(STR("::ffff:192.0.2.1"));
	assert_true(a.bits == b.bits && a.is_v6 == b.is_v6);
	assert_false(network_of(STR("192.0.2.2")).bits == a.bits);
	struct network c = network_of(STR("2001:db8:1:2::1"));
	struct network d = network_of(STR("2001:db8:1:2:ffff::9"));
	struct network e = network_of(STR("2001:db8:1:3::1"));
	assert_true(c.bits == d.bits && c.is_v6);
	assert_true(c.bits != e.bits);
	assert_int_equal(network_of(STR("nonsense")).bits, 0);
}

static void a_network_that_guesses_is_slowed(void **state UNUSED)
{
	struct throttle *t = new_throttle();
	struct network guesser = network_of(STR("192.0.2.1"));
	struct network other = network_of(STR("192.0.2.2"));
	uint64_t guess = 1;
	for (; guess <= FAILURES; guess++) {
		assert_true(throttle_permits(t, guesser, 100 + guess));
		throttle_failed(t, guesser, 100 + guess, guess);
	}
	assert_false(throttle_permits(t, guesser, 1));
	assert_true(throttle_permits(t, other, 1));
	/* one guess leaks away in a tenth of the window: then one is free, not more */
	clock_simulate(START_MS + THROTTLE_WINDOW_MS / FAILURES + 1);
	assert_true(throttle_permits(t, guesser, 1));
	throttle_failed(t, guesser, 1, ++guess);
	assert_false(throttle_permits(t, guesser, 1));
	clock_simulate(START_MS + 3 * (uint64_t)THROTTLE_WINDOW_MS);
	assert_true(throttle_permits(t, guesser, 1));
	throttle_free(t);
	clock_simulate(0);
}

/* Guesses from everywhere at one account: strangers are slowed, its owner's network is not. */
static void strangers_lock_no_owner_out(void **state UNUSED)
{
	struct throttle *t = new_throttle();
	struct network home = network_of(STR("198.51.100.7"));
	throttle_succeeded(t, home, VICTIM);
	for (uint32_t i = 0; i < 100; i++) {
		struct network bot = {i + 1, false};
		throttle_failed(t, bot, VICTIM, i);
	}
	assert_false(throttle_permits(t, network_of(STR("203.0.113.9")), VICTIM));
	assert_true(throttle_permits(t, home, VICTIM));
	assert_true(throttle_permits(t, network_of(STR("203.0.113.9")), VICTIM + 1));
	throttle_free(t);
	clock_simulate(0);
}

static void a_forgotten_phone_counts_once(void **state UNUSED)
{
	struct throttle *t = new_throttle();
	struct network school = network_of(STR("192.0.2.1"));
	for (int i = 0; i < 1000; i++)
		throttle_failed(t, school, VICTIM, 4711);
	assert_true(throttle_permits(t, school, VICTIM));
	assert_true(throttle_permits(t, school, VICTIM + 1));
	throttle_free(t);
	clock_simulate(0);
}

/* What failed is known where it failed, and only the last of it. */
static void what_was_wrong_is_known(void **state UNUSED)
{
	struct throttle *t = new_throttle();
	struct network school = network_of(STR("192.0.2.1"));
	assert_false(throttle_was_wrong(t, school, 1));
	for (uint64_t i = 0; i < THROTTLE_SEEN; i++)
		throttle_failed(t, school, VICTIM, i);
	for (uint64_t i = 0; i < THROTTLE_SEEN; i++)
		assert_true(throttle_was_wrong(t, school, i));
	assert_false(throttle_was_wrong(t, network_of(STR("192.0.2.2")), 1));
	throttle_failed(t, school, VICTIM, THROTTLE_SEEN);
	assert_false(throttle_was_wrong(t, school, 0));
	/* Five in turn: none is ever known again, and all count. */
	for (uint64_t i = 0; i < FAILURES; i++) {
		uint64_t credential = i % (THROTTLE_SEEN + 1);
		assert_false(throttle_was_wrong(t, school, credential));
		throttle_failed(t, school, VICTIM, credential);
	}
	assert_false(throttle_permits(t, school, VICTIM + 1));
	throttle_free(t);
	clock_simulate(0);
}

static void many_networks_fit(void **state UNUSED)
{
	struct throttle *t = new_throttle();
	for (uint64_t i = 0; i < 20 * (uint64_t)THROTTLE_ENTRIES_MAX; i++)
		throttle_failed(t, (struct network){i, true}, 0, i);
	struct network last = {20 * (uint64_t)THROTTLE_ENTRIES_MAX + 1, true};
	for (uint64_t i = 0; i < FAILURES; i++)
		throttle_failed(t, last, 0, i);
	assert_false(throttle_permits(t, last, 0));
	throttle_free(t);
	clock_simulate(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(networks_are_32_and_64_bits),
	    cmocka_unit_test(a_network_that_guesses_is_slowed),
	    cmocka_unit_test(strangers_lock_no_owner_out),
	    cmocka_unit_test(a_forgotten_phone_counts_once),
	    cmocka_unit_test(what_was_wrong_is_known),
	    cmocka_unit_test(many_networks_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
