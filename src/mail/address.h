/*
 * mail/address.h: address lists of header fields (RFC 5322 §3.4, §4.4; RFC 6854; RFC 6532), and
 * what every reader of a single address needs: cutting it, comparing domains, subaddresses.
 *
 * The list parser takes what is found in the wild: comments and folds anywhere, obsolete routes,
 * dots and specials in phrases, 8-bit text, empty list members, missing brackets. It never fails on
 * bad input: what cannot be an address becomes a mailbox without a host, as IMAP servers show it.
 *
 * It does not decode encoded words in names (see mail/encoded_word.h), and it does not read the
 * paths of SMTP commands: those are strict, and smtp's own.
 *
 * Limits: ADDRESS_LIST_MAX entries of a list, group marks included; what follows is left out.
 * Comments nest to any depth (they are counted, not recursed into).
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { ADDRESS_LIST_MAX = 10000, ADDRESS_DOMAIN_LEN_MAX = 253, ADDRESS_LABEL_LEN_MAX = 63 };

enum address_kind { ADDRESS_MAILBOX, ADDRESS_GROUP_START, ADDRESS_GROUP_END };

struct address {
	struct address *next;
	enum address_kind kind;
	bool has_name;      /* a display name stands there, be it "" */
	struct str name;    /* unquoted and unfolded, encoded words untouched; the group's name too.
	                       Where only a comment gives a name (`u@h (Name)`): that. */
	struct str route;   /* obsolete source route "@a,@b", or empty */
	struct str mailbox; /* local part, unquoted, without comments */
	struct str host;    /* domain or [literal], without comments; empty where there is none */
};

/*
 * Parses the value of a From, To, … field, folds and all. `*ret_first` is NULL for an empty list;
 * text is borrowed from `value` or lies in the arena. -E2BIG at the arena's ceiling, else 0.
 */
MUST_USE int address_list_parse(struct str value, struct arena *a, struct address **ret_first);

/* Appends "Name <local@host>" fit for a header field: quoted or encoded where needed. */
bool address_format(const struct address *address, struct buf *out);

/*
 * Cuts `local@domain` at the @ that is not within quotes; false when there is none or a side is
 * empty. `local` keeps its quotes.
 */
MUST_USE bool address_split(struct str address, struct str *ret_local, struct str *ret_domain);

/* Appends the local part without quotes and backslashes: `"a b"` and `"a\ b"` are `a b`. */
bool address_local_unquote(struct str local, struct buf *out);
/* Appends the local part with quotes where RFC 5321 §4.1.2 asks for them. */
bool address_local_quote(struct str local, struct buf *out);

/*
 * `user+tag` with separator '+': user and tag, both borrowed. Without separator, or with nothing
 * before it, `user` is all of it, `tag` empty and the result false.
 */
bool address_subaddress(
    struct str local, char separator, struct str *ret_user, struct str *ret_tag);

/*
 * The one spelling of a domain for comparing and storing: A-labels, lower case, no dot at the end
 * (RFC 5890, UTS #46 non-transitional). Appends at most ADDRESS_DOMAIN_LEN_MAX bytes; false, with
 * nothing added, when it is no host name (letters, digits, hyphens; labels of 1 to 63 bytes; not an
 * IPv4 address).
 */
MUST_USE bool address_domain_canonical(struct str domain, struct buf *out);
/* The spelling for people: U-labels where they exist. The same errors. */
MUST_USE bool address_domain_display(struct str domain, struct buf *out);
/* True when both are domains and the same one. */
bool address_domain_eq(struct str a, struct str b);

#endif
