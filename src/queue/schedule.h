/*
 * queue/schedule.h: when what is tried again, and how many at once. Pure: times come in, in
 * milliseconds, and chance as a number.
 *
 * A recipient has its own retries: what one mailbox answers says nothing of the others. A
 * destination whose servers cannot be spoken with at all is left alone as a whole: all that waits
 * for it costs one attempt each time. It is slow to get many connections, and has half as many at
 * once when there is trouble.
 *
 * All destinations share the couriers. However many messages wait for one, it gets a further
 * courier only while it has fewer than are free, so that some are left for whoever comes; and those
 * with trouble share half of all.
 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

enum { SCHEDULE_SECOND = 1000, SCHEDULE_MINUTE = 60000, SCHEDULE_HOUR = 3600000 };

/* How long until a recipient that failed `attempts` times (1 …) is tried again: from 5 minutes to 4
 * hours, up to a fifth more or less by chance. */
uint64_t schedule_retry_ms(uint64_t attempts, uint64_t chance);

/* How long until a message is tried again over which a process of ours ended `crashes` times (1 …):
 * from 10 seconds to an hour, more or less by chance. */
uint64_t schedule_crash_ms(uint64_t crashes, uint64_t chance);

/* How long a destination is left alone whose servers could not be reached `failures` times in a row
 * (1 …): from a minute to an hour, more or less by chance. */
uint64_t schedule_back_off_ms(uint64_t failures, uint64_t chance);

/* When it is tried again: within its life, for which the last attempt comes at its end. */
uint64_t schedule_next_at(uint64_t now, uint64_t delay_ms, uint64_t expires_at);

/* How many couriers a destination may have at once. */
enum { SCHEDULE_WINDOW_FIRST = 2 };
uint64_t schedule_window_up(uint64_t window, uint64_t most);
uint64_t schedule_window_halve(uint64_t window);

struct schedule_load {
	uint64_t couriers_max, couriers; /* of all */
	uint64_t troubled;               /* of them, with destinations in trouble */
	uint64_t here;                   /* with this destination */
	uint64_t window;                 /* of it */
	bool in_trouble;                 /* it: its last attempt failed as a whole */
};

/* May this destination have one courier more? */
bool schedule_may_start(const struct schedule_load *load);

/* What is to be done with a message because of its age. */
struct schedule_age {
	uint64_t begins_at; /* it was received, or its hold ended */
	uint64_t lifetime_ms;
	uint64_t delay_notice_ms; /* 0: none */
	uint64_t deliver_by;      /* RFC 2852; 0: nothing said */
	bool by_return;           /* by=R: it is returned then; else its sender is told */
	bool delay_told, by_told;
};

enum schedule_due {
	SCHEDULE_NOTHING,
	SCHEDULE_TELL_DELAY,
	SCHEDULE_TELL_BY,
	SCHEDULE_RETURN_BY,
	SCHEDULE_EXPIRE
};

/* What is due at `now`, the last thing first. */
enum schedule_due schedule_due(const struct schedule_age *age, uint64_t now);

/* When it has to be looked at again. */
uint64_t schedule_look_at(const struct schedule_age *age);

#endif
