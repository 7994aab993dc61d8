/*
 * session/imap/order.h: messages of the selected mailbox in the order that SORT asks for (RFC 5256
 * §3).
 *
 * Keys are read from the database in mailbox order and sorted in memory. Of texts so much is looked
 * at as fits in ORDER_POOL_LEN bytes for all of them; those that are equal so far are then read
 * again further on. So memory is bounded by the number of messages, whatever their subjects are: 24
 * bytes a message, 2 MiB and the pool with 2 bytes a message more. Time does not depend on how
 * equal they are.
 *
 * Messages that are equal stand in mailbox order, also with REVERSE (RFC 5256 §3).
 */
#ifndef SESSION_IMAP_ORDER_H
#define SESSION_IMAP_ORDER_H

#include "session/imap/imap_session.h"

enum { ORDER_POOL_LEN = 8 << 20, ORDER_TAIL_MAX = 240, ORDER_MESSAGES_MAX = INT32_MAX };

/*
 * Puts `positions` (of the view, ascending, each once) into the order of `keys`. 0; -E2BIG beyond
 * ORDER_MESSAGES_MAX; `scores` (by position) are what SORT_RELEVANCY sorts by, else NULL; or the
 * store's error, with the positions as they were.
 */
MUST_USE int order_sort(struct imap_session *s, const struct imap_sort_key *keys, size_t n_keys,
    const uint8_t *scores, uint32_t *positions, size_t n);

#endif
