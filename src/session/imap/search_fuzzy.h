/*
 * session/imap/search_fuzzy.h: what FUZZY means here (RFC 6203).
 *
 * A text that is looked for under FUZZY matches where all its words are, in any order and anywhere
 * in the field or message; all other keys match exactly (RFC 6203 §5 leaves that to the server). It
 * does not correct typing mistakes.
 *
 * The relevancy of a message: half of it for having the whole text as it was written, a fifth for
 * having that in the subject, the rest by how new it is among those found. The first two are asked
 * of the word index alone: where that does not know, they count half.
 *
 * Limits: the first SEARCH_FUZZY_WORDS_MAX words of a text.
 */
#ifndef SESSION_IMAP_SEARCH_FUZZY_H
#define SESSION_IMAP_SEARCH_FUZZY_H

#include "session/imap/search.h"

enum { SEARCH_FUZZY_WORDS_MAX = 16, SEARCH_SCORE_MAX = 100 };

/*
 * Makes of a prepared text key under FUZZY one for all its words, and keeps the text for the score.
 * -E2BIG at the arena's ceiling.
 */
MUST_USE int search_fuzzy_expand(struct imap_session *s, struct imap_search_key *key);

/* Gives what was found its scores; nothing where no key is under FUZZY. */
MUST_USE int search_fuzzy_score(
    struct imap_session *s, const struct imap_search_key *key, struct search_found *found);

#endif
