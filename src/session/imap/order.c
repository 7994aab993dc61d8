#include "session/imap/order.h"

#include <errno.h>
#include <stdlib.h>

#include "base/num.h"
#include "store/store_order.h"

/*
 * A rank is where a message's group starts in the order; those of one group are equal so far.
 * SETTLED: the group has no other.
 */
enum { PREFIX_LEN = 8, TAIL_HEADER_LEN = 2 };
static const uint32_t SETTLED = UINT32_C(1) << 31, NO_TAIL = UINT32_MAX;

/* A message whose place is open, with what is looked at of its key. */
struct record {
	uint64_t prefix; /* compares as a number */
	uint32_t index;  /* of the positions */
	uint32_t tail;   /* in the pool: length, whether there is more, bytes; or NO_TAIL */
};

struct sorting {
	struct imap_session *s;
	struct store_view *view;
	const uint32_t *positions;
	const uint8_t *scores;
	uint32_t *ranks;
	size_t n, n_open;
	struct record *records; /* of those open, in mailbox order */
	uint32_t *sorted;       /* indexes of the records, in order */
	size_t n_records;
	struct buf pool;
	size_t tail_max;
	bool reverse;
	bool more; /* some are equal so far and have more text */
};

static void *must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

static void sorting_done(struct sorting *g)
{
	free(g->ranks);
	free(g->records);
	free(g->sorted);
	buf_done(&g->pool);
}

/* Signed numbers as unsigned ones in the same order. */
static uint64_t lifted(int64_t number)
{
	return (uint64_t)number ^ (UINT64_C(1) << 63);
}

static uint64_t first_bytes(struct str text)
{
	uint64_t prefix = 0;

	for (size_t i = 0; i < PREFIX_LEN; i++)
		prefix = prefix << 8 | (i < text.len ? (unsigned char)text.p[i] : 0);
	return prefix;
}

static void set_text(struct sorting *g, struct record *record, struct str text)
{
	struct str rest = str_from(text, PREFIX_LEN);
	struct str tail = str_first(rest, g->tail_max);

	record->prefix = first_bytes(text);
	if (rest.len == 0)
		return;
	record->tail = (uint32_t)g->pool.len;
	buf_add_c(&g->pool, (char)tail.len);
	buf_add_c(&g->pool, tail.len < rest.len);
	buf_add(&g->pool, tail);
}

/* -1: the key is a number. */
static int text_key_of(enum imap_sort_by by)
{
	switch (by) {
	case SORT_CC:
		return STORE_ORDER_CC;
	case SORT_FROM:
		return STORE_ORDER_FROM;
	case SORT_SUBJECT:
		return STORE_ORDER_SUBJECT;
	case SORT_TO:
		return STORE_ORDER_TO;
	case SORT_DISPLAY_FROM:
		return STORE_ORDER_DISPLAY_FROM;
	case SORT_DISPLAY_TO:
		return STORE_ORDER_DISPLAY_TO;
	default:
		return -1;
	}
}

static unsigned fields_of(enum imap_sort_by by)
{
	if (by == SORT_ARRIVAL || by == SORT_SIZE || by == SORT_RELEVANCY)
		return STORE_ORDER_PLACE;
	return by == SORT_DATE ? STORE_ORDER_SENT : 1U << text_key_of(by);
}

static uint64_t number_of(enum imap_sort_by by, const struct store_order_row *row)
{
	if (by == SORT_SIZE)
		return row->size;
	return lifted(by == SORT_ARRIVAL ? row->arrived_at : row->sent_at);
}

static void make_room(struct sorting *g)
{
	free(g->records);
	free(g->sorted);
	g->records = must(calloc(g->n_open, sizeof(*g->records)));
	g->sorted = must(calloc(g->n_open, sizeof(*g->sorted)));
	g->n_records = 0;
	g->tail_max = num_min(ORDER_TAIL_MAX, ORDER_POOL_LEN / g->n_open);
	buf_done(&g->pool);
	g->pool = BUF_MAX(ORDER_POOL_LEN + TAIL_HEADER_LEN * g->n_open);
}

/* Reads the key of all that are open, its text from `offset` on. */
static int read_records(
    struct sorting *g, struct store_order *order, enum imap_sort_by by, size_t offset)
{
	int text_key = text_key_of(by);
	struct store_order_row row;

	make_room(g);
	for (size_t i = 0; i < g->n; i++) {
		if ((g->ranks[i] & SETTLED) != 0)
			continue;
		int r = store_order_read(order, g->positions[i], &row);
		if (r >= 0)
			r = imap_effort_step(g->s, EFFORT_ROW);
		if (r < 0)
			return r;
		struct record *record = &g->records[g->n_records];
		*record = (struct record){.index = (uint32_t)i, .tail = NO_TAIL};
		if (by == SORT_RELEVANCY)
			record->prefix = UINT8_MAX - g->scores[g->positions[i]];
		else if (text_key < 0)
			record->prefix = number_of(by, &row);
		else
			set_text(g, record, str_from(row.keys[text_key], offset));
		g->sorted[g->n_records] = (uint32_t)g->n_records;
		g->n_records++;
	}
	return 0;
}

static int compare_tails(const struct sorting *g, uint32_t a, uint32_t b)
{
	if (a == NO_TAIL || b == NO_TAIL)
		return (a != NO_TAIL) - (b != NO_TAIL);
	const unsigned char *x = (const unsigned char *)g->pool.p + a;
	const unsigned char *y = (const unsigned char *)g->pool.p + b;
	int order = memcmp(x + TAIL_HEADER_LEN, y + TAIL_HEADER_LEN, x[0] < y[0] ? x[0] : y[0]);
	if (order != 0)
		return order;
	if (x[0] != y[0])
		return x[0] < y[0] ? -1 : 1;
	return x[1] - y[1];
}

static int compare_values(const struct sorting *g, const struct record *a, const struct record *b)
{
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	return compare_tails(g, a->tail, b->tail);
}

static int compare_records(const void *x, const void *y, void *context)
{
	const struct sorting *g = context;
	const struct record *a = &g->records[*(const uint32_t *)x];
	const struct record *b = &g->records[*(const uint32_t *)y];

	if (g->ranks[a->index] != g->ranks[b->index])
		return g->ranks[a->index] < g->ranks[b->index] ? -1 : 1;
	int order = compare_values(g, a, b);
	if (order != 0)
		return g->reverse ? -order : order;
	return a->index < b->index ? -1 : a->index > b->index;
}

static const struct record *record_at(const struct sorting *g, size_t k)
{
	return &g->records[g->sorted[k]];
}

static bool has_more(const struct sorting *g, const struct record *record)
{
	return record->tail != NO_TAIL && g->pool.p[record->tail + 1] != 0;
}

/* Those of a group from `k` to `end` whose keys are equal become a group. */
static void make_group(struct sorting *g, uint32_t rank, size_t k, size_t end)
{
	if (end - k == 1) {
		g->ranks[record_at(g, k)->index] = rank | SETTLED;
		g->n_open--;
		return;
	}
	g->more |= has_more(g, record_at(g, k));
	for (; k < end; k++)
		g->ranks[record_at(g, k)->index] = rank;
}

/* Splits the group that starts at `k` by its keys and returns where it ends. */
static size_t split_group(struct sorting *g, size_t k)
{
	uint32_t rank = g->ranks[record_at(g, k)->index];
	size_t end = k + 1;

	while (end < g->n_records && g->ranks[record_at(g, end)->index] == rank)
		end++;
	while (k < end) {
		size_t equal = k + 1;
		while (equal < end && compare_values(g, record_at(g, k), record_at(g, equal)) == 0)
			equal++;
		make_group(g, rank, k, equal);
		rank += (uint32_t)(equal - k);
		k = equal;
	}
	return end;
}

static void close_order(struct store_order **order)
{
	store_order_close(*order);
}

static int sort_by(struct sorting *g, const struct imap_sort_key *key)
{
	struct store_order *order CLEANUP(close_order) = NULL;
	size_t offset = 0;

	g->reverse = key->reverse;
	int r = store_order_open(g->view, fields_of(key->by), &order);
	if (r < 0)
		return r;
	do {
		r = read_records(g, order, key->by, offset);
		if (r < 0)
			return r;
		qsort_r(g->sorted, g->n_records, sizeof(*g->sorted), compare_records, g);
		g->more = false;
		for (size_t k = 0; k < g->n_records;)
			k = split_group(g, k);
		offset += PREFIX_LEN + g->tail_max;
	} while (g->more);
	return 0;
}

/* From ranks to positions: those of a group follow each other in mailbox order. */
static void put_in_order(struct sorting *g, uint32_t *positions)
{
	uint32_t *n_put = must(calloc(g->n, sizeof(*n_put)));
	uint32_t *ordered = must(calloc(g->n, sizeof(*ordered)));

	for (size_t i = 0; i < g->n; i++) {
		uint32_t rank = g->ranks[i] & ~SETTLED;
		ordered[rank + n_put[rank]++] = positions[i];
	}
	memcpy(positions, ordered, g->n * sizeof(*positions));
	free(n_put);
	free(ordered);
}

int order_sort(struct imap_session *s, const struct imap_sort_key *keys, size_t n_keys,
    const uint8_t *scores, uint32_t *positions, size_t n)
{
	struct sorting g CLEANUP(sorting_done) = {
	    .s = s, .view = s->view, .positions = positions, .scores = scores, .n = n, .n_open = n};
	int r = 0;

	if (n > ORDER_MESSAGES_MAX)
		return -E2BIG;
	if (n < 2)
		return 0;
	g.ranks = must(calloc(n, sizeof(*g.ranks)));
	r = store_order_fill(s->store);
	for (size_t i = 0; r == 0 && i < n_keys && g.n_open > 0; i++)
		r = sort_by(&g, &keys[i]);
	if (r < 0)
		return r;
	free(g.records);
	g.records = NULL;
	put_in_order(&g, positions);
	return 0;
}
