/*
 * supervisor/overdue.h: ends a gate or a session that should have ended by itself.
 *
 * Their parents know when that is, but may not send signals. So they tell the supervisor, and it
 * makes sure that the process is a child of who tells it: a broken gatekeeper can have its own
 * gates ended, which it could do anyway, and nobody else.
 */
#ifndef SUPERVISOR_OVERDUE_H
#define SUPERVISOR_OVERDUE_H

#include <sys/types.h>

#include "base/attr.h"

/* Kills `pid` where `parent` is its parent. 0, -ESRCH when there is no such process, -EPERM when it
 * is somebody else's child, or another -errno. */
MUST_USE int overdue_end(pid_t pid, pid_t parent);

#endif
