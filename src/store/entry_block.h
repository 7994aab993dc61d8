/*
 * store/entry_block.h: entries of a view, ENTRY_BLOCK_N of them in as few bits as they need.
 * Private to src/store, but that store_view_entry reads.
 *
 * UIDs, messages and MODSEQs are kept as what they are above the lowest of their block, in so many
 * bits as the highest takes: neighbours differ by little, so that an entry mostly takes 4 to 7
 * bytes instead of the 16 of `struct view_entry`; never more than 16.
 */
#ifndef STORE_ENTRY_BLOCK_H
#define STORE_ENTRY_BLOCK_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

/* An entry of the list behind a view. */
struct view_entry {
	uint32_t uid;
	uint32_t message;
	uint64_t modseq : 40;
	uint64_t flag_set : 21; /* of the view's flag sets */
	uint64_t recent : 1;
	uint64_t gone : 1;
	uint64_t changed : 1; /* since the client was told last */
};

enum { ENTRY_BLOCK_N = 256, ENTRY_BLOCK_SET_AT = 3 /* behind recent, gone, changed */ };

struct entry_block {
	uint8_t *bytes; /* `stride` of an entry, and some more so that 16 can be read of each */
	uint64_t modseq;
	uint32_t uid, message;
	/* The first bit of each, from the low end; `end_at` is behind the MODSEQ. */
	uint8_t uid_at, message_at, modseq_at, end_at;
	uint8_t stride;
};

static inline unsigned __int128 entry_block_bits(const struct entry_block *b, size_t i)
{
	uint64_t low, high;

	memcpy(&low, b->bytes + i * b->stride, sizeof(low));
	memcpy(&high, b->bytes + i * b->stride + sizeof(low), sizeof(high));
	return (unsigned __int128)le64toh(high) << 64 | le64toh(low);
}

static inline uint64_t entry_block_field(unsigned __int128 bits, unsigned from, unsigned to)
{
	return (uint64_t)(bits >> from) & ((UINT64_C(1) << (to - from)) - 1);
}

static inline struct view_entry entry_block_get(const struct entry_block *b, size_t i)
{
	unsigned __int128 bits = entry_block_bits(b, i);

	return (struct view_entry){
	    .uid = b->uid + (uint32_t)entry_block_field(bits, b->uid_at, b->message_at),
	    .message = b->message + (uint32_t)entry_block_field(bits, b->message_at, b->modseq_at),
	    .modseq = b->modseq + entry_block_field(bits, b->modseq_at, b->end_at),
	    .flag_set = entry_block_field(bits, ENTRY_BLOCK_SET_AT, b->uid_at),
	    .recent = bits & 1,
	    .gone = bits >> 1 & 1,
	    .changed = bits >> 2 & 1};
}

static inline uint32_t entry_block_uid(const struct entry_block *b, size_t i)
{
	return b->uid +
	       (uint32_t)entry_block_field(entry_block_bits(b, i), b->uid_at, b->message_at);
}

/*
 * Makes a block of them (given: entry_block_done), in ascending order of UIDs. So many MODSEQs and
 * flag sets beyond the highest get in later: `spare_bits` more for each. No memory: aborts.
 */
struct entry_block entry_block_pack(
    const struct view_entry v[static ENTRY_BLOCK_N], unsigned spare_bits);
void entry_block_unpack(const struct entry_block *b, struct view_entry ret_v[static ENTRY_BLOCK_N]);
/* Another entry of the same UID and message in its place. False: it does not get in. */
MUST_USE bool entry_block_put(struct entry_block *b, size_t i, const struct view_entry *entry);
void entry_block_done(struct entry_block *b);

#endif
