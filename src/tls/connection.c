#include "tls/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "base/num.h"
#include "tls/server.h"

static char last_error[TLS_ERROR_MAX];

const char *tls_error(void)
{
	return last_error;
}

static void remember_error(const char *what)
{
	unsigned long code = ERR_peek_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	snprintf(last_error, sizeof(last_error), "%s", reason ? reason : what);
}

/* Waits until the socket is ready for `events`; the peer's hanging up counts as ready. */
static int wait_for(int socket, short events, uint64_t deadline)
{
	for (;;) {
		uint64_t now = clock_ms();
		if (now >= deadline)
			return deadline == 0 ? -EAGAIN : -ETIMEDOUT;
		struct pollfd p = {.fd = socket, .events = events};
		int n = poll(&p, 1, (int)num_min(deadline - now, INT32_MAX));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int failure_of_protocol(void)
{
	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return -ECONNRESET;
	return -EPROTO;
}

/*
 * After an SSL_ function returned `result` <= 0: 0 when it may be called again now, 1 at the
 * orderly end of the stream, else -errno.
 */
static int after(struct tls_connection *c, int result, uint64_t deadline)
{
	int saved_errno = errno;
	int error;
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(c->socket, POLLIN, deadline);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(c->socket, POLLOUT, deadline);
	case SSL_ERROR_ZERO_RETURN:
		return 1;
	case SSL_ERROR_SYSCALL:
		remember_error("connection lost");
		error = saved_errno ? -saved_errno : -ECONNRESET;
		break;
	default:
		remember_error("protocol error");
		error = failure_of_protocol();
		break;
	}
	c->is_broken = true;
	ERR_clear_error();
	return error;
}

static void before(void)
{
	ERR_clear_error();
	errno = 0;
}

int tls_shake_hands(struct tls_connection *c, int (*step)(SSL *ssl), uint64_t deadline)
{
	for (;;) {
		before();
		int result = step(c->ssl);
		if (result == 1)
			return 0;
		int error = after(c, result, deadline);
		if (error)
			return error < 0 ? error : -ECONNRESET;
	}
}

void tls_free(struct tls_connection *connection)
{
	if (!connection)
		return;
	SSL_free(connection->ssl);
	free(connection);
}

void tls_release(struct tls_connection **connection)
{
	tls_free(*connection);
	*connection = NULL;
}

ssize_t tls_read(struct tls_connection *c, void *p, size_t len, uint64_t deadline)
{
	if (c->is_broken)
		return -ECONNRESET;
	for (;;) {
		before();
		size_t n;
		int result = SSL_read_ex(c->ssl, p, len, &n);
		if (result == 1)
			return (ssize_t)n;
		int error = after(c, result, deadline);
		if (error)
			return error < 0 ? error : 0;
	}
}

int tls_write(struct tls_connection *c, struct str s, uint64_t deadline)
{
	if (c->is_broken)
		return -EPIPE;
	while (s.len > 0) {
		before();
		size_t n;
		int result = SSL_write_ex(c->ssl, s.p, s.len, &n);
		if (result == 1) {
			s = str_from(s, n);
			continue;
		}
		int error = after(c, result, deadline);
		if (error) {
			/* half a record may be out: nothing can follow it */
			c->is_broken = true;
			return error < 0 ? error : -EPIPE;
		}
	}
	return 0;
}

bool tls_has_pending(const struct tls_connection *connection)
{
	return SSL_has_pending(connection->ssl) == 1;
}

void tls_shutdown(struct tls_connection *c, uint64_t deadline)
{
	if (c->is_broken)
		return;
	for (;;) {
		before();
		int result = SSL_shutdown(c->ssl);
		if (result >= 0 || after(c, result, deadline))
			return;
	}
}

const char *tls_version(const struct tls_connection *connection)
{
	return SSL_get_version(connection->ssl);
}

const char *tls_cipher(const struct tls_connection *connection)
{
	return SSL_get_cipher_name(connection->ssl);
}
