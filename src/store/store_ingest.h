/*
 * store/store_ingest.h: taking in what delivery put into the letterbox.
 *
 * Whoever holds the database's write lock takes in; the position in the letterbox is saved in the
 * same transaction as the messages, so each gets its UID exactly once whatever crashes when.
 * A session calls it when it is opened and at each CHANGED.
 */
#ifndef STORE_STORE_INGEST_H
#define STORE_STORE_INGEST_H

#include "store/store.h"

enum {
	STORE_INGEST_BATCH = 1000
}; /* records of one transaction (groups of APPEND are not split) */

/*
 * Takes in all that is there. `*ret_n_taken` says how many messages this call took (0 when another
 * process did): when it is not 0, the caller tells the registry. Damaged records are reported and
 * stepped over.
 */
MUST_USE int store_ingest(struct store *s, size_t *ret_n_taken);

/*
 * The same, but no transaction is begun that would not end within `budget_ms`, were it like the
 * last one; there is one at least. True in `*ret_more` when more may be there, or the next call has
 * an error to tell.
 */
MUST_USE int store_ingest_for(
    struct store *s, unsigned budget_ms, size_t *ret_n_taken, bool *ret_more);

/* Whether something is there to take in. */
MUST_USE int store_ingest_waits(struct store *s, bool *ret_waits);

#endif
