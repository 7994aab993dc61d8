/*
 * sandbox/filter.h: from families of system calls to a seccomp program.
 *
 * One table (filter.c) says which calls, with which arguments, belong to which family. A call that
 * is in none of a role's families ends the process (SECCOMP_RET_KILL_PROCESS, the kernel's SIGSYS);
 * so do calls of another architecture and of the x32 ABI. The few calls that libraries try first
 * and can do without get an error instead; they stand in the table too.
 *
 * Arguments: a filter sees registers, not the memory that they point to. So paths are landlock's
 * part, and the flags of clone3 (in memory) cannot be judged: clone3 is answered with ENOSYS, and
 * glibc then uses clone.
 *
 * Building takes milliseconds (libseccomp); the result is an array that seccomp(2) loads in some
 * tens of microseconds, in this process or in a child forked later.
 */
#ifndef SANDBOX_FILTER_H
#define SANDBOX_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/attr.h"

struct filter {
	struct sock_filter *code;
	unsigned short n;
};

/* What arguments depend on the running system. */
struct filter_ids {
	bool becomes; /* setresuid and setresgid to exactly these */
	uid_t uid;
	gid_t gid;
	pid_t self; /* tgkill to this process, for abort(); 0: to nobody */
};

/* Builds the program for `calls` (enum sandbox_calls). Given: filter_done. 0 or -errno. */
MUST_USE int filter_build(unsigned calls, const struct filter_ids *ids, struct filter *ret_filter);

/* The same for the supervisor, whose rules all processes of the server inherit: everything but
 * what no part of a mail server ever needs. */
MUST_USE int filter_build_supervisor(struct filter *ret_filter);

void filter_done(struct filter *f);

/* Loads it into this process; no_new_privs must be set. 0 or -errno. */
MUST_USE int filter_load(const struct filter *f);

/* The name of a family, NULL behind the last; for tables. */
const char *filter_family_name(unsigned bit);

/* Prints a table of all calls and their families. */
void filter_print(FILE *to);

#endif
