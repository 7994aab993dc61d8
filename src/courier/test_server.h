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

#endif
