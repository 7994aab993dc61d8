/*
 * supervisor/instance.h: one process of a role: starting it, and what is known of it.
 *
 * It does not decide when to start or end one; that is supervisor.c.
 */
#ifndef SUPERVISOR_INSTANCE_H
#define SUPERVISOR_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "ipc/loop.h"
#include "sandbox/identity.h"

struct supervisor;

struct instance {
	struct supervisor *supervisor;
	enum role role;
	uint16_t index;
	bool replaced; /* a gatekeeper that watches its last gates; another has its place */
	bool stopped;  /* told to end */
	pid_t pid;     /* 0: not running */
	struct loop_entry *channel;
	bool ready;
	bool was_ready; /* in this or an earlier life */
	uint8_t landlock;
	uint64_t started_at; /* clock_ms */
	unsigned failures;   /* in a row */
};

/* What every role's process is given. */
struct instance_start {
	int config_fd, data_fd, control_fd;
	const struct identities *identities; /* NULL: one user for all */
	bool without_landlock;
};

/*
 * Forks and executes this binary as the role. The process id in `*ret_pid`, our end of its channel
 * in `*ret_channel` (given). -errno.
 */
MUST_USE int instance_start(
    const struct instance *i, const struct instance_start *start, pid_t *ret_pid, int *ret_channel);

/* How long to wait before starting it again after its `failures`th end in a row. */
uint64_t instance_back_off(unsigned failures);

#endif
