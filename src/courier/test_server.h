/* courier/test_server.h: a server's side of a connection, in the clear or in TLS, for tests alone.
 */
#ifndef COURIER_TEST_SERVER_H
#define COURIER_TEST_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "tls/test_certificates.h"

struct test_server {
	int listener, fd;
	SSL *ssl;
	char in[65536];
	size_t n;
	struct str script, line;
	const struct test_certificate *good, *alone, *expired;
};

static inline _Noreturn void test_server_fail(struct test_server *s, const char *what)
{
	fprintf(stderr, "server: %s at `%.*s`, unread `%.*s`\n", what, STR_FMT(s->line),
	    (int)num_min(s->n, 200), s->in);
	_exit(1);
}

static inline bool test_server_write(struct test_server *s, struct str text)
{
	if (s->ssl != NULL)
		return SSL_write(s->ssl, text.p, (int)text.len) == (int)text.len;
	return send(s->fd, text.p, text.len, MSG_NOSIGNAL) == (ssize_t)text.len;
}

static inline void test_server_fill(struct test_server *s)
{
	char *to = s->in + s->n;
	size_t room = sizeof(s->in) - s->n;
	ssize_t n = s->ssl != NULL ? SSL_read(s->ssl, to, (int)room) : read(s->fd, to, room);

	if (n <= 0)
		test_server_fail(s, "the client went away");
	s->n += (size_t)n;
}

static inline void test_server_consume(struct test_server *s, size_t len)
{
	memmove(s->in, s->in + len, s->n - len);
	s->n -= len;
}

/* The next line without its end; borrowed until it is consumed. */
static inline struct str test_server_line(struct test_server *s)
{
	for (;;) {
		size_t end = str_find(str_of(s->in, s->n), STR("\r\n"));
		if (end < s->n)
			return str_of(s->in, end);
		test_server_fill(s);
	}
}

static inline void test_server_expect(struct test_server *s, struct str expected)
{
	struct str line = test_server_line(s);
	bool prefix = str_ends(expected, STR("*"));

	if (prefix)
		expected = str_first(expected, expected.len - 1);
	if (prefix ? !str_starts(line, expected) : !str_eq(line, expected))
		test_server_fail(s, "heard something else");
	test_server_consume(s, line.len + 2);
}

static inline uint64_t test_server_number(struct test_server *s, struct str text)
{
	uint64_t n;

	if (!num_parse(text, UINT32_MAX, &n))
		test_server_fail(s, "no number");
	return n;
}

static inline void test_server_tls(struct test_server *s, struct str name)
{
	const struct test_certificate *t = str_eq(name, STR("alone"))     ? s->alone
	                                   : str_eq(name, STR("expired")) ? s->expired
	                                                                  : s->good;

	s->ssl = test_certificate_serve(t, s->fd, 0);
}

static inline void test_server_close(struct test_server *s, bool orderly)
{
	struct linger at_once = {.l_onoff = 1};

	if (s->ssl != NULL && orderly)
		SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	s->ssl = NULL;
	if (!orderly)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	fd_close(&s->fd);
	s->n = 0;
}

static inline void test_server_accept(struct test_server *s, struct str address)
{
	struct sockaddr_in here;
	socklen_t len = sizeof(here);
	char text[64];

	s->fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	if (s->fd < 0 || getsockname(s->fd, (struct sockaddr *)&here, &len) < 0 ||
	    inet_ntop(AF_INET, &here.sin_addr, text, sizeof(text)) == NULL)
		test_server_fail(s, "no connection");
	if (address.len > 0 && !str_eq(address, str_of_cstr(text)))
		test_server_fail(s, "a connection to another address");
}

#endif
