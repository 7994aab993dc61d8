#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "base/num.h"

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

#ifdef GATEPOST_FAULTS
/* GATEPOST_CLOCK_AHEAD: so many seconds the wall's clock goes before that of the machine. */
static uint64_t ahead_ms(void)
{
	const char *text = getenv("GATEPOST_CLOCK_AHEAD");
	uint64_t seconds;

	if (text == NULL || !num_parse(str_of_cstr(text), UINT32_MAX, &seconds))
		return 0;
	return seconds * 1000;
}
#else
static uint64_t ahead_ms(void)
{
	return 0;
}
#endif

uint64_t clock_wall_ms(void)
{
	uint64_t now = read_ms(CLOCK_REALTIME);

	return simulated_ms != 0 ? now : now + ahead_ms();
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
