/*
 * directory/work.h: Argon2id, which takes tens of milliseconds and megabytes, in forked processes,
 * so that the directory's loop never waits for a password.
 *
 * As many run at once as there are processors; WORK_QUEUE_MAX more wait in turn, WORK_ORIGIN_MAX of
 * one origin; beyond that a request is refused. What waited is asked about once more before it is
 * computed: the answer may be known by then. A worker computes one thing, writes it down its own
 * pipe and exits. It knows what the directory knows and is sandboxed as it is; it reads nothing
 * from anybody.
 */
#ifndef DIRECTORY_WORK_H
#define DIRECTORY_WORK_H

#include "ipc/loop.h"
#include "seal/slot.h"

enum { WORK_QUEUE_MAX = 256, WORK_ORIGIN_MAX = 64, WORK_PROCESSES_MAX = 16 };

struct works;

MUST_USE int works_new(struct loop *loop, struct works **ret_works);
void works_free(struct works *works);

/* Who wants a password checked. */
struct work_caller {
	uint64_t origin; /* 0: not limited */
	/* Before what waited is computed; NULL: it always is. 1: go on; 0: this is the master key
	 * (given); -errno: this is the answer. */
	int (*before)(void *ctx, struct secret **ret_master);
	void (*done)(int error, struct secret *master, void *ctx);
	void *ctx;
};

/*
 * Opens `slot` with `password` (slot_open_password). `slot` NULL: only spends the time, and answers
 * -EACCES. `done` gets 0 and the master key (its own: secret_free), or the error and NULL.
 * -EAGAIN when too much is waiting. What is given is copied.
 */
MUST_USE int works_open(struct works *works, const uint8_t *slot, uint64_t account,
    struct str password, const struct work_caller *caller);

/* Wraps `master` for `password` (slot_seal_password); `done` gets the slot, SLOT_LEN bytes. */
MUST_USE int works_seal(struct works *works, const struct secret *master, uint64_t account,
    struct str password, void (*done)(int error, const uint8_t *slot, void *ctx), void *ctx);

/* What a new password slot costs; tests set it lower. */
void works_set_cost(struct works *works, const struct slot_cost *cost);

#endif
