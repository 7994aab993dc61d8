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

#include "store/store_private.h"
#include "store/store_view.h"

enum {
	VIEW_MODSEQ_BITS = 40,
	/* The lists of smaller mailboxes are not kept … */
	VIEW_LIST_MIN = 1000,
	/* … and not written anew before so many changes, and one of so many messages. */
	VIEW_LIST_BEHIND_MAX = 500,
	VIEW_LIST_BEHIND_PART = 16,
};

/* Frees it all; empty then. */
void view_entries_done(struct view_entries *e);
/* Adds one at the end as it is: its UID is the highest. */
void view_entries_push(struct view_entries *e, const struct view_entry *entry);
/* Another entry of the same UID and message takes the place of one. */
void view_entries_put(struct view_entries *e, size_t at, struct view_entry entry);
/* Takes those out from position `from` on of which `is_out` says so. */
void view_entries_take_out(
    struct view_entries *e, size_t from, bool (*is_out)(const struct view_entry *entry));
/* The UID at a position. */
uint32_t view_entries_uid(const struct view_entries *e, size_t at);
/* Adds one at the end: its UID is the highest. -E2BIG: a limit of store_view.h. */
MUST_USE int view_entries_add(struct view_entries *e, const struct store_entry *entry);
/* The index of a set of flags, which is added where it is new. -E2BIG. */
MUST_USE int view_entries_flag_set(struct view_entries *e, uint64_t flags, uint32_t *ret_set);
/* Gives an entry other flags (STORE_RECENT, STORE_GONE are left as they are) and MODSEQ. -E2BIG. */
MUST_USE int view_entries_set(struct view_entries *e, size_t at, uint64_t flags, uint64_t modseq);
/* A row of DB_ENTRIES and the like. */
struct store_entry view_read_entry(sqlite3_stmt *stmt);
/* The view is as of this transaction. */
void view_adopt_box(struct store_view *v, const struct store_box *box);
/*
 * Lists the messages of a view that is not loaded, within a transaction, whose snapshot may be
 * later than that of selecting. -ESTALE.
 */
MUST_USE int view_list(struct store_view *v, const struct store_box *box);
/* Keeps the list of a view that is loaded for the next who opens the mailbox: see view_list.c. */
MUST_USE int view_keep(struct store_view *v);
/*
 * Within a transaction: marks and adds what happened meanwhile, for the next refresh to tell; the
 * entries that the client knows are then as the table has them. What fails is done again by the
 * next call.
 */
MUST_USE int view_catch_up(struct store_view *v, const struct store_box *box);
/* The next refresh tells that an entry changed; nothing for one that the client does not know. */
void view_mark_changed(struct store_view *v, size_t at);
/* Position of the entry with this UID, or with the next higher one; n when there is none. */
size_t view_entries_at(const struct view_entries *e, uint32_t uid);

#endif
