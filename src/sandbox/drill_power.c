/* Attempts on other processes, on privileges, on the kernel and on limits. */
#include "sandbox/drill.h"

#ifdef GATEPOST_DRILL

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"

/* Each function is one attempt: 0 when it succeeded, otherwise the errno that refused it. Mostly by
 * syscall(2) itself, so that no library stands between. */

#define RESULT(call) ((call) < 0 ? errno : 0)

typedef const struct drill_context context;

/* --- other processes --- */

static int trace_parent(context *c)
{
	return RESULT(syscall(SYS_ptrace, 0x4206 /* PTRACE_SEIZE */, c->server_process, 0, 0));
}

static int read_parents_memory(context *c)
{
	char to[8];
	struct iovec local = {to, sizeof(to)}, remote = {to, sizeof(to)};

	return RESULT(syscall(SYS_process_vm_readv, c->server_process, &local, 1, &remote, 1, 0));
}

/* SIGCONT harms nobody who gets it. */
static int signal_parent(context *c)
{
	return RESULT(syscall(SYS_kill, c->server_process, SIGCONT));
}

static int signal_everybody(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_kill, -1, SIGCONT));
}

static int signal_thread(context *c)
{
	return RESULT(syscall(SYS_tgkill, c->server_process, c->server_process, SIGCONT));
}

static int queue_signal(context *c)
{
	int fd = (int)syscall(SYS_pidfd_open, c->server_process, 0);

	return RESULT(syscall(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0));
}

static int take_descriptor(context *c)
{
	int fd = (int)syscall(SYS_pidfd_open, c->server_process, 0);

	return RESULT(syscall(SYS_pidfd_getfd, fd, 0, 0));
}

static int change_parents_limits(context *c)
{
	struct rlimit l;

	return RESULT(syscall(SYS_prlimit64, c->server_process, RLIMIT_NOFILE, NULL, &l));
}

/* --- powers --- */

static int fork_once(context *c)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	(void)c;
	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

/* Children that wait, one more than the row allows. */
static int fork_too_often(context *c)
{
	int ends[2], limit = c->row->processes;

	if (limit < 0)
		limit = 100;
	if (syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return errno;
	for (int i = 0; i <= limit; i++) {
		pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		char byte;
		if (pid < 0)
			return errno;
		if (pid == 0) {
			close(ends[0]);
			_exit((int)read(ends[1], &byte, 1)); /* ends with its parent */
		}
	}
	return 0;
}

/* A process that shares this one's memory. */
static int share_memory_with_child(context *c)
{
	pid_t pid = vfork();

	(void)c;
	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

static int make_user_namespace(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_unshare, CLONE_NEWUSER));
}

static int fork_into_namespace(context *c)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0);

	(void)c;
	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

static int join_namespace(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_setns, 0, 0));
}

static int become_root(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_setuid, 0));
}

static int become_root_by_setresuid(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_setresuid, 0, 0, 0));
}

static int set_groups(context *c)
{
	gid_t group = 0;

	(void)c;
	return RESULT(syscall(SYS_setgroups, 1, &group));
}

static int raise_capabilities(context *c)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.permitted = ~0u, .effective = ~0u}};

	(void)c;
	return RESULT(syscall(SYS_capset, &header, data));
}

static int raise_limits(context *c)
{
	struct rlimit l;

	(void)c;
	if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &l) < 0)
		return errno;
	l.rlim_cur = ++l.rlim_max;
	return RESULT(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &l, NULL));
}

static int become_dumpable(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int change_root(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_chroot, "."));
}

static int change_folder(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_chdir, "/"));
}

static int mount_something(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_mount, "none", ".", "tmpfs", 0, NULL));
}

static int change_personality(context *c)
{
	(void)c;
	return RESULT(syscall(SYS_personality, 0xffffffff));
}

#define KERNEL_ATTEMPT(name, ...)                                                                  \
	static int name(context *c)                                                                \
	{                                                                                          \
		(void)c;                                                                           \
		return RESULT(syscall(__VA_ARGS__));                                               \
	}
KERNEL_ATTEMPT(use_io_uring, SYS_io_uring_setup, 1, (char[256]){0})
KERNEL_ATTEMPT(use_bpf, SYS_bpf, 0, (char[128]){4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1}, 72)
KERNEL_ATTEMPT(use_perf, SYS_perf_event_open, (char[128]){0}, 0, -1, -1, 0)
KERNEL_ATTEMPT(use_userfaultfd, SYS_userfaultfd, 1 /* user mode only */)
KERNEL_ATTEMPT(use_keyring, SYS_keyctl, 0, -3, 1)
KERNEL_ATTEMPT(add_a_key, SYS_add_key, "user", "drill", "x", 1, -3)
KERNEL_ATTEMPT(read_kernel_log, SYS_syslog, 10, NULL, 0)
KERNEL_ATTEMPT(watch_files, SYS_inotify_init1, 0)
KERNEL_ATTEMPT(share_memory, SYS_shmget, 0, 4096, 0600 | 01000)
KERNEL_ATTEMPT(make_timer, SYS_timer_create, 0, NULL, (int[1]){0})
KERNEL_ATTEMPT(control_device, SYS_ioctl, 2, 0x5401 /* TCGETS */, (char[128]){0})
KERNEL_ATTEMPT(pass_pages, SYS_vmsplice, 1, NULL, 0, 0)
KERNEL_ATTEMPT(lock_all_memory, SYS_mlockall, 1)

/* --- limits --- */

static int take_memory(context *c)
{
	size_t len = c->row->memory;
	void *p = mmap(
	    NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int take_descriptors(context *c)
{
	for (uint64_t n = 0; n < c->descriptors; n++)
		if (syscall(SYS_dup, STDERR_FILENO) < 0)
			return errno;
	return 0;
}

/* Success is to have what it should not: a descriptor of a folder, a listener, or, where the list
 * is known, any beyond the list. */
static int find_more_descriptors(context *c)
{
	for (int fd = 3; fd < 1024; fd++) {
		struct stat st;
		int listens = 0;
		socklen_t len = sizeof(listens);
		if (fd_stat(fd, &st) < 0)
			continue;
		bool listed = c->keep == NULL;
		for (size_t i = 0; i < c->n_keep; i++)
			listed = listed || c->keep[i] == fd;
		if (!listed || (S_ISDIR(st.st_mode) && c->row->files == 0))
			return 0;
		if (S_ISSOCK(st.st_mode) && (c->row->calls & CALLS_ACCEPT) == 0 &&
		    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens)
			return 0;
	}
	return EBADF;
}

/* --- what rows allow --- */

static bool has(context *c, unsigned calls)
{
	return (role_calls_in_force(c->role) & calls) != 0;
}

static bool may_fork(context *c)
{
	return has(c, CALLS_FORK) && c->row->processes != 0;
}

/* The limit counts a user's processes: it is not there where roles share a user, or have none. */
static bool may_fork_often(context *c)
{
	return may_fork(c) && (c->row->processes < 0 || !c->own_user);
}

static bool may_change_folder(context *c)
{
	return has(c, CALLS_BECOME);
}

static bool may_take_memory(context *c)
{
	(void)c;
#ifdef GATEPOST_ASAN
	return true; /* no limit of memory in that build: sandbox.c */
#else
	return false;
#endif
}

static const struct drill_attempt attempts[] = {
    {"trace-process", trace_parent, NULL},
    {"read-process-memory", read_parents_memory, NULL},
    {"signal-process", signal_parent, NULL},
    {"signal-everybody", signal_everybody, NULL},
    {"signal-thread", signal_thread, NULL},
    {"signal-by-pidfd", queue_signal, NULL},
    {"take-descriptor", take_descriptor, NULL},
    {"limits-of-process", change_parents_limits, NULL},
    {"fork", fork_once, may_fork},
    {"fork-beyond-limit", fork_too_often, may_fork_often},
    {"fork-sharing-memory", share_memory_with_child, NULL},
    {"user-namespace", make_user_namespace, NULL},
    {"fork-into-namespace", fork_into_namespace, NULL},
    {"join-namespace", join_namespace, NULL},
    {"setuid-root", become_root, NULL},
    {"setresuid-root", become_root_by_setresuid, NULL},
    {"setgroups-root", set_groups, NULL},
    {"raise-capabilities", raise_capabilities, NULL},
    {"raise-limits", raise_limits, NULL},
    {"become-dumpable", become_dumpable, NULL},
    {"change-root", change_root, NULL},
    {"change-folder", change_folder, may_change_folder},
    {"mount", mount_something, NULL},
    {"personality", change_personality, NULL},
    {"io-uring", use_io_uring, NULL},
    {"bpf", use_bpf, NULL},
    {"perf", use_perf, NULL},
    {"userfaultfd", use_userfaultfd, NULL},
    {"keyring", use_keyring, NULL},
    {"add-key", add_a_key, NULL},
    {"kernel-log", read_kernel_log, NULL},
    {"inotify", watch_files, NULL},
    {"shared-memory", share_memory, NULL},
    {"timer", make_timer, NULL},
    {"ioctl", control_device, NULL},
    {"vmsplice", pass_pages, NULL},
    {"lock-all-memory", lock_all_memory, NULL},
    {"memory-beyond-limit", take_memory, may_take_memory},
    {"descriptors-beyond-limit", take_descriptors, NULL},
    {"descriptors-beyond-list", find_more_descriptors, NULL},
};
const struct drill_attempts drill_power = {attempts, ARRAY_LEN(attempts)};

#endif
