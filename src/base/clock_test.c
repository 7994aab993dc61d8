#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static void clock_follows_the_system(void **state)
{
	(void)state;
	uint64_t before = (uint64_t)time(NULL), first = clock_ms();
	uint64_t wall = clock_wall(), wall_ms = clock_wall_ms();

	assert_in_range(wall, before, before + 5);
	assert_in_range(wall_ms / 1000, before, before + 5);
	struct timespec pause = {.tv_nsec = 3000000};
	nanosleep(&pause, NULL);
	assert_true(clock_ms() >= first + 3);
}

static void clock_stands_still_when_simulated(void **state)
{
	(void)state;
	clock_simulate(1234567);
	assert_int_equal(clock_ms(), 1234567);
	assert_int_equal(clock_wall_ms(), 1234567);
	assert_int_equal(clock_wall(), 1234);
	clock_simulate(0);
	assert_true(clock_wall() > 1600000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clock_follows_the_system),
	    cmocka_unit_test(clock_stands_still_when_simulated),
	};
	return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
