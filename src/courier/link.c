#include "courier/link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"

void link_init(struct link *l, int drain)
{
	l->fd = -1;
	l->drain = drain;
	l->interruptible = false;
	l->tls = NULL;
	l->in_start = l->in_end = 0;
	l->out = BUF_MAX(LINK_OUT_MAX);
	l->ends_at_ms = 0;
}

void link_close(struct link *l)
{
	tls_free(l->tls);
	l->tls = NULL;
	fd_close(&l->fd);
	buf_done(&l->out);
	l->in_start = l->in_end = 0;
}

/* --- waiting --- */

static uint64_t deadline_in(const struct link *l, uint64_t ms)
{
	uint64_t deadline = clock_ms() + ms;

	return l->ends_at_ms != 0 ? num_min(deadline, l->ends_at_ms) : deadline;
}

/* Until the socket is ready for `events`. */
static int wait_for(const struct link *l, short events, uint64_t deadline)
{
	for (;;) {
		uint64_t now = clock_ms();
		if (now >= deadline)
			return -ETIMEDOUT;
		struct pollfd p[] = {{.fd = l->fd, .events = events},
		    {.fd = l->interruptible ? l->drain : -1, .events = POLLIN}};
		int n = poll(p, ARRAY_LEN(p), (int)num_min(deadline - now, INT32_MAX));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && p[1].revents != 0)
			return -ESHUTDOWN;
		if (n > 0)
			return 0;
	}
}

/* --- connecting --- */

static socklen_t length_of(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
	                                     : sizeof(struct sockaddr_in6);
}

static int bind_source(int fd, const struct sockaddr_storage *source)
{
	static const int on = 1;

	if (source->ss_family == AF_UNSPEC)
		return 0;
	/* The port is chosen when the connection is made: more of them are to be had so. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (const struct sockaddr *)source, length_of(source)) < 0 ? -errno : 0;
}

static int finish_connecting(const struct link *l, uint64_t deadline)
{
	int error = 0;
	socklen_t len = sizeof(error);
	int r = wait_for(l, POLLOUT, deadline);

	if (r < 0)
		return r;
	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

int link_connect(struct link *l, const struct sockaddr_storage *to,
    const struct sockaddr_storage *source, uint64_t ms)
{
	static const int on = 1;
	uint64_t deadline = deadline_in(l, ms);

	link_close(l);
	l->out = BUF_MAX(LINK_OUT_MAX);
	l->fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	int r = bind_source(l->fd, source);
	if (r == 0 && connect(l->fd, (const struct sockaddr *)to, length_of(to)) < 0)
		r = errno == EINPROGRESS ? finish_connecting(l, deadline) : -errno;
	if (r < 0) {
		link_close(l);
		return r;
	}
	(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return 0;
}

int link_start_tls(struct link *l, struct tls_client *client, const struct tls_wish *wish,
    uint64_t ms, struct tls_verdict *ret_verdict)
{
	if (l->in_end != l->in_start) {
		*ret_verdict = (struct tls_verdict){.result = TLS_VALIDATION_FAILURE,
		    .detail = "the server sent more than its reply to STARTTLS"};
		return -EBADMSG;
	}
	return tls_connect(client, wish, l->fd, deadline_in(l, ms), ret_verdict, &l->tls);
}

/* --- speaking --- */

void link_say(struct link *l, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)buf_vprintf(&l->out, fmt, args);
	va_end(args);
}

static int write_clear(struct link *l, struct str s, uint64_t deadline)
{
	while (s.len > 0) {
		ssize_t n = send(l->fd, s.p, s.len, MSG_NOSIGNAL);
		if (n > 0) {
			s = str_from(s, (size_t)n);
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		int r = wait_for(l, POLLOUT, deadline);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_piece(struct link *l, struct str s, uint64_t ms)
{
	uint64_t deadline = deadline_in(l, ms);

	if (l->fd < 0)
		return -ENODATA;
	return l->tls != NULL ? tls_write(l->tls, s, deadline) : write_clear(l, s, deadline);
}

int link_flush(struct link *l, uint64_t ms)
{
	if (buf_failed(&l->out))
		return -ENOBUFS;
	int r = l->out.len > 0 ? write_piece(l, buf_str(&l->out), ms) : 0;
	buf_clear(&l->out);
	return r;
}

int link_send(struct link *l, struct str s, uint64_t ms)
{
	int r = link_flush(l, ms);

	while (s.len > 0 && r == 0) {
		r = write_piece(l, str_first(s, LINK_SEND_BYTES), ms);
		s = str_from(s, num_min(s.len, LINK_SEND_BYTES));
	}
	return r;
}

/* --- listening --- */

/* At least one more byte. */
static int fill(struct link *l, uint64_t deadline)
{
	memmove(l->in, l->in + l->in_start, l->in_end - l->in_start);
	l->in_end -= l->in_start;
	l->in_start = 0;
	if (l->in_end == sizeof(l->in))
		return -EMSGSIZE;
	for (;;) {
		int r =
		    l->tls != NULL && tls_has_pending(l->tls) ? 0 : wait_for(l, POLLIN, deadline);
		if (r < 0)
			return r;
		char *to = l->in + l->in_end;
		size_t room = sizeof(l->in) - l->in_end;
		ssize_t n = l->tls != NULL ? tls_read(l->tls, to, room, deadline)
		                           : recv(l->fd, to, room, 0);
		if (n < 0 && l->tls == NULL)
			n = -errno;
		if (n == -EAGAIN || n == -EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -ENODATA : (int)n;
		l->in_end += (size_t)n;
		return 0;
	}
}

int link_answer(struct link *l, uint64_t ms, struct smtp_answer *ret_answer)
{
	int r = link_flush(l, ms);
	uint64_t deadline = deadline_in(l, ms);

	if (r == 0 && l->fd < 0)
		r = -ENODATA;
	while (r == 0) {
		struct str pending = str_of(l->in + l->in_start, l->in_end - l->in_start);
		size_t len = 0;
		switch (smtp_answer_parse(pending, ret_answer, &len)) {
		case SMTP_ANSWER_COMPLETE:
			l->in_start += len;
			return 0;
		case SMTP_ANSWER_PARTIAL:
			r = fill(l, deadline);
			break;
		case SMTP_ANSWER_GARBAGE:
			return -EBADMSG;
		case SMTP_ANSWER_ENDLESS:
			return -EMSGSIZE;
		}
	}
	return r;
}

bool link_is_stale(struct link *l)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};

	return l->fd < 0 || l->in_end != l->in_start ||
	       (l->tls != NULL && tls_has_pending(l->tls)) || poll(&p, 1, 0) != 0;
}

const char *link_error(int error)
{
	switch (-error) {
	case ENODATA:
	case ECONNRESET:
	case EPIPE:
		return "closed the connection";
	case ETIMEDOUT:
		return "did not answer in time";
	case ECONNREFUSED:
		return "refused the connection";
	case ENETUNREACH:
	case EHOSTUNREACH:
		return "cannot be reached: there is no route to it";
	case EADDRNOTAVAIL:
		return "cannot be reached from the source address that is configured";
	case EBADMSG:
		return "sent something that is no reply of SMTP";
	case EMSGSIZE:
		return "sent a reply without end";
	case EPROTO:
		return "broke the rules of TLS";
	case ESHUTDOWN:
		return "was left, because this server stops";
	case EACCES:
	case EPERM:
		return "cannot be reached: this server's own rules forbid that port";
	default:
		return strerror(-error);
	}
}
