#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

enum { ARENA_BLOCK_LEN = 8192 - 64 };

struct arena_block {
	struct arena_block *next;
	size_t cap;
	size_t used;
	alignas(max_align_t) char bytes[];
};

static void free_blocks(struct arena_block *block)
{
	while (block != NULL) {
		struct arena_block *next = block->next;
		free(block);
		block = next;
	}
}

void arena_done(struct arena *a)
{
	free_blocks(a->blocks);
	*a = (struct arena){.max = a->max};
}

void arena_clear(struct arena *a)
{
	struct arena_block *keep = a->blocks;

	a->used = 0;
	if (keep == NULL)
		return;
	free_blocks(keep->next);
	keep->next = NULL;
	keep->used = 0;
}

void arena_wipe(struct arena *a)
{
	for (struct arena_block *block = a->blocks; block != NULL; block = block->next)
		explicit_bzero(block->bytes, block->used);
	arena_clear(a);
}

static struct arena_block *add_block(struct arena *a, size_t len)
{
	size_t cap = num_max(len, ARENA_BLOCK_LEN);
	struct arena_block *block = malloc(sizeof(*block) + cap);

	assert(block != NULL);
	*block = (struct arena_block){.next = a->blocks, .cap = cap};
	a->blocks = block;
	return block;
}

void *arena_alloc(struct arena *a, size_t len)
{
	size_t rounded, used;

	if (!num_add(len, alignof(max_align_t) - 1, &rounded))
		return NULL;
	rounded &= ~(alignof(max_align_t) - 1);
	if (!num_add(a->used, rounded, &used) || used > a->max)
		return NULL;

	struct arena_block *block = a->blocks;
	if (block == NULL || block->cap - block->used < rounded)
		block = add_block(a, rounded);
	void *p = block->bytes + block->used;
	block->used += rounded;
	a->used = used;
	return memset(p, 0, rounded);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t len;

	return num_mul(n, size, &len) ? arena_alloc(a, len) : NULL;
}

bool arena_dup(struct arena *a, struct str s, struct str *ret_copy)
{
	char *p = arena_alloc(a, s.len);

	if (p == NULL)
		return false;
	if (s.len > 0)
		memcpy(p, s.p, s.len);
	*ret_copy = str_of(p, s.len);
	return true;
}
