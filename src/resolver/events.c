#include "resolver/events.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include <unbound-event.h>

#include "base/clock.h"
#include "base/num.h"

/* Of one round of the loop: then channels have their turn. */
enum { ROUND_MAX = 256, NOT_TIMED = -1 };

struct event {
	struct ub_event ub; /* first: libunbound knows this part */
	struct events *events;
	int fd;
	short bits;
	bool is_watched; /* its descriptor stands in the epoll descriptor */
	void (*fn)(int fd, short bits, void *arg);
	void *arg;
	uint64_t interval; /* ms, of a persistent one with a time-out */
	uint64_t at;       /* clock_ms when it times out */
	ssize_t place;     /* in the heap, or NOT_TIMED */
};

struct events {
	struct ub_event_base ub; /* first */
	struct loop *loop;
	struct loop_entry *entry;
	int epoll;
	struct event **heap; /* the earliest first */
	size_t n, cap;
	uint64_t wake_at; /* for when a timer of the loop is set; 0: for never */
};

/* --- the heap of time-outs --- */

static void put(struct events *e, size_t place, struct event *event)
{
	e->heap[place] = event;
	event->place = (ssize_t)place;
}

static void sift_up(struct events *e, size_t i)
{
	struct event *event = e->heap[i];

	for (; i > 0 && event->at < e->heap[(i - 1) / 2]->at; i = (i - 1) / 2)
		put(e, i, e->heap[(i - 1) / 2]);
	put(e, i, event);
}

static void sift_down(struct events *e, size_t i)
{
	struct event *event = e->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;
		if (child + 1 < e->n && e->heap[child + 1]->at < e->heap[child]->at)
			child++;
		if (child >= e->n || e->heap[child]->at >= event->at)
			break;
		put(e, i, e->heap[child]);
		i = child;
	}
	put(e, i, event);
}

static void untime(struct event *event)
{
	struct events *e = event->events;

	if (event->place == NOT_TIMED)
		return;
	size_t place = (size_t)event->place;
	struct event *last = e->heap[--e->n];
	event->place = NOT_TIMED;
	if (last == event)
		return;
	put(e, place, last);
	sift_up(e, place);
	sift_down(e, (size_t)last->place);
}

static void wake(void *ctx);

/* A timer of the loop for the earliest time-out. One that was set too early does no harm. */
static void set_wake(struct events *e)
{
	if (e->n == 0 || (e->wake_at != 0 && e->wake_at <= e->heap[0]->at))
		return;
	uint64_t now = clock_ms(), at = e->heap[0]->at;
	loop_forget(e->loop, e);
	e->wake_at = at;
	int r = loop_after(e->loop, at > now ? at - now : 0, wake, e);
	assert(r == 0); /* the role sets a few timers, of tens of thousands */
}

static void time_out_after(struct event *event, uint64_t ms)
{
	struct events *e = event->events;

	untime(event);
	event->at = clock_ms() + ms;
	if (e->n == e->cap) {
		e->cap = num_max(64, e->cap * 2);
		e->heap = realloc(e->heap, e->cap * sizeof(struct event *));
		assert(e->heap != NULL);
	}
	e->heap[e->n] = event;
	sift_up(e, e->n++);
	set_wake(e);
}

/* --- descriptors --- */

static int watch(struct event *event)
{
	struct epoll_event want = {.data.ptr = event};

	if (event->fd < 0 || (event->bits & (UB_EV_READ | UB_EV_WRITE)) == 0)
		return 0;
	if ((event->bits & UB_EV_READ) != 0)
		want.events |= EPOLLIN;
	if ((event->bits & UB_EV_WRITE) != 0)
		want.events |= EPOLLOUT;
	int what = event->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (epoll_ctl(event->events->epoll, what, event->fd, &want) < 0)
		return -1;
	event->is_watched = true;
	return 0;
}

static void unwatch(struct event *event)
{
	if (event->is_watched)
		(void)epoll_ctl(event->events->epoll, EPOLL_CTL_DEL, event->fd, NULL);
	event->is_watched = false;
}

/* --- what happens --- */

/* Calls the event's function, which may free the event, and others. */
static void fire(struct event *event, short bits)
{
	if ((event->bits & UB_EV_PERSIST) == 0) {
		unwatch(event);
		untime(event);
	} else if (event->interval > 0) {
		time_out_after(event, event->interval);
	}
	event->fn(event->fd, bits, event->arg);
}

static void time_out(struct events *e)
{
	uint64_t now = clock_ms();

	for (int i = 0; i < ROUND_MAX && e->n > 0 && e->heap[0]->at <= now; i++) {
		struct event *event = e->heap[0];
		untime(event);
		fire(event, UB_EV_TIMEOUT);
	}
}

static void wake(void *ctx)
{
	struct events *e = ctx;

	e->wake_at = 0;
	time_out(e);
	set_wake(e);
}

/* One at a time: any call can end any other event. */
static void ready(struct loop_entry *entry UNUSED, void *ctx)
{
	struct events *e = ctx;
	struct epoll_event got;

	for (int i = 0; i < ROUND_MAX && epoll_wait(e->epoll, &got, 1, 0) == 1; i++) {
		struct event *event = got.data.ptr;
		short bits = 0;
		if ((got.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0)
			bits |= UB_EV_READ;
		if ((got.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0)
			bits |= UB_EV_WRITE;
		fire(event, bits & event->bits);
	}
}

/* --- what libunbound calls --- */

static int remove_event(struct ub_event *ub)
{
	struct event *event = (struct event *)ub;

	unwatch(event);
	untime(event);
	event->interval = 0;
	return 0;
}

static int add_event(struct ub_event *ub, struct timeval *after)
{
	struct event *event = (struct event *)ub;

	event->interval = 0;
	if (after != NULL) {
		uint64_t ms = (uint64_t)after->tv_sec * 1000 + (uint64_t)after->tv_usec / 1000;
		if ((event->bits & UB_EV_PERSIST) != 0)
			event->interval = num_max(ms, 1);
		time_out_after(event, ms);
	}
	return watch(event);
}

static void add_bits(struct ub_event *ub, short bits)
{
	remove_event(ub);
	((struct event *)ub)->bits |= bits;
}

static void del_bits(struct ub_event *ub, short bits)
{
	struct event *event = (struct event *)ub;

	remove_event(ub);
	event->bits = (short)(event->bits & ~bits);
}

static void set_fd(struct ub_event *ub, int fd)
{
	remove_event(ub);
	((struct event *)ub)->fd = fd;
}

static void free_event(struct ub_event *ub)
{
	remove_event(ub);
	free(ub);
}

static int add_timer(struct ub_event *ub, struct ub_event_base *base UNUSED,
    void (*fn)(int, short, void *), void *arg, struct timeval *after)
{
	struct event *event = (struct event *)ub;

	event->fn = fn;
	event->arg = arg;
	return add_event(ub, after);
}

static int no_signal(struct ub_event *ub UNUSED, struct timeval *after UNUSED)
{
	return -1;
}

static int no_signal_either(struct ub_event *ub UNUSED)
{
	return -1;
}

static void no_windows(struct ub_event *ub UNUSED)
{
}

static void no_windows_either(struct ub_event *ub UNUSED, int bit UNUSED)
{
}

static struct ub_event_vmt event_functions = {
    .add_bits = add_bits,
    .del_bits = del_bits,
    .set_fd = set_fd,
    .free = free_event,
    .add = add_event,
    .del = remove_event,
    .add_timer = add_timer,
    .del_timer = remove_event,
    .add_signal = no_signal,
    .del_signal = no_signal_either,
    .winsock_unregister_wsaevent = no_windows,
    .winsock_tcp_wouldblock = no_windows_either,
};

static struct ub_event *new_event(
    struct ub_event_base *base, int fd, short bits, void (*fn)(int, short, void *), void *arg)
{
	struct event *event = calloc(1, sizeof(*event));

	if (event == NULL)
		return NULL;
	*event = (struct event){
	    .ub = {.magic = UB_EVENT_MAGIC, .vmt = &event_functions},
	    .events = (struct events *)base,
	    .fd = fd,
	    .bits = bits,
	    .fn = fn,
	    .arg = arg,
	    .place = NOT_TIMED,
	};
	return &event->ub;
}

static struct ub_event *new_signal(struct ub_event_base *base UNUSED, int number UNUSED,
    void (*fn)(int, short, void *) UNUSED, void *arg UNUSED)
{
	return NULL;
}

static struct ub_event *new_windows_event(struct ub_event_base *base UNUSED, void *event UNUSED,
    void (*fn)(int, short, void *) UNUSED, void *arg UNUSED)
{
	return NULL;
}

static void no_base(struct ub_event_base *base UNUSED)
{
}

static int no_dispatch(struct ub_event_base *base UNUSED)
{
	return -1;
}

static int no_exit(struct ub_event_base *base UNUSED, struct timeval *after UNUSED)
{
	return 0;
}

static struct ub_event_base_vmt base_functions = {
    .free = no_base,
    .dispatch = no_dispatch,
    .loopexit = no_exit,
    .new_event = new_event,
    .new_signal = new_signal,
    .winsock_register_wsaevent = new_windows_event,
};

int events_new(struct loop *loop, struct events **ret_events)
{
	struct events *e = calloc(1, sizeof(*e));

	assert(e != NULL);
	e->ub = (struct ub_event_base){.magic = UB_EVENT_MAGIC, .vmt = &base_functions};
	e->loop = loop;
	e->epoll = epoll_create1(EPOLL_CLOEXEC);
	int r = e->epoll < 0 ? -errno : 0;
	if (r == 0 && (e->entry = loop_add_fd(loop, e->epoll, ready, e)) == NULL) {
		close(e->epoll);
		r = -ENOSPC;
	}
	if (r < 0) {
		free(e);
		return r;
	}
	*ret_events = e;
	return 0;
}

void events_free(struct events *e)
{
	loop_forget(e->loop, e);
	loop_remove(e->entry);
	free(e->heap);
	free(e);
}

struct ub_event_base *events_base(struct events *e)
{
	return &e->ub;
}
