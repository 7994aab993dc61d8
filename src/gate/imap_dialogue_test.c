/*
 * IMAP before sign-in, over a socket pair with real TLS: the gate runs in a child, this process is
 * the client, the directory and the session; a second child is the keyholder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "gate/gate.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "tls/selfsigned.h"
#include "tls/server.h"
#include "tls/signer.h"

enum { PEM_MAX = 65536, WAIT_MS = 20000 };

struct world {
	struct tls_server *server;
	struct buf key;
	struct config config;
	int fd, directory;
	int session; /* the stream of a sign-in that went well */
	pid_t gate, keyholder;
	SSL_CTX *ctx;
	SSL *ssl; /* NULL: in the clear */
	struct buf in;
	char user[64], password[64];
};

static pid_t start_keyholder(struct str key_pem, int *ret_channel)
{
	int ends[2];

	assert_int_equal(ipc_pair(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		close(ends[1]);
		*ret_channel = ends[0];
		return pid;
	}
	close(ends[0]);
	struct signer *signer;
	struct ipc_received m;
	if (signer_new(&signer) || signer_add(signer, key_pem))
		_exit(1);
	while (ipc_recv(ends[1], &m) == 0) {
		unsigned char signature[SIGNER_SIGNATURE_LEN_MAX];
		size_t len = 0;
		int error = signer_sign(signer, m.msg, signature, &len);
		struct ipc_signed answer = {.ok = error == 0, .signature = str_of(signature, len)};
		ipc_received_done(&m);
		if (ipc_send(ends[1], IPC_SIGNED, &answer))
			_exit(1);
	}
	_exit(0);
}

static void start_gate(struct world *w, bool implicit_tls)
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
		(void)gate_imap(&g);
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

static void start_tls(struct world *w)
{
	w->ssl = SSL_new(w->ctx);
	SSL_set_fd(w->ssl, w->fd);
	assert_int_equal(SSL_connect(w->ssl), 1);
}

static struct world begin(bool implicit_tls)
{
	struct world w = {.key = BUF_MAX(PEM_MAX), .directory = -1, .session = -1};
	struct buf certificate CLEANUP(buf_done) = BUF_MAX(PEM_MAX);

	static const char *const names[] = {"mail.example.test"};
	assert_int_equal(selfsigned_make(names, 1, &w.key, &certificate), 0);
	assert_int_equal(tls_server_new(buf_str(&certificate), NULL, &w.server), 0);
	snprintf(w.config.hostname, sizeof(w.config.hostname), "mail.example.test");
	w.config.message_size = 1000;
	w.config.sign_in_timeout = 60;
	w.ctx = SSL_CTX_new(TLS_client_method());
	start_gate(&w, implicit_tls);
	if (implicit_tls)
		start_tls(&w);
	return w;
}

static void finish(struct world *w)
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

static void say(struct world *w, const char *text)
{
	size_t len = strlen(text);

	if (w->ssl != NULL)
		assert_int_equal(SSL_write(w->ssl, text, (int)len), len);
	else
		assert_int_equal(fd_write_all(w->fd, str_of(text, len)), 0);
}

static ssize_t read_some(struct world *w, char *to, size_t len)
{
	struct pollfd p = {.fd = w->fd, .events = POLLIN};

	if (w->ssl == NULL || SSL_pending(w->ssl) == 0)
		assert_true(poll(&p, 1, WAIT_MS) == 1);
	return w->ssl != NULL ? SSL_read(w->ssl, to, (int)len) : read(w->fd, to, len);
}

/* The next line begins with `start` and holds `inside`. */
static void expect(struct world *w, const char *start, const char *inside)
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

static void expect_end(struct world *w)
{
	char byte;

	assert_true(read_some(w, &byte, 1) <= 0);
}

/* The directory's part: takes the question, answers it. */
static void answer_auth(struct world *w, enum auth_result result)
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

static void expect_session_hears(struct world *w, const char *text)
{
	char got[256];
	size_t len = strlen(text);

	assert_int_equal(fd_read_all(w->session, got, len), 0);
	assert_memory_equal(got, text, len);
}

static void test_before_tls(void **state)
{
	struct world w = begin(false);

	(void)state;
	expect(&w, "* OK [CAPABILITY IMAP4rev1 ", "STARTTLS LOGINDISABLED");
	say(&w, "a CAPABILITY\r\n");
	expect(&w, "* CAPABILITY ", "APPENDLIMIT=1000");
	expect(&w, "a OK", "");
	say(&w, "a LOGIN joe pw\r\nb AUTHENTICATE PLAIN AGpvZQBwdw==\r\n");
	expect(&w, "a NO [PRIVACYREQUIRED]", "");
	expect(&w, "b NO [PRIVACYREQUIRED]", "");
	say(&w, "a SELECT INBOX\r\n");
	expect(&w, "a BAD", "Sign in first");
	say(&w, "a LOGIN {5000}\r\n");
	expect(&w, "a BAD", "too big");
	say(&w, "a ID (\"x\" NIL)\r\na NOOP\r\n");
	expect(&w, "* ID", "Gatepost");
	expect(&w, "a OK ID", "");
	expect(&w, "a OK NOOP", "");
	say(&w, "a LOGOUT\r\n");
	expect(&w, "* BYE", "");
	expect(&w, "a OK", "");
	expect_end(&w);
	finish(&w);
}

/* What is sent behind STARTTLS in the clear is never obeyed (RFC 9051 §6.2.1). */
static void test_starttls(void **state)
{
	struct world w = begin(false);

	(void)state;
	expect(&w, "* OK", "");
	say(&w, "a STARTTLS\r\nb NOOP\r\n");
	expect(&w, "a OK", "");
	start_tls(&w);
	say(&w, "c CAPABILITY\r\n");
	expect(&w, "* CAPABILITY", "AUTH=PLAIN");
	expect(&w, "c OK", "");
	say(&w, "d STARTTLS\r\n");
	expect(&w, "d BAD", "");
	finish(&w);
}

static void test_login(void **state)
{
	struct world w = begin(true);

	(void)state;
	expect(&w, "* OK [CAPABILITY", "AUTH=PLAIN");
	say(&w, "a LOGIN joe {2}\r\n");
	expect(&w, "+ ", "");
	/* What comes in the same breath is the session's. */
	say(&w, "pw\r\nb SELECT INBOX\r\n");
	answer_auth(&w, AUTH_OK);
	assert_string_equal(w.user, "joe");
	assert_string_equal(w.password, "pw");
	expect(&w, "a OK [CAPABILITY ", "UIDPLUS");
	expect_session_hears(&w, "b SELECT INBOX\r\n");
	assert_int_equal(fd_write_all(w.session, STR("b OK done\r\n")), 0);
	expect(&w, "b OK done", "");
	say(&w, "c NOOP\r\n");
	expect_session_hears(&w, "c NOOP\r\n");
	fd_close(&w.session);
	expect_end(&w);
	finish(&w);
}

static void test_authenticate(void **state)
{
	struct world w = begin(true);

	(void)state;
	expect(&w, "* OK", "");
	say(&w, "a AUTHENTICATE CRAM-MD5\r\n");
	expect(&w, "a NO", "");
	say(&w, "a AUTHENTICATE PLAIN\r\n");
	expect(&w, "+ ", "");
	say(&w, "*\r\n");
	expect(&w, "a BAD", "");
	say(&w, "a AUTHENTICATE PLAIN =\r\n");
	expect(&w, "a BAD", "");
	say(&w, "a AUTHENTICATE PLAIN YQBqb2UAcHc=\r\n"); /* as "a" */
	expect(&w, "a NO [AUTHORIZATIONFAILED]", "");
	say(&w, "long-tag-1 AUTHENTICATE PLAIN\r\n");
	expect(&w, "+ ", "");
	say(&w, "AGpvZQBwdw==\r\n");
	answer_auth(&w, AUTH_OK);
	assert_string_equal(w.user, "joe");
	expect(&w, "long-tag-1 OK [CAPABILITY", "");
	finish(&w);
}

static void test_failures(void **state)
{
	struct world w = begin(true);
	uint64_t start;

	(void)state;
	expect(&w, "* OK", "");
	say(&w, "a LOGIN joe wrong\r\n");
	start = clock_ms();
	answer_auth(&w, AUTH_WRONG);
	expect(&w, "a NO [AUTHENTICATIONFAILED]", "");
	assert_true(clock_ms() - start >= 400);
	say(&w, "b LOGIN joe wrong\r\n");
	answer_auth(&w, AUTH_SLOW_DOWN);
	expect(&w, "b NO [LIMIT]", "");
	say(&w, "c LOGIN joe pw\r\n");
	answer_auth(&w, AUTH_TEMPORARY);
	expect(&w, "c NO [UNAVAILABLE]", "");
	say(&w, "d LOGIN joe pw\r\n");
	answer_auth(&w, AUTH_TEMPORARY);
	expect(&w, "d NO [UNAVAILABLE]", "");
	say(&w, "e LOGIN joe pw\r\n");
	answer_auth(&w, AUTH_TEMPORARY);
	expect(&w, "e NO [UNAVAILABLE]", "");
	expect(&w, "* BYE Too many", "");
	expect_end(&w);
	finish(&w);
}

/* The directory goes away: told, not hung; and nothing is asked of it again. */
static void test_no_directory(void **state)
{
	struct world w = begin(true);

	(void)state;
	expect(&w, "* OK", "");
	fd_close(&w.directory);
	say(&w, "a LOGIN joe pw\r\nb LOGIN joe pw\r\n");
	expect(&w, "a NO [UNAVAILABLE]", "");
	expect(&w, "* BYE Sign-in", "");
	expect_end(&w);
	finish(&w);
}

static void test_errors(void **state)
{
	struct world w = begin(false);

	(void)state;
	expect(&w, "* OK", "");
	for (int i = 0; i < 19; i++) {
		say(&w, "x FOO\r\n");
		expect(&w, "x BAD", "");
	}
	say(&w, "GET / HTTP/1.1\r\n");
	expect(&w, "GET BAD", "");
	expect(&w, "* BYE", "");
	expect_end(&w);
	finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_before_tls),
	    cmocka_unit_test(test_starttls),
	    cmocka_unit_test(test_login),
	    cmocka_unit_test(test_authenticate),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_no_directory),
	    cmocka_unit_test(test_errors),
	};

	signal(SIGPIPE, SIG_IGN);
	log_open("test", LOG_ALARM);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
