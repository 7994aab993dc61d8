#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sandbox/filter.h"
#include "sandbox/role.h"

/* Loads the filter of `calls` in a child, runs `act` there, and returns the child's status. */
static int run_under(unsigned calls, const struct filter_ids *ids, int (*act)(void))
{
	struct filter filter;
	int status;

	assert_int_equal(filter_build(calls, ids, &filter), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || filter_load(&filter) < 0)
			_exit(99);
		_exit(act());
	}
	filter_done(&filter);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static const struct filter_ids nobody = {0};

static void assert_exits(int status, int expected)
{
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), expected);
}

static void assert_killed(int status)
{
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int do_nothing(void)
{
	return 7;
}

static void every_family_can_be_built(void **state UNUSED)
{
	struct filter filter;

	for (unsigned bit = 0; filter_family_name(bit) != NULL; bit++) {
		assert_int_equal(filter_build(CALLS_BASE | 1u << bit, &nobody, &filter), 0);
		assert_true(filter.n > 0);
		filter_done(&filter);
	}
	assert_int_equal(filter_build_supervisor(&filter), 0);
	filter_done(&filter);
	assert_exits(run_under(CALLS_BASE, &nobody, do_nothing), 7);
}

static int open_socket(void)
{
	return (int)syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0;
}

static int open_datagram_socket(void)
{
	return (int)syscall(SYS_socket, AF_INET6, SOCK_DGRAM, IPPROTO_UDP) < 0;
}

static int open_raw_socket(void)
{
	return (int)syscall(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP) < 0;
}

static int open_local_socket(void)
{
	return (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) < 0;
}

static int open_other_transport(void)
{
	return (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_MPTCP) < 0;
}

static int listen_on_socket(void)
{
	return listen(socket(AF_INET, SOCK_STREAM, 0), 1) < 0;
}

static int connect_by_sending(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = 1};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	return sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)) < 0;
}

/* Who may connect has sockets of TCP and no others, and takes no connection. */
static void sockets_are_of_the_network_and_of_ones_family(void **state UNUSED)
{
	const unsigned connects = CALLS_BASE | CALLS_CHANNEL | CALLS_CONNECT;
	const unsigned asks = CALLS_BASE | CALLS_CHANNEL | CALLS_DATAGRAM;

	assert_exits(run_under(connects, &nobody, open_socket), 0);
	assert_exits(run_under(asks, &nobody, open_datagram_socket), 0);
	assert_exits(run_under(connects | asks, &nobody, open_socket), 0);
	assert_killed(run_under(connects, &nobody, open_datagram_socket));
	assert_killed(run_under(asks, &nobody, open_socket));
	assert_killed(run_under(connects, &nobody, open_raw_socket));
	assert_killed(run_under(connects, &nobody, open_local_socket));
	assert_killed(run_under(connects, &nobody, open_other_transport));
	assert_killed(run_under(connects, &nobody, listen_on_socket));
	assert_killed(run_under(connects, &nobody, connect_by_sending));
	assert_killed(run_under(CALLS_BASE | CALLS_CHANNEL, &nobody, open_socket));
}

static void what_is_in_no_family_kills(void **state UNUSED)
{
	assert_killed(run_under(~0u, &nobody, open_raw_socket));
}

static int make_stream_pair(void)
{
	int ends[2];

	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0;
}

static int make_packet_pair(void)
{
	int ends[2];

	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0;
}

static int make_datagram_pair(void)
{
	int ends[2];

	return socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0;
}

static void pairs_are_connected_and_local(void **state UNUSED)
{
	assert_exits(run_under(CALLS_BASE | CALLS_PAIR, &nobody, make_stream_pair), 0);
	assert_exits(run_under(CALLS_BASE | CALLS_PAIR, &nobody, make_packet_pair), 0);
	assert_killed(run_under(CALLS_BASE | CALLS_PAIR, &nobody, make_datagram_pair));
	assert_killed(run_under(CALLS_BASE, &nobody, make_stream_pair));
}

static int map_plain(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

static int map_executable(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

static void memory_is_never_executable(void **state UNUSED)
{
	assert_exits(run_under(CALLS_BASE, &nobody, map_plain), 0);
	assert_killed(run_under(~0u, &nobody, map_executable));
}

static int fork_plainly(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 || waitpid(pid, NULL, 0) != pid;
}

static int clone_into_namespace(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0);

	return pid != 0 ? pid < 0 : 0;
}

static int clone3_is_unknown(void)
{
	return syscall(SYS_clone3, NULL, 0) == 0 || errno != ENOSYS;
}

static void forks_get_no_namespace(void **state UNUSED)
{
	assert_exits(run_under(CALLS_BASE | CALLS_FORK, &nobody, fork_plainly), 0);
	assert_exits(run_under(CALLS_BASE | CALLS_FORK, &nobody, clone3_is_unknown), 0);
	assert_killed(run_under(CALLS_BASE | CALLS_FORK, &nobody, clone_into_namespace));
	assert_killed(run_under(CALLS_BASE, &nobody, fork_plainly));
}

static int become_70000(void)
{
	return syscall(SYS_setresuid, 70000, 70000, 70000) < 0 && errno != EPERM;
}

static int become_root(void)
{
	return syscall(SYS_setresuid, 0, 0, 0) < 0;
}

static int become_mixed(void)
{
	return syscall(SYS_setresuid, 70000, 0, 70000) < 0;
}

static void only_the_named_user_can_be_become(void **state UNUSED)
{
	static const struct filter_ids ids = {.becomes = true, .uid = 70000, .gid = 70000};

	assert_exits(run_under(CALLS_BASE, &ids, become_70000), 0);
	assert_killed(run_under(CALLS_BASE, &ids, become_root));
	assert_killed(run_under(CALLS_BASE, &ids, become_mixed));
	assert_killed(run_under(CALLS_BASE | CALLS_BECOME, &nobody, become_70000));
}

static int duplicate(void)
{
	return fcntl(0, F_DUPFD_CLOEXEC, 10) < 0;
}

static int ask_for_signals(void)
{
	return fcntl(0, F_SETOWN, getppid()) < 0;
}

/* The upper half of a register does not matter for an int: no way around the condition. */
static int ask_for_signals_disguised(void)
{
	return (int)syscall(SYS_fcntl, 0, 0x100000000 + F_SETOWN, getppid()) < 0;
}

static void descriptors_send_no_signals(void **state UNUSED)
{
	assert_exits(run_under(CALLS_BASE, &nobody, duplicate), 0);
	assert_killed(run_under(~0u, &nobody, ask_for_signals));
	assert_killed(run_under(~0u, &nobody, ask_for_signals_disguised));
}

static int signal_parent(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0) == 0 || errno != EPERM;
}

static void signals_to_others_are_refused(void **state UNUSED)
{
	assert_exits(run_under(CALLS_BASE, &nobody, signal_parent), 0);
}

static int keyctl_call(void)
{
	return (int)syscall(SYS_keyctl, 0, -3, 0);
}

static void the_supervisors_filter_forbids_what_nobody_needs(void **state UNUSED)
{
	struct filter filter;
	int status;

	assert_int_equal(filter_build_supervisor(&filter), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || filter_load(&filter) < 0)
			_exit(99);
		if (open_socket() != 0 || fork_plainly() != 0)
			_exit(98);
		_exit(keyctl_call());
	}
	filter_done(&filter);
	waitpid(pid, &status, 0);
	assert_killed(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_family_can_be_built),
	    cmocka_unit_test(what_is_in_no_family_kills),
	    cmocka_unit_test(sockets_are_of_the_network_and_of_ones_family),
	    cmocka_unit_test(pairs_are_connected_and_local),
	    cmocka_unit_test(memory_is_never_executable),
	    cmocka_unit_test(forks_get_no_namespace),
	    cmocka_unit_test(only_the_named_user_can_be_become),
	    cmocka_unit_test(descriptors_send_no_signals),
	    cmocka_unit_test(signals_to_others_are_refused),
	    cmocka_unit_test(the_supervisors_filter_forbids_what_nobody_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
