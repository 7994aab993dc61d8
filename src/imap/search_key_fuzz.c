/* SEARCH programs. The tree must be walkable: every key of its kind has its children. */
#include <assert.h>

#include "imap/search_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned walk(const struct imap_search_key *key, unsigned depth)
{
	unsigned n = 0;

	assert(depth <= IMAP_SEARCH_DEPTH_MAX + 1);
	for (; key != NULL; key = key->next) {
		n += 1 + walk(key->child, depth + 1);
		if (key->op == SEARCH_OR)
			assert(key->child != NULL && key->child->next != NULL);
		if (key->op == SEARCH_NOT)
			assert(key->child != NULL && key->child->next == NULL);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(4 << 20);
	struct imap_text text = {str_of(data, len), NULL, 0};
	struct imap_parser p = imap_parser_of(text, &arena);
	struct imap_search_key *key;

	if (imap_parse_search_keys(&p, &key))
		assert(walk(key, 0) <= IMAP_SEARCH_KEYS_MAX + 1);
	return 0;
}
