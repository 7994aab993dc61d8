/*
 * session/imap/search_answer.h: what SEARCH, SORT, THREAD and ESEARCH share: finding messages, how
 * those that were found are told, and what RETURN (SAVE) keeps.
 */
#ifndef SESSION_IMAP_SEARCH_ANSWER_H
#define SESSION_IMAP_SEARCH_ANSWER_H

#include "session/imap/search.h"

struct search_answer {
	struct imap_session *s; /* its view is the mailbox that was searched */
	struct str tag;
	bool uid;
	const struct imap_search *search;
	const uint32_t *positions; /* in the order in which they are told */
	size_t n;
	const uint8_t *scores;   /* search_found.scores */
	bool modseq;             /* MODSEQ was asked for (RFC 7162 §3.1.5) … */
	uint64_t highest_modseq; /* … and that is the highest of all */
	/* The MAILBOX and UIDVALIDITY correlators of RFC 7377 §2.1, by which nothing is told of a
	 * mailbox where nothing was found; NULL: none. */
	const struct store_mailbox *mailbox;
};

/* "* SEARCH 2 3 6" or "* SORT 2 3 6" (`word`). */
void search_answer_plain(const struct search_answer *a, struct str word);
/* "* ESEARCH (TAG "t") UID ALL 2:3", with what `options` (enum imap_search_return) names. */
void search_answer_extended(const struct search_answer *a, unsigned options);
/* Whichever the client wants; and saves, where that is asked. */
void search_answer_write(const struct search_answer *a, struct str word);

/* What becomes of a search of more messages than one command may be about (RFC 9738). */
enum search_limit { SEARCH_ANY, SEARCH_SOME, SEARCH_WHOLE };

/*
 * Finds what a command's search program names: prepares and runs it. False: `*ret_result` says why,
 * and what was saved before is forgotten where this was to be saved (RFC 9051 §6.4.4.1). `limit`:
 * it looks at all of them, at the highest, or is refused.
 */
MUST_USE bool search_find(struct imap_session *s, const struct imap_search *search,
    enum search_limit limit, struct search_found *ret_found, struct imap_result *ret_result);
/* OK with that text, or NO [CORRUPTION] where messages could not be looked at. */
struct imap_result search_result(const struct search_found *found, const char *text);

#endif
