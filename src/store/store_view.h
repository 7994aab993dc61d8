/*
 * store/store_view.h: a selected mailbox as one client sees it.
 *
 * A view is the list of the mailbox's messages at one moment, in UID order: entry i has the message
 * sequence number i + 1. It stands still until `store_view_refresh`, so that a client's numbers
 * mean the same messages to both sides, whatever other processes do.
 *
 * A view that was opened by `store_view_select` knows only how many there are, until
 * `store_view_load` (or a refresh with news) lists them as they stood when it was opened.
 *
 * 4 to 7 bytes a message where neighbours are alike, 16 at most (store/entry_block.h). Limits:
 * VIEW_FLAG_SETS_MAX different sets of flags at a time, MODSEQs below 2^40.
 *
 * The fields of a view are for reading only.
 */
#ifndef STORE_STORE_VIEW_H
#define STORE_STORE_VIEW_H

#include <assert.h>

#include "base/arena.h"
#include "store/entry_block.h"
#include "store/store.h"

enum { VIEW_FLAG_SETS_MAX = 1 << 21 };

struct store_entry {
	uint32_t uid;
	uint32_t message; /* the message itself: the same in all mailboxes that hold it */
	uint64_t flags;   /* STORE_RECENT and STORE_GONE too */
	uint64_t modseq;
};

/* The first ones in blocks, those behind them in `last`. */
struct view_entries {
	struct entry_block *blocks;
	struct view_entry *last; /* room for ENTRY_BLOCK_N */
	size_t n, n_blocks, blocks_cap;
	uint64_t *flag_sets;
	uint32_t *slots; /* a hash table over them: index + 1, 0 is free */
	size_t n_flag_sets, n_slots;
};

struct store_view {
	struct store *store;
	uint64_t mailbox;
	size_t n;
	size_t n_gone; /* of these, how many are only kept for their number */
	/* As of the last refresh. */
	uint32_t uidvalidity, uidnext;
	uint64_t highest_modseq; /* while entries are gone, that of before (RFC 7162 §3.2) */
	uint32_t n_recent;
	/* The view's own. */
	bool loaded;
	struct view_entries entries;
	uint32_t recent_from; /* until it is loaded */
	size_t n_changed;     /* entries marked so */
	uint64_t seen_modseq; /* of the account: all up to it is in the view */
	uint64_t seen_keywords;
	bool list_is_wrong; /* the one that is kept cannot be read */
};

/*
 * Opens a mailbox (given: store_view_close). With `examine` \Recent is shown but not used up.
 * -ENOENT when it is not there; -E2BIG beyond the limits.
 */
MUST_USE int store_view_open(
    struct store *s, uint64_t mailbox, bool examine, struct store_view **ret_view);
/* The same, but what is in it is listed later. */
MUST_USE int store_view_select(
    struct store *s, uint64_t mailbox, bool examine, struct store_view **ret_view);
/*
 * Lists the messages as they stood when it was selected; 0 too when that was done. -ESTALE: too
 * much was expunged since to tell.
 */
MUST_USE int store_view_load(struct store_view *v);
/*
 * Where nobody waits: keeps the list of a large mailbox, if the one that is kept is far behind, so
 * that loading it is quick the next time. A view that is not loaded is not loaded after it either.
 */
MUST_USE int store_view_tidy(struct store_view *v);
/* Nothing for NULL. */
void store_view_close(struct store_view *v);

/* As it is kept, at a position below `n`. */
static inline struct view_entry view_entries_get(const struct view_entries *e, size_t at)
{
	size_t block = at / ENTRY_BLOCK_N;

	assert(at < e->n);
	return block < e->n_blocks ? entry_block_get(&e->blocks[block], at % ENTRY_BLOCK_N)
	                           : e->last[at % ENTRY_BLOCK_N];
}

/* The entry at a position below `n`, of a view that is loaded. */
static inline struct store_entry store_view_entry(const struct store_view *v, size_t at)
{
	struct view_entry e = view_entries_get(&v->entries, at);
	uint64_t flags = v->entries.flag_sets[e.flag_set];
	if (e.recent)
		flags |= STORE_RECENT;
	if (e.gone)
		flags |= STORE_GONE;
	return (struct store_entry){e.uid, e.message, flags, e.modseq};
}

/* Positions are of entries, from 0, ascending; all in the arena. */
struct store_changes {
	const uint32_t *gone; /* positions before the refresh */
	size_t n_gone;
	const uint32_t *gone_uids; /* the same messages' UIDs */
	const uint32_t *changed;   /* positions after it: flags or modseq differ; new ones not in */
	size_t n_changed;
	size_t n_new;  /* at the end of the view */
	bool keywords; /* the account has keywords that it had not at the last refresh */
};

/*
 * Brings the view up to date and says what is different. While `keep_gone`, expunged entries stay
 * in place with STORE_GONE (RFC 9051 §7.5.1: EXPUNGE must not be sent during FETCH, STORE,
 * SEARCH); the next refresh without it takes them out and reports them. On failure no number has
 * moved and no news is lost: the next one reports it. -ENOENT: the mailbox was deleted; -E2BIG: the
 * arena cannot hold the list; -ESTALE as for store_view_load.
 */
MUST_USE int store_view_refresh(
    struct store_view *v, bool keep_gone, struct arena *a, struct store_changes *ret_changes);

/*
 * Uses \Recent up for the messages that the last refresh brought: views opened later do not show it
 * for them (IMAP4rev1; a writing transaction).
 */
MUST_USE int store_view_use_recent(struct store_view *v);

/* Position of the entry with this UID, or with the next higher one; n when there is none. */
size_t store_view_at(const struct store_view *v, uint32_t uid);

/*
 * UIDs expunged after `modseq` (QRESYNC, RFC 7162 §3.2.5.1), ascending. False in `*ret_complete`
 * when the record does not reach back so far: then every UID below uidnext that is not in the view
 * may count as expunged.
 */
MUST_USE int store_view_vanished(struct store_view *v, uint64_t modseq, struct arena *a,
    const uint32_t **ret_uids, size_t *ret_n, bool *ret_complete);

#endif
