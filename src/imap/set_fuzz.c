/* Sequence sets: what resolving gives must be sorted and agree with a plain look at the ranges. */
#include <assert.h>

#include "imap/set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { LARGEST = 50 };

static uint32_t number_of(uint32_t n)
{
	return n == IMAP_SET_STAR ? LARGEST : n;
}

static bool names(const struct imap_range *ranges, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t a = number_of(ranges[i].first), b = number_of(ranges[i].last);
		if ((a <= number && number <= b) || (b <= number && number <= a))
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(4 << 20);
	struct imap_text text = {str_of(data, len), NULL, 0};
	struct imap_parser p = imap_parser_of(text, &arena);
	struct imap_set set;

	if (!imap_parse_set(&p, &set) || set.saved || set.n > 1000)
		return 0;
	struct imap_range *copy = ARENA_NEW_ARRAY(&arena, struct imap_range, set.n);
	assert(copy != NULL);
	memcpy(copy, set.ranges, set.n * sizeof(*copy));
	size_t n = set.n;
	imap_set_resolve(&set, LARGEST);
	for (size_t i = 1; i < set.n; i++)
		assert(set.ranges[i].first > set.ranges[i - 1].last);
	for (uint32_t number = 1; number < 100; number++)
		assert(imap_set_has(&set, number) == names(copy, n, number));
	return 0;
}
