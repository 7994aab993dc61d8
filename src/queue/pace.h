/*
 * queue/pace.h: how fast something may go on, by name: so many an hour, what is more comes later
 * and nothing is lost. Pure: the time comes in.
 *
 * It remembers PACE_NAMES names, in memory: after a start everybody begins anew. Where more are
 * busy within an hour, two may share what one of them has.
 */
#ifndef QUEUE_PACE_H
#define QUEUE_PACE_H

#include <stdint.h>

#include "base/str.h"

enum { PACE_NAMES = 1024, PACE_NEAR = 8, PACE_HOUR_MS = 3600000 };

struct pace_name {
	uint64_t hash, begun_at, count;
};

struct pace {
	struct pace_name v[PACE_NAMES];
};

/* Counts one of `name`, of which `most` (1 …) may go in an hour: when it may go, `now` or later. */
uint64_t pace_take(struct pace *p, struct str name, uint64_t now, uint64_t most);

#endif
