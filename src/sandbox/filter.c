#include "sandbox/filter.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/role.h"

/* A condition on one argument: (argument & mask) == value. */
struct condition {
	uint64_t mask, value;
	unsigned argument;
};

struct call {
	unsigned family;
	int number;
	int error; /* 0: allowed; otherwise the errno it gets */
	unsigned n;
	struct condition c[3];
};

/* Arguments of type int fill half a register; the other half may hold anything. */
#define INT 0xffffffffu

#define ALLOW(f, name)                                                                             \
	{                                                                                          \
		.family = (f), .number = SCMP_SYS(name)                                            \
	}
#define ALLOW_IF(f, name, arg, m, v)                                                               \
	{                                                                                          \
		.family = (f), .number = SCMP_SYS(name), .n = 1,                                   \
		.c = { {.argument = (arg), .mask = (m), .value = (v)} }                            \
	}
#define ALLOW_IF_2(f, name, arg, m, v, arg2, m2, v2)                                               \
	{                                                                                          \
		.family = (f), .number = SCMP_SYS(name), .n = 2,                                   \
		.c = { {.argument = (arg), .mask = (m), .value = (v)},                             \
			{.argument = (arg2), .mask = (m2), .value = (v2)} }                        \
	}
#define ALLOW_SOCKET(f, domain, type, protocol)                                                    \
	{                                                                                          \
		.family = (f), .number = SCMP_SYS(socket), .n = 3,                                 \
		.c = { {.argument = 0, .mask = INT, .value = (domain)},                            \
			{.argument = 1, .mask = INT & ~SOCKET_FLAGS, .value = (type)},             \
			{.argument = 2, .mask = INT, .value = (protocol)} }                        \
	}
#define REFUSE_IF(f, name, arg, m, v, e)                                                           \
	{                                                                                          \
		.family = (f), .number = SCMP_SYS(name), .error = (e), .n = 1,                     \
		.c = { {.argument = (arg), .mask = (m), .value = (v)} }                            \
	}
#define REFUSE(f, name, e)                                                                         \
	{                                                                                          \
		.family = (f), .number = SCMP_SYS(name), .error = (e)                              \
	}

/* fork(2) as glibc does it: no namespace, thread, shared memory or shared descriptors. */
#define FORK_FLAGS   ((uint64_t)(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_PIDFD | 0xff))
#define SOCKET_FLAGS ((uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK))

/*
 * THE TABLE OF SYSTEM CALLS. What stands in no line is not to be had: no execve, ptrace, listen,
 * ioctl, kill, mount, io_uring, bpf, keyctl, userfaultfd, process_vm_readv, …
 */
/* clang-format off */
static const struct call calls[] = {
	/* Descriptors that are held. */
	ALLOW(CALLS_BASE, read),
	ALLOW(CALLS_BASE, write),
	ALLOW(CALLS_BASE, readv),
	ALLOW(CALLS_BASE, writev),
	ALLOW(CALLS_BASE, pread64),
	ALLOW(CALLS_BASE, pwrite64),
	ALLOW(CALLS_BASE, close),
	ALLOW(CALLS_BASE, close_range),
	ALLOW(CALLS_BASE, dup),
	ALLOW(CALLS_BASE, dup2),
	ALLOW(CALLS_BASE, dup3),
	ALLOW(CALLS_BASE, fstat),
	ALLOW(CALLS_BASE, lseek),
	ALLOW_IF(CALLS_BASE, fcntl, 1, INT, F_GETFD),
	ALLOW_IF(CALLS_BASE, fcntl, 1, INT, F_SETFD),
	ALLOW_IF(CALLS_BASE, fcntl, 1, INT, F_GETFL),
	ALLOW_IF(CALLS_BASE, fcntl, 1, INT, F_DUPFD_CLOEXEC),
	ALLOW_IF(CALLS_BASE, fcntl, 1, INT, F_GET_SEALS),
	/* Memory, never executable. */
	ALLOW_IF(CALLS_BASE, mmap, 2, PROT_EXEC, 0),
	ALLOW_IF(CALLS_BASE, mprotect, 2, PROT_EXEC, 0),
	ALLOW(CALLS_BASE, munmap),
	ALLOW(CALLS_BASE, mremap),
	ALLOW(CALLS_BASE, madvise),
	ALLOW(CALLS_BASE, brk),
	/* Itself and the time. */
	ALLOW(CALLS_BASE, getpid),
	ALLOW(CALLS_BASE, gettid),
	ALLOW(CALLS_BASE, getppid),
	ALLOW(CALLS_BASE, getuid),
	ALLOW(CALLS_BASE, geteuid),
	ALLOW(CALLS_BASE, getgid),
	ALLOW(CALLS_BASE, getegid),
	ALLOW(CALLS_BASE, getrandom),
	ALLOW(CALLS_BASE, getrusage),
	ALLOW(CALLS_BASE, sysinfo), /* glibc's qsort asks how much memory there is */
	ALLOW_IF_2(CALLS_BASE, prlimit64, 0, INT, 0, 2, UINT64_MAX, 0), /* its own; not setting */
	ALLOW(CALLS_BASE, clock_gettime),
	ALLOW(CALLS_BASE, clock_getres),
	ALLOW(CALLS_BASE, gettimeofday),
	ALLOW(CALLS_BASE, time),
	ALLOW(CALLS_BASE, nanosleep),
	ALLOW(CALLS_BASE, clock_nanosleep),
	ALLOW(CALLS_BASE, restart_syscall),
	ALLOW(CALLS_BASE, futex),
	ALLOW(CALLS_BASE, sched_yield),
	ALLOW(CALLS_BASE, rt_sigaction),
	ALLOW(CALLS_BASE, rt_sigprocmask),
	ALLOW(CALLS_BASE, rt_sigreturn),
	ALLOW(CALLS_BASE, sigaltstack),
	ALLOW(CALLS_BASE, exit),
	ALLOW(CALLS_BASE, exit_group),

	/* Messages over sockets that are there. Sending names no address (see socketpair), and makes
	 * no connection, which MSG_FASTOPEN would. */
	ALLOW_IF(CALLS_CHANNEL, sendmsg, 2, MSG_FASTOPEN, 0),
	ALLOW(CALLS_CHANNEL, recvmsg),
	ALLOW_IF(CALLS_CHANNEL, sendto, 3, MSG_FASTOPEN, 0),
	ALLOW(CALLS_CHANNEL, recvfrom),
	ALLOW(CALLS_CHANNEL, shutdown),
	ALLOW(CALLS_CHANNEL, poll),
	ALLOW(CALLS_CHANNEL, ppoll),
	ALLOW(CALLS_CHANNEL, epoll_create1),
	ALLOW(CALLS_CHANNEL, epoll_ctl),
	ALLOW(CALLS_CHANNEL, epoll_wait),
	ALLOW(CALLS_CHANNEL, epoll_pwait),
	ALLOW_IF(CALLS_CHANNEL, getsockopt, 1, INT, SOL_SOCKET),
	ALLOW_IF_2(CALLS_CHANNEL, setsockopt, 1, INT, SOL_SOCKET, 2, INT, SO_SNDBUF),
	ALLOW_IF_2(CALLS_CHANNEL, setsockopt, 1, INT, SOL_SOCKET, 2, INT, SO_RCVBUF),

	ALLOW(CALLS_CONNECTION, getpeername),
	ALLOW(CALLS_CONNECTION, getsockname),
	ALLOW_IF(CALLS_CONNECTION, getsockopt, 1, INT, IPPROTO_TCP),
	ALLOW_IF_2(CALLS_CONNECTION, setsockopt, 1, INT, SOL_SOCKET, 2, INT, SO_KEEPALIVE),
	ALLOW_IF_2(CALLS_CONNECTION, setsockopt, 1, INT, SOL_SOCKET, 2, INT, SO_LINGER),
	ALLOW_IF_2(CALLS_CONNECTION, setsockopt, 1, INT, SOL_SOCKET, 2, INT, SO_RCVTIMEO),
	ALLOW_IF_2(CALLS_CONNECTION, setsockopt, 1, INT, SOL_SOCKET, 2, INT, SO_SNDTIMEO),
	ALLOW_IF_2(CALLS_CONNECTION, setsockopt, 1, INT, IPPROTO_TCP, 2, INT, TCP_NODELAY),
	ALLOW_IF_2(CALLS_CONNECTION, setsockopt, 1, INT, IPPROTO_TCP, 2, INT, TCP_CORK),
	ALLOW_IF_2(CALLS_CONNECTION, setsockopt, 1, INT, IPPROTO_TCP, 2, INT, TCP_KEEPIDLE),
	ALLOW_IF_2(CALLS_CONNECTION, setsockopt, 1, INT, IPPROTO_TCP, 2, INT, TCP_KEEPINTVL),
	ALLOW_IF_2(CALLS_CONNECTION, setsockopt, 1, INT, IPPROTO_TCP, 2, INT, TCP_KEEPCNT),
	ALLOW_IF_2(CALLS_CONNECTION, setsockopt, 1, INT, IPPROTO_TCP, 2, INT, TCP_QUICKACK),
	ALLOW_IF_2(CALLS_CONNECTION, setsockopt, 1, INT, IPPROTO_TCP, 2, INT, TCP_USER_TIMEOUT),

	ALLOW(CALLS_ACCEPT, accept4),

	/* Sockets of the network and no others; which addresses, no filter can see; which ports of
	 * TCP, landlock judges where the kernel's has it. No listen. */
	ALLOW_SOCKET(CALLS_CONNECT, AF_INET, SOCK_STREAM, 0),
	ALLOW_SOCKET(CALLS_CONNECT, AF_INET, SOCK_STREAM, IPPROTO_TCP),
	ALLOW_SOCKET(CALLS_CONNECT, AF_INET6, SOCK_STREAM, 0),
	ALLOW_SOCKET(CALLS_CONNECT, AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	ALLOW(CALLS_CONNECT, connect),
	ALLOW(CALLS_CONNECT, bind), /* the address that a connection comes from */
	ALLOW_IF_2(CALLS_CONNECT, setsockopt, 1, INT, IPPROTO_IP, 2, INT, IP_BIND_ADDRESS_NO_PORT),
	ALLOW_SOCKET(CALLS_DATAGRAM, AF_INET, SOCK_DGRAM, 0),
	ALLOW_SOCKET(CALLS_DATAGRAM, AF_INET, SOCK_DGRAM, IPPROTO_UDP),
	ALLOW_SOCKET(CALLS_DATAGRAM, AF_INET6, SOCK_DGRAM, 0),
	ALLOW_SOCKET(CALLS_DATAGRAM, AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
	ALLOW(CALLS_DATAGRAM, connect),
	ALLOW(CALLS_DATAGRAM, bind),
	ALLOW(CALLS_DATAGRAM, getsockname),
	/* libunbound tries this for TCP first; told so, as a system without it says, it connects. */
	REFUSE_IF(CALLS_DATAGRAM, sendmsg, 2, MSG_FASTOPEN, MSG_FASTOPEN, EPIPE),
	ALLOW_IF_2(CALLS_DATAGRAM, setsockopt, 1, INT, SOL_SOCKET, 2, INT, SO_REUSEADDR),
	ALLOW_IF_2(CALLS_DATAGRAM, setsockopt, 1, INT, IPPROTO_IP, 2, INT, IP_MTU_DISCOVER),
	ALLOW_IF_2(CALLS_DATAGRAM, setsockopt, 1, INT, IPPROTO_IPV6, 2, INT, IPV6_V6ONLY),
	ALLOW_IF_2(CALLS_DATAGRAM, setsockopt, 1, INT, IPPROTO_IPV6, 2, INT, IPV6_MTU),
	ALLOW_IF_2(CALLS_DATAGRAM, setsockopt, 1, INT, IPPROTO_IPV6, 2, INT, IPV6_MTU_DISCOVER),

	/* Connected pairs only: a datagram pair could send to any socket in the file system. */
	ALLOW_IF_2(CALLS_PAIR, socketpair, 0, INT, AF_UNIX,
	    1, INT & ~SOCKET_FLAGS, SOCK_STREAM),
	ALLOW_IF_2(CALLS_PAIR, socketpair, 0, INT, AF_UNIX,
	    1, INT & ~SOCKET_FLAGS, SOCK_SEQPACKET),

	ALLOW(CALLS_MEMFD, memfd_create),
	ALLOW(CALLS_MEMFD, ftruncate),
	ALLOW(CALLS_MEMFD, fallocate),
	ALLOW_IF(CALLS_MEMFD, fcntl, 1, INT, F_ADD_SEALS),

	ALLOW(CALLS_APPEND, fsync),
	ALLOW(CALLS_APPEND, fdatasync),
	ALLOW(CALLS_APPEND, sync_file_range),

	/* Files by path: which, is landlock's part. No links to elsewhere, devices, modes of
	 * other users, extended attributes, mounts or change notifications. */
	ALLOW(CALLS_FILES, openat),
	ALLOW(CALLS_FILES, open),
	ALLOW(CALLS_FILES, newfstatat),
	ALLOW(CALLS_FILES, stat),
	ALLOW(CALLS_FILES, lstat),
	ALLOW(CALLS_FILES, statx),
	ALLOW(CALLS_FILES, fstatfs),
	ALLOW(CALLS_FILES, statfs),
	ALLOW(CALLS_FILES, access),
	ALLOW(CALLS_FILES, faccessat),
	ALLOW(CALLS_FILES, faccessat2),
	ALLOW(CALLS_FILES, getdents64),
	ALLOW(CALLS_FILES, getcwd),
	ALLOW(CALLS_FILES, readlink),
	ALLOW(CALLS_FILES, readlinkat),
	ALLOW(CALLS_FILES, mkdir),
	ALLOW(CALLS_FILES, mkdirat),
	ALLOW(CALLS_FILES, rmdir),
	ALLOW(CALLS_FILES, unlink),
	ALLOW(CALLS_FILES, unlinkat),
	ALLOW(CALLS_FILES, rename),
	ALLOW(CALLS_FILES, renameat),
	ALLOW(CALLS_FILES, renameat2),
	ALLOW(CALLS_FILES, link),
	ALLOW(CALLS_FILES, linkat),
	ALLOW(CALLS_FILES, ftruncate),
	ALLOW(CALLS_FILES, fallocate),
	ALLOW(CALLS_FILES, fadvise64),
	ALLOW(CALLS_FILES, copy_file_range),
	ALLOW(CALLS_FILES, fchmod),
	ALLOW(CALLS_FILES, umask),
	ALLOW(CALLS_FILES, flock),
	ALLOW_IF(CALLS_FILES, setitimer, 0, INT, ITIMER_REAL), /* bounds a wait for a lock */
	ALLOW(CALLS_FILES, preadv),
	ALLOW(CALLS_FILES, pwritev),
	ALLOW_IF(CALLS_FILES, fcntl, 1, INT, F_GETLK),
	ALLOW_IF(CALLS_FILES, fcntl, 1, INT, F_SETLK),
	ALLOW_IF(CALLS_FILES, fcntl, 1, INT, F_SETLKW),
	ALLOW_IF(CALLS_FILES, fcntl, 1, INT, F_OFD_GETLK),
	ALLOW_IF(CALLS_FILES, fcntl, 1, INT, F_OFD_SETLK),
	ALLOW_IF(CALLS_FILES, fcntl, 1, INT, F_OFD_SETLKW),

	ALLOW_IF(CALLS_FORK, clone, 0, ~FORK_FLAGS, 0),
	REFUSE(CALLS_FORK, clone3, ENOSYS),
	ALLOW(CALLS_FORK, set_robust_list),
	ALLOW(CALLS_FORK, wait4),
	ALLOW(CALLS_FORK, waitid),
	ALLOW(CALLS_FORK, pidfd_open),
	ALLOW(CALLS_FORK, signalfd4),

	/* What a child does before its own, stricter rules hold (sandbox_enter_child). The ids of
	 * setresuid and setresgid are added below: only the child's. */
	ALLOW_IF(CALLS_BECOME, prctl, 0, INT, PR_SET_NAME),
	ALLOW_IF(CALLS_BECOME, prctl, 0, INT, PR_SET_PDEATHSIG),
	ALLOW_IF_2(CALLS_BECOME, prctl, 0, INT, PR_SET_DUMPABLE, 1, UINT64_MAX, 0),
	ALLOW_IF_2(CALLS_BECOME, prctl, 0, INT, PR_SET_NO_NEW_PRIVS, 1, UINT64_MAX, 1),
	ALLOW_IF(CALLS_BECOME, prlimit64, 0, INT, 0),
	ALLOW(CALLS_BECOME, capset),
	ALLOW(CALLS_BECOME, chdir),
	ALLOW(CALLS_BECOME, fchdir),
	ALLOW_IF(CALLS_BECOME, seccomp, 0, INT, SECCOMP_SET_MODE_FILTER),
	ALLOW(CALLS_BECOME, landlock_create_ruleset),
	ALLOW(CALLS_BECOME, landlock_add_rule),
	ALLOW(CALLS_BECOME, landlock_restrict_self),

	/* Could also take O_APPEND from a file that is open for appending only. */
	ALLOW_IF(CALLS_FLAGS, fcntl, 1, INT, F_SETFL),

	ALLOW(CALLS_LOCK_MEMORY, mlock),
	ALLOW(CALLS_LOCK_MEMORY, munlock),
};

/* What no process of the server ever needs, from the supervisor downwards. */
static const int never[] = {
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd), SCMP_SYS(process_madvise), SCMP_SYS(kcmp),
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
	SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
	SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(move_mount),
	SCMP_SYS(open_tree), SCMP_SYS(mount_setattr), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(personality),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot),
	SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(iopl), SCMP_SYS(ioperm),
	SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime),
	SCMP_SYS(adjtimex), SCMP_SYS(sethostname), SCMP_SYS(setdomainname),
	SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(syslog), SCMP_SYS(mknod),
	SCMP_SYS(mknodat), SCMP_SYS(fanotify_init), SCMP_SYS(execveat), SCMP_SYS(memfd_secret),
	SCMP_SYS(modify_ldt), SCMP_SYS(vmsplice), SCMP_SYS(shmget), SCMP_SYS(msgget),
	SCMP_SYS(semget), SCMP_SYS(mq_open), SCMP_SYS(name_to_handle_at),
};

#ifdef GATEPOST_ASAN
/*
 * THE ONE PLACE WHERE THE SANITIZER BUILD IS WEAKER: what the sanitizers' run-time library calls.
 * Opening is answered with an error where a role may not open (elsewhere landlock judges), so that
 * a report can be written without the files it would like to read.
 */
static const struct call sanitizer_calls[] = {
	ALLOW(CALLS_BASE, sched_getaffinity),
	ALLOW_IF(CALLS_BASE, prctl, 0, INT, PR_GET_NAME),
	ALLOW(CALLS_BASE, newfstatat),
};
static const struct call sanitizer_refused[] = {
	REFUSE(CALLS_BASE, openat, EACCES),
	REFUSE(CALLS_BASE, readlink, EACCES),
};
#endif
/* clang-format on */

static int add_call(scmp_filter_ctx ctx, const struct call *call)
{
	struct scmp_arg_cmp args[3];
	uint32_t action = call->error != 0 ? SCMP_ACT_ERRNO((uint32_t)call->error) : SCMP_ACT_ALLOW;

	for (unsigned i = 0; i < call->n; i++)
		args[i] = SCMP_CMP64(
		    call->c[i].argument, SCMP_CMP_MASKED_EQ, call->c[i].mask, call->c[i].value);
	return seccomp_rule_add_array(ctx, action, call->number, call->n, args);
}

static int add_calls(scmp_filter_ctx ctx, unsigned families, const struct call *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = (v[i].family & families) != 0 ? add_call(ctx, &v[i]) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* Ids that only the running system knows. */
static int add_ids(scmp_filter_ctx ctx, const struct filter_ids *ids)
{
	int r = 0;

	if (ids->becomes)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setresuid), 3,
		    SCMP_A0_32(SCMP_CMP_EQ, ids->uid, 0), SCMP_A1_32(SCMP_CMP_EQ, ids->uid, 0),
		    SCMP_A2_32(SCMP_CMP_EQ, ids->uid, 0));
	if (r == 0 && ids->becomes)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setresgid), 3,
		    SCMP_A0_32(SCMP_CMP_EQ, ids->gid, 0), SCMP_A1_32(SCMP_CMP_EQ, ids->gid, 0),
		    SCMP_A2_32(SCMP_CMP_EQ, ids->gid, 0));
	if (r < 0)
		return r;
	/* abort() after a failed assert: to itself where its id is known when the filter is made.
	 * Elsewhere the signal fails, and abort() goes on to an instruction that ends it too. */
	if (ids->self == 0)
		return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 0);
	r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)ids->self, 0));
	if (r < 0)
		return r;
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1,
	    SCMP_A0_32(SCMP_CMP_NE, (uint32_t)ids->self, 0));
}

/* Turns the context into an array by way of a memory file. */
static int export_program(scmp_filter_ctx ctx, struct filter *ret_filter)
{
	int fd CLEANUP(fd_close) = memfd_create("seccomp", MFD_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	int r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	size_t len = (size_t)st.st_size;
	if (len == 0 || len % sizeof(struct sock_filter) != 0 ||
	    len / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return -E2BIG;
	struct sock_filter *code = malloc(len);
	assert(code != NULL);
	r = fd_pread_all(fd, code, len, 0);
	if (r < 0) {
		free(code);
		return r;
	}
	*ret_filter = (struct filter){code, (unsigned short)(len / sizeof(*code))};
	return 0;
}

/* What happens to a call in no line of the table. */
static uint32_t default_action(void)
{
#ifdef GATEPOST_ASAN
	if (getenv("GATEPOST_SANDBOX_TRACE") != NULL)
		return SCMP_ACT_TRAP;
#endif
	return SCMP_ACT_KILL_PROCESS;
}

static scmp_filter_ctx new_context(uint32_t action)
{
	scmp_filter_ctx ctx = seccomp_init(action);

	assert(ctx != NULL);
	/* Other architectures and x32 could name calls by other numbers: never. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A binary tree instead of a chain of comparisons. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return ctx;
}

int filter_build(unsigned families, const struct filter_ids *ids, struct filter *ret_filter)
{
	scmp_filter_ctx ctx = new_context(default_action());
	int r = add_calls(ctx, families, calls, ARRAY_LEN(calls));

	if (r == 0)
		r = add_ids(ctx, ids);
#ifdef GATEPOST_ASAN
	if (r == 0)
		r = add_calls(ctx, families, sanitizer_calls, ARRAY_LEN(sanitizer_calls));
	if (r == 0 && (families & CALLS_FILES) == 0)
		r = add_calls(ctx, families, sanitizer_refused, ARRAY_LEN(sanitizer_refused));
#endif
	if (r == 0)
		r = export_program(ctx, ret_filter);
	seccomp_release(ctx);
	return r;
}

int filter_build_supervisor(struct filter *ret_filter)
{
	scmp_filter_ctx ctx = new_context(SCMP_ACT_ALLOW);
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(never) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, never[i], 0);
	/* New namespaces come with new powers; clone3 hides its flags in memory. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	static const uint64_t namespaces[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET,
	    CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};
	for (size_t i = 0; i < ARRAY_LEN(namespaces) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
	if (r == 0)
		r = export_program(ctx, ret_filter);
	seccomp_release(ctx);
	return r;
}

void filter_done(struct filter *f)
{
	free(f->code);
	*f = (struct filter){0};
}

int filter_load(const struct filter *f)
{
	struct sock_fprog program = {.len = f->n, .filter = f->code};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

const char *filter_family_name(unsigned bit)
{
	static const char *const names[] = {"base", "channel", "connection", "accept", "pair",
	    "memfd", "append", "files", "fork", "become", "lock", "flags", "start", "connect",
	    "datagram"};

	return bit < ARRAY_LEN(names) ? names[bit] : NULL;
}

void filter_print(FILE *to)
{
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		const struct call *call = &calls[i];
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call->number);
		unsigned bit = (unsigned)__builtin_ctz(call->family);
		fprintf(to, "%-11s %s", filter_family_name(bit), name != NULL ? name : "?");
		for (unsigned c = 0; c < call->n; c++)
			fprintf(to, " arg%u&%#llx=%#llx", call->c[c].argument,
			    (unsigned long long)call->c[c].mask,
			    (unsigned long long)call->c[c].value);
		fprintf(to, call->error != 0 ? " (answered with an error)\n" : "\n");
		free(name);
	}
}
