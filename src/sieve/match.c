#include "sieve/match.h"

#include <assert.h>
#include <errno.h>

#include "base/buf.h"
#include "base/num.h"
#include "base/utf8.h"
#include "mail/casemap.h"

static const struct str comparator_names[N_SIEVE_COMPARATORS] = {
    [SIEVE_ASCII_CASEMAP] = STR_INIT("i;ascii-casemap"),
    [SIEVE_OCTET] = STR_INIT("i;octet"),
    [SIEVE_ASCII_NUMERIC] = STR_INIT("i;ascii-numeric"),
    [SIEVE_UNICODE_CASEMAP] = STR_INIT("i;unicode-casemap"),
};

static const struct str relation_names[N_SIEVE_RELATIONS] = {
    [SIEVE_GT] = STR_INIT("gt"),
    [SIEVE_GE] = STR_INIT("ge"),
    [SIEVE_LT] = STR_INIT("lt"),
    [SIEVE_LE] = STR_INIT("le"),
    [SIEVE_EQ] = STR_INIT("eq"),
    [SIEVE_NE] = STR_INIT("ne"),
};

static bool find_name(struct str name, const struct str *names, size_t n, size_t *ret_at)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq_nocase(name, names[i])) {
			*ret_at = i;
			return true;
		}
	return false;
}

bool sieve_comparator_find(struct str name, enum sieve_comparator *ret_comparator)
{
	size_t at;

	if (!find_name(name, comparator_names, N_SIEVE_COMPARATORS, &at))
		return false;
	*ret_comparator = (enum sieve_comparator)at;
	return true;
}

bool sieve_relation_find(struct str name, enum sieve_relation *ret_relation)
{
	size_t at;

	if (!find_name(name, relation_names, N_SIEVE_RELATIONS, &at))
		return false;
	*ret_relation = (enum sieve_relation)at;
	return true;
}

bool sieve_match_is_possible(struct sieve_match match)
{
	return match.comparator != SIEVE_ASCII_NUMERIC || match.type == SIEVE_IS ||
	       match.type == SIEVE_VALUE;
}

bool sieve_relation_holds(enum sieve_relation relation, int order)
{
	switch (relation) {
	case SIEVE_GT:
		return order > 0;
	case SIEVE_GE:
		return order >= 0;
	case SIEVE_LT:
		return order < 0;
	case SIEVE_LE:
		return order <= 0;
	case SIEVE_EQ:
		return order == 0;
	case SIEVE_NE:
	case N_SIEVE_RELATIONS:
		break;
	}
	return order != 0;
}

/* --- folded texts --- */

/*
 * A text as its comparator sees it. i;octet and i;ascii-casemap keep each byte's place; the key of
 * i;unicode-casemap has others, so `starts` says for each character where it begins in both.
 */
struct folded {
	struct str text;   /* what is compared */
	struct str source; /* what it was made of */
	const struct start {
		uint32_t in_text, in_source;
	} * starts; /* NULL: at the same place; else one for each character, and one for the end */
	size_t n_chars;
	bool ignores_case; /* bytes compare without the case of ASCII letters */
};

static bool spend(uint64_t *budget, uint64_t steps)
{
	bool can = *budget >= steps;

	*budget -= can ? steps : *budget;
	return can;
}

static bool fold_unicode(struct str source, struct arena *arena, struct folded *folded)
{
	struct buf key CLEANUP(buf_done) = BUF_MAX(16 * (size_t)SIEVE_VALUE_LEN_MAX);
	struct start *starts = ARENA_NEW_ARRAY(arena, struct start, source.len + 1);
	struct str rest = source;
	size_t n = 0;

	if (starts == NULL)
		return false;
	while (rest.len > 0) {
		struct str at = rest;
		starts[n++] = (struct start){(uint32_t)key.len, (uint32_t)(source.len - rest.len)};
		(void)utf8_next(&rest);
		if (!casemap_key(str_first(at, at.len - rest.len), &key))
			return false;
	}
	starts[n] = (struct start){(uint32_t)key.len, (uint32_t)source.len};
	folded->starts = starts;
	folded->n_chars = n;
	return arena_dup(arena, buf_str(&key), &folded->text);
}

static bool fold(enum sieve_comparator comparator, struct str source, struct arena *arena,
    uint64_t *budget, struct folded *ret_folded)
{
	source = str_first(source, SIEVE_VALUE_LEN_MAX);
	*ret_folded = (struct folded){.text = source,
	    .source = source,
	    .n_chars = source.len,
	    .ignores_case = comparator == SIEVE_ASCII_CASEMAP};
	return spend(budget, source.len) &&
	       (comparator != SIEVE_UNICODE_CASEMAP || fold_unicode(source, arena, ret_folded));
}

/* Where a character begins in the text that is compared, and in its source. */
static size_t text_at(const struct folded *f, size_t at)
{
	return f->starts != NULL ? f->starts[at].in_text : at;
}

static size_t source_at(const struct folded *f, size_t at)
{
	return f->starts != NULL ? f->starts[at].in_source : at;
}

static struct str text_of(const struct folded *f, size_t at)
{
	return str_of(f->text.p + text_at(f, at), text_at(f, at + 1) - text_at(f, at));
}

static struct str source_between(const struct folded *f, size_t from, size_t to)
{
	return str_of(f->source.p + source_at(f, from), source_at(f, to) - source_at(f, from));
}

static bool chars_eq(const struct folded *a, size_t at_a, const struct folded *b, size_t at_b)
{
	struct str one = text_of(a, at_a), two = text_of(b, at_b);

	return a->ignores_case ? str_eq_nocase(one, two) : str_eq(one, two);
}

/* --- :is, :contains, :value --- */

static int order_of_bytes(struct str a, struct str b, bool ignores_case)
{
	size_t len = num_min(a.len, b.len);

	for (size_t i = 0; i < len; i++) {
		/* RFC 4790 §9.2.1: small letters become capitals before octets are compared */
		unsigned char x = (unsigned char)(ignores_case ? ascii_upper(a.p[i]) : a.p[i]);
		unsigned char y = (unsigned char)(ignores_case ? ascii_upper(b.p[i]) : b.p[i]);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a.len > b.len) - (a.len < b.len);
}

/* RFC 4790 §9.1.1: a text that does not begin with a digit is larger than every number, and equal
 * to others of its kind. */
static int order_of_numbers(struct str a, struct str b)
{
	struct str digits[2] = {a, b};

	for (size_t i = 0; i < 2; i++) {
		struct str *s = &digits[i];
		size_t len = 0;
		while (len < s->len && ascii_is_digit(s->p[len]))
			len++;
		*s = str_first(*s, len);
		while (s->len > 1 && s->p[0] == '0')
			*s = str_from(*s, 1);
	}
	if (digits[0].len == 0 || digits[1].len == 0)
		return (digits[0].len == 0) - (digits[1].len == 0);
	if (digits[0].len != digits[1].len)
		return digits[0].len < digits[1].len ? -1 : 1;
	return str_cmp(digits[0], digits[1]);
}

/* --- :matches --- */

enum piece { PIECE_END, PIECE_STAR, PIECE_ANY, PIECE_CHAR };

/* What stands at `at` of a pattern, and how many of its characters it takes: "\*" is a star, "\\" a
 * backslash (RFC 5228 §2.7.1). `*ret_char` is the character that must stand there. */
static enum piece piece_at(const struct folded *key, size_t at, size_t *ret_char, size_t *ret_len)
{
	*ret_len = 1;
	*ret_char = at;
	if (at == key->n_chars)
		return PIECE_END;
	switch (key->source.p[source_at(key, at)]) {
	case '*':
		return PIECE_STAR;
	case '?':
		return PIECE_ANY;
	case '\\':
		if (at + 1 < key->n_chars) {
			*ret_char = at + 1;
			*ret_len = 2;
		}
		return PIECE_CHAR;
	default:
		return PIECE_CHAR;
	}
}

static void capture(struct sieve_captures *captures, const struct folded *value, size_t slot,
    size_t from, size_t to)
{
	if (slot < SIEVE_CAPTURES_MAX)
		captures->text[slot] = source_between(value, from, to);
}

/*
 * From left to right; where a character does not fit, the last star takes one more. Earlier stars
 * need never be tried again: what stands between two stars was found as early as it occurs, which
 * is also what RFC 5229 §3.2 wants of captures (each as short as possible, the first ones first).
 */
static int match_pattern(const struct folded *value, const struct folded *key, uint64_t *budget,
    struct sieve_captures *ret_captures)
{
	struct sieve_captures captures = {.n = 1};
	struct {
		bool is_there;
		size_t key_at, value_from, value_to, slot;
	} star = {0};
	size_t v = 0, k = 0, slot = 1;

	for (;;) {
		size_t c, len;
		enum piece piece = piece_at(key, k, &c, &len);
		if (!spend(budget, 1))
			return -E2BIG;
		if (piece == PIECE_END && v == value->n_chars)
			break;
		if (piece == PIECE_STAR) {
			star.is_there = true;
			star.key_at = k + 1;
			star.value_from = star.value_to = v;
			star.slot = slot++;
			capture(&captures, value, star.slot, v, v);
			k++;
		} else if (v < value->n_chars && piece == PIECE_ANY) {
			capture(&captures, value, slot++, v, v + 1);
			v++;
			k++;
		} else if (v < value->n_chars && piece == PIECE_CHAR &&
		           chars_eq(value, v, key, c)) {
			v++;
			k += len;
		} else if (star.is_there && star.value_to < value->n_chars) {
			star.value_to++;
			capture(&captures, value, star.slot, star.value_from, star.value_to);
			v = star.value_to;
			k = star.key_at;
			slot = star.slot + 1;
		} else {
			return 0;
		}
	}
	captures.text[0] = value->source;
	captures.n = num_min(slot, SIEVE_CAPTURES_MAX);
	*ret_captures = captures;
	return 1;
}

/* --- all of them --- */

/* At worst each byte of the value is compared with each of the key; a step is some 32 of these. */
static uint64_t cost_of_finding(size_t value_len, size_t key_len)
{
	return value_len +
	       (uint64_t)value_len * key_len / 32; /* both at most SIEVE_VALUE_LEN_MAX */
}

static int match_folded(struct sieve_match match, const struct folded *value,
    const struct folded *key, uint64_t *budget, struct sieve_captures *ret_captures)
{
	bool ignores_case = value->ignores_case;
	int order;

	switch (match.type) {
	case SIEVE_MATCHES:
		return match_pattern(value, key, budget, ret_captures);
	case SIEVE_CONTAINS:
		if (!spend(budget, cost_of_finding(value->text.len, key->text.len)))
			return -E2BIG;
		if (key->text.len == 0)
			return 1;
		return (ignores_case ? str_find_nocase(value->text, key->text)
		                     : str_find(value->text, key->text)) < value->text.len;
	case SIEVE_IS:
	case SIEVE_VALUE:
	case N_SIEVE_MATCH_TYPES:
		break;
	}
	order = match.comparator == SIEVE_ASCII_NUMERIC
	            ? order_of_numbers(value->source, key->source)
	            : order_of_bytes(value->text, key->text, ignores_case);
	return match.type == SIEVE_IS ? order == 0 : sieve_relation_holds(match.relation, order);
}

int sieve_match(struct sieve_match match, struct str value, struct str key, struct arena *arena,
    uint64_t *budget, struct sieve_captures *ret_captures)
{
	struct folded folded_value, folded_key;

	assert(sieve_match_is_possible(match));
	if (!fold(match.comparator, value, arena, budget, &folded_value) ||
	    !fold(match.comparator, key, arena, budget, &folded_key))
		return -E2BIG;
	return match_folded(match, &folded_value, &folded_key, budget, ret_captures);
}
