#include "supervisor/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "sandbox/role.h"

enum {
	BACK_OFF_FIRST = 100,   /* ms */
	BACK_OFF_MOST = 30000,  /* ms */
	BACK_OFF_DOUBLINGS = 9, /* enough to reach the most */
	PARKING = 16,           /* descriptors on their way to their fixed numbers are above this */
	ENVIRONMENT_MAX = 16,
};

uint64_t instance_back_off(unsigned failures)
{
	uint64_t ms = (uint64_t)BACK_OFF_FIRST << num_min(failures, BACK_OFF_DOUBLINGS);

	return num_min(ms, BACK_OFF_MOST);
}

/* Variables that pass from the supervisor to the roles; a release has none. */
static const char *const passed[] = {
#if defined(GATEPOST_ASAN)
    "UBSAN_OPTIONS",
    "GATEPOST_SANDBOX_TRACE",
#endif
#if defined(GATEPOST_DRILL)
    "GATEPOST_DRILL",
    "GATEPOST_DRILL_WITHOUT",
    "GATEPOST_DRILL_MESSAGES",
#endif
#if defined(GATEPOST_FAULTS)
    "GATEPOST_FAULTS",
    "GATEPOST_CLOCK_AHEAD",
#endif
    NULL,
};

/* The environment of a role is made from nothing. */
static bool make_environment(const struct instance *i, const struct instance_start *start,
    struct buf *text, char *v[static ENVIRONMENT_MAX])
{
	struct buf ids CLEANUP(buf_done) = BUF_MAX(1024);
	size_t n = 0;

	if (start->identities != NULL &&
	    (!identities_encode(start->identities, &ids) ||
	        !buf_printf(text, "%s=%.*s%c", ROLE_ENV_IDENTITIES, STR_FMT(buf_str(&ids)), 0)))
		return false;
	if (start->without_landlock && !buf_printf(text, "%s=1%c", ROLE_ENV_NO_LANDLOCK, 0))
		return false;
	/* Children of these are one process for each connection, idle for most of their life. Kept
	 * on the allocator's lists of small freed pieces, a fifth of their memory would lie unused.
	 */
	if (role_row(i->role)->becomes &&
	    !buf_printf(text, "GLIBC_TUNABLES=glibc.malloc.tcache_count=0%c", 0))
		return false;
	for (size_t at = 0; passed[at] != NULL; at++) {
		const char *value = getenv(passed[at]);
		if (value != NULL && !buf_printf(text, "%s=%s%c", passed[at], value, 0))
			return false;
	}
#ifdef GATEPOST_ASAN
	/* Looking for leaks takes ptrace, which a sandboxed process has not; unit tests look. */
	const char *asan = getenv("ASAN_OPTIONS");
	if (!buf_printf(text, "ASAN_OPTIONS=%s:detect_leaks=0:symbolize=0%c", asan ? asan : "", 0))
		return false;
#endif
	for (size_t at = 0; at < text->len && n + 1 < ENVIRONMENT_MAX;
	     at += strlen(text->p + at) + 1)
		v[n++] = text->p + at;
	v[n] = NULL;
	return true;
}

/* Puts the descriptors at the numbers that role_enter expects. All are first moved out of the way:
 * one may stand where another belongs. */
static bool place_descriptors(int channel, const struct instance_start *start, bool control)
{
	const int from[] = {channel, start->config_fd, start->data_fd, start->control_fd};
	size_t n = control ? 4 : 3;
	int parked[4];

	for (size_t i = 0; i < n; i++)
		if ((parked[i] = fcntl(from[i], F_DUPFD_CLOEXEC, PARKING)) < 0)
			return false;
	for (size_t i = 0; i < n; i++)
		if (dup2(parked[i], ROLE_FD_SUPERVISOR + (int)i) < 0)
			return false;
	return true;
}

static _Noreturn void become_role(
    const struct instance *i, const struct instance_start *start, int channel, char **environment)
{
	char index[8];
	char *argv[] = {(char[]){"gatepost"}, (char[]){"role"},
	    (char *)(uintptr_t)role_row(i->role)->name, index, NULL};
	sigset_t none;

	snprintf(index, sizeof(index), "%u", (unsigned)i->index);
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) == 0 &&
	    place_descriptors(channel, start, i->role == ROLE_DIRECTORY))
		execve("/proc/self/exe", argv, environment);
	dprintf(STDERR_FILENO, "gatepost: %s: cannot be started (%s)\n", role_row(i->role)->name,
	    strerror(errno));
	_exit(127);
}

int instance_start(
    const struct instance *i, const struct instance_start *start, pid_t *ret_pid, int *ret_channel)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(65536);
	char *environment[ENVIRONMENT_MAX];
	int ends[2];

	if (!make_environment(i, start, &text, environment))
		return -E2BIG;
	int r = ipc_pair(ends);
	if (r < 0)
		return r;
	int ours CLEANUP(fd_close) = ends[0];
	int theirs CLEANUP(fd_close) = ends[1];
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become_role(i, start, theirs, environment);
	*ret_pid = pid;
	*ret_channel = fd_take(&ours);
	return 0;
}
