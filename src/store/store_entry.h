/* store/store_entry.h: one message of a mailbox by its UID, without a view. */
#ifndef STORE_STORE_ENTRY_H
#define STORE_STORE_ENTRY_H

#include "base/attr.h"
#include "store/store.h"

/* The message (store_entry.message) with this UID; -ENOENT. */
MUST_USE int store_entry_find(
    struct store *s, uint64_t mailbox, uint32_t uid, uint32_t *ret_message);

#endif
