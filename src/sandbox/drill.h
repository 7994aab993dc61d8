/*
 * sandbox/drill.h: hostile attempts inside a sandbox that is really entered (test/drills/run).
 *
 * Only in builds with GATEPOST_DRILL: a release has neither this code nor its switches.
 *
 * GATEPOST_DRILL=ROLE in the server's environment: each process of that role forks, just before it
 * enters its sandbox, one child for each attempt (drill_attempts.c). The child enters the sandbox
 * as the role would, with the role's descriptors, tries, and its fate is logged as one line:
 *
 *   drill.result of=ROLE attempt=NAME outcome=… expected=…
 *
 * GATEPOST_DRILL_WITHOUT=landlock,seccomp,limits,user takes defences away, so that a run can show
 * that the attempts succeed without them.
 */
#ifndef SANDBOX_DRILL_H
#define SANDBOX_DRILL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "ipc/messages.h"

enum drill_defence { DRILL_LANDLOCK, DRILL_SECCOMP, DRILL_LIMITS, DRILL_USER };

#ifdef GATEPOST_DRILL

/* True when that defence is to be left out. */
bool drill_without(enum drill_defence defence);

/* Runs the attempts of `role`, each in a child. Returns `parent`, or in such a child its own. */
pid_t drill_before(enum role role, pid_t parent);

/* In a child of drill_before: makes its attempt and ends. Elsewhere nothing. */
void drill_inside(enum role role);

#else

static inline bool drill_without(enum drill_defence defence UNUSED)
{
	return false;
}

static inline pid_t drill_before(enum role role UNUSED, pid_t parent)
{
	return parent;
}

static inline void drill_inside(enum role role UNUSED)
{
}

#endif
#endif
