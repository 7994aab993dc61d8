/*
 * ipc/loop.h: the one small event loop of the shared services: channels, plain descriptors, timers.
 *
 * Handlers run to completion and never wait; what takes long goes to a forked worker, whose channel
 * is one more entry. One loop per process.
 *
 * It carries out half of the fault rule by itself: when a peer that came by IPC_PEER breaks the
 * rules, it tells the supervisor (IPC_MISCONDUCT), which replaces the less privileged of the two.
 */
#ifndef IPC_LOOP_H
#define IPC_LOOP_H

#include "ipc/channel.h"

enum { LOOP_ENTRIES_MAX = 65536, LOOP_TIMERS_MAX = 65536, LOOP_PENDING_MAX = 1 << 20 };

struct loop;
struct loop_entry; /* a descriptor in the loop */

/*
 * What a channel's owner accepts. `handler` gets the decoded message; it may take descriptors out
 * of it (and set them to -1). Return 0, or -EPROTO when the message is not allowed now: the channel
 * is then ended like one with garbage.
 */
struct ipc_receiver {
	uint16_t type;
	int (*handler)(struct loop_entry *from, void *msg, void *ctx);
};

struct ipc_receivers {
	const struct ipc_receiver *v;
	size_t n;
	/*
	 * The channel ended: `error` 0 for an orderly end, -EBADMSG or -EPROTO when the peer broke
	 * the rules (the alarm is the handler's to raise), other -errno. The entry is removed, and
	 * its descriptor closed, when this returns.
	 */
	void (*closed)(struct loop_entry *from, int error, void *ctx);
};

MUST_USE int loop_new(struct loop **ret_loop);
void loop_free(struct loop *l);

/* Takes `channel` (made non-blocking). `receivers` must stay valid. NULL when the loop is full
 * (LOOP_ENTRIES_MAX): the channel is then still the caller's (or the message's that brought it). */
struct loop_entry *loop_add_channel(
    struct loop *l, int channel, const struct ipc_receivers *receivers, void *ctx);

/* Takes `fd` (NULL as above); `ready` is called when it can be read. It removes the entry itself
 * with loop_remove. */
struct loop_entry *loop_add_fd(
    struct loop *l, int fd, void (*ready)(struct loop_entry *e, void *ctx), void *ctx);

/* A plain descriptor's `ready` is not called any more, or again. */
void loop_pause(struct loop_entry *e, bool paused);

/* Removes and closes; safe inside the entry's own handler. */
void loop_remove(struct loop_entry *e);

int loop_entry_fd(const struct loop_entry *e);
void *loop_entry_ctx(const struct loop_entry *e);
struct loop *loop_entry_loop(const struct loop_entry *e);

/*
 * Sends on an entry's channel without waiting; what the socket does not take now is kept, at most
 * LOOP_PENDING_MAX bytes of memory, and sent when it can. A peer that does not read beyond that is
 * ended with -EAGAIN. Descriptors in `msg` are duplicated. -EMSGSIZE: a field is longer than its
 * maximum, or all of them together; nothing was sent, and the channel goes on.
 */
int loop_send(struct loop_entry *to, uint16_t type, const void *msg);

/* The same for a message that may as well not be sent: what the socket does not take now (-EAGAIN,
 * or another -errno) is not kept, and the channel goes on. */
MUST_USE int loop_offer(struct loop_entry *to, uint16_t type, const void *msg);

/* Whether something was kept that is not sent yet: then a message that only says again what one
 * before it said need not be sent. */
bool loop_has_pending(const struct loop_entry *to);

/* Hands the entry's channel out (given) and removes the entry, its `closed` not called: for a
 * channel that goes to a forked child. Unsent messages are dropped. */
int loop_release(struct loop_entry *e);

/* Calls `fn` once after `ms`; repeating ones set themselves again. Bounded number
 * (LOOP_TIMERS_MAX). */
MUST_USE int loop_after(struct loop *l, uint64_t ms, void (*fn)(void *ctx), void *ctx);

/* Runs until loop_stop. 0, or -errno when the loop itself fails. */
MUST_USE int loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Forgets the timers that `loop_after` set for `ctx`; for what is released before its time. */
void loop_forget(struct loop *l, const void *ctx);

/* One round: waits at most `ms` (-1: for ever) and handles what is there. For delivery, which
 * gathers a batch. */
MUST_USE int loop_once(struct loop *l, int ms);

#endif
