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
 * Calls `fn` with the rows of a statement up to its end or to damage (then `*ret_damaged`), which
 * is no error here; nor is a table that an older version had not. A negative result of `fn` ends
 * it.
 */
MUST_USE int salvage_each(struct salvage *old, const char *sql,
    int (*fn)(void *ctx, sqlite3_stmt *row), void *ctx, bool *ret_damaged);

/*
 * Makes the old mailboxes, subscriptions and keywords in `s`, within its transaction, and remembers
 * what became of them.
 */
MUST_USE int salvage_mailboxes(struct salvage *old, struct store *s);

/* What became of an old mailbox: its new id, 0 for none. */
uint64_t salvage_mailbox(const struct salvage *old, uint64_t old_id);

/* Takes the annotations over (store_annotation.h), after the mailboxes. */
MUST_USE int salvage_annotations(struct salvage *old, struct store *s);

/* Takes the access control lists over (store_rights.h), after the mailboxes. */
MUST_USE int salvage_rights(struct salvage *old, struct store *s);

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

/*
 * Threads of messages and of identifiers that are not there any more, from `old` to the new
 * database (store_object.h): `fn` is told the thread id of each message by its place.
 */
MUST_USE int salvage_threads(struct salvage *old, struct store *s,
    int (*fn)(void *ctx, struct letterbox_place place, struct str thread_id), void *ctx);

#endif
