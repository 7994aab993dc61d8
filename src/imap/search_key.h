/*
 * imap/search_key.h: what SEARCH asks for (RFC 9051 §6.4.4), as a tree.
 *
 * Strings stay in the client's charset; the session converts them (CHARSET, by default UTF-8).
 *
 * Limits: IMAP_SEARCH_DEPTH_MAX levels of NOT, OR and parentheses, IMAP_SEARCH_KEYS_MAX keys.
 */
#ifndef IMAP_SEARCH_KEY_H
#define IMAP_SEARCH_KEY_H

#include <stdint.h>

#include "imap/parse.h"
#include "imap/set.h"

enum { IMAP_SEARCH_DEPTH_MAX = 200, IMAP_SEARCH_KEYS_MAX = 1000 };

struct store_search_answer;

enum imap_search_op {
	SEARCH_AND, /* all of `child` and its siblings; none: everything */
	SEARCH_OR,  /* `child` or its sibling */
	SEARCH_NOT, /* not `child` */
	SEARCH_ALL,
	SEARCH_FLAG,    /* has the system flag `number` (enum imap_flag) */
	SEARCH_UNFLAG,  /* has it not */
	SEARCH_KEYWORD, /* has the keyword `text` */
	SEARCH_UNKEYWORD,
	SEARCH_NEW, /* recent and unseen */
	SEARCH_OLD, /* not recent */
	SEARCH_RECENT,
	SEARCH_SEQUENCE, /* message numbers `set` */
	SEARCH_UID,      /* UIDs `set` */
	SEARCH_BEFORE,   /* internal date's day < `day` */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_SAVED_BEFORE, /* the day it came into this mailbox (RFC 8514) */
	SEARCH_SAVED_ON,
	SEARCH_SAVED_SINCE,
	SEARCH_SENT_BEFORE, /* the Date field's day */
	SEARCH_SENT_ON,
	SEARCH_SENT_SINCE,
	SEARCH_YOUNGER, /* internal date at most `number` seconds ago (RFC 5032) */
	SEARCH_OLDER,   /* at least */
	SEARCH_LARGER,  /* than `number` bytes */
	SEARCH_SMALLER,
	SEARCH_HEADER, /* field `field` holds `text` ("": the field is there) */
	SEARCH_BODY,
	SEARCH_TEXT,
	SEARCH_OBJECT, /* EMAILID or THREADID (`number` 'M' or 'T') is `text` (RFC 8474) */
	SEARCH_FILTER, /* the search kept as `text` (RFC 5466) */
	SEARCH_MODSEQ, /* at least `number` (RFC 7162 §3.1.5) */
};

struct imap_search_key {
	enum imap_search_op op;
	struct imap_search_key *child, *next;
	uint64_t number;
	int32_t day;
	struct imap_set set;
	struct str field; /* BCC, CC, FROM, SUBJECT, TO are SEARCH_HEADER of that field */
	struct str text;
	/* The session's own: the database's row can answer it; what the word index says. */
	bool by_row;
	struct store_search_answer *answer;
	bool fuzzy;                    /* under FUZZY (RFC 6203) */
	struct imap_search_key *whole; /* the session's own: what its relevancy asks */
};

/* True when FUZZY stands somewhere. */
bool imap_search_is_fuzzy(const struct imap_search_key *key);

/* search-key *(SP search-key) to the end of the command; a SEARCH_AND above them. */
MUST_USE bool imap_parse_search_keys(struct imap_parser *p, struct imap_search_key **ret_key);

#endif
