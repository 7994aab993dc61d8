/*
 * store/changed.h: the record of which messages changed, for the views of other sessions. Private
 * to src/store.
 *
 * A row of the table `changes` is a run of UIDs among which a transaction changed flags: one row
 * for all messages of a mailbox costs no more than for one message. New and expunged messages do
 * not stand in it. A mailbox keeps its last CHANGED_KEPT rows at least; a row without UIDs says
 * that the record is not complete up to its MODSEQ.
 */
#ifndef STORE_CHANGED_H
#define STORE_CHANGED_H

#include "store/store_private.h"

enum {
	CHANGED_MAX = 10000, /* rows of a mailbox, when it was looked at */
	CHANGED_KEPT = 5000,
	CHANGED_LOOK_AFTER = 500, /* rows more in a session */
};

/* Within the transaction that changes: a run of UIDs. */
MUST_USE int changed_note(
    struct store *s, uint64_t mailbox, uint64_t modseq, uint32_t first, uint32_t last);
/* All of a mailbox changed, or nobody knows. */
MUST_USE int changed_note_all(struct store *s, uint64_t mailbox, uint64_t modseq);

/*
 * Calls `fn` with each row of `entries` (its columns as in DB_ENTRIES) that may have changed after
 * `modseq`, until that is an error.
 */
MUST_USE int changed_each(struct store *s, uint64_t mailbox, uint64_t modseq,
    int (*fn)(void *ctx, sqlite3_stmt *row), void *ctx);

/* Once a day, in a transaction of its own. */
MUST_USE int changed_trim_all(struct store *s);

#endif
