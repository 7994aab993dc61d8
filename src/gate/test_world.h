/*
 * gate/test_world.h: for tests of dialogues that have a sign-in, over a socket pair with real TLS:
 * the gate runs in a child, the test is the client, the directory and the session; a second child
 * is the keyholder. Only *_test.c includes it.
 */
#ifndef GATE_TEST_WORLD_H
#define GATE_TEST_WORLD_H

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "gate/gate.h"
#include "gate/test_keyholder.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "tls/selfsigned.h"
#include "tls/server.h"

enum { PEM_MAX = 65536, WAIT_MS = 20000 };

struct world {
	struct tls_server *server;
	struct buf key;
	struct config config;
	int fd, directory;
	int session; /* the stream of a sign-in that went well */
	pid_t gate, keyholder;
	int (*dialogue)(struct gate *g);
	SSL_CTX *ctx;
	SSL *ssl; /* NULL: in the clear */
	struct buf in;
	char user[64], password[64];
};

static inline void start_gate(struct world *w, bool implicit_tls)
{
	int connection[2], directory[2], keyholder;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, connection), 0);
	assert_int_equal(ipc_pair(directory), 0);
	w->keyholder = start_keyholder(buf_str(&w->key), &keyholder);
	w->gate = fork();
	assert_true(w->gate >= 0);
	if (w->gate == 0) {
		struct gate g;
		close(connection[0]);
		close(directory[0]);
		if (fd_set_nonblocking(connection[1], true) < 0)
			_exit(1);
		gate_init(&g, connection[1], &w->config);
		g.channels.directory = directory[1];
		g.channels.keyholder = keyholder;
		g.tls_server = w->server;
		g.implicit_tls = implicit_tls;
		(void)w->dialogue(&g);
		gate_done(&g);
		_exit(0);
	}
	close(connection[1]);
	close(directory[1]);
	close(keyholder);
	w->fd = connection[0];
	w->directory = directory[0];
	w->session = -1;
	w->in = BUF_MAX(1 << 20);
}

static inline void start_tls(struct world *w)
{
	w->ssl = SSL_new(w->ctx);
	SSL_set_fd(w->ssl, w->fd);
	assert_int_equal(SSL_connect(w->ssl), 1);
}

static inline struct world begin_as(int (*dialogue)(struct gate *g), bool implicit_tls,
    uint64_t sign_in_timeout, uint64_t sign_in_anew)
{
	struct world w = {
	    .key = BUF_MAX(PEM_MAX), .directory = -1, .session = -1, .dialogue = dialogue};
	struct buf certificate CLEANUP(buf_done) = BUF_MAX(PEM_MAX);

	static const char *const names[] = {"mail.example.test"};
	assert_int_equal(selfsigned_make(names, 1, &w.key, &certificate), 0);
	assert_int_equal(tls_server_new(buf_str(&certificate), NULL, &w.server), 0);
	snprintf(w.config.hostname, sizeof(w.config.hostname), "mail.example.test");
	w.config.message_size = 1000;
	w.config.sign_in_timeout = sign_in_timeout;
	w.config.sign_in_anew = sign_in_anew;
	w.ctx = SSL_CTX_new(TLS_client_method());
	start_gate(&w, implicit_tls);
	if (implicit_tls)
		start_tls(&w);
	return w;
}

static inline struct world begin_within(
    int (*dialogue)(struct gate *g), bool implicit_tls, uint64_t sign_in_timeout)
{
	return begin_as(dialogue, implicit_tls, sign_in_timeout, 0);
}

static inline struct world begin(int (*dialogue)(struct gate *g), bool implicit_tls)
{
	return begin_within(dialogue, implicit_tls, 60);
}

static inline void finish(struct world *w)
{
	int status;

	SSL_free(w->ssl);
	SSL_CTX_free(w->ctx);
	fd_close(&w->fd);
	fd_close(&w->directory);
	fd_close(&w->session);
	assert_int_equal(waitpid(w->gate, &status, 0), w->gate);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(waitpid(w->keyholder, &status, 0), w->keyholder);
	tls_server_free(w->server);
	buf_done(&w->key);
	buf_done(&w->in);
}

static inline void say(struct world *w, const char *text)
{
	size_t len = strlen(text);

	if (w->ssl != NULL)
		assert_int_equal(SSL_write(w->ssl, text, (int)len), len);
	else
		assert_int_equal(fd_write_all(w->fd, str_of(text, len)), 0);
}

static inline ssize_t read_some(struct world *w, char *to, size_t len)
{
	struct pollfd p = {.fd = w->fd, .events = POLLIN};

	if (w->ssl == NULL || SSL_pending(w->ssl) == 0)
		assert_true(poll(&p, 1, WAIT_MS) == 1);
	return w->ssl != NULL ? SSL_read(w->ssl, to, (int)len) : read(w->fd, to, len);
}

/* The next line begins with `start` and holds `inside`. */
static inline void expect(struct world *w, const char *start, const char *inside)
{
	size_t end;

	while ((end = str_find(buf_str(&w->in), STR("\r\n"))) == w->in.len) {
		char *to = buf_reserve(&w->in, 4096);
		ssize_t n = read_some(w, to, 4096);
		if (n <= 0)
			fail_msg("the end where `%s` was expected", start);
		buf_commit(&w->in, (size_t)n);
	}
	struct str line = str_first(buf_str(&w->in), end);
	if (!str_starts(line, str_of_cstr(start)) ||
	    str_find(line, str_of_cstr(inside)) == line.len)
		fail_msg("`%.*s` where `%s … %s` was expected", STR_FMT(line), start, inside);
	buf_consume(&w->in, end + 2);
}

static inline void expect_end(struct world *w)
{
	char byte;

	assert_true(read_some(w, &byte, 1) <= 0);
}

/* The directory's part: takes the question, answers it. */
static inline void answer_auth(struct world *w, enum auth_result result)
{
	struct ipc_received m;

	assert_int_equal(ipc_recv(w->directory, &m), 0);
	assert_int_equal(m.type, IPC_AUTH);
	struct ipc_auth *auth = m.msg;
	assert_int_equal(str_to_cstr(auth->user, w->user, sizeof(w->user)), 0);
	assert_int_equal(str_to_cstr(auth->password, w->password, sizeof(w->password)), 0);
	if (result == AUTH_OK)
		w->session = fd_take(&auth->stream);
	ipc_received_done(&m);
	const struct ipc_auth_answer answer = {.result = (uint8_t)result, .account = 7};
	assert_int_equal(ipc_send(w->directory, IPC_AUTH_ANSWER, &answer), 0);
}

static inline void expect_session_hears(struct world *w, const char *text)
{
	char got[256];
	size_t len = strlen(text);

	assert_int_equal(fd_read_all(w->session, got, len), 0);
	assert_memory_equal(got, text, len);
}

#endif
