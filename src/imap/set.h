/*
 * imap/set.h: sets of message numbers and UIDs (RFC 9051 §9 sequence-set, uid-set).
 *
 * As read, a set keeps what the client wrote: ranges in any order, `*` (IMAP_SET_STAR), `$`. Then
 * `imap_set_resolve` makes it sorted, without overlaps, with real numbers; only such a set may be
 * asked (`imap_set_has`) and walked. A `struct imap_set_builder` makes one number by number.
 *
 * Limits: IMAP_SET_RANGES_MAX ranges as read.
 */
#ifndef IMAP_SET_H
#define IMAP_SET_H

#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "imap/parse.h"

enum { IMAP_SET_RANGES_MAX = 20000, IMAP_SET_STAR = 0 };

struct imap_range {
	uint32_t first, last; /* as read in any order, IMAP_SET_STAR for `*` */
};

struct imap_set {
	struct imap_range *ranges;
	size_t n;
	bool saved; /* `$`: the result that SEARCH saved (RFC 9051 §6.4.4.1); no ranges then */
};

/* sequence-set, with `$` where allowed: in `p->arena`. */
MUST_USE bool imap_parse_set(struct imap_parser *p, struct imap_set *ret_set);

/*
 * Sorts and joins the ranges in place, `*` becoming `largest`. With `largest` 0 (an empty mailbox)
 * `*` names nothing.
 */
void imap_set_resolve(struct imap_set *set, uint32_t largest);

/* Of a resolved set. */
bool imap_set_has(const struct imap_set *set, uint32_t number);
uint64_t imap_set_count(const struct imap_set *set);

/* Appends "1:3,7"; nothing for an empty set. */
void imap_set_write(const struct imap_set *set, struct buf *out);

/* A growing set; `add` in rising order joins neighbours, any other order is kept as it comes. */
struct imap_set_builder {
	struct imap_range *ranges;
	size_t n, cap;
};

void imap_set_builder_done(struct imap_set_builder *b);
void imap_set_builder_add(struct imap_set_builder *b, uint32_t number);
void imap_set_builder_add_range(struct imap_set_builder *b, struct imap_range range);
/* The set, borrowed until the builder changes. */
struct imap_set imap_set_builder_set(const struct imap_set_builder *b);

#endif
