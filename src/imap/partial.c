#include "imap/partial.h"

#include "base/num.h"

static bool parse_index(struct imap_parser *p, bool from_end, uint32_t *ret_index)
{
	uint64_t number;

	if (from_end && !imap_parse_char(p, '-'))
		return false;
	if (!imap_parse_number(p, 1, UINT32_MAX, &number))
		return false;
	*ret_index = (uint32_t)number;
	return true;
}

/*
 * partial-range-first = nz-number ":" nz-number
 * partial-range-last = MINUS nz-number ":" MINUS nz-number
 */
bool imap_parse_partial(struct imap_parser *p, struct imap_partial *ret_partial)
{
	struct imap_partial partial = {.from_end = imap_peek(p) == '-'};

	if (!parse_index(p, partial.from_end, &partial.first) || !imap_parse_char(p, ':') ||
	    !parse_index(p, partial.from_end, &partial.last))
		return false;
	*ret_partial = partial;
	return true;
}

void imap_partial_write(const struct imap_partial *partial, struct buf *out)
{
	const char *minus = partial->from_end ? "-" : "";

	buf_printf(out, "%s%u:%s%u", minus, partial->first, minus, partial->last);
}

void imap_partial_bounds(
    const struct imap_partial *partial, size_t n, size_t *ret_first, size_t *ret_end)
{
	size_t low = num_min(partial->first, partial->last) - 1;
	size_t high = num_max(partial->first, partial->last);

	low = num_min(low, n);
	high = num_min(high, n);
	*ret_first = partial->from_end ? n - high : low;
	*ret_end = partial->from_end ? n - low : high;
}
