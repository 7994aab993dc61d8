/*
 * sandbox/sandbox.h: the way into a role's sandbox. No way leads out.
 *
 * sandbox_enter does, in this order, and ends the process when any step fails (fail closed):
 *
 *   limits (setrlimit) · the data folder's descriptor closed · the role's user for good, where it
 * is still root · no_new_privs · not dumpable · its name in `ps` · dies with its parent · landlock
 * · seccomp
 *
 * What came before, in role_enter: only the descriptors of role_start are open; user, groups and
 * capabilities are the role's.
 *
 * It does not open, log to files, or know what a role is for: it reads the table in role.h.
 *
 * Children are forked from a process that is sandboxed already. A gate is every stranger's, so it
 * must cost little: it lives under the rules that its gatekeeper entered before it forked, and adds
 * what costs next to nothing (its user, its limits, only its own descriptors). Loading another
 * filter would take a third of the fork's time (measured: fork and exit 230 us of CPU, a filter 70
 * to 110 us more). A session, which holds a key, adds its own landlock rule and its own filter on
 * top; the parent builds that filter once (sandbox_prepare_child, before its own sandbox_enter).
 *
 * Debugging: in the sanitizer build GATEPOST_SANDBOX_TRACE=1 in the environment prints the refused
 * system call before the process dies. Refused calls elsewhere end the process by SIGSYS.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stddef.h>
#include <sys/types.h>

#include "sandbox/role.h"

enum { SANDBOX_KEEP_MAX = 16 };

/* The highest landlock version that this kernel has, 0 when it has none. */
int sandbox_landlock_version(void);

/* The version that this process is under, 0 none. */
int sandbox_landlock_in_force(void);

/* The lowest version that will do: 2 (Linux 5.19), the first that can allow links between
 * folders. */
enum { SANDBOX_LANDLOCK_LEAST = 2 };

/* Enters the sandbox of `start->role`, whose working folder is the role's own. All descriptors stay
 * open but start->data_fd (they were opened by the role itself: the supervisor gave it only those
 * of role_start). Exits with a log line when a step fails. */
void sandbox_enter(const struct role_start *start);

struct sandbox_child;

/* Builds what a child of `role` (a gate, a session) needs, before the parent's own sandbox_enter.
 * Exits with a log line on failure. Given; lives as long as the process. */
struct sandbox_child *sandbox_prepare_child(const struct role_start *start, enum role role);

/*
 * In the forked child, as its first act: closes every descriptor but 0, 1, 2 and `keep`
 * (n ≤ SANDBOX_KEEP_MAX), sets its limits, becomes the child's user, drops every capability, and
 * enters its landlock rules and filter where its row has its own. A session's working folder must
 * be its account's folder already: its landlock rule is for the working folder. Exits when a step
 * fails.
 */
void sandbox_enter_child(const struct sandbox_child *child, const int *keep, size_t n);

/*
 * In a child that the command line forked to look at files which a role made, and which may hold
 * what somebody put there who was in control of it: what sandbox_enter_child does, with the calls
 * and the files of `role` below the working folder. As root it becomes the owner of the file `of`,
 * or of the folder where that is not there; where that is root, root without any capability. A
 * kernel without landlock leaves user and filter. Exits when a step fails.
 */
void sandbox_enter_owner(enum role role, const char *of, pid_t parent, const int *keep, size_t n);

/*
 * What the supervisor can be held to, and all processes of the server with it: it executes its own
 * binary and nothing else, changes nothing outside the data folder (its working folder), opens no
 * port any more, connects by TCP only to ports that a role's row names, and does without what no
 * mail server needs (filter.c: `never`). As root it keeps the few capabilities that starting roles
 * takes. Exits when a step fails.
 */
void sandbox_enter_supervisor(const struct config *config, bool own_users, bool without_landlock);

#endif
