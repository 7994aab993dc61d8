/* The pump between a peer and a session, both played here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "gate/gate.h"
#include "ipc/give_back.h"

struct pair {
	int peer, session, drain, gatekeeper;
	pid_t pid;
};

/* A pump in a child; `early` was pending when it began. */
static struct pair start_with(struct str early, bool anew)
{
	static const struct config config;
	int a[2], b[2], drain[2], gatekeeper[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, gatekeeper), 0);
	assert_int_equal(pipe(drain), 0);
	assert_int_equal(fd_write_all(a[0], early), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct gate g;
		close(a[0]);
		close(b[0]);
		close(drain[1]);
		close(gatekeeper[0]);
		gate_init(&g, a[1], &config);
		g.drain = drain[0];
		g.channels.gatekeeper = gatekeeper[1];
		g.signs_in_anew = anew;
		int r = early.len > 0 ? gate_fill(&g) : 0;
		gate_say(&g, STR("ready"));
		if (r == 0)
			r = gate_pump(&g, b[1]);
		/* What is pending then is shown to the peer. */
		if (r == GATE_GIVEN_BACK && gate_send(&g, gate_pending(&g)) < 0)
			_exit(1);
		gate_done(&g);
		_exit(r == 0                 ? 0
		      : r == -ETIMEDOUT      ? 2
		      : r == GATE_GIVEN_BACK ? 3
		      : r == -ENOBUFS        ? 4
		                             : 1);
	}
	close(a[1]);
	close(b[1]);
	close(drain[0]);
	close(gatekeeper[1]);
	char ready[5];
	assert_int_equal(fd_read_all(a[0], ready, sizeof ready), 0);
	return (struct pair){a[0], b[0], drain[1], gatekeeper[0], pid};
}

static struct pair start(struct str early)
{
	return start_with(early, false);
}

static int status_of(struct pair *p)
{
	int status;
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_true(WIFEXITED(status));
	fd_close(&p->peer);
	fd_close(&p->session);
	fd_close(&p->drain);
	fd_close(&p->gatekeeper);
	return WEXITSTATUS(status);
}

static void assert_arrives(int fd, const char *text)
{
	char got[64];
	size_t len = strlen(text);
	assert_int_equal(fd_read_all(fd, got, len), 0);
	assert_memory_equal(got, text, len);
}

static void assert_end(int fd)
{
	char c;
	assert_int_equal(read(fd, &c, 1), 0);
}

static void both_ways(void **state)
{
	(void)state;
	struct pair p = start(STR("early "));
	assert_arrives(p.session, "early ");
	assert_int_equal(fd_write_all(p.peer, STR("question")), 0);
	assert_arrives(p.session, "question");
	/* So the gatekeeper knows that somebody is signed in. */
	assert_end(p.gatekeeper);
	assert_int_equal(fd_write_all(p.session, STR("answer")), 0);
	assert_arrives(p.peer, "answer");
	/* The peer leaves: the session hears of it, may have its say, and ends. */
	shutdown(p.peer, SHUT_WR);
	assert_end(p.session);
	assert_int_equal(fd_write_all(p.session, STR("last")), 0);
	assert_arrives(p.peer, "last");
	fd_close(&p.session);
	assert_end(p.peer);
	assert_int_equal(status_of(&p), 0);
}

static void session_ends_first(void **state)
{
	(void)state;
	struct pair p = start(STR(""));
	assert_int_equal(fd_write_all(p.session, STR("* BYE")), 0);
	fd_close(&p.session);
	(void)!write(p.peer, "nobody reads this", 17);
	assert_arrives(p.peer, "* BYE");
	assert_end(p.peer);
	assert_int_equal(status_of(&p), 0);
}

enum { MUCH = 8 << 20 };

static char byte_at(size_t i, bool from_peer)
{
	return (char)((i * 31 + (i >> 12) + from_peer) & 0xff);
}

/* Moves what goes now; `*sent` and `*got` count. */
static void move(int fd, bool is_peer, size_t *sent, size_t *got, size_t send_max)
{
	char bytes[30000];
	size_t n = 0;
	while (n < sizeof bytes && *sent + n < send_max) {
		bytes[n] = byte_at(*sent + n, is_peer);
		n++;
	}
	ssize_t done = n > 0 ? send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (done > 0)
		*sent += (size_t)done;
	done = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
	for (ssize_t i = 0; i < done; i++)
		assert_int_equal(bytes[i], byte_at((*got)++, !is_peer));
}

static void much_both_ways_at_once(void **state)
{
	(void)state;
	struct pair p = start(STR(""));
	size_t peer_sent = 0, peer_got = 0, session_sent = 0, session_got = 0;
	while (peer_got < MUCH || session_got < MUCH) {
		move(p.peer, true, &peer_sent, &peer_got, MUCH);
		move(p.session, false, &session_sent, &session_got, MUCH);
	}
	fd_close(&p.session);
	assert_int_equal(status_of(&p), 0);
}

/* A session that answers before it reads on must not be kept from answering. */
static void session_that_does_not_read_is_heard(void **state)
{
	(void)state;
	struct pair p = start(STR(""));
	size_t sent = 0, none = 0;
	uint64_t until = clock_ms() + 300;
	while (clock_ms() < until)
		move(p.peer, true, &sent, &none, MUCH);
	assert_true(sent < MUCH);
	assert_int_equal(fd_write_all(p.session, STR("still here")), 0);
	assert_arrives(p.peer, "still here");
	size_t got = 0;
	while (got < MUCH) {
		move(p.peer, true, &sent, &none, MUCH);
		size_t zero = 0;
		move(p.session, false, &zero, &got, 0);
	}
	fd_close(&p.session);
	assert_int_equal(status_of(&p), 0);
}

static void draining_ends_it_in_time(void **state)
{
	(void)state;
	struct pair p = start(STR(""));
	uint64_t began = clock_ms();
	fd_close(&p.drain);
	assert_int_equal(fd_write_all(p.session, STR("goes on")), 0);
	assert_arrives(p.peer, "goes on");
	assert_end(p.peer);
	assert_in_range(clock_ms() - began, GATE_DRAIN_MS - 100, GATE_DRAIN_MS + 3000);
	assert_int_equal(status_of(&p), 2);
}

/* The session's part: reads what is still there to its end. */
static void read_to_end(int fd, char *got, size_t len)
{
	assert_int_equal(fd_read_all(fd, got, len), 0);
	assert_end(fd);
}

static void given_back(void **state)
{
	char rest[6];
	(void)state;
	struct pair p = start_with(STR(""), true);
	assert_end(p.gatekeeper);
	assert_int_equal(fd_write_all(p.peer, STR("behind")), 0);
	assert_int_equal(fd_write_all(p.session, STR("a OK")), 0);
	assert_arrives(p.peer, "a OK");
	usleep(50000); /* so that it is on its way to the session */
	assert_int_equal(give_back_send(p.session, 1000), 0);
	read_to_end(p.session, rest, sizeof rest);
	assert_memory_equal(rest, "behind", sizeof rest);
	assert_int_equal(fd_write_all(p.session, str_of(rest, sizeof rest)), 0);
	fd_close(&p.session);
	assert_arrives(p.peer, "behind");
	assert_int_equal(status_of(&p), 3);
}

/* What the session had not taken stands behind what it had, and what it read first. */
static void given_back_in_order(void **state)
{
	enum { LEN = GATE_IN_MAX };
	static char got[LEN];
	size_t sent = 0, none = 0, len = 0;
	(void)state;
	struct pair p = start_with(STR(""), true);
	while (sent < LEN)
		move(p.peer, true, &sent, &none, LEN);
	usleep(100000);
	assert_int_equal(fd_read_all(p.session, got, 1000), 0);
	assert_int_equal(give_back_send(p.session, 1000), 0);
	for (ssize_t n = 1; n > 0; len += (size_t)n) {
		n = read(p.session, got + 1000 + len, LEN - 1000 - len);
		assert_true(n >= 0);
	}
	assert_int_equal(fd_write_all(p.session, str_of(got, 1000 + len)), 0);
	fd_close(&p.session);
	assert_int_equal(fd_read_all(p.peer, got, LEN), 0);
	for (size_t i = 0; i < LEN; i++)
		assert_int_equal(got[i], byte_at(i, true));
	assert_int_equal(status_of(&p), 3);
}

static void too_much_given_back(void **state)
{
	static char much[GATE_IN_MAX + 1];
	(void)state;
	struct pair p = start_with(STR(""), true);
	assert_int_equal(give_back_send(p.session, 1000), 0);
	assert_end(p.session);
	(void)!fd_write_all(p.session, str_of(much, sizeof much));
	fd_close(&p.session);
	assert_int_equal(status_of(&p), 4);
}

/* A broken session gives back what cannot be used, or never ends: the connection ends. */
static void given_back_amiss(void **state)
{
	(void)state;
	struct pair p = start(STR(""));
	assert_int_equal(give_back_send(p.session, 1000), 0);
	assert_int_equal(status_of(&p), 1);
	p = start_with(STR(""), true);
	shutdown(p.peer, SHUT_WR);
	assert_end(p.session);
	assert_int_equal(give_back_send(p.session, 1000), 0);
	assert_int_equal(status_of(&p), 0);
	p = start_with(STR(""), true);
	uint64_t began = clock_ms();
	assert_int_equal(give_back_send(p.session, 1000), 0);
	assert_end(p.peer);
	assert_in_range(clock_ms() - began, 9000, 15000);
	assert_int_equal(status_of(&p), 2);
}

/* As much as one read takes, and an end without having read what the peer said. */
static void last_words_arrive(void **state)
{
	(void)state;
	enum { AT_ONCE = 8192 };
	char words[AT_ONCE], heard[AT_ONCE];
	struct pair p = start(STR(""));
	struct pollfd asked = {.fd = p.session, .events = POLLIN};
	memset(words, 'w', sizeof words);
	assert_int_equal(fd_write_all(p.peer, STR("not read")), 0);
	assert_int_equal(poll(&asked, 1, 10000), 1);
	assert_int_equal(kill(p.pid, SIGSTOP), 0);
	assert_int_equal(fd_write_all(p.session, str_of(words, sizeof words)), 0);
	fd_close(&p.session);
	assert_int_equal(kill(p.pid, SIGCONT), 0);
	assert_int_equal(fd_read_all(p.peer, heard, sizeof heard), 0);
	assert_memory_equal(heard, words, sizeof heard);
	assert_end(p.peer);
	assert_int_equal(status_of(&p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ways),
	    cmocka_unit_test(session_ends_first),
	    cmocka_unit_test(last_words_arrive),
	    cmocka_unit_test(much_both_ways_at_once),
	    cmocka_unit_test(session_that_does_not_read_is_heard),
	    cmocka_unit_test(draining_ends_it_in_time),
	    cmocka_unit_test(given_back),
	    cmocka_unit_test(given_back_in_order),
	    cmocka_unit_test(too_much_given_back),
	    cmocka_unit_test(given_back_amiss),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
