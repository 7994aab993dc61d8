/*
 * session/imap/order.h: messages of the selected mailbox in the order that SORT asks for (RFC 5256
 * §3).
 *
 * A message's keys become bytes that compare as the keys do, which are sorted in bounded memory
 * (store/store_sorter.h). Where many messages of a large mailbox are to be sorted, the bytes are
 * made of the ranks that are kept for such a mailbox (store/store_ranks.h), which are made first
 * where they are not there or too many messages came since; the few that have none then are put
 * in their places one by one.
 *
 * Messages that are equal stand in mailbox order, also with REVERSE (RFC 5256 §3).
 */
#ifndef SESSION_IMAP_ORDER_H
#define SESSION_IMAP_ORDER_H

#include "session/imap/imap_session.h"

enum {
	ORDER_MESSAGES_MAX = INT32_MAX,
	/* Ranks are used for so many messages, and at least such a part of the mailbox … */
	ORDER_RANKED_MIN = 1000,
	ORDER_RANKED_PART = 16,
	/* … while no more than so many came since, and one of so many. */
	ORDER_UNRANKED_MAX = 64,
	ORDER_UNRANKED_PART = 4096,
};

/*
 * Puts `positions` (of the view, ascending, each once) into the order of `keys`. 0; -E2BIG beyond
 * ORDER_MESSAGES_MAX; `scores` (by position) are what SORT_RELEVANCY sorts by, else NULL; or the
 * store's error, with the positions in any order.
 */
MUST_USE int order_sort(struct imap_session *s, const struct imap_sort_key *keys, size_t n_keys,
    const uint8_t *scores, uint32_t *positions, size_t n);

#endif
