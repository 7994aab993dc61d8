/*
 * The role as it runs: sandboxed, in a process of its own, with real sessions over real accounts.
 * This test is the supervisor, the directory, delivery, the ledger and the clients.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "registry/registry.h"
#include "registry/sessions.h"
#include "seal/keys.h"

enum { WAIT_MS = 30000, LINE_MAX_LEN = 4096, NOBODY = 65534 };

struct world {
	struct config config;
	char folder[64];
	pid_t registry;
	int supervisor, directory, delivery, ledger; /* our ends */
	uint64_t request;
	uint64_t connection; /* of the next session; 0: each has its own */
	struct secret *master[3];
};

static void be_registry(struct world *w, int supervisor, int dir)
{
	struct role_start start = {.role = ROLE_REGISTRY,
	    .supervisor = supervisor,
	    .control = -1,
	    .data_fd = dir,
	    .config = &w->config};

	signal(SIGSEGV, SIG_DFL); /* the test library's handler is not for the role */
	log_open("registry", LOG_ALARM);
	/* As root SQLite would want to give its files away, which no session may. */
	if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
		_exit(2);
	if (fchdir(dir) < 0)
		_exit(2);
	_exit(registry_main(&start));
}

static void expect_type(int channel, uint16_t type, struct ipc_received *ret_m)
{
	struct pollfd p = {.fd = channel, .events = POLLIN};

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(ipc_recv(channel, ret_m), 0);
	assert_int_equal(ret_m->type, type);
}

static int introduce(struct world *w, enum role role)
{
	int ends[2];

	assert_int_equal(ipc_pair(ends), 0);
	const struct ipc_peer peer = {.role = (uint8_t)role, .channel = ends[0]};
	assert_int_equal(ipc_send(w->supervisor, IPC_PEER, &peer), 0);
	close(ends[0]);
	return ends[1];
}

static struct world begin(void)
{
	struct world w = {.folder = "/tmp/gatepost-registry-XXXXXX"};
	struct ipc_received m;
	int ends[2];

	assert_non_null(mkdtemp(w.folder));
	int dir CLEANUP(fd_close) = open(w.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (geteuid() == 0)
		assert_int_equal(fchown(dir, NOBODY, NOBODY), 0);
	w.config.message_size = 100000;
	w.config.imap_timeout = 60;
	w.config.connections = 5;
	assert_int_equal(ipc_pair(ends), 0);
	w.registry = fork();
	assert_true(w.registry >= 0);
	if (w.registry == 0) {
		close(ends[0]);
		be_registry(&w, ends[1], dir);
	}
	close(ends[1]);
	w.supervisor = ends[0];
	expect_type(w.supervisor, IPC_READY, &m);
	ipc_received_done(&m);
	w.directory = introduce(&w, ROLE_DIRECTORY);
	w.delivery = introduce(&w, ROLE_DELIVERY);
	w.ledger = introduce(&w, ROLE_LEDGER);
	return w;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void finish(struct world *w)
{
	const struct ipc_drain drain = {.ms = 5000};
	int status;

	assert_int_equal(ipc_send(w->supervisor, IPC_DRAIN, &drain), 0);
	assert_int_equal(waitpid(w->registry, &status, 0), w->registry);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(w->supervisor);
	close(w->directory);
	close(w->delivery);
	close(w->ledger);
	for (size_t i = 0; i < ARRAY_LEN(w->master); i++)
		secret_free(&w->master[i]);
	nftw(w->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static uint32_t expect_done(struct world *w)
{
	struct ipc_received m;

	expect_type(w->directory, IPC_REGISTRY_DONE, &m);
	const struct ipc_registry_done *done = m.msg;
	assert_int_equal(done->request, w->request);
	uint32_t error = done->error;
	ipc_received_done(&m);
	return error;
}

static uint32_t create_account(struct world *w, uint64_t account)
{
	uint8_t file[KEYS_FILE_LEN];
	struct keys keys;

	secret_free(&w->master[account]);
	w->master[account] = secret_random();
	keys_new(account, 0, &keys);
	keys_encode(&keys, w->master[account], file);
	keys_done(&keys);
	const struct ipc_account_create create = {
	    .request = ++w->request, .account = account, .keys = str_of(file, sizeof(file))};
	assert_int_equal(ipc_send(w->directory, IPC_ACCOUNT_CREATE, &create), 0);
	return expect_done(w);
}

/* Signs in; the client's end of the stream, or -1 with the error. */
static int open_session(struct world *w, uint64_t account, uint32_t *ret_error)
{
	int stream[2], key CLEANUP(fd_close) = -1;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
	assert_int_equal(secret_to_memfd(w->master[account], &key), 0);
	const struct ipc_open message = {.request = ++w->request,
	    .account = account,
	    .connection = w->connection != 0 ? w->connection : w->request,
	    .protocol = SESSION_IMAP,
	    .peer = STR("192.0.2.1"),
	    .user = STR("somebody"),
	    .master_key = key,
	    .stream = stream[1]};
	assert_int_equal(ipc_send(w->directory, IPC_OPEN, &message), 0);
	close(stream[1]);
	*ret_error = expect_done(w);
	if (*ret_error == 0)
		return stream[0];
	close(stream[0]);
	return -1;
}

static int must_open(struct world *w, uint64_t account)
{
	uint32_t error;
	int stream = open_session(w, account, &error);

	assert_int_equal(error, 0);
	return stream;
}

static void read_line(int stream, char line[static LINE_MAX_LEN])
{
	struct pollfd p = {.fd = stream, .events = POLLIN};
	size_t len = 0;

	while (len < 2 || memcmp(line + len - 2, "\r\n", 2) != 0) {
		assert_true(len + 1 < LINE_MAX_LEN);
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		if (read(stream, line + len, 1) != 1)
			fail_msg("the session ended after `%.*s`", (int)len, line);
		len++;
	}
	line[len] = '\0';
}

/* Reads up to the line that begins so. */
static void expect_line(int stream, const char *start)
{
	char line[LINE_MAX_LEN];

	do
		read_line(stream, line);
	while (strncmp(line, start, strlen(start)) != 0);
}

static void say(int stream, const char *text, const char *start)
{
	assert_int_equal(fd_write_all(stream, str_of_cstr(text)), 0);
	expect_line(stream, start);
}

static void expect_end(int stream)
{
	struct pollfd p = {.fd = stream, .events = POLLIN};
	char rest[LINE_MAX_LEN];
	ssize_t n;

	do {
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		n = read(stream, rest, sizeof(rest));
	} while (n > 0);
	close(stream);
}

static void test_accounts(void **state)
{
	struct world w = begin();
	uint32_t error;

	(void)state;
	assert_int_equal(create_account(&w, 1), 0);
	struct secret *first = secret_copy(w.master[1]->bytes);
	assert_int_equal(create_account(&w, 1), EEXIST);
	secret_free(&w.master[1]);
	w.master[1] = first;
	w.master[2] = secret_random();
	assert_int_equal(open_session(&w, 2, &error), -1);
	assert_int_equal(error, ENOENT);
	int stream = must_open(&w, 1);
	say(stream, "a STATUS INBOX (MESSAGES)\r\n", "a OK");
	const struct ipc_account_remove gone = {.request = ++w.request, .account = 1};
	assert_int_equal(ipc_send(w.directory, IPC_ACCOUNT_REMOVE, &gone), 0);
	assert_int_equal(expect_done(&w), 0);
	expect_end(stream);
	assert_int_equal(open_session(&w, 1, &error), -1);
	assert_int_equal(error, ENOENT);
	finish(&w);
}

/* Changes of one session reach the others of its account, and of no other account. */
static void test_changes(void **state)
{
	struct world w = begin();

	(void)state;
	assert_int_equal(create_account(&w, 1), 0);
	assert_int_equal(create_account(&w, 2), 0);
	int one = must_open(&w, 1), two = must_open(&w, 1), other = must_open(&w, 2);
	say(two, "b SELECT INBOX\r\n", "b OK");
	say(two, "b IDLE\r\n", "+ ");
	say(other, "c SELECT INBOX\r\n", "c OK");
	say(other, "c IDLE\r\n", "+ ");
	say(one, "a APPEND INBOX {3+}\r\nabc\r\n", "a OK");
	expect_line(two, "* 1 EXISTS");
	/* What delivery says goes to the accounts that it names. */
	const uint64_t accounts[] = {1, 77};
	const struct ipc_changed changed = {.accounts = {accounts, ARRAY_LEN(accounts)}};
	assert_int_equal(ipc_send(w.delivery, IPC_CHANGED, &changed), 0);
	say(two, "DONE\r\n", "b OK");
	say(other, "DONE\r\n", "c OK");
	char line[LINE_MAX_LEN];
	assert_int_equal(fd_write_all(other, STR("c NOOP\r\n")), 0);
	read_line(other, line);
	assert_memory_equal(line, "c OK", 4);
	close(one);
	close(two);
	close(other);
	finish(&w);
}

static void test_limit_and_wrong_key(void **state)
{
	struct world w = begin();
	int streams[5];
	uint32_t error;

	(void)state;
	assert_int_equal(create_account(&w, 1), 0);
	for (size_t i = 0; i < ARRAY_LEN(streams); i++)
		streams[i] = must_open(&w, 1);
	assert_int_equal(open_session(&w, 1, &error), -1);
	assert_int_equal(error, EUSERS);
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		say(streams[i], "a LOGOUT\r\n", "a OK");
		expect_end(streams[i]);
	}
	/* Somebody else's key opens nothing. */
	struct secret *mine = w.master[1];
	w.master[1] = secret_random();
	int stream = -1;
	do
		stream = open_session(&w, 1, &error);
	while (error == EUSERS);
	expect_line(stream, "* BYE [UNAVAILABLE]");
	expect_end(stream);
	secret_free(&w.master[1]);
	w.master[1] = mine;
	finish(&w);
}

/* The directory hears of a session when it has its mailbox open, or after a while all the same. */
static void test_not_ready(void **state)
{
	struct world w = begin();
	char path[96];
	uint32_t error;

	(void)state;
	assert_int_equal(create_account(&w, 1), 0);
	snprintf(path, sizeof(path), "%s/1", w.folder);
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(folder >= 0);
	assert_int_equal(flock(folder, LOCK_EX), 0); /* as while an index is made anew */
	uint64_t began = clock_ms();
	int stream = open_session(&w, 1, &error);
	assert_int_equal(error, 0);
	assert_true(clock_ms() - began >= REGISTRY_READY_MS);
	assert_int_equal(fd_write_all(stream, STR("a NOOP\r\n")), 0);
	assert_int_equal(flock(folder, LOCK_UN), 0);
	expect_line(stream, "a OK");
	say(stream, "b LOGOUT\r\n", "b OK");
	expect_end(stream);
	close(folder);
	finish(&w);
}

static pid_t session_of(const struct world *w)
{
	char path[64], text[256] = "";

	snprintf(
	    path, sizeof(path), "/proc/%d/task/%d/children", (int)w->registry, (int)w->registry);
	int fd CLEANUP(fd_close) = open(path, O_RDONLY);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	return (pid_t)strtol(text, NULL, 10);
}

/* A session that dies by a signal is an alarm with its account and peer; the registry lives on. */
/* A gate that signs in anew, and never lets go of the sessions before (RFC 8437). */
static void test_limit_of_a_connection(void **state)
{
	struct world w = begin();
	int streams[REGISTRY_SESSIONS_PER_CONNECTION_MAX];
	uint32_t error;

	(void)state;
	assert_int_equal(create_account(&w, 1), 0);
	w.connection = 1234567;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++)
		streams[i] = must_open(&w, 1);
	assert_int_equal(open_session(&w, 1, &error), -1);
	assert_int_equal(error, EUSERS);
	w.connection = 0;
	int other = must_open(&w, 1);
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		shutdown(streams[i], SHUT_WR);
		expect_end(streams[i]);
	}
	w.connection = 1234567;
	error = EUSERS;
	for (int tries = 0; error == EUSERS && tries < 500; tries++) {
		streams[0] = open_session(&w, 1, &error);
		usleep(10000);
	}
	assert_int_equal(error, 0);
	close(streams[0]);
	close(other);
	finish(&w);
}

static void test_crash(void **state)
{
	struct world w = begin();
	struct ipc_received m;

	(void)state;
	assert_int_equal(create_account(&w, 2), 0);
	int stream = must_open(&w, 2);
	say(stream, "a NOOP\r\n", "a OK");
	assert_int_equal(kill(session_of(&w), SIGSEGV), 0);
	expect_type(w.ledger, IPC_LEDGER_EVENT, &m);
	const struct ipc_ledger_event *event = m.msg;
	assert_int_equal(event->kind, LEDGER_ALARM_ROLE_CRASH);
	assert_int_equal(event->account, 2);
	assert_true(str_eq(event->peer, STR("192.0.2.1")));
	ipc_received_done(&m);
	expect_end(stream);
	stream = must_open(&w, 2);
	say(stream, "a NOOP\r\n", "a OK");
	close(stream);
	finish(&w);
}

/* Draining: sessions say good-bye between commands. */
static void test_drain(void **state)
{
	struct world w = begin();

	(void)state;
	assert_int_equal(create_account(&w, 1), 0);
	int stream = must_open(&w, 1), idle = must_open(&w, 1);
	say(stream, "a NOOP\r\n", "a OK");
	say(idle, "b IDLE\r\n", "+ ");
	finish(&w);
	expect_line(stream, "* BYE");
	expect_line(idle, "* BYE");
	expect_end(stream);
	expect_end(idle);
}

struct seen {
	size_t n;
	uint64_t sum;
};

static void see(struct session *session, void *ctx)
{
	struct seen *seen = ctx;

	seen->n++;
	seen->sum += session->connection;
}

static bool reap_odd(struct session *session, void *ctx)
{
	(void)ctx;
	return session->connection % 2 == 1;
}

static void test_sessions(void **state)
{
	struct sessions *s = sessions_new();
	struct session *all[3000];
	struct seen seen = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		all[i] = calloc(1, sizeof(*all[i]));
		assert_non_null(all[i]);
		all[i]->account = i % 1500;
		all[i]->connection = i;
		sessions_add(s, all[i]);
	}
	sessions_each_of(s, 7, see, &seen);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.sum, 7 + 1507);
	assert_int_equal(sessions_count_of(s, 7), 2);
	sessions_end(s, all[7]);
	sessions_end(s, all[8]);
	assert_int_equal(sessions_count(s), 2998);
	assert_int_equal(sessions_count_dying(s), 2);
	/* One that has closed its channel and lives on goes on taking its place. */
	assert_int_equal(sessions_count_of(s, 7), 2);
	assert_int_equal(sessions_count_all(s), 3000);
	sessions_reap(s, reap_odd, NULL);
	assert_int_equal(sessions_count_dying(s), 1);
	assert_int_equal(sessions_count_of(s, 7), 1);
	assert_int_equal(sessions_count_of(s, 8), 2);
	assert_int_equal(sessions_count_all(s), 2999);
	seen = (struct seen){0};
	sessions_each(s, see, &seen);
	assert_int_equal(seen.n, 2998);
	sessions_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sessions),
	    cmocka_unit_test(test_accounts),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_limit_and_wrong_key),
	    cmocka_unit_test(test_not_ready),
	    cmocka_unit_test(test_limit_of_a_connection),
	    cmocka_unit_test(test_crash),
	    cmocka_unit_test(test_drain),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
