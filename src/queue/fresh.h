/*
 * queue/fresh.h: messages that go at once. One that nothing stands in the way of is claimed in the
 * transaction in which it is taken in, and is one row in the database until it is over, or has to
 * wait (queue/database.h).
 *
 * It is filed, as one of the messages that wait, when a recipient of it could not be served, when
 * it takes longer than FRESH_MS, and before the command line looks at the queue.
 */
#ifndef QUEUE_FRESH_H
#define QUEUE_FRESH_H

#include "queue/state.h"

struct carriage;

enum { FRESH_MS = 5000 };

/* Within the transaction: writes it and claims it. 1; 0: it has to take the ordinary way; -errno.
 */
MUST_USE int fresh_take(struct queue *q, struct accept *a, uint64_t now);
/* Within the transaction: the end of a fresh carriage. 1: it is over, and nothing is left to do. 0:
 * it was filed, the recipients' numbers are in `v`. */
MUST_USE int fresh_end(struct carriage *c, struct queued_recipient *v);
/* In a transaction of its own: files those that began before that time by the wall. */
void fresh_file(struct queue *q, uint64_t before);

#endif
