/*
 * queue/notices.h: what a sender hears of their message: that it failed, is late, or arrived
 * (RFC 3461, 3464; the text is mail/dsn.h's).
 *
 * A notice is a message of the queue's own, from <>, added in the transaction that brings about
 * what it tells: so none is forgotten and none is sent twice. Mail from <> gets no notice.
 */
#ifndef QUEUE_NOTICES_H
#define QUEUE_NOTICES_H

#include "mail/dsn.h"
#include "queue/state.h"

/* How much of a message is returned at most, and without being asked. */
enum { NOTICE_FULL_MAX = 10 << 20, NOTICE_UNASKED_MAX = 64 << 10, NOTICE_HEADER_MAX = 128 << 10 };

/* Does the sender want to hear of this (RFC 3461 §4.1)? `notify` as RCPT said; 0: unsaid. */
bool notice_is_wanted(const struct queued_message *m, uint8_t notify, enum dsn_action action);

struct notice {
	const struct queued_recipient *recipient; /* texts of the last attempt in it */
	enum dsn_action action;
};

/* Adds one notice about `m`, of those of `v` that are wanted; none when none is. Within a
 * transaction. */
MUST_USE int notices_add(struct queue *q, const struct queued_message *m, const struct notice *v,
    size_t n, uint64_t now);

#endif
