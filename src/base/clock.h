/*
 * base/clock.h: the time of day and the time that only goes forward.
 *
 * Tests set the clock (`clock_simulate`); everything that schedules asks here and nowhere else. In
 * a build with GATEPOST_FAULTS the wall's clock of a whole server goes GATEPOST_CLOCK_AHEAD seconds
 * before the machine's (tests of what happens tomorrow).
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds of a clock that never goes back (CLOCK_BOOTTIME); only for differences. */
uint64_t clock_ms(void);

/* Milliseconds and seconds since 1970-01-01 UTC. */
uint64_t clock_wall_ms(void);
uint64_t clock_wall(void);

/* Milliseconds of CPU that this process has used. */
uint64_t clock_cpu_ms(void);

/* From now on all clocks stand still at `ms`; 0 lets them run again. For tests. */
void clock_simulate(uint64_t ms);

#endif
