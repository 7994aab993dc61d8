/*
 * sandbox/drill.h: hostile attempts inside a sandbox that is really entered (test/drills/run).
 *
 * Only in builds with GATEPOST_DRILL: a release has neither this code nor its switches.
 *
 * GATEPOST_DRILL=ROLE[,ROLE…] in the server's environment: each process of such a role forks, just
 * before it enters its sandbox, one child for each attempt (drill_reach.c, drill_power.c). The
 * child enters the sandbox as the role would, with the role's descriptors, tries, and its fate is
 * logged:
 *
 *   drill.result of=ROLE attempt=NAME rule=forbidden|allowed outcome=…
 *
 * GATEPOST_DRILL_WITHOUT=landlock,seccomp,limits,user takes defences away, so that a run can show
 * that the attempts succeed without them.
 */
#ifndef SANDBOX_DRILL_H
#define SANDBOX_DRILL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "sandbox/role.h"

enum drill_defence { DRILL_LANDLOCK, DRILL_SECCOMP, DRILL_LIMITS, DRILL_USER };

#ifdef GATEPOST_DRILL

/* True when that defence is to be left out. */
bool drill_without(enum drill_defence defence);

/* Runs the attempts of `role`, each in a child. Returns `parent`, or in such a child its own. */
pid_t drill_before(enum role role, bool own_user, uint64_t descriptors, pid_t parent);

/* In a child of drill_before: makes its attempt and ends. Elsewhere nothing. `keep`: the only
 * descriptors that should be open above 2; NULL where the role opened what it needs itself. */
void drill_inside(const int *keep, size_t n_keep);

/* --- drill_reach.c, drill_power.c --- */

struct drill_context {
	enum role role;
	const struct role_row *row;
	bool own_user;
	uint64_t descriptors; /* the limit in force */
	pid_t server_process; /* somebody else's process: the role's parent or itself */
	const int *keep;
	size_t n_keep;
};

struct drill_attempt {
	const char *name;
	/* 0 when the attempt succeeded, otherwise the errno that refused it. */
	int (*try)(const struct drill_context *c);
	/* NULL: forbidden to all roles. */
	bool (*is_allowed)(const struct drill_context *c);
};

struct drill_attempts {
	const struct drill_attempt *v;
	size_t n;
};

extern const struct drill_attempts drill_reach, drill_power;

#else

static inline bool drill_without(enum drill_defence defence UNUSED)
{
	return false;
}

static inline pid_t drill_before(
    enum role role UNUSED, bool own_user UNUSED, uint64_t descriptors UNUSED, pid_t parent)
{
	return parent;
}

static inline void drill_inside(const int *keep UNUSED, size_t n_keep UNUSED)
{
}

#endif
#endif
