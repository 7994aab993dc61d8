/*
 * session/imap/search_filter.h: searches that are kept under a name (FILTERS, RFC 5466), in entries
 * of the account's metadata: the user's own before those of the server.
 */
#ifndef SESSION_IMAP_SEARCH_FILTER_H
#define SESSION_IMAP_SEARCH_FILTER_H

#include "session/imap/imap_session.h"

/* A filter may name another, and so on: so often (RFC 5466 §3.1: at least three). */
enum { SEARCH_FILTER_PASSES = 5 };

/*
 * Puts the kept searches into the program, in place; `*charset` becomes UTF-8 where there are any.
 * False: `*ret_result` says why: NO [UNDEFINED-FILTER name] (also for those that name each other in
 * a circle), BAD [BADCHARSET], or too much.
 */
MUST_USE bool search_expand_filters(struct imap_session *s, struct imap_search_key *key,
    struct str *charset, struct imap_result *ret_result);

/* Whether the account's entry may have that value: one of a filter must be a search with a name. */
bool search_filter_is_good(struct imap_session *s, struct str entry, struct str value);

#endif
