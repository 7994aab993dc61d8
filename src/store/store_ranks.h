/*
 * store/store_ranks.h: where a large mailbox's messages stand in the order of a SORT key.
 *
 * The tables `ranked` and `ranks` keep, for a mailbox and what its messages were put in order by
 * (enum store_order_by), the rank of each: a number that is smaller where the key is, and equal
 * where the key is equal. Nothing that a message is sorted by ever changes, so ranks stay right;
 * messages that came later have none, until ranks are made anew. They are made only when
 * somebody sorts, and may be thrown away.
 *
 * Memory does not depend on how many messages there are (store/store_sorter.h).
 */
#ifndef STORE_STORE_RANKS_H
#define STORE_STORE_RANKS_H

#include "store/store_order.h"

struct store_ranks;

/* Messages below `*ret_end` (a UID) have ranks; 0: none have. 0 or -errno. */
MUST_USE int store_ranks_look(struct store_view *v, unsigned by, uint32_t *ret_end);

/*
 * Makes the ranks of all messages of a view that is loaded. `step` is called for each, and what it
 * fails with ends it. 0, -errno: then those of before are still there.
 */
MUST_USE int store_ranks_make(
    struct store_view *v, unsigned by, int (*step)(void *context), void *context);

/*
 * Opens the ranks by `n` keys (given: store_ranks_close). Until then this is a snapshot: the store
 * is not to be used for anything else, and nobody to be waited for. `*ret_end` as above, of all of
 * them. 0 or -errno.
 */
MUST_USE int store_ranks_open(struct store_view *v, const uint8_t *by, size_t n, uint32_t *ret_end,
    struct store_ranks **ret_ranks);
/* The ranks of a message below `end`, by rising UIDs; 0 for one that was expunged meanwhile. 0 or
 * -errno. */
MUST_USE int store_ranks_read(struct store_ranks *ranks, uint32_t uid, uint32_t *ret_ranks);
/* Nothing for NULL. */
void store_ranks_close(struct store_ranks *ranks);

#endif
