/*
 * resolver/events.h: libunbound's events, carried by our loop.
 *
 * libunbound asks its questions over sockets and timers of an event base that its user brings
 * (unbound-event.h). Here the sockets stand in one epoll descriptor, which is an entry of the loop,
 * and the timers in one heap, whose earliest is a timer of the loop: so that all of the role
 * is one process with one loop, without a thread and without a fork.
 *
 * One event for each descriptor. Signals are not carried: libunbound has none as a library.
 */
#ifndef RESOLVER_EVENTS_H
#define RESOLVER_EVENTS_H

#include "ipc/loop.h"

struct events;
struct ub_event_base;

/* `loop` outlives it. Given: events_free. */
MUST_USE int events_new(struct loop *loop, struct events **ret_events);
void events_free(struct events *e);

/* What ub_ctx_create_ub_event takes; borrowed. */
struct ub_event_base *events_base(struct events *e);

#endif
