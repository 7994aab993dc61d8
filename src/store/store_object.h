/*
 * store/store_object.h: names of messages and threads that outlive UIDs (RFC 8474, RFC 8621 §3).
 *
 *   EMAILID   "M" and 28 hexadecimal digits: the same for a message in every mailbox, in every
 *             session, and in a database that was made anew from the letterbox
 *   THREADID  "T" and 28 digits: given when a message is taken in, and kept
 *
 * Two messages belong to one thread when one identifier stands in the Message-ID, In-Reply-To or
 * References of both, and their base subjects are equal but for case and white space (RFC 8621 §3).
 * A message that joins two threads gets the older one's id; what has an id keeps it.
 *
 * Limits: THREAD_REFERENCES_MAX references of a message are looked at: the first ones and the last.
 */
#ifndef STORE_STORE_OBJECT_H
#define STORE_STORE_OBJECT_H

#include "base/arena.h"
#include "base/attr.h"
#include "store/store.h"

enum { STORE_OBJECT_TEXT_LEN = 29, THREAD_REFERENCES_MAX = 40 };

struct store_object_ids {
	char email[STORE_OBJECT_TEXT_LEN + 1];
	char thread[STORE_OBJECT_TEXT_LEN + 1];
};

/* -ENOENT: the message was expunged meanwhile. */
MUST_USE int store_object_ids(struct store *s, uint32_t message, struct store_object_ids *ret_ids);

/*
 * The messages (store_entry.message) with this EMAILID or THREADID, ascending, in the arena; none
 * where nothing has it. -E2BIG: the arena cannot hold them.
 */
MUST_USE int store_object_find(
    struct store *s, struct str id, struct arena *a, const uint32_t **ret_messages, size_t *ret_n);

#endif
