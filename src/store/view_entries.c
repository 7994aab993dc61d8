#include "store/view_entries.h"

#include <errno.h>
#include <stdlib.h>

#include "base/num.h"

enum { ENTRIES_MIN = 16, FLAG_SETS_MIN = 16 };

void view_entries_done(struct view_entries *e)
{
	free(e->v);
	free(e->flag_sets);
	free(e->slots);
	*e = (struct view_entries){0};
}

void view_entries_reserve(struct view_entries *e, size_t n)
{
	static_assert(sizeof(struct view_entry) == 16, "as store_view.h says");
	if (n <= e->cap)
		return;
	struct view_entry *larger = reallocarray(e->v, n, sizeof(*larger));
	if (!larger)
		abort();
	e->v = larger;
	e->cap = n;
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
	if (e->n == e->cap)
		view_entries_reserve(e, e->cap + num_max(e->cap / 8, ENTRIES_MIN));
	e->v[e->n++] = (struct view_entry){.uid = entry->uid,
	    .message = entry->message,
	    .modseq = entry->modseq,
	    .flag_set = set,
	    .recent = (entry->flags & STORE_RECENT) != 0,
	    .gone = (entry->flags & STORE_GONE) != 0};
	return 0;
}

int view_entries_set(struct view_entries *e, size_t at, uint64_t flags, uint64_t modseq)
{
	uint32_t set;
	assert(at < e->n);
	int error = is_modseq(modseq) ? view_entries_flag_set(e, flags, &set) : -E2BIG;
	if (error)
		return error;
	e->v[at].flag_set = set;
	e->v[at].modseq = modseq;
	return 0;
}

size_t view_entries_at(const struct view_entries *e, uint32_t uid)
{
	size_t low = 0, high = e->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (e->v[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
