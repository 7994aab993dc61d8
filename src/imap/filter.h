/*
 * imap/filter.h: a search that is kept under a name (FILTERS, RFC 5466): its text, which is the
 * value of an annotation and not part of a command, as a tree.
 *
 * It knows no names and no other filters: a FILTER inside stays a key of its own.
 *
 * Limits: those of a search (imap/search_key.h), and FILTER_LITERALS_MAX literals.
 */
#ifndef IMAP_FILTER_H
#define IMAP_FILTER_H

#include "imap/search_key.h"

enum { FILTER_LITERALS_MAX = 100 };

/*
 * search-criteria = search-key *(SP search-key)
 * A SEARCH_AND above them in `a`; its strings lie in `value` or in `a`. False where it is anything
 * else, also a part of one.
 */
MUST_USE bool imap_parse_filter(
    struct str value, struct arena *a, struct imap_search_key **ret_key);

/* filter-name = 1*<any ATOM-CHAR except "/"> */
MUST_USE bool imap_parse_filter_name(struct imap_parser *p, struct str *ret_name);
bool imap_is_filter_name(struct str name);

#endif
