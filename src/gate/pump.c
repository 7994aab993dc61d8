/*
 * After sign-in: bytes between the peer and its session.
 *
 * What comes from the session is sent on at once, waiting where the peer is slow: the session waits
 * with it. What comes from the peer is held when the session does not take it, while the other
 * direction goes on: a session that is busy answering does not read, and must still be heard.
 *
 * An idle pump holds no buffer: a burst gets one from mmap (malloc above its threshold) and gives
 * it back when nothing came for a while. Most commands fit the stack.
 */
#include "gate/gate.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "ipc/give_back.h"
#include "tls/server.h"

enum {
	PUMP_BUFFER = 65536,
	PUMP_SMALL = 8192,
	/* A buffer is kept so long for what comes next: getting one costs some page faults. */
	PUMP_LINGER_MS = 100,
	/* After the peer's end, how long the session may take to end too. */
	PUMP_END_MS = 10 * 1000,
};

struct pump {
	struct gate *g;
	int stream;
	char small[PUMP_SMALL];
	char *buffer; /* PUMP_BUFFER bytes, or NULL while idle */
	char *held;   /* what the session has not taken yet, from held_start to held_end */
	size_t held_start, held_end;
	bool peer_ended; /* nothing more will come from there */
	uint64_t ends_at_ms;
};

static char *buffer_of(struct pump *p)
{
	if (!p->buffer) {
		p->buffer = malloc(PUMP_BUFFER);
		assert(p->buffer);
	}
	return p->buffer;
}

static void drop_buffer(struct pump *p)
{
	free(p->buffer);
	p->buffer = NULL;
}

static void done(struct pump *p)
{
	drop_buffer(p);
	free(p->held);
	fd_close(&p->stream);
}

/* Sends to the session what it takes now; how much, or -errno. */
static ssize_t send_to_session(struct pump *p, struct str s)
{
	ssize_t n = send(p->stream, s.p, s.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n;
}

static void end_of_peer(struct pump *p)
{
	p->peer_ended = true;
	p->ends_at_ms = clock_ms() + PUMP_END_MS;
	(void)shutdown(p->stream, SHUT_WR);
}

/* The session does not read any more; its last words may still be on their way. */
static int session_left(struct pump *p, int error)
{
	if (error != -EPIPE && error != -ECONNRESET)
		return error;
	free(p->held);
	p->held = NULL;
	end_of_peer(p);
	return 0;
}

static int pass_held(struct pump *p)
{
	ssize_t n =
	    send_to_session(p, str_of(p->held + p->held_start, p->held_end - p->held_start));
	if (n < 0)
		return session_left(p, (int)n);
	p->held_start += (size_t)n;
	if (p->held_start == p->held_end) {
		free(p->held);
		p->held = NULL;
	}
	return 0;
}

/* Sends `s`, or as much as goes, and holds the rest. */
static int pass(struct pump *p, struct str s)
{
	assert(!p->held);
	ssize_t n = send_to_session(p, s);
	if (n < 0)
		return session_left(p, (int)n);
	s = str_from(s, (size_t)n);
	if (s.len == 0)
		return 0;
	p->held = malloc(s.len);
	assert(p->held);
	memcpy(p->held, s.p, s.len);
	p->held_start = 0;
	p->held_end = s.len;
	return 0;
}

/* Where to read: the buffer, where there is one. */
static char *room_of(struct pump *p, size_t *ret_len)
{
	*ret_len = p->buffer ? PUMP_BUFFER : PUMP_SMALL;
	return p->buffer ? p->buffer : p->small;
}

/* What the peer sent; what fills the room promises more. -EAGAIN, 0 at the end, other -errno. */
static ssize_t read_peer(struct pump *p, char **ret_bytes)
{
	struct gate *g = p->g;
	size_t room;
	char *to = room_of(p, &room);
	ssize_t n = g->tls ? tls_read(g->tls, to, room, 0) : recv(g->fd, to, room, MSG_DONTWAIT);
	if (!g->tls && n < 0)
		n = -errno;
	if (n == (ssize_t)room)
		(void)buffer_of(p);
	*ret_bytes = to;
	return n == -EINTR ? -EAGAIN : n;
}

/* From the peer to the session, until nothing is there or the session does not keep up. */
static int from_peer(struct pump *p)
{
	struct gate *g = p->g;
	for (;;) {
		char *bytes;
		ssize_t n = read_peer(p, &bytes);
		if (n == -EAGAIN)
			return 0;
		if (n <= 0) {
			end_of_peer(p);
			return n == 0 || n == -ECONNRESET ? 0 : (int)n;
		}
		int r = pass(p, str_of(bytes, (size_t)n));
		if (r < 0 || p->held || p->peer_ended || !g->tls || !tls_has_pending(g->tls))
			return r;
	}
}

/* What the session says, and what fills the small room with what follows it. As read_peer. */
static ssize_t read_session(struct pump *p, char **ret_bytes, bool *given_back)
{
	size_t room;
	char *to = room_of(p, &room);
	ssize_t n = give_back_recv(p->stream, to, room, given_back);
	*ret_bytes = to;
	if (to != p->small || n != (ssize_t)room || *given_back)
		return n;
	*ret_bytes = to = memcpy(buffer_of(p), p->small, (size_t)n);
	ssize_t more = give_back_recv(p->stream, to + n, PUMP_BUFFER - (size_t)n, given_back);
	/* One that ended without having read all there was: its last words count nevertheless. */
	if (more < 0 && more != -EAGAIN && more != -EINTR && more != -ECONNRESET)
		return more;
	return more > 0 ? n + more : n;
}

/*
 * From the session to the peer: 0, -ENODATA at the session's end, GATE_GIVEN_BACK, or what sending
 * gave.
 */
static int from_session(struct pump *p)
{
	bool given_back = false;
	char *bytes;
	ssize_t n = read_session(p, &bytes, &given_back);
	if (n < 0)
		return n == -EAGAIN || n == -EINTR ? 0 : (int)n;
	if (n == 0 && !given_back)
		return -ENODATA;
	int r = gate_send(p->g, str_of(bytes, (size_t)n));
	return r == 0 && given_back ? GATE_GIVEN_BACK : r;
}

/* How long the next wait may last: -1 for ever, 0 when the time is over. */
static int wait_ms(const struct pump *p)
{
	uint64_t until = p->ends_at_ms;
	if (p->g->drains_at_ms > 0)
		until = until > 0 ? num_min(until, p->g->drains_at_ms) : p->g->drains_at_ms;
	if (until == 0)
		return -1;
	uint64_t now = clock_ms();
	return until > now ? (int)num_min(until - now, INT32_MAX) : 0;
}

/* Waits for either side. What is readable afterwards is in `ready`: peer, session, drain pipe. */
static int wait_for_sides(struct pump *p, struct pollfd ready[static 3])
{
	struct gate *g = p->g;
	ready[0] = (struct pollfd){.fd = p->peer_ended || p->held ? -1 : g->fd, .events = POLLIN};
	ready[1] = (struct pollfd){.fd = p->stream, .events = POLLIN | (p->held ? POLLOUT : 0)};
	ready[2] = (struct pollfd){.fd = g->drains_at_ms > 0 ? -1 : g->drain};
	int ms = wait_ms(p), n = 0;
	if (ms == 0)
		return -ETIMEDOUT;
	if (p->buffer) {
		n = poll(ready, 3, ms < 0 ? PUMP_LINGER_MS : (int)num_min(ms, PUMP_LINGER_MS));
		if (n != 0)
			return n < 0 && errno != EINTR ? -errno : n;
		drop_buffer(p);
		ms = wait_ms(p);
	}
	n = poll(ready, 3, ms);
	return n < 0 && errno != EINTR ? -errno : n;
}

static int round_of(struct pump *p)
{
	struct pollfd ready[3];
	int n = wait_for_sides(p, ready);
	if (n <= 0)
		return n;
	int r = 0;
	if (ready[2].revents)
		p->g->drains_at_ms = clock_ms() + GATE_DRAIN_MS;
	if (ready[1].revents & (POLLIN | POLLHUP | POLLERR))
		r = from_session(p);
	if (r == 0 && (ready[1].revents & POLLOUT) && p->held) {
		r = pass_held(p);
		/* TLS may hold what poll does not know of. */
		if (r == 0 && !p->held && !p->peer_ended && p->g->tls && tls_has_pending(p->g->tls))
			r = from_peer(p);
	}
	if (r == 0 && ready[0].revents)
		r = from_peer(p);
	return r;
}

/* Adds to what is pending. */
static int keep(struct gate *g, struct str s)
{
	if (s.len > GATE_IN_MAX - g->in_end)
		return -ENOBUFS;
	memcpy(g->in + g->in_end, s.p, s.len);
	g->in_end += s.len;
	return 0;
}

/* What the session sends back, to its end, then what was still held for it: the order in which the
 * peer sent it. */
static int take_back(struct pump *p)
{
	struct gate *g = p->g;
	uint64_t until = clock_ms() + PUMP_END_MS;
	if (shutdown(p->stream, SHUT_WR) < 0)
		return -errno;
	g->in = malloc(GATE_IN_MAX);
	assert(g->in);
	for (;;) {
		char *to = buffer_of(p);
		ssize_t n = recv(p->stream, to, PUMP_BUFFER, MSG_DONTWAIT);
		int r = n > 0 ? keep(g, str_of(to, (size_t)n)) : 0;
		if (r < 0)
			return r;
		if (n == 0)
			break;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		uint64_t now = clock_ms();
		if (now >= until)
			return -ETIMEDOUT;
		struct pollfd ready = {.fd = p->stream, .events = POLLIN};
		if (poll(&ready, 1, (int)(until - now)) < 0 && errno != EINTR)
			return -errno;
	}
	return p->held ? keep(g, str_of(p->held + p->held_start, p->held_end - p->held_start)) : 0;
}

/* A broken session could give back where nobody can sign in anew, or after the peer's end. */
static int given_back(struct pump *p)
{
	if (!p->g->signs_in_anew)
		return -EBADMSG;
	if (p->peer_ended)
		return 0;
	int r = take_back(p);
	return r < 0 ? r : GATE_GIVEN_BACK;
}

static void close_channels(struct gate *g)
{
	int directory CLEANUP(fd_close) = fd_take(&g->channels.directory);
	gate_close_channels(&g->channels);
	if (g->signs_in_anew)
		g->channels.directory = fd_take(&directory);
}

int gate_pump(struct gate *g, int stream)
{
	struct pump p = {.g = g, .stream = stream};
	close_channels(g);
	/* Buffers come from mmap and go back when they are freed. */
	mallopt(M_MMAP_THRESHOLD, PUMP_BUFFER / 2);
	int r = gate_flush(g);
	buf_done(&g->out);
	if (r == 0 && gate_pending(g).len > 0)
		r = pass(&p, gate_pending(g));
	free(g->in);
	g->in = NULL;
	g->in_start = g->in_end = 0;
	malloc_trim(0);
	g->closes_at_ms = UINT64_MAX;
	if (r == 0 && !p.held && g->tls && tls_has_pending(g->tls))
		r = from_peer(&p);
	while (r == 0)
		r = round_of(&p);
	if (r == GATE_GIVEN_BACK)
		r = given_back(&p);
	done(&p);
	return r == -ENODATA || r == -EPIPE ? 0 : r;
}
