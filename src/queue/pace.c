#include "queue/pace.h"

#include <stdbool.h>

/* FNV-1a, 64 bits; names of this server's own, which no stranger chooses. */
static uint64_t hash_of(struct str name)
{
	uint64_t h = 0xcbf29ce484222325;
	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)ascii_lower(name.p[i])) * 0x100000001b3;
	return h | 1;
}

static bool is_idle(const struct pace_name *n, uint64_t now)
{
	return n->hash == 0 || (n->count == 0 && now >= n->begun_at + PACE_HOUR_MS);
}

/* What went in the hours that are over is forgotten; what waits for later hours is not. */
static void let_pass(struct pace_name *n, uint64_t now, uint64_t most)
{
	if (now < n->begun_at) /* the clock was set back */
		*n = (struct pace_name){.hash = n->hash, .begun_at = now};
	uint64_t hours = (now - n->begun_at) / PACE_HOUR_MS;
	uint64_t gone = hours > n->count / most ? n->count : hours * most;
	n->count -= gone;
	n->begun_at += hours * PACE_HOUR_MS;
}

static struct pace_name *find(struct pace *p, uint64_t hash, uint64_t now)
{
	struct pace_name *idle = NULL;
	for (uint64_t i = 0; i < PACE_NEAR; i++) {
		struct pace_name *n = &p->v[(hash + i) % PACE_NAMES];
		if (n->hash == hash)
			return n;
		if (!idle && is_idle(n, now))
			idle = n;
	}
	if (!idle)
		return &p->v[hash % PACE_NAMES];
	*idle = (struct pace_name){.hash = hash, .begun_at = now};
	return idle;
}

uint64_t pace_take(struct pace *p, struct str name, uint64_t now, uint64_t most)
{
	struct pace_name *n = find(p, hash_of(name), now);
	let_pass(n, now, most);
	uint64_t at = n->begun_at + n->count / most * PACE_HOUR_MS;
	n->count++;
	return at > now ? at : now;
}
