/*
 * queue/age.h: what happens to a message because of its age (schedule.h says when): notices of
 * delay, DELIVERBY, its end.
 */
#ifndef QUEUE_AGE_H
#define QUEUE_AGE_H

#include "queue/notices.h"

enum { AGE_MESSAGES_MAX = 100 }; /* looked at in one transaction */

/* When a message that begins to be sent at `begins_at` ends, and is looked at first. */
void age_begin(const struct queue *q, struct queued_message *m, uint64_t begins_at);

/* Tells the sender of recipients for whom it is over, failures apart from the rest (one notice
 * returns content, the other does not). Within a transaction, as all of these. */
MUST_USE int age_tell_over(struct queue *q, const struct queued_message *m, const struct notice *v,
    size_t n, uint64_t now);
/* Removes the message when no recipient waits any more. */
MUST_USE int age_end_if_over(struct queue *q, uint64_t message);
/* Looks at the messages whose time has come; `*ret_n` of them. */
MUST_USE int age_look(struct queue *q, uint64_t now, size_t *ret_n);

#endif
