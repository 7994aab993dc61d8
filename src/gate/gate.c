#include "gate/gate.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "tls/server.h"

enum {
	/* What is left over is moved to the front when it is no more than this. */
	GATE_MOVE_MAX = 4096,
	/* Less room than this behind it, and it is moved in any case. */
	GATE_ROOM_LEAST = 16384,
};

void gate_init(struct gate *g, int fd, const struct config *config)
{
	*g = (struct gate){
	    .fd = fd,
	    .drain = -1,
	    .channels = GATE_NO_CHANNELS,
	    .config = config,
	    .out = BUF_MAX(GATE_OUT_MAX),
	    .closes_at_ms = UINT64_MAX,
	    .deadline_ms = UINT64_MAX,
	};
}

void gate_close_channels(struct gate_channels *c)
{
	fd_close(&c->directory);
	fd_close(&c->keyholder);
	fd_close(&c->gatekeeper);
	fd_close(&c->queue);
	for (size_t i = 0; i < GATE_DELIVERY_MAX; i++)
		fd_close(&c->delivery[i]);
}

void gate_done(struct gate *g)
{
	if (g->tls)
		tls_shutdown(g->tls, clock_ms() + GATE_LAST_WORDS_MS);
	tls_free(g->tls);
	g->tls = NULL;
	gate_close_channels(&g->channels);
	fd_close(&g->drain);
	fd_close(&g->fd);
	buf_done(&g->out);
	free(g->in);
	g->in = NULL;
	g->in_start = g->in_end = 0;
}

void gate_set_deadline(struct gate *g, uint64_t ms)
{
	g->deadline_ms = clock_ms() + ms;
}

void gate_consume(struct gate *g, size_t len)
{
	assert(len <= g->in_end - g->in_start);
	g->in_start += len;
	if (g->in_start == g->in_end)
		g->in_start = g->in_end = 0;
}

void gate_release(struct gate *g)
{
	if (g->in_end > g->in_start)
		return;
	free(g->in);
	g->in = NULL;
}

/* Room behind what is pending: false when GATE_IN_MAX bytes are. */
static bool make_room(struct gate *g)
{
	if (!g->in) {
		g->in = malloc(GATE_IN_MAX);
		assert(g->in);
	}
	size_t pending = g->in_end - g->in_start;
	if (g->in_start > 0 &&
	    (pending <= GATE_MOVE_MAX || GATE_IN_MAX - g->in_end < GATE_ROOM_LEAST)) {
		memmove(g->in, g->in + g->in_start, pending);
		g->in_start = 0;
		g->in_end = pending;
	}
	return g->in_end < GATE_IN_MAX;
}

/* The moment at which a wait for the peer ends. */
static uint64_t wait_until(const struct gate *g)
{
	uint64_t until = num_min(g->deadline_ms, g->closes_at_ms);
	return g->drains_at_ms > 0 ? num_min(until, g->drains_at_ms) : until;
}

/* Waits for something to read; sees the drain pipe hang up. */
static int wait_for_peer(struct gate *g)
{
	for (;;) {
		if (g->drains_at_ms > 0 && g->interruptible)
			return -ESHUTDOWN;
		uint64_t now = clock_ms();
		uint64_t until = wait_until(g);
		if (now >= until)
			return g->drains_at_ms > 0 ? -ESHUTDOWN : -ETIMEDOUT;
		struct pollfd p[2] = {
		    {.fd = g->fd, .events = POLLIN},
		    {.fd = g->drains_at_ms > 0 ? -1 : g->drain},
		};
		int n = poll(p, 2, (int)num_min(until - now, INT32_MAX));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && p[1].revents)
			g->drains_at_ms = clock_ms() + GATE_DRAIN_MS;
		else if (n > 0)
			return 0;
	}
}

/* What is there now: how many bytes, 0 at the end, -EAGAIN. */
static ssize_t read_now(struct gate *g, void *p, size_t len)
{
	if (g->tls)
		return tls_read(g->tls, p, len, 0);
	ssize_t n = recv(g->fd, p, len, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

int gate_fill(struct gate *g)
{
	int r = gate_flush(g);
	if (r < 0)
		return r;
	if (!make_room(g))
		return -ENOBUFS;
	for (;;) {
		if (!g->tls || !tls_has_pending(g->tls)) {
			r = wait_for_peer(g);
			if (r < 0)
				return r;
		}
		ssize_t n = read_now(g, g->in + g->in_end, GATE_IN_MAX - g->in_end);
		if (n > 0) {
			g->in_end += (size_t)n;
			return 0;
		}
		if (n != -EAGAIN && n != -EINTR)
			return n == 0 || n == -ECONNRESET ? -ENODATA : (int)n;
	}
}

bool gate_say(struct gate *g, struct str text)
{
	return buf_add(&g->out, text);
}

/* Sending ends after GATE_SEND_MS, with the connection's time, but not before a last line could go
 * out. */
static uint64_t send_until(const struct gate *g)
{
	uint64_t now = clock_ms();
	uint64_t until = num_min(now + GATE_SEND_MS, g->closes_at_ms);
	return num_max(until, now + GATE_LAST_WORDS_MS);
}

static int send_plain(struct gate *g, struct str s, uint64_t until, int flags)
{
	while (s.len > 0) {
		ssize_t n = send(g->fd, s.p, s.len, MSG_DONTWAIT | MSG_NOSIGNAL | flags);
		if (n >= 0) {
			s = str_from(s, (size_t)n);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return errno == EPIPE || errno == ECONNRESET ? -ENODATA : -errno;
		uint64_t now = clock_ms();
		if (now >= until)
			return -ETIMEDOUT;
		struct pollfd p = {.fd = g->fd, .events = POLLOUT};
		if (poll(&p, 1, (int)num_min(until - now, INT32_MAX)) < 0 && errno != EINTR)
			return -errno;
	}
	return 0;
}

int gate_send(struct gate *g, struct str s)
{
	if (s.len == 0)
		return 0;
	if (!g->tls)
		return send_plain(g, s, send_until(g), 0);
	int r = tls_write(g->tls, s, send_until(g));
	return r == -EPIPE || r == -ECONNRESET ? -ENODATA : r;
}

int gate_flush(struct gate *g)
{
	bool failed = buf_failed(&g->out);
	int r = gate_send(g, buf_str(&g->out));
	buf_clear(&g->out);
	return r == 0 && failed ? -ENOBUFS : r;
}

/* Nothing is on its way from the peer, as far as is known here. */
static bool is_quiet(const struct gate *g)
{
	char byte;
	return !g->tls && g->in_start == g->in_end &&
	       recv(g->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) <= 0;
}

int gate_finish(struct gate *g, bool peer_is_done)
{
	int r = 0;
	if (g->tls) {
		r = gate_flush(g);
	} else {
		/* The end of the stream goes out in the same segment. */
		bool failed = buf_failed(&g->out);
		r = send_plain(g, buf_str(&g->out), send_until(g), MSG_MORE);
		buf_clear(&g->out);
		r = r == 0 && failed ? -ENOBUFS : r;
	}
	if (peer_is_done && is_quiet(g))
		(void)shutdown(g->fd, SHUT_WR);
	else
		gate_linger(g);
	return r;
}

int gate_start_tls(struct gate *g)
{
	if (!g->tls_server || g->tls)
		return -EPROTO;
	int r = gate_reach_keyholder(g);
	if (r == 0)
		r = gate_flush(g);
	if (r < 0)
		return r;
	g->in_start = g->in_end = 0;
	tls_use_keyholder(g->channels.keyholder);
	uint64_t until = num_min(clock_ms() + GATE_HANDSHAKE_MS, g->closes_at_ms);
	r = tls_accept(g->tls_server, g->fd, until, &g->tls);
	if (r < 0)
		return r == -ECONNRESET || r == -EPIPE ? -ENODATA : r;
	/* There is no second handshake: the key is out of reach from here on. */
	tls_use_keyholder(-1);
	fd_close(&g->channels.keyholder);
	snprintf(g->tls_name, sizeof g->tls_name, "%s with cipher %s", tls_version(g->tls),
	    tls_cipher(g->tls));
	return 0;
}

struct str gate_tls_name(const struct gate *g)
{
	return g->tls ? str_of_cstr(g->tls_name) : STR("");
}

void gate_linger(struct gate *g)
{
	uint64_t until = clock_ms() + GATE_LAST_WORDS_MS;
	size_t dropped = 0;
	g->in_start = g->in_end = 0;
	(void)make_room(g);
	if (g->tls)
		tls_shutdown(g->tls, until);
	tls_free(g->tls);
	g->tls = NULL;
	if (shutdown(g->fd, SHUT_WR) < 0)
		return;
	while (dropped < GATE_LINGER_MAX) {
		uint64_t now = clock_ms();
		struct pollfd p = {.fd = g->fd, .events = POLLIN};
		if (now >= until || poll(&p, 1, (int)(until - now)) <= 0)
			return;
		ssize_t n = recv(g->fd, g->in, GATE_IN_MAX, MSG_DONTWAIT);
		if (n <= 0)
			return;
		dropped += (size_t)n;
	}
}
