#include "ipc/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "ipc/messages.h"
#include "ipc/spoil.h"

enum { LOOP_BATCH = 64 };

/* A message that the socket had no room for. */
struct pending {
	struct pending *next;
	bool secret;
	size_t n_fds;
	int fds[IPC_FDS_MAX];
	size_t len;
	char bytes[];
};

struct loop_entry {
	struct loop *loop;
	struct loop_entry *next, *previous;
	int fd;
	int broken;   /* why sending failed; reported when the round comes to it */
	bool removed; /* waits for the end of the round to be freed */
	const struct ipc_receivers *receivers;
	void (*ready)(struct loop_entry *e, void *ctx);
	void *ctx;
	struct pending *first, *last;
	size_t pending_len; /* with what each of them costs beside its bytes */
	bool is_peer;       /* came by IPC_PEER: who it is, below */
	uint8_t peer_role;
	uint16_t peer_index;
};

struct timer {
	uint64_t at;
	uint64_t order; /* of being set: timers of one millisecond run in that order */
	void (*fn)(void *ctx);
	void *ctx;
};

struct loop {
	int epoll;
	bool stopped;
	size_t n_entries;
	struct loop_entry *entries;    /* living */
	struct loop_entry *supervisor; /* whom IPC_PEER came from; NULL: nobody */
	struct loop_entry *removed; /* freed when no event of this round can name them any more */
	struct timer *timers;       /* a heap, the earliest first */
	size_t n_timers, timers_cap;
	uint64_t timers_set;
};

int loop_new(struct loop **ret_loop)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0)
		return -errno;
	struct loop *l = calloc(1, sizeof(*l));
	assert(l != NULL);
	l->epoll = epoll;
	*ret_loop = l;
	return 0;
}

static void free_pending(struct pending *p)
{
	for (size_t i = 0; i < p->n_fds; i++)
		close(p->fds[i]);
	if (p->secret)
		explicit_bzero(p->bytes, p->len);
	free(p);
}

static void drop_pending(struct loop_entry *e)
{
	while (e->first != NULL) {
		struct pending *p = e->first;
		e->first = p->next;
		free_pending(p);
	}
	e->last = NULL;
	e->pending_len = 0;
}

static void free_removed(struct loop *l)
{
	while (l->removed != NULL) {
		struct loop_entry *e = l->removed;
		l->removed = e->next;
		free(e);
	}
}

void loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	while (l->entries != NULL)
		loop_remove(l->entries);
	free_removed(l);
	close(l->epoll);
	free(l->timers);
	free(l);
}

/* Entries */

static int watch(struct loop_entry *e, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = e};

	return epoll_ctl(e->loop->epoll, operation, e->fd, &event) < 0 ? -errno : 0;
}

static struct loop_entry *add(struct loop *l, int fd, void *ctx)
{
	if (l->n_entries == LOOP_ENTRIES_MAX)
		return NULL;
	struct loop_entry *e = calloc(1, sizeof(*e));
	assert(e != NULL);
	*e = (struct loop_entry){.loop = l, .fd = fd, .ctx = ctx, .next = l->entries};
	if (watch(e, EPOLL_CTL_ADD, EPOLLIN) < 0) {
		free(e);
		return NULL;
	}
	if (l->entries != NULL)
		l->entries->previous = e;
	l->entries = e;
	l->n_entries++;
	return e;
}

struct loop_entry *loop_add_channel(
    struct loop *l, int channel, const struct ipc_receivers *receivers, void *ctx)
{
	struct loop_entry *e = fd_set_nonblocking(channel, true) < 0 ? NULL : add(l, channel, ctx);

	if (e != NULL)
		e->receivers = receivers;
	return e;
}

struct loop_entry *loop_add_fd(
    struct loop *l, int fd, void (*ready)(struct loop_entry *e, void *ctx), void *ctx)
{
	struct loop_entry *e = add(l, fd, ctx);

	if (e != NULL)
		e->ready = ready;
	return e;
}

int loop_release(struct loop_entry *e)
{
	struct loop *l = e->loop;

	assert(!e->removed);
	if (l->supervisor == e)
		l->supervisor = NULL;
	/* By name, and not by the close that follows: a child forked in between may hold the same
	 * open file, and epoll would go on naming an entry that is freed. */
	(void)watch(e, EPOLL_CTL_DEL, 0);
	drop_pending(e);
	if (e->previous != NULL)
		e->previous->next = e->next;
	else
		l->entries = e->next;
	if (e->next != NULL)
		e->next->previous = e->previous;
	e->removed = true;
	e->previous = NULL;
	e->next = l->removed;
	l->removed = e;
	l->n_entries--;
	return fd_take(&e->fd);
}

void loop_remove(struct loop_entry *e)
{
	if (e->removed)
		return;
	int fd CLEANUP(fd_close) UNUSED = loop_release(e);
}

void loop_pause(struct loop_entry *e, bool paused)
{
	assert(e->receivers == NULL);
	if (!e->removed)
		(void)watch(e, EPOLL_CTL_MOD, paused ? 0 : EPOLLIN);
}

int loop_entry_fd(const struct loop_entry *e)
{
	return e->fd;
}

void *loop_entry_ctx(const struct loop_entry *e)
{
	return e->ctx;
}

struct loop *loop_entry_loop(const struct loop_entry *e)
{
	return e->loop;
}

/*
 * A peer that the supervisor joined this process with broke the rules, or does not read what it is
 * sent. Its channel ends here; the supervisor is told, who replaces the less privileged of the two,
 * and so joins both anew.
 */
static void report_misconduct(struct loop_entry *e)
{
	struct ipc_misconduct misconduct = {.role = e->peer_role, .index = e->peer_index};

	if (e->is_peer && e->loop->supervisor != NULL)
		(void)loop_send(e->loop->supervisor, IPC_MISCONDUCT, &misconduct);
}

static void end_channel(struct loop_entry *e, int error)
{
	if (e->removed)
		return;
	if (error != 0)
		report_misconduct(e);
	if (e->receivers->closed != NULL)
		e->receivers->closed(e, error, e->ctx);
	loop_remove(e);
}

/* Sending */

/* Keeps a message for later, with descriptors of its own. */
static int keep(
    struct loop_entry *e, const struct buf *bytes, bool secret, const int *fds, size_t n)
{
	size_t held = sizeof(struct pending) + bytes->len;
	if (held > LOOP_PENDING_MAX - e->pending_len)
		return -EAGAIN;
	struct pending *p = calloc(1, held);
	assert(p != NULL);
	p->secret = secret;
	p->len = bytes->len;
	memcpy(p->bytes, bytes->p, bytes->len);
	for (; p->n_fds < n; p->n_fds++) {
		int fd = dup(fds[p->n_fds]);
		if (fd < 0 || fd_set_cloexec(fd, true) < 0) {
			int r = -errno;
			fd_close(&fd);
			free_pending(p);
			return r;
		}
		p->fds[p->n_fds] = fd;
	}
	if (e->last != NULL)
		e->last->next = p;
	else
		e->first = p;
	e->last = p;
	e->pending_len += held;
	return watch(e, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

static int send_or_keep(
    struct loop_entry *to, const struct buf *bytes, bool secret, const int *fds, size_t n_fds)
{
	int r = to->first != NULL ? -EAGAIN : ipc_send_bytes(to->fd, buf_str(bytes), fds, n_fds);

	if (r == -EAGAIN)
		r = keep(to, bytes, secret, fds, n_fds);
	return r;
}

/* What the socket takes now, or nothing. */
static int send_or_not(struct loop_entry *to, const struct buf *bytes, bool secret UNUSED,
    const int *fds, size_t n_fds)
{
	return to->first != NULL ? -EAGAIN : ipc_send_bytes(to->fd, buf_str(bytes), fds, n_fds);
}

typedef int send_fn(
    struct loop_entry *to, const struct buf *bytes, bool secret, const int *fds, size_t n_fds);

static int encode_and(send_fn *send_it, struct loop_entry *to, uint16_t type, const void *msg)
{
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(IPC_MESSAGE_MAX);
	bool secret = ipc_has_secret(type);
	int fds[IPC_FDS_MAX];
	size_t n_fds;

	if (secret)
		buf_reserve(&bytes, IPC_MESSAGE_MAX);
	bool ok = ipc_encode(type, msg, &bytes, fds, &n_fds);
	int r = ok ? send_it(to, &bytes, secret, fds, n_fds) : -EMSGSIZE;
	if (ok)
		ipc_spoil(to->fd, type, buf_str(&bytes), fds, n_fds);
	if (secret)
		ipc_wipe(&bytes);
	return r;
}

int loop_offer(struct loop_entry *to, uint16_t type, const void *msg)
{
	return to->removed ? -EPIPE : encode_and(send_or_not, to, type, msg);
}

bool loop_has_pending(const struct loop_entry *to)
{
	return to->first != NULL;
}

int loop_send(struct loop_entry *to, uint16_t type, const void *msg)
{
	if (to->removed)
		return -EPIPE;
	int r = encode_and(send_or_keep, to, type, msg);
	if (r == -EMSGSIZE)
		return r;
	/* Its reader is gone or asleep. The end is reported from the round, not from inside a
	 * handler that may still use the entry: shutting down makes the channel readable. */
	if (r < 0) {
		drop_pending(to);
		to->broken = r == -EPIPE ? 0 : r;
		(void)shutdown(to->fd, SHUT_RDWR);
	}
	return r;
}

static void send_pending(struct loop_entry *e)
{
	while (e->first != NULL) {
		struct pending *p = e->first;
		int r = ipc_send_bytes(e->fd, str_of(p->bytes, p->len), p->fds, p->n_fds);
		if (r == -EAGAIN)
			return;
		if (r < 0) {
			end_channel(e, r == -EPIPE ? 0 : r);
			return;
		}
		e->first = p->next;
		if (e->first == NULL)
			e->last = NULL;
		e->pending_len -= sizeof(*p) + p->len;
		free_pending(p);
	}
	(void)watch(e, EPOLL_CTL_MOD, EPOLLIN);
}

/* Receiving */

/* Remembers who is behind a channel that came by IPC_PEER and that its handler took into the loop.
 */
static void remember_peer(struct loop_entry *from, int channel, const struct ipc_peer *peer)
{
	if (peer->channel >= 0)
		return;
	for (struct loop_entry *e = from->loop->entries; e != NULL; e = e->next)
		if (e->fd == channel) {
			e->is_peer = true;
			e->peer_role = peer->role;
			e->peer_index = peer->index;
			from->loop->supervisor = from->removed ? NULL : from;
			return;
		}
}

static int dispatch(struct loop_entry *e, struct ipc_received *m)
{
	int channel = m->type == IPC_PEER ? ((struct ipc_peer *)m->msg)->channel : -1;
	int r = -EPROTO;

	for (size_t i = 0; i < e->receivers->n; i++)
		if (e->receivers->v[i].type == m->type) {
			r = e->receivers->v[i].handler(e, m->msg, e->ctx);
			break;
		}
	if (r == 0 && m->type == IPC_PEER)
		remember_peer(e, channel, m->msg);
	return r;
}

/* One message a round from each channel: none can starve the others. */
static void receive(struct loop_entry *e)
{
	struct ipc_received m;
	int r = ipc_recv(e->fd, &m);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		end_channel(e, r == -ENODATA ? e->broken : r);
		return;
	}
	r = dispatch(e, &m);
	ipc_received_done(&m);
	if (r < 0)
		end_channel(e, r);
}

static void handle(struct loop_entry *e, uint32_t events)
{
	if (e->removed)
		return;
	if (e->receivers == NULL) {
		e->ready(e, e->ctx);
		return;
	}
	if ((events & EPOLLOUT) != 0 && e->first != NULL)
		send_pending(e);
	if (!e->removed && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		receive(e);
}

/* Timers: a binary heap. */

static bool earlier(const struct timer *a, const struct timer *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct timer *a, struct timer *b)
{
	struct timer t = *a;

	*a = *b;
	*b = t;
}

static void sift_up(struct loop *l, size_t i)
{
	for (; i > 0 && earlier(&l->timers[i], &l->timers[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&l->timers[i], &l->timers[(i - 1) / 2]);
}

static void sift_down(struct loop *l, size_t i)
{
	for (;;) {
		size_t least = i;
		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < l->n_timers; child++)
			if (earlier(&l->timers[child], &l->timers[least]))
				least = child;
		if (least == i)
			return;
		swap(&l->timers[i], &l->timers[least]);
		i = least;
	}
}

int loop_after(struct loop *l, uint64_t ms, void (*fn)(void *ctx), void *ctx)
{
	if (l->n_timers == LOOP_TIMERS_MAX)
		return -ENOSPC;
	if (l->n_timers == l->timers_cap) {
		l->timers_cap = num_max(16, l->timers_cap * 2);
		l->timers = realloc(l->timers, l->timers_cap * sizeof(*l->timers));
		assert(l->timers != NULL);
	}
	l->timers[l->n_timers] =
	    (struct timer){.at = clock_ms() + ms, .order = l->timers_set++, .fn = fn, .ctx = ctx};
	sift_up(l, l->n_timers++);
	return 0;
}

void loop_forget(struct loop *l, const void *ctx)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n_timers; i++)
		if (l->timers[i].ctx != ctx)
			l->timers[kept++] = l->timers[i];
	l->n_timers = kept;
	for (size_t i = kept / 2; i-- > 0;)
		sift_down(l, i);
}

/* Runs what is due now; what those set anew for now waits for the next round. */
static void run_timers(struct loop *l)
{
	uint64_t now = clock_ms(), set = l->timers_set;

	while (l->n_timers > 0 && l->timers[0].at <= now && l->timers[0].order < set) {
		struct timer due = l->timers[0];
		l->timers[0] = l->timers[--l->n_timers];
		sift_down(l, 0);
		due.fn(due.ctx);
	}
}

/* How long the round may wait: until the first timer, at most `ms` (-1: for ever). */
static int wait_ms(const struct loop *l, int ms)
{
	if (l->n_timers == 0)
		return ms;
	uint64_t now = clock_ms(), at = l->timers[0].at;
	uint64_t until = at > now ? at - now : 0;
	return ms >= 0 && (uint64_t)ms < until ? ms : (int)num_min(until, INT32_MAX);
}

int loop_once(struct loop *l, int ms)
{
	struct epoll_event events[LOOP_BATCH];
	int n = epoll_wait(l->epoll, events, LOOP_BATCH, wait_ms(l, ms));

	if (n < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < n; i++)
		handle(events[i].data.ptr, events[i].events);
	run_timers(l);
	free_removed(l);
	return 0;
}

int loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped) {
		int r = loop_once(l, -1);
		if (r < 0)
			return r;
	}
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
}
