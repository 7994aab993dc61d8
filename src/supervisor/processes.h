/*
 * supervisor/processes.h: what the kernel says of a running server's processes, seen from outside.
 *
 * It asks nobody in the server: which processes there are is read from /proc (all descendants of
 * the process in run/gatepost.pid), and what each may do from its /proc/PID/status. The one thing
 * that the kernel does not show is landlock: of that there is what the roles themselves told the
 * supervisor (run/roles); their children inherit it.
 */
#ifndef SUPERVISOR_PROCESSES_H
#define SUPERVISOR_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

enum { PROCESS_NAME_MAX = 32 };

struct process {
	pid_t pid, parent;
	char role[PROCESS_NAME_MAX];  /* from run/roles, otherwise the process's own name */
	char state[PROCESS_NAME_MAX]; /* "ready", "starting", "replaced"; "" for children */
	uid_t uid;                    /* effective */
	bool no_new_privs;
	unsigned seccomp; /* 0 none, 1 strict, 2 filter */
	unsigned filters;
	uint64_t capabilities; /* permitted */
	int landlock;          /* version as told by the role or its parent; 0 none, -1 not told */
	int64_t pss_kib;       /* -1: not to be seen by this user */
};

/*
 * The processes of the server on data folder `data_fd`, the supervisor first, parents before their
 * children. Given in `*ret_v` (free). -ESRCH when no server runs there.
 */
MUST_USE int processes_list(int data_fd, struct process **ret_v, size_t *ret_n);

#endif
