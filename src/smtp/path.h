/*
 * smtp/path.h: the names and paths of SMTP commands (RFC 5321 §4.1.2, with RFC 6531 §3.3).
 *
 * Strict, unlike mail/address.h: no comments, no folds, no phrases. Source routes are read and
 * forgotten (RFC 5321 §3.3). It does not look at whether non-ASCII was allowed here (the caller
 * asks `non_ascii`), does not canonicalise and does not unquote.
 *
 * Limits: SMTP_LOCAL_MAX and SMTP_DOMAIN_MAX. RFC 5321 §4.5.3.1.1 demands 64 bytes of local part;
 * senders that encode a recipient into their bounce address use more.
 */
#ifndef SMTP_PATH_H
#define SMTP_PATH_H

#include "base/attr.h"
#include "base/str.h"

enum { SMTP_LOCAL_MAX = 256, SMTP_DOMAIN_MAX = 255, SMTP_LABEL_MAX = 63, SMTP_MAILBOX_MAX = 320 };

struct smtp_path {
	struct str mailbox; /* local@domain as written; "" for <>; "postmaster" for <Postmaster> */
	struct str local;   /* with its quotes */
	struct str domain;  /* a domain or an [address literal]; "" for <> and <Postmaster> */
	bool non_ascii;
};

/*
 * Cuts a path off the front of `*rest`; what it returns is borrowed from there. False, with both
 * untouched, when no path stands there.
 *
 *   Path = "<" [ A-d-l ":" ] Mailbox ">"
 *
 * A reverse path may be <>; a forward path may be <Postmaster>, in any case.
 */
MUST_USE bool smtp_reverse_path_cut(struct str *rest, struct smtp_path *ret_path);
MUST_USE bool smtp_forward_path_cut(struct str *rest, struct smtp_path *ret_path);

/* All of `s` is a Mailbox: local part, @, domain or address literal. */
MUST_USE bool smtp_mailbox_is_valid(struct str s);

/* All of `s` is a Domain (U-labels allowed), or an address literal in its brackets. */
MUST_USE bool smtp_domain_is_valid(struct str s);
MUST_USE bool smtp_literal_is_valid(struct str s);

/*
 * What a client may call itself: a domain of ASCII, an address literal, and, because many do, a
 * domain with underscores or a dot at its end.
 */
MUST_USE bool smtp_hello_name_is_valid(struct str s);

#endif
