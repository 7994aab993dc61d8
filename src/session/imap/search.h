/*
 * session/imap/search.h: which messages of the selected mailbox a SEARCH program names
 * (RFC 9051 §6.4.4).
 *
 * It is exact: headers and bodies are read and decoded (encoded words, transfer encodings,
 * charsets), and compared by their folded keys (mail/charset.h). Within an AND the cheap keys are
 * asked first, so that bodies are only opened where nothing else decides.
 *
 * Limits: SEARCH_TEXT_MAX bytes of each decoded part are looked at.
 */
#ifndef SESSION_IMAP_SEARCH_H
#define SESSION_IMAP_SEARCH_H

#include "session/imap/imap_session.h"

enum { SEARCH_TEXT_MAX = 32 << 20 };

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
	size_t n_damaged;        /* messages that could not be read */
};

/* 0, -E2BIG, or the store's error. */
MUST_USE int search_run(
    struct imap_session *s, const struct imap_search_key *key, struct search_found *ret_found);

/* True when MODSEQ is asked somewhere (RFC 7162 §3.1.5). */
bool search_asks_modseq(const struct imap_search_key *key);

#endif
