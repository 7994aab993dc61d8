#include "session/imap/order.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "base/num.h"
#include "store/store_order.h"

/*
 * A rank is where a message's group starts in the order; those of one group are equal so far.
 * SETTLED: the group has no other.
 */
enum { CHUNK_LEN = 8, TAIL_HEADER_LEN = 2, SPARE_MAX = 1 << 17 };
static const uint32_t SETTLED = UINT32_C(1) << 31, NO_TAIL = UINT32_MAX;

/* A message whose place is open, with what is looked at of its key. */
struct record {
	uint64_t chunk; /* as much as is compared at once: a number, or 8 bytes of text */
	uint32_t index; /* of the positions */
	uint32_t tail;  /* in the pool: chunks, whether there is more, their bytes; or NO_TAIL */
};

struct sorting {
	struct imap_session *s;
	struct store_view *view;
	const uint32_t *positions;
	const uint8_t *scores;
	uint32_t *ranks;
	size_t n, n_open;
	struct record *records; /* of those open */
	struct record *spare;   /* SPARE_MAX at most */
	size_t n_records;
	struct buf pool;
	size_t tail_max;
	bool reverse, is_text;
	bool is_grouped; /* ranks differ */
	bool more;       /* some are equal so far and have more text */
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
	free(g->spare);
	buf_done(&g->pool);
}

/* Signed numbers as unsigned ones in the same order. */
static uint64_t lifted(int64_t number)
{
	return (uint64_t)number ^ (UINT64_C(1) << 63);
}

/* No text has a NUL in it: a shorter one comes first. */
static uint64_t first_bytes(struct str text)
{
	uint64_t chunk = 0;

	if (text.len >= CHUNK_LEN) {
		memcpy(&chunk, text.p, CHUNK_LEN);
		return be64toh(chunk);
	}
	for (size_t i = 0; i < text.len; i++)
		chunk |= (uint64_t)(unsigned char)text.p[i] << (56 - 8 * i);
	return chunk;
}

static void set_text(struct sorting *g, struct record *record, struct str text)
{
	struct str rest = str_from(text, CHUNK_LEN);
	struct str tail = str_first(rest, g->tail_max);

	record->chunk = first_bytes(text);
	if (rest.len == 0)
		return;
	size_t n_chunks = (tail.len + CHUNK_LEN - 1) / CHUNK_LEN;
	size_t len = TAIL_HEADER_LEN + n_chunks * CHUNK_LEN;
	char *to = must(buf_reserve(&g->pool, len));
	to[0] = (char)n_chunks;
	to[1] = tail.len < rest.len;
	memset(to + TAIL_HEADER_LEN, 0, n_chunks * CHUNK_LEN);
	memcpy(to + TAIL_HEADER_LEN, tail.p, tail.len);
	record->tail = (uint32_t)g->pool.len;
	buf_commit(&g->pool, len);
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
	free(g->spare);
	g->records = must(calloc(g->n_open, sizeof(*g->records)));
	g->spare = must(calloc(num_min(g->n_open, SPARE_MAX), sizeof(*g->spare)));
	g->n_records = 0;
	g->tail_max = num_min(ORDER_TAIL_MAX, ORDER_POOL_LEN / g->n_open) / CHUNK_LEN * CHUNK_LEN;
	buf_done(&g->pool);
	g->pool = BUF_MAX(ORDER_POOL_LEN + TAIL_HEADER_LEN * g->n_open);
}

/* Reads the key of all that are open, its text from `offset` on. */
static int read_records(
    struct sorting *g, struct store_order *order, enum imap_sort_by by, size_t offset)
{
	int text_key = text_key_of(by);
	struct store_order_row row = {0};

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
			record->chunk = UINT8_MAX - g->scores[g->positions[i]];
		else if (text_key < 0)
			record->chunk = number_of(by, &row);
		else
			set_text(g, record, str_from(row.keys[text_key], offset));
		g->n_records++;
	}
	return 0;
}

/* --- sorting what was read --- */

/* Up to so many are sorted by insertion. */
enum { FEW = 48, BYTE_VALUES = 256 };

/* Tails lie in another order than they are looked at: the memory is asked for them early. */
enum { AHEAD = 16, CACHE_LINE_LEN = 64 };

static uint64_t value_of(const struct sorting *g, const struct record *record, bool by_rank)
{
	return by_rank ? g->ranks[record->index] : record->chunk;
}

static void sort_few(const struct sorting *g, struct record *v, size_t n, bool by_rank)
{
	for (size_t i = 1; i < n; i++) {
		struct record record = v[i];
		uint64_t value = value_of(g, &record, by_rank);
		size_t to = i;
		for (; to > 0 && value_of(g, &v[to - 1], by_rank) > value; to--)
			v[to] = v[to - 1];
		v[to] = record;
	}
}

/* One byte of the values, from `from` to `to`. False: it is the same in all, and nothing is done.
 */
static bool sort_byte(const struct sorting *g, const struct record *from, struct record *to,
    size_t n, bool by_rank, unsigned shift)
{
	uint32_t starts[BYTE_VALUES] = {0};
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		starts[value_of(g, &from[i], by_rank) >> shift & 0xff]++;
	if (starts[value_of(g, &from[0], by_rank) >> shift & 0xff] == n)
		return false;
	for (size_t i = 0; i < BYTE_VALUES; i++) {
		uint32_t n_here = starts[i];
		starts[i] = sum;
		sum += n_here;
	}
	for (size_t i = 0; i < n; i++)
		to[starts[value_of(g, &from[i], by_rank) >> shift & 0xff]++] = from[i];
	return true;
}

/* Of rank and chunk, the highest first. */
enum { RANK_BYTES = sizeof(uint32_t), KEY_BYTES = RANK_BYTES + CHUNK_LEN };

static unsigned key_byte(const struct sorting *g, const struct record *record, unsigned which)
{
	if (which < RANK_BYTES)
		return g->ranks[record->index] >> 8 * (RANK_BYTES - 1 - which) & 0xff;
	return record->chunk >> 8 * (KEY_BYTES - 1 - which) & 0xff;
}

/* Puts records into the order of one byte of their keys, by swapping; where each value ends. */
static void part(const struct sorting *g, struct record *v, size_t n, unsigned which,
    uint32_t ret_ends[static BYTE_VALUES])
{
	uint32_t next[BYTE_VALUES] = {0};
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		next[key_byte(g, &v[i], which)]++;
	for (size_t i = 0; i < BYTE_VALUES; i++) {
		ret_ends[i] = sum + next[i];
		next[i] = sum;
		sum = ret_ends[i];
	}
	for (unsigned i = 0; i < BYTE_VALUES; i++) {
		while (next[i] < ret_ends[i]) {
			struct record record = v[next[i]];
			unsigned home = key_byte(g, &record, which);
			while (home != i) {
				struct record other = v[next[home]];
				v[next[home]++] = record;
				record = other;
				home = key_byte(g, &record, which);
			}
			v[next[i]++] = record;
		}
	}
}

static bool is_behind(const struct sorting *g, const struct record *a, const struct record *b)
{
	uint32_t rank_a = g->ranks[a->index], rank_b = g->ranks[b->index];

	return rank_a != rank_b ? rank_a > rank_b : a->chunk > b->chunk;
}

static void sort_few_whole(const struct sorting *g, struct record *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct record record = v[i];
		size_t to = i;
		for (; to > 0 && is_behind(g, &v[to - 1], &record); to--)
			v[to] = v[to - 1];
		v[to] = record;
	}
}

/*
 * By rank and chunk, from byte `which` on; those before are equal. Equal ones end up in any order.
 */
static void sort_in_place(const struct sorting *g, struct record *v, size_t n, unsigned which)
{
	uint32_t ends[BYTE_VALUES];

	if (n <= FEW) {
		sort_few_whole(g, v, n);
		return;
	}
	if (which == KEY_BYTES)
		return;
	part(g, v, n, which, ends);
	for (size_t i = 0, first = 0; i < BYTE_VALUES; first = ends[i++])
		sort_in_place(g, v + first, ends[i] - first, which + 1);
}

/*
 * By the chunks or, where they are in that order already, by the ranks and then the chunks. Time
 * grows with `n` alone. Of too many there is no second copy.
 */
static void sort_records(struct sorting *g, size_t first, size_t n, bool by_rank)
{
	struct record *v = g->records + first, *from = v, *to = g->spare;

	if (n <= FEW) {
		sort_few(g, v, n, by_rank);
		return;
	}
	if (n > SPARE_MAX) {
		sort_in_place(g, v, n, by_rank ? 0 : RANK_BYTES);
		return;
	}
	for (unsigned shift = 0; shift < (by_rank ? 32 : 64); shift += 8) {
		if (!sort_byte(g, from, to, n, by_rank, shift))
			continue;
		struct record *swapped = from;
		from = to;
		to = swapped;
	}
	if (from != v)
		memcpy(v, from, n * sizeof(*v));
}

/* Where a text goes on behind what is in the pool, a last chunk says so. */
static bool is_cut_before(const struct sorting *g, const struct record *record, size_t depth)
{
	if (record->tail == NO_TAIL)
		return false;
	const char *tail = g->pool.p + record->tail;
	return tail[1] != 0 && depth > (unsigned char)tail[0];
}

/* Of depth 1 on; those before are equal. */
static uint64_t chunk_at(const struct sorting *g, const struct record *record, size_t depth)
{
	if (record->tail == NO_TAIL)
		return 0;
	if (is_cut_before(g, record, depth))
		return 1;
	const char *tail = g->pool.p + record->tail;
	if (depth > (unsigned char)tail[0])
		return 0;
	uint64_t chunk;
	memcpy(&chunk, tail + TAIL_HEADER_LEN + (depth - 1) * CHUNK_LEN, CHUNK_LEN);
	return be64toh(chunk);
}

static uint64_t turned(const struct sorting *g, uint64_t chunk)
{
	return g->reverse ? ~chunk : chunk;
}

static void make_group(struct sorting *g, uint32_t rank, size_t k, size_t end)
{
	if (end - k == 1) {
		g->ranks[g->records[k].index] = rank | SETTLED;
		g->n_open--;
		return;
	}
	for (; k < end; k++)
		g->ranks[g->records[k].index] = rank;
}

/*
 * Records that are in the order of their chunks at `depth`, and start at `rank`: equal ones are
 * looked at further on, as far as there is more of them. As deep as a tail has chunks.
 */
static void split(struct sorting *g, size_t first, size_t end, uint32_t rank, size_t depth)
{
	for (size_t k = first, equal; k < end; k = equal) {
		const struct record *record = &g->records[k];
		for (equal = k + 1; equal < end && g->records[equal].chunk == record->chunk;)
			equal++;
		uint32_t own_rank = rank + (uint32_t)(k - first);
		bool is_cut = g->is_text && depth > 0 && is_cut_before(g, record, depth);
		bool ends = !g->is_text || (turned(g, record->chunk) & 0xff) == 0 || is_cut;
		if (ends || equal == k + 1) {
			g->more |= is_cut && equal > k + 1;
			make_group(g, own_rank, k, equal);
			continue;
		}
		for (size_t i = k; i < equal; i++) {
			uint32_t tail = g->records[num_min(i + AHEAD, g->n_records - 1)].tail;
			if (tail != NO_TAIL) {
				__builtin_prefetch(g->pool.p + tail);
				__builtin_prefetch(g->pool.p + tail + CACHE_LINE_LEN - 1);
			}
			g->records[i].chunk = turned(g, chunk_at(g, &g->records[i], depth + 1));
		}
		sort_records(g, k, equal - k, false);
		split(g, k, equal, own_rank, depth + 1);
	}
}

/* All that was read, group by group. */
static void sort_all(struct sorting *g)
{
	for (size_t k = 0; k < g->n_records; k++)
		g->records[k].chunk = turned(g, g->records[k].chunk);
	sort_records(g, 0, g->n_records, false);
	if (g->is_grouped)
		sort_records(g, 0, g->n_records, true);
	g->is_grouped = true;
	for (size_t k = 0, end; k < g->n_records; k = end) {
		uint32_t rank = g->ranks[g->records[k].index];
		end = k + 1;
		while (end < g->n_records && g->ranks[g->records[end].index] == rank)
			end++;
		split(g, k, end, rank, 0);
	}
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
	g->is_text = text_key_of(key->by) >= 0;
	int r = store_order_open(g->view, fields_of(key->by), &order);
	if (r < 0)
		return r;
	do {
		r = read_records(g, order, key->by, offset);
		if (r < 0)
			return r;
		g->more = false;
		sort_all(g);
		offset += CHUNK_LEN + g->tail_max;
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
	free(g.spare);
	g.records = g.spare = NULL;
	put_in_order(&g, positions);
	return 0;
}
