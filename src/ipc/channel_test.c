#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "ipc/channel.h"
#include "ipc/messages.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int ends[2];

static int open_pair(void **state UNUSED)
{
	return ipc_pair(ends);
}

static int close_pair(void **state UNUSED)
{
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	return 0;
}

static size_t open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* Sends raw bytes with `n` copies of a descriptor, as a broken role would. */
static void send_raw(struct str bytes, size_t n)
{
	char control[CMSG_SPACE(sizeof(int) * 16)] = {0};
	struct iovec iov = {.iov_base = (char *)(uintptr_t)bytes.p, .iov_len = bytes.len};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[16];

	for (size_t i = 0; i < n; i++)
		fds[i] = STDERR_FILENO;
	if (n > 0) {
		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	assert_int_equal(sendmsg(ends[0], &header, 0), bytes.len);
}

static void a_message_with_a_descriptor_arrives(void **state UNUSED)
{
	struct ipc_received m;
	struct ipc_peer peer = {.role = ROLE_LEDGER, .index = 3, .channel = STDERR_FILENO};
	size_t before = open_descriptors();

	assert_int_equal(ipc_send(ends[0], IPC_PEER, &peer), 0);
	assert_int_equal(ipc_recv(ends[1], &m), 0);
	struct ipc_peer *got = m.msg;
	assert_int_equal(m.type, IPC_PEER);
	assert_int_equal(got->role, ROLE_LEDGER);
	assert_int_equal(got->index, 3);
	assert_true(got->channel > 2 && got->channel != STDERR_FILENO);
	assert_int_equal(fcntl(got->channel, F_GETFD), FD_CLOEXEC);
	ipc_received_done(&m);
	assert_int_equal(open_descriptors(), before);
}

static void a_taken_descriptor_stays_open(void **state UNUSED)
{
	struct ipc_received m;
	struct ipc_peer peer = {.role = ROLE_LEDGER, .channel = STDERR_FILENO};

	assert_int_equal(ipc_send(ends[0], IPC_PEER, &peer), 0);
	assert_int_equal(ipc_recv(ends[1], &m), 0);
	int fd CLEANUP(fd_close) = fd_take(&((struct ipc_peer *)m.msg)->channel);
	ipc_received_done(&m);
	assert_true(fcntl(fd, F_GETFD) >= 0);
}

static void descriptors_of_bad_messages_are_closed(void **state UNUSED)
{
	struct ipc_received m;
	struct ipc_drain drain = {.ms = 1};
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(64);
	int none[IPC_FDS_MAX];
	size_t n, before = open_descriptors();

	assert_true(ipc_encode(IPC_DRAIN, &drain, &bytes, none, &n));
	for (size_t extra = 1; extra <= 16; extra++) {
		send_raw(buf_str(&bytes), extra);
		assert_int_equal(ipc_recv(ends[1], &m), -EBADMSG);
		assert_int_equal(open_descriptors(), before);
		send_raw(STR("\xff\xff garbage"), extra);
		assert_int_equal(ipc_recv(ends[1], &m), -EBADMSG);
		assert_int_equal(open_descriptors(), before);
		send_raw(STR(""), extra);
		assert_int_equal(ipc_recv(ends[1], &m), -EBADMSG);
		assert_int_equal(open_descriptors(), before);
	}
	/* And the channel still works: ending it is its owner's decision. */
	send_raw(buf_str(&bytes), 0);
	assert_int_equal(ipc_recv(ends[1], &m), 0);
	ipc_received_done(&m);
}

static void too_long_a_message_is_refused(void **state UNUSED)
{
	struct ipc_received m;
	char *bytes = calloc(1, IPC_MESSAGE_MAX + 1);

	assert_non_null(bytes);
	send_raw(str_of(bytes, IPC_MESSAGE_MAX + 1), 0);
	assert_int_equal(ipc_recv(ends[1], &m), -EBADMSG);
	send_raw(str_of(bytes, IPC_MESSAGE_MAX), 0);
	assert_int_equal(ipc_recv(ends[1], &m), -EBADMSG);
	free(bytes);
}

static void ends_are_told_apart(void **state UNUSED)
{
	struct ipc_received m;
	struct ipc_drain drain = {.ms = 1};

	assert_int_equal(fd_set_nonblocking(ends[1], true), 0);
	assert_int_equal(ipc_recv(ends[1], &m), -EAGAIN);
	assert_int_equal(ipc_send(ends[0], IPC_DRAIN, &drain), 0);
	fd_close(&ends[0]);
	assert_int_equal(ipc_recv(ends[1], &m), 0);
	ipc_received_done(&m);
	assert_int_equal(ipc_recv(ends[1], &m), -ENODATA);
	assert_int_equal(ipc_send(ends[1], IPC_DRAIN, &drain), -EPIPE);
}

static void a_full_channel_says_so(void **state UNUSED)
{
	struct ipc_drain drain = {.ms = 1};
	int r = 0;

	assert_int_equal(fd_set_nonblocking(ends[0], true), 0);
	for (size_t i = 0; i < 100000 && r == 0; i++)
		r = ipc_send(ends[0], IPC_DRAIN, &drain);
	assert_int_equal(r, -EAGAIN);
}

static void secrets_are_wiped(void **state UNUSED)
{
	struct ipc_received m;
	struct ipc_auth auth = {
	    .user = STR("u"), .password = STR("correct horse"), .stream = STDERR_FILENO};
	static char copy[64];

	assert_int_equal(ipc_send(ends[0], IPC_AUTH, &auth), 0);
	assert_int_equal(ipc_recv(ends[1], &m), 0);
	struct ipc_auth *got = m.msg;
	assert_true(str_eq(got->password, auth.password));
	/* The bytes lie in the arena, which is freed: looked at through a second arena that keeps
	 * it. */
	struct arena kept CLEANUP(arena_done) UNUSED = m.arena;
	const char *bytes = got->password.p;
	m.arena = ARENA_MAX(1024);
	ipc_received_done(&m);
	assert_memory_equal(bytes, copy, auth.password.len);
}

static _Noreturn void answer_once(uint16_t type, const void *answer, unsigned delay_ms)
{
	struct ipc_received m;

	close(ends[0]);
	if (ipc_recv(ends[1], &m) < 0)
		_exit(1);
	usleep(delay_ms * 1000);
	_exit(ipc_send(ends[1], type, answer) < 0);
}

static int call_with(uint16_t type, const void *answer, unsigned delay_ms, struct ipc_received *m)
{
	struct ipc_rcpt rcpt = {.address = STR("a@example.test")};
	int status;
	pid_t pid = fork();

	if (pid == 0)
		answer_once(type, answer, delay_ms);
	fd_close(&ends[1]);
	int r = ipc_call(ends[0], IPC_RCPT, &rcpt, IPC_RCPT_ANSWER, 200, m);
	waitpid(pid, &status, 0);
	return r;
}

static void a_call_gets_its_answer(void **state UNUSED)
{
	static const uint64_t accounts[] = {7};
	struct ipc_rcpt_answer answer = {.result = RCPT_OK, .accounts = {accounts, 1}};
	struct ipc_received m;

	assert_int_equal(call_with(IPC_RCPT_ANSWER, &answer, 0, &m), 0);
	assert_int_equal(((struct ipc_rcpt_answer *)m.msg)->accounts.v[0], 7);
	ipc_received_done(&m);
}

static void a_call_refuses_another_answer(void **state UNUSED)
{
	struct ipc_drain drain = {.ms = 1};
	struct ipc_received m;

	assert_int_equal(call_with(IPC_DRAIN, &drain, 0, &m), -EBADMSG);
}

static void a_call_does_not_wait_for_ever(void **state UNUSED)
{
	struct ipc_rcpt_answer answer = {.result = RCPT_UNKNOWN};
	struct ipc_received m;

	assert_int_equal(call_with(IPC_RCPT_ANSWER, &answer, 400, &m), -ETIMEDOUT);
}

static void a_call_notices_the_end(void **state UNUSED)
{
	struct ipc_rcpt rcpt = {.address = STR("a@example.test")};
	struct ipc_received m;

	fd_close(&ends[1]);
	assert_int_equal(ipc_call(ends[0], IPC_RCPT, &rcpt, IPC_RCPT_ANSWER, 200, &m), -EPIPE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_pair, close_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_message_with_a_descriptor_arrives),
	    TEST(a_taken_descriptor_stays_open),
	    TEST(descriptors_of_bad_messages_are_closed),
	    TEST(too_long_a_message_is_refused),
	    TEST(ends_are_told_apart),
	    TEST(a_full_channel_says_so),
	    TEST(secrets_are_wiped),
	    TEST(a_call_gets_its_answer),
	    TEST(a_call_refuses_another_answer),
	    TEST(a_call_does_not_wait_for_ever),
	    TEST(a_call_notices_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
