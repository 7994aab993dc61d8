/*
 * directory/name.h: an address in the one spelling by which the directory knows it.
 *
 * Local part: unquoted, case and composition folded (NFKC_Casefold: "Jörg" is "jörg"), so two
 * people cannot have names that differ only there. Domain: A-labels in lower case. RFC 5321 §2.4
 * leaves the local part to its host; here it is not case-sensitive.
 *
 * Limits: 64 bytes of local part as given (RFC 5321 §4.5.3.1.1), 253 of domain.
 */
#ifndef DIRECTORY_NAME_H
#define DIRECTORY_NAME_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { NAME_LOCAL_LEN_MAX = 64, NAME_FOLDED_LEN_MAX = 256, NAME_LEN_MAX = 512 };

/* What separates user and tag in user+tag@domain (RFC 5233). */
enum { NAME_SUBADDRESS_SEPARATOR = '+' };

struct name {
	struct str local;
	struct str domain;
};

/*
 * `address` ("local@domain", quoted or not) in its canonical spelling, in the arena. False for what
 * is no address, has control characters or is too long.
 */
MUST_USE bool name_parse(struct str address, struct arena *a, struct name *ret_name);

/*
 * An address of another server, whose local part is nobody's to fold: only unquoted. False as
 * above, and for an address literal.
 */
MUST_USE bool name_parse_outside(struct str address, struct arena *a, struct name *ret_name);

/* The same name as this server knows it, were its domain one of ours. */
MUST_USE bool name_fold(const struct name *name, struct arena *a, struct name *ret_name);

/* Appends "local@domain" as other servers take it: A-labels, quotes where needed. */
bool name_format(const struct name *name, struct buf *out);

/* The local part and the domain alone. */
MUST_USE bool name_parse_local(struct str local, struct arena *a, struct str *ret_local);
MUST_USE bool name_parse_domain(struct str domain, struct arena *a, struct str *ret_domain);

/* Could mail be sent to it as it stands? New accounts and aliases: no '+' in the local part either,
 * since what follows it would be a tag. */
bool name_may_be_new(const struct name *name);

/* Without its tag: false where it has none. */
bool name_without_tag(const struct name *name, struct name *ret_name);

/* Appends "local@domain" for people: U-labels, quotes where needed. */
bool name_display(const struct name *name, struct buf *out);

bool name_eq(const struct name *a, const struct name *b);

#endif
