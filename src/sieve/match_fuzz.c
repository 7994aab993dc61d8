/*
 * Any value with any key: a byte for comparator and type, a byte for the length of the key. What
 * :contains finds, :matches finds between two stars, and everything is itself.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "sieve/match.h"

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { BUDGET = 1 << 20 };

static int match(enum sieve_comparator comparator, enum sieve_match_type type, struct str value,
    struct str key, struct sieve_captures *ret_captures)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(1 << 22);
	struct sieve_match how = {
	    .comparator = comparator, .type = type, .relation = (enum sieve_relation)(key.len % 6)};
	uint64_t budget = BUDGET;

	return sieve_match(how, value, key, &arena, &budget, ret_captures);
}

static void check_captures(struct str value, const struct sieve_captures *captures)
{
	assert(captures->n >= 1 && captures->n <= SIEVE_CAPTURES_MAX);
	for (size_t i = 0; i < captures->n; i++) {
		struct str text = captures->text[i];
		assert(text.len <= value.len);
		assert(text.len == 0 ||
		       (text.p >= value.p && text.p + text.len <= value.p + value.len));
	}
}

/* The key as a pattern that stands for itself, between stars. */
static void between_stars(struct str key, struct buf *out)
{
	buf_add_c(out, '*');
	for (size_t i = 0; i < key.len; i++) {
		if (key.p[i] == '*' || key.p[i] == '?' || key.p[i] == '\\')
			buf_add_c(out, '\\');
		buf_add_c(out, key.p[i]);
	}
	buf_add_c(out, '*');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf pattern CLEANUP(buf_done) = BUF_MAX(1024);
	struct sieve_captures captures;

	if (len < 2)
		return 0;
	enum sieve_comparator comparator = (enum sieve_comparator)(data[0] % N_SIEVE_COMPARATORS);
	enum sieve_match_type type = (enum sieve_match_type)(data[0] / 4 % N_SIEVE_MATCH_TYPES);
	struct str rest = str_of(data + 2, len - 2);
	struct str key = str_first(rest, data[1]), value = str_from(rest, data[1]);

	assert(match(comparator, SIEVE_IS, value, value, &captures) != 0);
	if (!sieve_match_is_possible((struct sieve_match){.comparator = comparator, .type = type}))
		return 0;
	if (match(comparator, type, value, key, &captures) == 1 && type == SIEVE_MATCHES)
		check_captures(value, &captures);
	if (comparator == SIEVE_ASCII_NUMERIC || comparator == SIEVE_UNICODE_CASEMAP)
		return 0;
	between_stars(key, &pattern);
	int finds = match(comparator, SIEVE_CONTAINS, value, key, &captures);
	int fits = match(comparator, SIEVE_MATCHES, value, buf_str(&pattern), &captures);
	assert(finds == fits || finds == -E2BIG || fits == -E2BIG);
	return 0;
}
