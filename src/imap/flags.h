/*
 * imap/flags.h: flags of messages (RFC 9051 §2.3.2): five system flags as bits, keywords as words.
 *
 *   flag-list = "(" [flag *(SP flag)] ")"
 *
 * A client may not set \Recent or an unknown \Word: that is an error of syntax here. Keywords are
 * compared without regard to case.
 *
 * Limits: IMAP_FLAGS_MAX flags in one list, IMAP_KEYWORD_LEN_MAX bytes each.
 */
#ifndef IMAP_FLAGS_H
#define IMAP_FLAGS_H

#include "base/attr.h"
#include "base/buf.h"
#include "imap/parse.h"

enum { IMAP_FLAGS_MAX = 200, IMAP_KEYWORD_LEN_MAX = 200 };

enum imap_flag {
	IMAP_ANSWERED = 1,
	IMAP_FLAGGED = 2,
	IMAP_DELETED = 4,
	IMAP_SEEN = 8,
	IMAP_DRAFT = 16,
};

struct imap_flags {
	unsigned system; /* bits of enum imap_flag */
	const struct str *keywords;
	size_t n_keywords;
};

/* With parentheses. */
MUST_USE bool imap_parse_flag_list(struct imap_parser *p, struct imap_flags *ret_flags);
/* With them, or the flags alone up to the end of the command (as STORE allows). */
MUST_USE bool imap_parse_store_flags(struct imap_parser *p, struct imap_flags *ret_flags);
/* flag-keyword = atom */
MUST_USE bool imap_parse_keyword(struct imap_parser *p, struct str *ret_keyword);

/* "\Seen", … of one bit. */
struct str imap_flag_name(enum imap_flag flag);
/* Appends "\Answered \Seen": system flags alone, with a space before the first when `space`. */
void imap_system_flags_write(unsigned system, bool space, struct buf *out);

#endif
