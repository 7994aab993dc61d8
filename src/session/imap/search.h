/*
 * session/imap/search.h: which messages of the selected mailbox a SEARCH program names
 * (RFC 9051 §6.4.4).
 *
 * A string is found where a text of the message (mail/search_text.h) holds it, both folded
 * (mail/charset.h), wherever it begins and ends. First the entries of the view and the word index
 * (store/store_search.h) are asked, then the rows of those messages that are still in question,
 * then those that are left are opened: so the answer is exact, however far the index is.
 *
 * Limits: those of mail/search_text.h.
 */
#ifndef SESSION_IMAP_SEARCH_H
#define SESSION_IMAP_SEARCH_H

#include "session/imap/imap_session.h"

/* Fewer messages are sooner looked into than the index is asked, which knows those of all
 * mailboxes. */
enum { SEARCH_INDEX_LEAST = 8 };

/*
 * Makes the program ready, in place: strings converted from `charset` and folded, sets resolved,
 * keys ordered by cost. False: `*ret_result` is the answer (BADCHARSET, a bad number).
 */
MUST_USE bool search_prepare(struct imap_session *s, struct str charset,
    struct imap_search_key *key, struct imap_result *ret_result);

struct search_found {
	uint32_t *positions; /* ascending, in the session's arena */
	size_t n;
	uint64_t highest_modseq; /* of those found */
	uint8_t *scores;         /* by position, 1 to 100 (RFC 6203); NULL without FUZZY */
	size_t n_damaged;        /* messages that could not be read */
};

/* 0, -E2BIG, or the store's error. */
MUST_USE int search_run(
    struct imap_session *s, struct imap_search_key *key, struct search_found *ret_found);

/* Puts into the keys what the word index says (search_prepare.c; search_run calls it). */
MUST_USE int search_ask_index(struct imap_session *s, struct imap_search_key *key);

/* True when MODSEQ is asked somewhere (RFC 7162 §3.1.5). */
bool search_asks_modseq(const struct imap_search_key *key);

#endif
