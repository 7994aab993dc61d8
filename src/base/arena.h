/*
 * base/arena.h: memory that is freed all at once.
 *
 * One arena per session, one per command or transaction. What is allocated lives until
 * `arena_clear` or `arena_done`; nothing is freed alone, and no pointer outlives its arena.
 *
 * Limits: each arena has a ceiling. `arena_alloc` returns NULL at the ceiling (bad input reached
 * it: the caller answers with its protocol's "too much"); running out of memory below it is ours,
 * and aborts.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used; /* bytes handed out, rounding included */
	size_t max;
};

#define ARENA_MAX(limit) ((struct arena){.max = (limit)})

void arena_done(struct arena *a);
/* Forgets all that was allocated; keeps one block for the next use. */
void arena_clear(struct arena *a);

/* The same, and overwrites it first: for what the next use must not find. */
void arena_wipe(struct arena *a);

/* `len` zeroed bytes, aligned for any object; NULL at the ceiling. */
MUST_USE void *arena_alloc(struct arena *a, size_t len);
/* The same for `n` objects of `size` bytes; NULL too when the product does not fit. */
MUST_USE void *arena_array(struct arena *a, size_t n, size_t size);

#define ARENA_NEW(a, type)          ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_NEW_ARRAY(a, type, n) ((type *)arena_array((a), (n), sizeof(type)))

/* A copy of `s` in the arena; false at the ceiling. */
MUST_USE bool arena_dup(struct arena *a, struct str s, struct str *ret_copy);

#endif
