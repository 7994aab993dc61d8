/* store/store_usage.h: how much of what is limited is used (QUOTA, RFC 9208). See store_usage too.
 */
#ifndef STORE_STORE_USAGE_H
#define STORE_STORE_USAGE_H

#include "base/attr.h"
#include "store/store.h"

/* Messages are counted by number here; a copy counts too. */
#define STORE_MESSAGES_MAX ((uint64_t)UINT32_MAX)

/* How many mailboxes there are, and messages in all of them. */
MUST_USE int store_counts(struct store *s, uint64_t *ret_mailboxes, uint64_t *ret_messages);

/* Sum of the sizes of a mailbox's messages that have \Deleted (RFC 9208 §4.1.4). */
MUST_USE int store_deleted_size(struct store *s, uint64_t mailbox, uint64_t *ret_size);

#endif
