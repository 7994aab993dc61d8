#include "store/entry_block.h"

#include <stdlib.h>

#include "base/num.h"

enum {
	WORD_LEN = 16, /* what is read of an entry */
	SET_BITS_MAX = 21,
	MODSEQ_BITS_MAX = 40,
};

/* How many bits a number takes: none for 0. */
static unsigned bits_of(uint64_t number)
{
	return number == 0 ? 0 : 64 - (unsigned)__builtin_clzll(number);
}

struct highest {
	uint32_t uid, message, set;
	uint64_t modseq;
};

/* The lowest of each into the block. */
static struct highest measure(struct entry_block *b, const struct view_entry *v)
{
	struct highest high = {.uid = v[ENTRY_BLOCK_N - 1].uid};

	b->uid = v[0].uid;
	b->message = v[0].message;
	b->modseq = v[0].modseq;
	for (size_t i = 0; i < ENTRY_BLOCK_N; i++) {
		uint64_t modseq = v[i].modseq;
		b->message = v[i].message < b->message ? v[i].message : b->message;
		b->modseq = modseq < b->modseq ? modseq : b->modseq;
		high.message = v[i].message > high.message ? v[i].message : high.message;
		high.modseq = modseq > high.modseq ? modseq : high.modseq;
		high.set |= (uint32_t)v[i].flag_set;
	}
	return high;
}

static unsigned __int128 bits_of_entry(const struct entry_block *b, const struct view_entry *entry)
{
	return (unsigned __int128)(entry->modseq - b->modseq) << b->modseq_at |
	       (unsigned __int128)(entry->message - b->message) << b->message_at |
	       (unsigned __int128)(entry->uid - b->uid) << b->uid_at |
	       (unsigned __int128)entry->flag_set << ENTRY_BLOCK_SET_AT |
	       (unsigned)(entry->changed << 2 | entry->gone << 1 | entry->recent);
}

static void store_bits(struct entry_block *b, size_t i, unsigned __int128 bits)
{
	uint64_t low = htole64((uint64_t)bits), high = htole64((uint64_t)(bits >> 64));

	memcpy(b->bytes + i * b->stride, &low, sizeof(low));
	memcpy(b->bytes + i * b->stride + sizeof(low), &high, sizeof(high));
}

struct entry_block entry_block_pack(
    const struct view_entry v[static ENTRY_BLOCK_N], unsigned spare_bits)
{
	struct entry_block b = {0};
	const struct highest high = measure(&b, v);
	unsigned set_bits = bits_of(high.set) + spare_bits;
	unsigned modseq_bits = bits_of(high.modseq - b.modseq) + spare_bits;

	b.uid_at = (uint8_t)(ENTRY_BLOCK_SET_AT + num_min(set_bits, SET_BITS_MAX));
	b.message_at = (uint8_t)(b.uid_at + bits_of(high.uid - b.uid));
	b.modseq_at = (uint8_t)(b.message_at + bits_of(high.message - b.message));
	b.end_at = (uint8_t)(b.modseq_at + num_min(modseq_bits, MODSEQ_BITS_MAX));
	b.stride = (uint8_t)((b.end_at + 7) / 8);
	b.bytes = malloc((size_t)b.stride * (ENTRY_BLOCK_N - 1) + WORD_LEN);
	if (b.bytes == NULL)
		abort();
	/* Each is written over the end of the one before. */
	for (size_t i = 0; i < ENTRY_BLOCK_N; i++)
		store_bits(&b, i, bits_of_entry(&b, &v[i]));
	return b;
}

void entry_block_unpack(const struct entry_block *b, struct view_entry ret_v[static ENTRY_BLOCK_N])
{
	for (size_t i = 0; i < ENTRY_BLOCK_N; i++)
		ret_v[i] = entry_block_get(b, i);
}

bool entry_block_put(struct entry_block *b, size_t i, const struct view_entry *entry)
{
	const unsigned __int128 own = ((unsigned __int128)1 << (8 * b->stride - 1) << 1) - 1;
	uint64_t modseq = entry->modseq;

	if (modseq < b->modseq || (modseq - b->modseq) >> (b->end_at - b->modseq_at) != 0 ||
	    entry->flag_set >> (b->uid_at - ENTRY_BLOCK_SET_AT) != 0)
		return false;
	store_bits(b, i, (entry_block_bits(b, i) & ~own) | bits_of_entry(b, entry));
	return true;
}

void entry_block_done(struct entry_block *b)
{
	free(b->bytes);
	b->bytes = NULL;
}
