#include "session/imap/order.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "store/store_ranks.h"
#include "store/store_sorter.h"

/* What stands in the place of enum store_order_by for RELEVANCY. */
enum { BY_SCORE = N_STORE_ORDER_BY, KEYS_MAX };

enum { GONE_MAX = 64 }; /* messages in a row that were expunged meanwhile, to step over */

struct sorting {
	struct imap_session *s;
	const uint8_t *scores;
	uint32_t *positions;
	size_t n;
	struct sort_key {
		uint8_t by;
		bool reverse;
	} keys[KEYS_MAX];
	size_t n_keys;
	struct store_order *places, *texts; /* NULL: not needed, or not open */
	struct buf key;
};

static void close_orders(struct sorting *g)
{
	store_order_close(g->places);
	store_order_close(g->texts);
	g->places = g->texts = NULL;
}

static void sorting_done(struct sorting *g)
{
	close_orders(g);
	buf_done(&g->key);
}

static uint8_t order_by(enum imap_sort_by by)
{
	static const uint8_t orders[] = {[SORT_ARRIVAL] = STORE_ORDER_BY_ARRIVAL,
	    [SORT_CC] = STORE_ORDER_CC,
	    [SORT_DATE] = STORE_ORDER_BY_DATE,
	    [SORT_FROM] = STORE_ORDER_FROM,
	    [SORT_SIZE] = STORE_ORDER_BY_SIZE,
	    [SORT_SUBJECT] = STORE_ORDER_SUBJECT,
	    [SORT_TO] = STORE_ORDER_TO,
	    [SORT_DISPLAY_FROM] = STORE_ORDER_DISPLAY_FROM,
	    [SORT_DISPLAY_TO] = STORE_ORDER_DISPLAY_TO,
	    [SORT_RELEVANCY] = BY_SCORE};

	return orders[by];
}

/* A key that was there before changes nothing. */
static void take_keys(struct sorting *g, const struct imap_sort_key *keys, size_t n)
{
	unsigned known = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t by = order_by(keys[i].by);
		if ((known & 1U << by) != 0)
			continue;
		known |= 1U << by;
		g->keys[g->n_keys++] = (struct sort_key){by, keys[i].reverse};
	}
}

/* Of what was appended since `from`: the other way round. */
static void turn(struct buf *key, size_t from)
{
	for (size_t i = from; i < key->len; i++)
		key->p[i] = (char)~key->p[i];
}

static void add_score(struct sorting *g, uint32_t at)
{
	buf_add_c(&g->key, (char)(UINT8_MAX - g->scores[at]));
}

/* --- by the keys themselves --- */

static int open_orders(struct sorting *g)
{
	unsigned fields = 0;
	int error = 0;

	for (size_t i = 0; i < g->n_keys; i++)
		fields |= g->keys[i].by != BY_SCORE ? store_order_field(g->keys[i].by) : 0;
	if ((fields & STORE_ORDER_PLACE) != 0)
		error = store_order_open(g->s->view, STORE_ORDER_PLACE, &g->places);
	fields &= ~(unsigned)STORE_ORDER_PLACE;
	if (!error && fields != 0)
		error = store_order_open(g->s->view, fields, &g->texts);
	return error;
}

/* The keys of a message as bytes, in g->key: 1; 0: of nothing, since it was expunged meanwhile;
 * -errno. */
static int make_key(struct sorting *g, uint32_t at)
{
	struct store_order_row place = {0}, text = {0};
	int has_place = g->places != NULL ? store_order_read(g->places, at, &place) : 1;
	int has_text = g->texts != NULL ? store_order_read(g->texts, at, &text) : 1;

	if (has_place < 0 || has_text < 0)
		return has_place < 0 ? has_place : has_text;
	buf_clear(&g->key);
	for (size_t i = 0; i < g->n_keys; i++) {
		uint8_t by = g->keys[i].by;
		size_t from = g->key.len;
		if (by == BY_SCORE)
			add_score(g, at);
		else if (store_order_field(by) == STORE_ORDER_PLACE)
			store_order_key(by, &place, &g->key);
		else
			store_order_key(by, &text, &g->key);
		if (g->keys[i].reverse)
			turn(&g->key, from);
	}
	return has_place > 0 && has_text > 0;
}

static void free_sorter(struct sorter **sorter)
{
	sorter_free(*sorter);
}

/* What was sorted takes the place of the first positions. */
static int take_out(struct sorting *g, struct sorter *sorter)
{
	uint32_t *to = g->positions;
	bool same;
	int r = sorter_finish(sorter);

	while (r == 0 && (r = sorter_next(sorter, to, &same)) > 0) {
		to++;
		r = 0;
	}
	return r;
}

static int sort_keys(struct sorting *g)
{
	struct sorter *sorter CLEANUP(free_sorter) = sorter_new(g->s->store);
	int r = open_orders(g);

	for (size_t i = 0; r == 0 && i < g->n; i++) {
		r = make_key(g, g->positions[i]);
		if (r >= 0)
			r = sorter_add(sorter, buf_str(&g->key), g->positions[i]);
		if (r == 0)
			r = imap_effort_step(g->s, EFFORT_ROW);
	}
	close_orders(g);
	return r < 0 ? r : take_out(g, sorter);
}

/* --- by ranks --- */

static int step(void *context)
{
	return imap_effort_step(context, EFFORT_ROW);
}

static size_t count_unranked(const struct sorting *g, uint32_t end)
{
	return g->s->view->n - store_view_at(g->s->view, end);
}

/* Makes those that are missing, or too far behind. */
static int make_ranks(struct sorting *g)
{
	size_t max = ORDER_UNRANKED_MAX + g->s->view->n / ORDER_UNRANKED_PART;
	uint32_t end = 0;

	for (size_t i = 0; i < g->n_keys; i++) {
		uint8_t by = g->keys[i].by;
		int r = by == BY_SCORE ? 0 : store_ranks_look(g->s->view, by, &end);
		if (by != BY_SCORE && r == 0 && count_unranked(g, end) > max)
			r = store_ranks_make(g->s->view, by, step, g->s);
		if (r < 0)
			return r;
	}
	return 0;
}

static void close_ranks(struct store_ranks **ranks)
{
	store_ranks_close(*ranks);
}

static void make_ranked_key(struct sorting *g, uint32_t at, const uint32_t *ranks)
{
	buf_clear(&g->key);
	for (size_t i = 0; i < g->n_keys; i++) {
		size_t from = g->key.len;
		if (g->keys[i].by == BY_SCORE) {
			add_score(g, at);
		} else {
			uint32_t rank = htobe32(*ranks++);
			buf_add(&g->key, str_of(&rank, sizeof(rank)));
		}
		if (g->keys[i].reverse)
			turn(&g->key, from);
	}
}

/* Those of UIDs that have ranks; how many in `*ret_n`. The clock is not looked at meanwhile: it is
 * a matter of milliseconds, and nobody may be waited for. */
static int sort_ranked(struct sorting *g, struct sorter *sorter, size_t *ret_n)
{
	struct store_ranks *ranks CLEANUP(close_ranks) = NULL;
	uint8_t by[KEYS_MAX];
	uint32_t ranked[KEYS_MAX], end;
	size_t n_by = 0, i = 0;

	for (size_t k = 0; k < g->n_keys; k++)
		if (g->keys[k].by != BY_SCORE)
			by[n_by++] = g->keys[k].by;
	int r = store_ranks_open(g->s->view, by, n_by, &end, &ranks);
	for (; r == 0 && i < g->n; i++) {
		uint32_t at = g->positions[i], uid = store_view_entry(g->s->view, at).uid;
		if (uid >= end)
			break;
		r = store_ranks_read(ranks, uid, ranked);
		if (r < 0)
			break;
		make_ranked_key(g, at, ranked);
		r = sorter_add(sorter, buf_str(&g->key), at);
	}
	*ret_n = i;
	return r;
}

/*
 * The key of the last message from `low` to `*at` that is still there: one that was expunged
 * meanwhile has a rank, but no key, and says nothing about where others belong. 1 with `*at`; 0:
 * there is none; -EAGAIN: there are too many that are gone; -errno.
 */
static int make_key_from(struct sorting *g, size_t low, size_t *at)
{
	size_t last = *at;
	int r = make_key(g, g->positions[*at]);

	while (r == 0 && *at > low && last - *at < GONE_MAX)
		r = make_key(g, g->positions[--*at]);
	return r == 0 && *at > low ? -EAGAIN : r;
}

/*
 * Puts a message that came later than `n` that are in order behind those of them that are not
 * behind it. -EAGAIN: it cannot be said which these are.
 */
static int put_in(struct sorting *g, size_t n, uint32_t at)
{
	struct buf own CLEANUP(buf_done) = BUF_MAX(SORTER_KEY_MAX);
	size_t low = 0, high = n;
	int r = make_key(g, at);

	buf_add(&own, buf_str(&g->key));
	while (r >= 0 && low < high) {
		size_t middle = low + (high - low) / 2, there = middle;
		r = make_key_from(g, low, &there);
		if (r > 0 && str_cmp(buf_str(&own), buf_str(&g->key)) < 0)
			high = there;
		else
			low = middle + 1;
	}
	if (r < 0)
		return r;
	memmove(g->positions + low + 1, g->positions + low, (n - low) * sizeof(*g->positions));
	g->positions[low] = at;
	return imap_effort_step(g->s, EFFORT_MESSAGE);
}

/* Ranks that cannot be kept, as on a full disk, are done without. */
static bool is_reason_to_end(int error)
{
	return error == -ETIME || error == -EBADMSG;
}

static int compare_positions(const void *x, const void *y)
{
	const uint32_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

/* Without ranks after all: those that are equal come out as they are put in. */
static int sort_anew(struct sorting *g)
{
	close_orders(g);
	qsort(g->positions, g->n, sizeof(*g->positions), compare_positions);
	return sort_keys(g);
}

static int sort_by_ranks(struct sorting *g)
{
	struct sorter *sorter CLEANUP(free_sorter) = sorter_new(g->s->store);
	size_t n_ranked = 0;
	int r = make_ranks(g);

	if (r < 0)
		return is_reason_to_end(r) ? r : sort_keys(g);
	r = sort_ranked(g, sorter, &n_ranked);
	if (r == 0)
		r = take_out(g, sorter);
	if (r == 0 && n_ranked < g->n)
		r = open_orders(g);
	for (size_t i = n_ranked; r == 0 && i < g->n; i++)
		r = put_in(g, i, g->positions[i]);
	return r == -EAGAIN ? sort_anew(g) : r;
}

int order_sort(struct imap_session *s, const struct imap_sort_key *keys, size_t n_keys,
    const uint8_t *scores, uint32_t *positions, size_t n)
{
	struct sorting g CLEANUP(sorting_done) = {.s = s,
	    .scores = scores,
	    .positions = positions,
	    .n = n,
	    .key = BUF_MAX(SORTER_KEY_MAX)};

	if (n > ORDER_MESSAGES_MAX)
		return -E2BIG;
	if (n < 2)
		return 0;
	take_keys(&g, keys, n_keys);
	int r = store_order_fill(s->store);
	if (r < 0)
		return r;
	if (n >= ORDER_RANKED_MIN && n >= s->view->n / ORDER_RANKED_PART)
		return sort_by_ranks(&g);
	return sort_keys(&g);
}
