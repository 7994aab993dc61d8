/*
 * session/test_sessions.h: for tests of the sessions: real ones in processes of their own, over an
 * account in a temporary folder; the test is their clients and their registry. Only *_test.c
 * includes it.
 */
#ifndef SESSION_TEST_SESSIONS_H
#define SESSION_TEST_SESSIONS_H

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "ipc/channel.h"
#include "ipc/messages.h"
#include "session/session.h"
#include "store/test_account.h"

enum {
	TEST_CLIENTS = 3,
	TEST_LINE_MS = 20000,
	TEST_INPUT_MAX = 8 << 20,
	TEST_MESSAGE_MAX = 100000,
};

struct test_client {
	pid_t pid; /* 0: not connected */
	int stream, registry;
	bool ended; /* the session said its last word */
	bool ready; /* it told the registry so */
	struct buf in;
};

struct test_sessions {
	struct test_account account; /* whose folder is the current one */
	struct test_client clients[TEST_CLIENTS];
	const char *name; /* what is tested, for complaints */
	unsigned line;
	uint64_t timeout_s;
	uint32_t message_limit; /* 0: none */
	uint64_t message_size;  /* 0: TEST_MESSAGE_MAX */
};

static inline void test_client_start(
    struct test_sessions *t, struct test_client *c, enum session_protocol protocol)
{
	int stream[2], registry[2], master_key;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
	assert_int_equal(ipc_pair(registry), 0);
	assert_int_equal(secret_to_memfd(t->account.master, &master_key), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		const struct session_start start = {.account = TEST_ACCOUNT,
		    .protocol = (uint8_t)protocol,
		    .user = STR("Owner@example.test"),
		    .master_key = master_key,
		    .stream = stream[1],
		    .registry = registry[1],
		    .message_size = t->message_size > 0 ? t->message_size : TEST_MESSAGE_MAX,
		    .timeout_s = t->timeout_s,
		    .message_limit = t->message_limit,
		    .sign_in_anew = true};
		close(stream[0]);
		close(registry[0]);
		/* Or the others would not be seen to hang up. */
		for (size_t i = 0; i < TEST_CLIENTS; i++)
			if (t->clients[i].pid != 0 && &t->clients[i] != c) {
				close(t->clients[i].stream);
				close(t->clients[i].registry);
			}
		_exit(session_run(&start) < 0 ? 1 : 0);
	}
	close(stream[1]);
	close(registry[1]);
	close(master_key);
	c->stream = stream[0];
	c->registry = registry[0];
	c->ended = c->ready = false;
	c->in = BUF_MAX(TEST_INPUT_MAX);
}

/* Hangs up; the session must end well. */
static inline void test_client_end(struct test_client *c)
{
	int status;

	if (c->pid == 0)
		return;
	/* The registry outlives the session: a session that cannot speak to it any more fails. */
	close(c->stream);
	buf_done(&c->in);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(c->registry);
	c->pid = 0;
}

/* What the registry does: CHANGED of one session goes to the others. */
static inline void test_pass_on(struct test_sessions *t, struct test_client *from)
{
	const struct ipc_changed nothing_named = {{NULL, 0}};
	struct ipc_received m;

	int error = ipc_recv(from->registry, &m);
	if (error == -ENODATA) {
		close(from->registry);
		from->registry = -1;
		return;
	}
	assert_int_equal(error, 0);
	bool ready = m.type == IPC_READY;
	assert_true(ready ? !from->ready : m.type == IPC_CHANGED);
	from->ready = from->ready || ready;
	ipc_received_done(&m);
	if (ready)
		return;
	for (size_t i = 0; i < TEST_CLIENTS; i++) {
		struct test_client *to = &t->clients[i];
		if (to != from && to->pid != 0 && to->registry >= 0 && !to->ended)
			assert_int_equal(ipc_send(to->registry, IPC_CHANGED, &nothing_named), 0);
	}
}

static inline void test_take_bytes(struct test_client *c)
{
	char *to = buf_reserve(&c->in, 65536);
	assert_non_null(to);
	ssize_t n = read(c->stream, to, 65536);
	c->ended = n <= 0;
	buf_commit(&c->in, n > 0 ? (size_t)n : 0);
}

/* Waits for bytes of one client, and is the registry meanwhile. */
static inline void test_wait_for(struct test_sessions *t, struct test_client *c)
{
	struct pollfd fds[TEST_CLIENTS + 1] = {{.fd = c->stream, .events = POLLIN}};

	for (size_t i = 0; i < TEST_CLIENTS; i++)
		fds[i + 1] = (struct pollfd){
		    .fd = t->clients[i].pid != 0 ? t->clients[i].registry : -1, .events = POLLIN};
	if (poll(fds, TEST_CLIENTS + 1, TEST_LINE_MS) == 0)
		fail_msg("%s:%u: no answer", t->name, t->line);
	for (size_t i = 0; i < TEST_CLIENTS; i++)
		if (fds[i + 1].revents != 0)
			test_pass_on(t, &t->clients[i]);
	if (fds[0].revents != 0)
		test_take_bytes(c);
}

/* The next line to the client, without its end; borrowed until test_line_done. */
static inline struct str test_line(struct test_sessions *t, struct test_client *c)
{
	while (str_find(buf_str(&c->in), STR("\r\n")) == c->in.len) {
		if (c->ended)
			fail_msg("%s:%u: the session ended", t->name, t->line);
		test_wait_for(t, c);
	}
	struct str whole = buf_str(&c->in);
	return str_first(whole, str_find(whole, STR("\r\n")));
}

static inline void test_line_done(struct test_client *c, struct str line)
{
	buf_consume(&c->in, line.len + 2);
}

/* The session says no more, and is gone. */
static inline void test_expect_end(struct test_sessions *t, struct test_client *c)
{
	while (!c->ended)
		test_wait_for(t, c);
	if (c->in.len > 0)
		fail_msg("%s:%u: more came: %.*s", t->name, t->line, STR_FMT(buf_str(&c->in)));
	test_client_end(c);
}

#endif
