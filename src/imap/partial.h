/*
 * imap/partial.h: a page of a list of messages (RFC 9394): "1:100" are the first hundred, "-1:-100"
 * the last.
 */
#ifndef IMAP_PARTIAL_H
#define IMAP_PARTIAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "imap/parse.h"

struct imap_partial {
	uint32_t first, last; /* as asked, in any order; counted from 1 */
	bool from_end;        /* both count from the last message backwards */
};

/* partial-range = partial-range-first / partial-range-last */
MUST_USE bool imap_parse_partial(struct imap_parser *p, struct imap_partial *ret_partial);

/* Appends the range as it was asked. */
void imap_partial_write(const struct imap_partial *partial, struct buf *out);

/* Which of `n` results it names, first ≤ i < end; first == end: none. */
void imap_partial_bounds(
    const struct imap_partial *partial, size_t n, size_t *ret_first, size_t *ret_end);

#endif
