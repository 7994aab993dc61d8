#include "store/view_entries.h"

#include <errno.h>
#include <stdlib.h>

#include "base/num.h"

enum {
	BLOCKS_MIN = 16,
	FLAG_SETS_MIN = 16,
	/* Of a block that something did not get into: more of its kind follow. */
	SPARE_BITS = 2,
};

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

void view_entries_done(struct view_entries *e)
{
	for (size_t i = 0; i < e->n_blocks; i++)
		entry_block_done(&e->blocks[i]);
	free(e->blocks);
	free(e->last);
	free(e->flag_sets);
	free(e->slots);
	*e = (struct view_entries){0};
}

static void add_block(struct view_entries *e)
{
	if (e->n_blocks == e->blocks_cap) {
		e->blocks_cap += num_max(e->blocks_cap / 2, BLOCKS_MIN);
		e->blocks = must(reallocarray(e->blocks, e->blocks_cap, sizeof(*e->blocks)));
	}
	e->blocks[e->n_blocks++] = entry_block_pack(e->last, 0);
}

void view_entries_push(struct view_entries *e, const struct view_entry *entry)
{
	static_assert(sizeof(*entry) == 16, "as entry_block.h says");
	if (!e->last)
		e->last = must(calloc(ENTRY_BLOCK_N, sizeof(*e->last)));
	e->last[e->n++ % ENTRY_BLOCK_N] = *entry;
	if (e->n % ENTRY_BLOCK_N == 0)
		add_block(e);
}

void view_entries_put(struct view_entries *e, size_t at, struct view_entry entry)
{
	struct view_entry v[ENTRY_BLOCK_N];
	size_t block = at / ENTRY_BLOCK_N, i = at % ENTRY_BLOCK_N;
	assert(at < e->n);
	if (block == e->n_blocks) {
		e->last[i] = entry;
		return;
	}
	struct entry_block *b = &e->blocks[block];
	if (entry_block_put(b, i, &entry))
		return;
	entry_block_unpack(b, v);
	v[i] = entry;
	entry_block_done(b);
	*b = entry_block_pack(v, SPARE_BITS);
}

/* Blocks are taken apart and made again behind each other: never more than were read. */
void view_entries_take_out(
    struct view_entries *e, size_t from, bool (*is_out)(const struct view_entry *entry))
{
	struct view_entry v[ENTRY_BLOCK_N];
	size_t first = from / ENTRY_BLOCK_N, n_blocks = e->n_blocks, n = e->n;
	if (from >= n)
		return;
	size_t n_last = n % ENTRY_BLOCK_N;
	struct view_entry *last = must(calloc(ENTRY_BLOCK_N, sizeof(*last)));
	memcpy(last, e->last, n_last * sizeof(*last));
	e->n_blocks = first;
	e->n = first * ENTRY_BLOCK_N;
	for (size_t block = first, at = e->n; at < n; block++) {
		const struct view_entry *entries = last;
		if (block < n_blocks) {
			entry_block_unpack(&e->blocks[block], v);
			entry_block_done(&e->blocks[block]);
			entries = v;
		}
		for (size_t i = 0; i < ENTRY_BLOCK_N && at < n; i++, at++)
			if (at < from || !is_out(&entries[i]))
				view_entries_push(e, &entries[i]);
	}
	free(last);
}

uint32_t view_entries_uid(const struct view_entries *e, size_t at)
{
	size_t block = at / ENTRY_BLOCK_N;
	return block < e->n_blocks ? entry_block_uid(&e->blocks[block], at % ENTRY_BLOCK_N)
	                           : e->last[at % ENTRY_BLOCK_N].uid;
}

/* Flags are bits of few: mixed, so that all of them reach the low ones. */
static size_t slot_of(const struct view_entries *e, uint64_t flags)
{
	uint64_t mixed = flags * 0x9e3779b97f4a7c15;
	size_t at = (size_t)(mixed >> 32) & (e->n_slots - 1);
	while (e->slots[at] != 0 && e->flag_sets[e->slots[at] - 1] != flags)
		at = (at + 1) & (e->n_slots - 1);
	return at;
}

/* The table is never more than half full. */
static void grow_flag_sets(struct view_entries *e)
{
	size_t cap = e->n_slots ? e->n_slots : FLAG_SETS_MIN;
	uint64_t *sets = reallocarray(e->flag_sets, cap, sizeof(*sets));
	uint32_t *slots = calloc(2 * cap, sizeof(*slots));
	if (!sets || !slots)
		abort();
	free(e->slots);
	e->flag_sets = sets;
	e->slots = slots;
	e->n_slots = 2 * cap;
	for (size_t i = 0; i < e->n_flag_sets; i++)
		e->slots[slot_of(e, e->flag_sets[i])] = (uint32_t)i + 1;
}

int view_entries_flag_set(struct view_entries *e, uint64_t flags, uint32_t *ret_set)
{
	flags &= ~(STORE_RECENT | STORE_GONE);
	if (2 * e->n_flag_sets == e->n_slots)
		grow_flag_sets(e);
	size_t slot = slot_of(e, flags);
	if (e->slots[slot] == 0) {
		if (e->n_flag_sets == VIEW_FLAG_SETS_MAX)
			return -E2BIG;
		e->flag_sets[e->n_flag_sets++] = flags;
		e->slots[slot] = (uint32_t)e->n_flag_sets;
	}
	*ret_set = e->slots[slot] - 1;
	return 0;
}

static bool is_modseq(uint64_t modseq)
{
	return modseq >> VIEW_MODSEQ_BITS == 0;
}

int view_entries_add(struct view_entries *e, const struct store_entry *entry)
{
	uint32_t set;
	int error =
	    is_modseq(entry->modseq) ? view_entries_flag_set(e, entry->flags, &set) : -E2BIG;
	if (error)
		return error;
	const struct view_entry kept = {.uid = entry->uid,
	    .message = entry->message,
	    .modseq = entry->modseq,
	    .flag_set = set,
	    .recent = (entry->flags & STORE_RECENT) != 0,
	    .gone = (entry->flags & STORE_GONE) != 0};
	view_entries_push(e, &kept);
	return 0;
}

int view_entries_set(struct view_entries *e, size_t at, uint64_t flags, uint64_t modseq)
{
	uint32_t set;
	assert(at < e->n);
	int error = is_modseq(modseq) ? view_entries_flag_set(e, flags, &set) : -E2BIG;
	if (error)
		return error;
	struct view_entry entry = view_entries_get(e, at);
	entry.flag_set = set;
	entry.modseq = modseq;
	view_entries_put(e, at, entry);
	return 0;
}

/* The last block that starts at or below the UID, or the first. */
static size_t block_at(const struct view_entries *e, uint32_t uid)
{
	size_t low = 0, high = e->n_blocks;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (e->blocks[middle].uid <= uid)
			low = middle;
		else
			high = middle;
	}
	return low;
}

size_t view_entries_at(const struct view_entries *e, uint32_t uid)
{
	size_t last = e->n_blocks * ENTRY_BLOCK_N;
	bool is_in_last = last < e->n && e->last[0].uid <= uid;
	size_t low = is_in_last ? last : block_at(e, uid) * ENTRY_BLOCK_N;
	size_t high = num_min(low + ENTRY_BLOCK_N, is_in_last ? e->n : last);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (view_entries_uid(e, middle) < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
