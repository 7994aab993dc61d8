/* Any bytes as a kept search: what is one is a tree within the limits, and its strings are there.
 */
#include <assert.h>

#include "imap/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t look(const struct imap_search_key *key, size_t *ret_bytes)
{
	size_t n = 0;

	for (; key != NULL; key = key->next) {
		for (size_t i = 0; i < key->text.len; i++)
			*ret_bytes += key->text.p[i] != '\0';
		assert(key->op != SEARCH_FILTER || imap_is_filter_name(key->text));
		n += 1 + look(key->child, ret_bytes);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(4 << 20);
	struct imap_search_key *key;
	size_t bytes = 0;

	if (!imap_parse_filter(str_of(data, len), &arena, &key))
		return 0;
	assert(key->op == SEARCH_AND && key->child != NULL);
	assert(look(key, &bytes) <= IMAP_SEARCH_KEYS_MAX + 1);
	assert(bytes <= len);
	return 0;
}
