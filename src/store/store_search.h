/*
 * store/store_search.h: the account's word index: which messages hold a text, without opening them.
 *
 * It knows the words (mail/search_word.h) of every text of a message (mail/search_text.h). New
 * messages are not indexed as they are taken in, but afterwards, in slices, by whichever session
 * has nothing else to do (`store_search_work`). What it does not know it says: the caller looks
 * into those messages itself, so no answer depends on how far the index is.
 *
 * It lies in mailbox.db, sealed as all of it (docs/formats.md). A damaged index is damage of the
 * database, and it is made anew with it. The words of messages that are deleted go when the part
 * of the index where they lie is made anew: when it is joined with others, at the latest when half
 * of its messages are gone.
 */
#ifndef STORE_STORE_SEARCH_H
#define STORE_STORE_SEARCH_H

#include "base/arena.h"
#include "mail/search_text.h"
#include "store/store.h"

enum {
	STORE_SEARCH_TAIL = 16,             /* so few new messages may wait … */
	STORE_SEARCH_TAIL_LEN = 256 << 10,  /* … when they are together not longer than this */
	STORE_SEARCH_WORDS_MAX = 60 * 1000, /* of one message; one with more is not indexed */
};

enum store_search_says { STORE_SEARCH_NO, STORE_SEARCH_YES, STORE_SEARCH_MAYBE };

/* What the index says of every message; in the arena of the call. */
struct store_search_answer {
	uint64_t *yes, *maybe; /* a bit each, by message id */
	uint32_t indexed;      /* ids above it: maybe */
};

static inline enum store_search_says store_search_says(
    const struct store_search_answer *answer, uint32_t message)
{
	if (message > answer->indexed)
		return STORE_SEARCH_MAYBE;
	if ((answer->yes[message / 64] >> message % 64 & 1) != 0)
		return STORE_SEARCH_YES;
	return (answer->maybe[message / 64] >> message % 64 & 1) != 0 ? STORE_SEARCH_MAYBE
	                                                              : STORE_SEARCH_NO;
}

/* The bit of a class in a set of them. */
#define STORE_SEARCH_BIT(class) (1u << (class))

/*
 * Which messages have `text` (folded, not empty) in a text of one of the classes. With
 * SEARCH_CLASS_NAME among them, "name: value" counts as a text too. -E2BIG: the arena is too small.
 */
MUST_USE int store_search_find(struct store *s, unsigned classes, struct str text, struct arena *a,
    struct store_search_answer *ret_answer);

/*
 * Works on the index for about `budget_ms`; others wait for the database no longer than that. True
 * in `*ret_more` when it is to be called again soon; false when all is done or another session is
 * at it. Memory that it holds between calls (some MB) is given back with the last one, and by
 * store_close.
 */
MUST_USE int store_search_work(struct store *s, unsigned budget_ms, bool *ret_more);

#endif
