/*
 * sandbox/landlock.h: landlock by its three system calls.
 *
 * Landlock takes from a process, for good and for all its children, the right to open what no rule
 * names. What is open already stays usable: that is how a role keeps its log or its listener.
 *
 * The kernel tells its version, and everything that the version knows is asked for:
 *
 *   1 (5.13) files      2 (5.19) links between folders      3 (6.2) truncate
 *   4 (6.7) TCP bind and connect      5 (6.10) ioctl of devices
 *   6 (6.12) abstract sockets and signals of processes outside
 *
 * It does not judge stat, chdir, chmod or what is open: seccomp takes those away where they matter.
 */
#ifndef SANDBOX_LANDLOCK_H
#define SANDBOX_LANDLOCK_H

#include <stdint.h>

#include "base/attr.h"

/* The kernel's version, 0 when it has none or landlock is switched off. */
int landlock_version(void);

/* A ruleset that forbids everything that `version` knows. Given descriptor, or -errno. */
MUST_USE int landlock_ruleset(int version);

/*
 * Allows `files` (enum sandbox_files) below `path` (or on it, when it is a file), as far as
 * `version` knows such rights. -errno.
 */
MUST_USE int landlock_allow(int ruleset, int version, const char *path, unsigned files);

/* Allows to execute one file. -errno. */
MUST_USE int landlock_allow_execute(int ruleset, const char *path);

/* Allows TCP connections to `port`, or to bind to it (0: to one that the kernel chooses), where
 * `version` judges them. -errno. */
MUST_USE int landlock_allow_connect(int ruleset, int version, uint16_t port);
MUST_USE int landlock_allow_bind(int ruleset, int version, uint16_t port);

/* Puts this process and its future children under the ruleset; no_new_privs must be set. -errno. */
MUST_USE int landlock_restrict(int ruleset);

#endif
