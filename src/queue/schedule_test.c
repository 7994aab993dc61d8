#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/attr.h"
#include "queue/schedule.h"

static void retries_grow_and_stay_within_a_fifth(void **state UNUSED)
{
	static const uint64_t expected_minutes[] = {5, 10, 20, 30, 60, 120, 240, 240, 240};
	for (uint64_t n = 1; n <= ARRAY_LEN(expected_minutes); n++) {
		uint64_t ms = expected_minutes[n - 1] * SCHEDULE_MINUTE;
		for (uint64_t chance = 0; chance < UINT64_MAX - UINT64_MAX / 50;
		     chance += UINT64_MAX / 50) {
			uint64_t got = schedule_retry_ms(n, chance);
			assert_in_range(got, ms - ms / 5, ms + ms / 5);
		}
	}
	assert_int_not_equal(schedule_retry_ms(3, 1), schedule_retry_ms(3, 100000));
	assert_in_range(schedule_back_off_ms(1, 7), 48000, 72000);
	assert_in_range(schedule_back_off_ms(1000, 7), 48 * SCHEDULE_MINUTE, 72 * SCHEDULE_MINUTE);
}

/* Days of a recipient that nobody takes: how often it is tried, and that the end has a last try. */
static void a_life(void **state UNUSED)
{
	uint64_t now = 1000000, expires = now + 5 * 24 * (uint64_t)SCHEDULE_HOUR;
	unsigned tries = 0;
	while (now < expires) {
		uint64_t next =
		    schedule_next_at(now, schedule_retry_ms(++tries, now * 7919), expires);
		assert_true(next > now && next <= expires);
		now = next;
	}
	assert_true(now == expires);
	assert_in_range(tries, 28, 45);
	assert_int_equal(schedule_next_at(expires + 5, 10, expires), expires + 15);
}

static void windows_open_slowly_and_halve(void **state UNUSED)
{
	uint64_t window = SCHEDULE_WINDOW_FIRST;
	for (int i = 0; i < 100; i++)
		window = schedule_window_up(window, 20);
	assert_int_equal(window, 20);
	assert_int_equal(schedule_window_halve(window), 10);
	assert_int_equal(schedule_window_halve(1), 1);
	assert_int_equal(schedule_window_up(30, 20), 20);
}

/* Greedy destinations with a million messages each leave room for one that comes later. */
static void nobody_takes_all(void **state UNUSED)
{
	enum { GREEDY = 12, MAX = 200 };
	uint64_t here[GREEDY] = {0}, all = 0;
	bool more = true;
	while (more) {
		more = false;
		for (size_t i = 0; i < GREEDY; i++) {
			struct schedule_load load = {
			    .couriers_max = MAX, .couriers = all, .here = here[i], .window = 1000};
			if (!schedule_may_start(&load))
				continue;
			here[i]++;
			all++;
			more = true;
		}
	}
	assert_true(all < MAX);
	for (size_t i = 0; i < GREEDY; i++)
		assert_in_range(here[i], MAX / (GREEDY + 1) - 1, MAX / GREEDY);
	struct schedule_load newcomer = {.couriers_max = MAX, .couriers = all, .window = 2};
	assert_true(schedule_may_start(&newcomer));
	newcomer.couriers = MAX;
	assert_false(schedule_may_start(&newcomer));
}

static void trouble_has_half(void **state UNUSED)
{
	struct schedule_load load = {
	    .couriers_max = 10, .couriers = 4, .troubled = 4, .window = 1, .in_trouble = true};
	assert_true(schedule_may_start(&load));
	load.troubled = load.couriers = 5;
	assert_false(schedule_may_start(&load));
	load.in_trouble = false;
	assert_true(schedule_may_start(&load));
	/* Of one in trouble there is one attempt at a time. */
	load = (struct schedule_load){.couriers_max = 10,
	    .couriers = 1,
	    .troubled = 1,
	    .here = 1,
	    .window = 5,
	    .in_trouble = true};
	assert_false(schedule_may_start(&load));
	/* With a single courier everybody has their turn. */
	load = (struct schedule_load){.couriers_max = 1, .window = 1, .in_trouble = true};
	assert_true(schedule_may_start(&load));
}

static void ages(void **state UNUSED)
{
	const uint64_t begin = 5000000, hour = SCHEDULE_HOUR;
	struct schedule_age age = {
	    .begins_at = begin, .lifetime_ms = 120 * hour, .delay_notice_ms = 4 * hour};
	assert_int_equal(schedule_look_at(&age), begin + 4 * hour);
	assert_int_equal(schedule_due(&age, begin + 4 * hour - 1), SCHEDULE_NOTHING);
	assert_int_equal(schedule_due(&age, begin + 4 * hour), SCHEDULE_TELL_DELAY);
	age.delay_told = true;
	assert_int_equal(schedule_due(&age, begin + 5 * hour), SCHEDULE_NOTHING);
	assert_int_equal(schedule_look_at(&age), begin + 120 * hour);
	assert_int_equal(schedule_due(&age, begin + 120 * hour), SCHEDULE_EXPIRE);
	age.deliver_by = begin + 6 * hour;
	assert_int_equal(schedule_look_at(&age), begin + 6 * hour);
	assert_int_equal(schedule_due(&age, begin + 6 * hour), SCHEDULE_TELL_BY);
	age.by_told = true;
	assert_int_equal(schedule_due(&age, begin + 6 * hour), SCHEDULE_NOTHING);
	age.by_return = true;
	assert_int_equal(schedule_due(&age, begin + 6 * hour), SCHEDULE_RETURN_BY);
	assert_int_equal(schedule_look_at(&age), begin + 6 * hour);
	age.delay_notice_ms = 0;
	age.delay_told = false;
	age.deliver_by = 0;
	assert_int_equal(schedule_due(&age, begin + 119 * hour), SCHEDULE_NOTHING);
	assert_int_equal(schedule_look_at(&age), begin + 120 * hour);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(retries_grow_and_stay_within_a_fifth),
	    cmocka_unit_test(a_life),
	    cmocka_unit_test(windows_open_slowly_and_halve),
	    cmocka_unit_test(nobody_takes_all),
	    cmocka_unit_test(trouble_has_half),
	    cmocka_unit_test(ages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
