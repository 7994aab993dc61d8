/*
 * sieve/match.h: comparing a value of the message with a key of the script (RFC 5228 §2.7), by a
 * comparator (RFC 4790) and a type of match, :value of RFC 5231 among them.
 *
 * The comparator says what a character is: an octet for i;octet and i;ascii-casemap, a character of
 * Unicode for i;unicode-casemap. i;ascii-numeric orders and equals, but finds nothing inside a
 * value.
 *
 * It knows nothing of messages and headers, and counts nothing: :count is done by whoever has the
 * list, with a number for the value.
 *
 * Costs: each step of a comparison is taken off a budget, so that keys full of "*" cost a script
 * what they cost the machine (at worst value times key).
 *
 * Limits: SIEVE_CAPTURES_MAX; SIEVE_VALUE_LEN_MAX bytes of a value and of a key are looked at,
 * which only i;unicode-casemap copies.
 */
#ifndef SIEVE_MATCH_H
#define SIEVE_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"

enum {
	SIEVE_CAPTURES_MAX = 33, /* ${0} and 32 wildcards (RFC 5229 §6: at least 9) */
	SIEVE_VALUE_LEN_MAX = 1 << 20,
};

enum sieve_comparator {
	SIEVE_ASCII_CASEMAP,   /* RFC 4790 §9.2; what a script gets that names none */
	SIEVE_OCTET,           /* §9.3 */
	SIEVE_ASCII_NUMERIC,   /* §9.1 */
	SIEVE_UNICODE_CASEMAP, /* RFC 5051 */
	N_SIEVE_COMPARATORS,
};

enum sieve_match_type { SIEVE_IS, SIEVE_CONTAINS, SIEVE_MATCHES, SIEVE_VALUE, N_SIEVE_MATCH_TYPES };

/* RFC 5231 §4.1 */
enum sieve_relation {
	SIEVE_GT,
	SIEVE_GE,
	SIEVE_LT,
	SIEVE_LE,
	SIEVE_EQ,
	SIEVE_NE,
	N_SIEVE_RELATIONS
};

struct sieve_match {
	enum sieve_comparator comparator;
	enum sieve_match_type type;
	enum sieve_relation relation; /* of SIEVE_VALUE */
};

/* What the wildcards of a key stood for: ${0} the whole value, then one for each "*" and "?" (RFC
 * 5229 §3.2). Borrowed from the value. */
struct sieve_captures {
	struct str text[SIEVE_CAPTURES_MAX];
	size_t n;
};

/* The comparator of that name ("i;octet"; any case), the relation of that name ("gt"); false where
 * there is none. */
bool sieve_comparator_find(struct str name, enum sieve_comparator *ret_comparator);
bool sieve_relation_find(struct str name, enum sieve_relation *ret_relation);

/* Whether the comparator can do that type of match (RFC 4790 §4.2.1: numbers have no substrings).
 */
bool sieve_match_is_possible(struct sieve_match match);

/*
 * Whether `value` matches `key`: 1 or 0. -E2BIG when `*budget` was used up, or the arena, which
 * holds what is only needed until it returns. `*ret_captures` is filled by a SIEVE_MATCHES that
 * matches, else untouched.
 */
MUST_USE int sieve_match(struct sieve_match match, struct str value, struct str key,
    struct arena *arena, uint64_t *budget, struct sieve_captures *ret_captures);

/* Whether two numbers are in that relation, as :count asks. */
bool sieve_relation_holds(enum sieve_relation relation, int order);

#endif
