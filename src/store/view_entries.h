/*
 * store/view_entries.h: the list behind a view. Private to src/store.
 *
 * A mailbox's messages have few different sets of flags: each set stands once in a table, and an
 * entry has its index. Sets that no entry has any more stay until the view is closed.
 *
 * Running out of memory aborts.
 */
#ifndef STORE_VIEW_ENTRIES_H
#define STORE_VIEW_ENTRIES_H

#include "store/store_view.h"

enum { VIEW_MODSEQ_BITS = 40 };

/* Frees it all; empty then. */
void view_entries_done(struct view_entries *e);
/* Room for `n` in all, where it is known beforehand. */
void view_entries_reserve(struct view_entries *e, size_t n);
/* Adds one at the end: its UID is the highest. -E2BIG: a limit of store_view.h. */
MUST_USE int view_entries_add(struct view_entries *e, const struct store_entry *entry);
/* Gives an entry other flags (STORE_RECENT, STORE_GONE are left as they are) and MODSEQ. -E2BIG. */
MUST_USE int view_entries_set(struct view_entries *e, size_t at, uint64_t flags, uint64_t modseq);
/* The next refresh tells that an entry changed; nothing for one that the client does not know. */
void view_mark_changed(struct store_view *v, size_t at);
/* Position of the entry with this UID, or with the next higher one; n when there is none. */
size_t view_entries_at(const struct view_entries *e, uint32_t uid);

#endif
