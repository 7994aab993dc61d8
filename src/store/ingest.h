/* store/ingest.h: taking records in within a transaction: for store_ingest and APPEND. Private. */
#ifndef STORE_INGEST_H
#define STORE_INGEST_H

#include "store/store_private.h"

/* The records of one APPEND, whose UIDs its caller wants. */
struct ingest_own {
	uint64_t group;
	uint64_t mailbox; /* a UID of another one, where this was deleted, is not wanted */
	uint32_t *uids;
	size_t n;       /* how many there are */
	size_t n_found; /* how many were taken in */
};

/*
 * Takes in at most about `max` records (a group is not split) in the transaction that is open.
 * `own` may be NULL. True in `*ret_more` when there may be more.
 */
MUST_USE int ingest_pending(
    struct store *s, size_t max, struct ingest_own *own, size_t *ret_n_taken, bool *ret_more);

/*
 * Sessions take in one after the other, so that who waits finds it done by the one before: a lock
 * of the folder `blobs`, which only saves work. No transaction is open.
 */
void ingest_queue(struct store *s);
void ingest_leave_queue(struct store *s);

/* True in `*ret_pending` when the letterbox has something behind the position taken in. */
MUST_USE int ingest_is_pending(struct store *s, bool *ret_pending);

#endif
