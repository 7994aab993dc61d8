#include "imap/set.h"

#include <stdlib.h>

#include "base/num.h"

/* seq-number = nz-number / "*" */
static bool parse_seq_number(struct imap_parser *p, uint32_t *ret)
{
	uint64_t number;

	if (imap_skip(p, '*')) {
		*ret = IMAP_SET_STAR;
		return true;
	}
	if (!ascii_is_digit(imap_peek(p)))
		return imap_fail(p, "a message number or set");
	if (!imap_parse_number(p, 1, UINT32_MAX, &number))
		return false;
	*ret = (uint32_t)number;
	return true;
}

static size_t count_ranges(struct str text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.len && text.p[i] != ' ' && text.p[i] != ')'; i++)
		n += text.p[i] == ',';
	return n;
}

/*
 * sequence-set = (seq-number / seq-range) ["," sequence-set] / seq-last-command
 * seq-range = seq-number ":" seq-number
 * seq-last-command = "$"
 */
bool imap_parse_set(struct imap_parser *p, struct imap_set *ret_set)
{
	struct imap_set set = {0};

	if (imap_skip(p, '$')) {
		*ret_set = (struct imap_set){.saved = true};
		return true;
	}
	size_t most = count_ranges(p->rest);
	if (most > IMAP_SET_RANGES_MAX)
		return imap_fail(p, "a set with fewer ranges");
	set.ranges = ARENA_NEW_ARRAY(p->arena, struct imap_range, most);
	if (set.ranges == NULL)
		return imap_fail_size(p);
	do {
		struct imap_range *range = &set.ranges[set.n];
		if (!parse_seq_number(p, &range->first))
			return false;
		range->last = range->first;
		if (imap_skip(p, ':') && !parse_seq_number(p, &range->last))
			return false;
		set.n++;
	} while (imap_skip(p, ','));
	*ret_set = set;
	return true;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct imap_range *left = a, *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

static void resolve_range(struct imap_range *range, uint32_t largest)
{
	if (range->first == IMAP_SET_STAR)
		range->first = largest;
	if (range->last == IMAP_SET_STAR)
		range->last = largest;
	if (range->first > range->last) {
		uint32_t first = range->last;
		range->last = range->first;
		range->first = first;
	}
}

void imap_set_resolve(struct imap_set *set, uint32_t largest)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		resolve_range(&set->ranges[i], largest);
		if (set->ranges[i].last != 0)
			set->ranges[n++] = set->ranges[i];
		if (n > 0 && set->ranges[n - 1].first == 0)
			set->ranges[n - 1].first = 1;
	}
	set->n = n;
	if (n == 0)
		return;
	qsort(set->ranges, n, sizeof(*set->ranges), compare_ranges);
	size_t last = 0;
	for (size_t i = 1; i < n; i++) {
		struct imap_range *to = &set->ranges[last], *from = &set->ranges[i];
		if (to->last == UINT32_MAX || from->first <= to->last + 1)
			to->last = from->last > to->last ? from->last : to->last;
		else
			set->ranges[++last] = *from;
	}
	set->n = last + 1;
}

bool imap_set_has(const struct imap_set *set, uint32_t number)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (set->ranges[middle].last < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->n && set->ranges[low].first <= number;
}

uint64_t imap_set_count(const struct imap_set *set)
{
	uint64_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		n += (uint64_t)set->ranges[i].last - set->ranges[i].first + 1;
	return n;
}

void imap_set_write(const struct imap_set *set, struct buf *out)
{
	for (size_t i = 0; i < set->n; i++) {
		if (i > 0)
			buf_add_c(out, ',');
		buf_add_u64(out, set->ranges[i].first);
		if (set->ranges[i].last != set->ranges[i].first) {
			buf_add_c(out, ':');
			buf_add_u64(out, set->ranges[i].last);
		}
	}
}

void imap_set_builder_done(struct imap_set_builder *b)
{
	free(b->ranges);
	*b = (struct imap_set_builder){0};
}

void imap_set_builder_add_range(struct imap_set_builder *b, struct imap_range range)
{
	if (b->n > 0 && b->ranges[b->n - 1].last != UINT32_MAX &&
	    b->ranges[b->n - 1].last + 1 == range.first) {
		b->ranges[b->n - 1].last = range.last;
		return;
	}
	if (b->n == b->cap) {
		b->cap = b->cap > 0 ? 2 * b->cap : 8;
		b->ranges = reallocarray(b->ranges, b->cap, sizeof(*b->ranges));
		if (b->ranges == NULL)
			abort();
	}
	b->ranges[b->n++] = range;
}

void imap_set_builder_add(struct imap_set_builder *b, uint32_t number)
{
	imap_set_builder_add_range(b, (struct imap_range){number, number});
}

struct imap_set imap_set_builder_set(const struct imap_set_builder *b)
{
	return (struct imap_set){.ranges = b->ranges, .n = b->n};
}
