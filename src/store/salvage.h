/*
 * store/salvage.h: what can still be read of a damaged mailbox.db. Private to src/store.
 *
 * Tables are read from both ends towards the damaged page, so that one page loses its own rows and
 * no others. Nothing that is read is trusted further than its type: names are spelled anew, flags
 * masked, places only looked up.
 */
#ifndef STORE_SALVAGE_H
#define STORE_SALVAGE_H

#include "store/store_private.h"

struct salvage;

/* NULL when it does not open at all. */
struct salvage *salvage_open(const char *name, const struct secret *key);
void salvage_close(struct salvage *old);

/*
 * Makes the old mailboxes, subscriptions and keywords in `s`, within its transaction, and remembers
 * what became of them.
 */
MUST_USE int salvage_mailboxes(struct salvage *old, struct store *s);

/* The highest UIDVALIDITY that was seen there. */
uint32_t salvage_uidvalidity(const struct salvage *old);

struct salvaged {
	uint64_t mailbox; /* in the new database */
	uint32_t uid;     /* in the old one: for the order */
	uint64_t flags;   /* with its bits */
	struct letterbox_place place;
};

/* Calls `fn` for each message in each mailbox, once, in no order. A negative result of `fn` ends
 * it. */
MUST_USE int salvage_entries(
    struct salvage *old, int (*fn)(void *ctx, const struct salvaged *entry), void *ctx);

#endif
