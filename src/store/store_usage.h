/* store/store_usage.h: how much of what is limited is used (QUOTA, RFC 9208). See store_usage too.
 */
#ifndef STORE_STORE_USAGE_H
#define STORE_STORE_USAGE_H

#include "base/attr.h"
#include "store/store.h"

/*
 * Messages of an account, counted by number; a copy counts too. Copies beyond it are refused: they
 * take no STORAGE, but each is a row of the database.
 */
#define STORE_MESSAGES_MAX UINT64_C(20000000)

/* How many mailboxes there are, and messages in all of them. */
MUST_USE int store_counts(struct store *s, uint64_t *ret_mailboxes, uint64_t *ret_messages);

/* Within a transaction: 0 when there may be `n` more messages, else -EDQUOT. */
MUST_USE int store_check_count(struct store *s, size_t n);

/* Sum of the sizes of a mailbox's messages that have \Deleted (RFC 9208 §4.1.4). */
MUST_USE int store_deleted_size(struct store *s, uint64_t mailbox, uint64_t *ret_size);

#endif
