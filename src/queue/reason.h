/*
 * queue/reason.h: why a message is still here, in words for a person. Pure.
 */
#ifndef QUEUE_REASON_H
#define QUEUE_REASON_H

#include "base/buf.h"
#include "queue/database.h"

enum { REASON_LEN_MAX = 900 };

/*
 * Appends one sentence without a full stop: "mx1.example.net refused the connection, tried three
 * times, next try in 14 minutes". `d` is its destination, NULL where nothing is known of it.
 */
void reason_write(const struct queued_message *m, const struct queued_recipient *r,
    const struct queued_destination *d, uint64_t now, struct buf *out);

/* "14 minutes", "2 days": of the larger unit only. */
void reason_duration(uint64_t ms, struct buf *out);

/* "waiting", "held", … */
const char *reason_state(
    const struct queued_message *m, const struct queued_recipient *r, uint64_t now);

#endif
