#include "base/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t simulated_ms;

static uint64_t read_ms(clockid_t id)
{
	struct timespec ts;

	if (simulated_ms != 0)
		return simulated_ms;
	int r = clock_gettime(id, &ts);
	assert(r == 0);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_ms(void)
{
	return read_ms(CLOCK_BOOTTIME);
}

uint64_t clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

uint64_t clock_wall(void)
{
	return clock_wall_ms() / 1000;
}

uint64_t clock_cpu_ms(void)
{
	return read_ms(CLOCK_PROCESS_CPUTIME_ID);
}

void clock_simulate(uint64_t ms)
{
	simulated_ms = ms;
}
