/*
 * queue/carry.h: messages on their way out: to couriers, each of which speaks with one destination,
 * and to delivery for recipients of this server.
 *
 * A carriage is one message to those of its recipients that are due at one destination. It is
 * claimed in a round's transaction, starts when that is committed, and what became of it is written
 * in the next round. A courier that ends too early counts as an attempt: perhaps it was the
 * message. A partner that is not there does not, nor a courier that never was, or that died with
 * its dispatcher. Where delivery ends over a message, it is tried again later and later, and held
 * in the end.
 *
 * In memory is only what is under way: at most `outbound.couriers` carriages to other servers and
 * CARRY_LOCAL_MAX to delivery, and no more bytes than `limits.message_memory` (or one message).
 */
#ifndef QUEUE_CARRY_H
#define QUEUE_CARRY_H

#include "queue/state.h"

enum {
	CARRY_RECIPIENTS_MAX = 100, /* of one carriage (RFC 5321 §4.5.3.1.8) */
	CARRY_LOCAL_MAX = 64,       /* carriages to delivery at once */
	CARRY_GATES_EACH = 16,      /* channels to each of its workers */
	CARRY_REUSES_MAX = 100,     /* messages over one connection */
	CARRY_IDLE_MS = 3000,       /* so long a connection waits for the next */
	CARRY_TIMEOUT_MS = 3600000, /* of one message; a courier's own time-outs are shorter */
	CARRY_PARTNER_MS = 10000,   /* until it is tried again where a partner was missing */
	CARRY_CRASHES_MAX = 6, /* so often a process of ours may end over it; then it is held */
	CARRY_DELIVERY_MS = 600000, /* until delivery must have answered */
	CARRY_HOPS_MAX = 10,        /* aliases that lead to aliases outside */
};

void carry_init(struct queue *q);
void carry_free(struct queue *q);
/* The password for the configuration's relay of that number. False: too long, or no text. */
MUST_USE bool carry_set_relay_password(struct queue *q, size_t relay, struct str password);

/* Can a courier be sent there? Not to QUEUE_LOCAL, where mail for user@local would wait for
 * ourselves, nor to a name or literal that is longer than the message to a courier takes. */
bool carry_can_reach(struct str domain);

/* Within the transaction: takes what is due under way. `now` by the wall. */
MUST_USE int carry_claim(struct queue *q, uint64_t now);
/* Within the transaction: what became of the carriages that are over. */
MUST_USE int carry_record(struct queue *q, uint64_t now);
bool carry_has_finished(const struct queue *q);
/* After the transaction: `committed` says how it ended. */
void carry_after(struct queue *q, bool committed);

/* Within a transaction: removes a message. -EBUSY: it is under way; -ENOENT. */
MUST_USE int carry_remove(struct queue *q, uint64_t message);
/* Ends connections that nothing came for, and what takes too long; once a second. */
void carry_check(struct queue *q);
/* A destination is looked at again at once: its next courier is not the only one. */
size_t carry_under_way(const struct queue *q);

/* A new worker of delivery is there, or gone: its channels with it. */
void carry_delivery_changed(struct queue *q, uint16_t index);

#endif
