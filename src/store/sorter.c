/* store_sorter.h: runs in memory, and what is merged of those that were written. */
#include "store/store_sorter.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "base/num.h"
#include "store/sorter_runs.h"
#include "store/store_private.h"

enum {
	RECORDS_MIN = 256,
	BYTE_VALUES = 256,
	HEAD_LEN = 8,
	REST_LEN_LEN = 2,
	FEW = 24, /* so many are sorted by insertion */
};
static const uint32_t NO_REST = UINT32_MAX;

/* In memory. */
struct record {
	uint64_t head; /* the first bytes of the key, as a number */
	uint32_t number;
	uint32_t rest; /* where the others are in the pool: their length, and they; or NO_REST */
};

struct sorter {
	int dir_fd;
	uint32_t max_records, max_pool, max_runs;
	struct record *records, *spare;
	size_t n, cap, next;
	struct buf pool;
	struct sorter_runs *runs; /* NULL: all is in memory */
};

static void *must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

struct sorter *sorter_new_small(int dir_fd, uint32_t n_records, uint32_t pool_len, uint32_t n_runs)
{
	struct sorter *sorter = must(calloc(1, sizeof(*sorter)));

	*sorter = (struct sorter){.dir_fd = dir_fd,
	    .max_records = n_records,
	    .max_pool = pool_len,
	    .max_runs = n_runs,
	    .pool = BUF_MAX((size_t)pool_len + SORTER_KEY_MAX)};
	return sorter;
}

struct sorter *sorter_new(struct store *s)
{
	return sorter_new_small(s->blobs_fd, SORTER_RECORDS, SORTER_POOL_LEN, SORTER_RUNS);
}

static void free_memory(struct sorter *sorter)
{
	free(sorter->records);
	free(sorter->spare);
	sorter->records = sorter->spare = NULL;
	sorter->n = sorter->cap = 0;
	buf_done(&sorter->pool);
}

void sorter_free(struct sorter *sorter)
{
	if (sorter == NULL)
		return;
	free_memory(sorter);
	sorter_runs_free(sorter->runs);
	free(sorter);
}

/* --- in memory --- */

static struct str rest_of(const struct sorter *sorter, const struct record *record)
{
	if (record->rest == NO_REST)
		return (struct str){0};
	const char *p = sorter->pool.p + record->rest;
	return str_of(p + REST_LEN_LEN, num_get16(p));
}

/* Stable, by one byte of the heads. False: it is the same in all, and nothing is done. */
static bool sort_byte(const struct record *from, struct record *to, size_t n, unsigned shift)
{
	uint32_t starts[BYTE_VALUES] = {0}, sum = 0;

	for (size_t i = 0; i < n; i++)
		starts[from[i].head >> shift & 0xff]++;
	if (starts[from[0].head >> shift & 0xff] == n)
		return false;
	for (size_t i = 0; i < BYTE_VALUES; i++) {
		uint32_t n_here = starts[i];
		starts[i] = sum;
		sum += n_here;
	}
	for (size_t i = 0; i < n; i++)
		to[starts[from[i].head >> shift & 0xff]++] = from[i];
	return true;
}

/* Those that were added later have their rests later in the pool. */
static int compare_rests(const void *x, const void *y, void *context)
{
	const struct record *a = x, *b = y;
	int order = str_cmp(rest_of(context, a), rest_of(context, b));

	if (order != 0)
		return order;
	return a->rest < b->rest ? -1 : a->rest > b->rest;
}

static void sort_few(struct record *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct record record = v[i];
		size_t to = i;
		for (; to > 0 && v[to - 1].head > record.head; to--)
			v[to] = v[to - 1];
		v[to] = record;
	}
}

static void sort_heads(struct sorter *sorter, struct record *v, size_t n)
{
	struct record *from = v, *to = sorter->spare;

	if (n <= FEW) {
		sort_few(v, n);
		return;
	}
	for (unsigned shift = 0; shift < 64; shift += 8) {
		if (!sort_byte(from, to, n, shift))
			continue;
		struct record *swapped = from;
		from = to;
		to = swapped;
	}
	if (from != v)
		memcpy(v, from, n * sizeof(*v));
}

static void sort_memory(struct sorter *sorter)
{
	struct record *v = sorter->records;

	if (sorter->n == 0)
		return;
	sorter->spare = must(calloc(sorter->n, sizeof(*sorter->spare)));
	sort_heads(sorter, v, sorter->n);
	free(sorter->spare);
	sorter->spare = NULL;
	/* Where one has a rest, all of the same head have: none is the beginning of another. */
	for (size_t first = 0, end; first < sorter->n; first = end) {
		for (end = first + 1; end < sorter->n && v[end].head == v[first].head;)
			end++;
		if (end > first + 1 && v[first].rest != NO_REST)
			qsort_r(v + first, end - first, sizeof(*v), compare_rests, sorter);
	}
}

/* --- runs --- */

static int write_run(struct sorter *sorter)
{
	int error = 0;

	if (sorter->runs == NULL)
		error = sorter_runs_new(sorter->dir_fd, sorter->max_runs, &sorter->runs);
	if (error)
		return error;
	sort_memory(sorter);
	error = sorter_runs_begin(sorter->runs);
	for (size_t i = 0; !error && i < sorter->n; i++) {
		const struct record *record = &sorter->records[i];
		const struct run_record written = {.head = record->head,
		    .number = record->number,
		    .rest = rest_of(sorter, record)};
		error = sorter_runs_add(sorter->runs, &written);
	}
	if (!error)
		error = sorter_runs_end(sorter->runs);
	sorter->n = 0;
	buf_clear(&sorter->pool);
	return error;
}

/* --- */

static uint64_t head_of(struct str key)
{
	uint64_t head = 0;

	memcpy(&head, key.p, num_min(key.len, HEAD_LEN));
	return be64toh(head);
}

static uint32_t keep_rest(struct sorter *sorter, struct str rest)
{
	uint8_t len[REST_LEN_LEN];
	uint32_t at = (uint32_t)sorter->pool.len;

	if (rest.len == 0)
		return NO_REST;
	num_put16(len, (uint16_t)rest.len);
	buf_add(&sorter->pool, str_of(len, sizeof(len)));
	bool kept = buf_add(&sorter->pool, rest);
	assert(kept);
	return at;
}

int sorter_add(struct sorter *sorter, struct str key, uint32_t number)
{
	int error = 0;

	assert(key.len > 0 && key.len <= SORTER_KEY_MAX);
	if (sorter->n == sorter->max_records ||
	    sorter->pool.len + REST_LEN_LEN + key.len > sorter->max_pool + HEAD_LEN)
		error = sorter->n > 0 ? write_run(sorter) : 0;
	if (error)
		return error;
	if (sorter->n == sorter->cap) {
		sorter->cap = num_min(2 * sorter->cap + RECORDS_MIN, sorter->max_records);
		sorter->records =
		    must(reallocarray(sorter->records, sorter->cap, sizeof(*sorter->records)));
	}
	sorter->records[sorter->n++] = (struct record){.head = head_of(key),
	    .number = number,
	    .rest = keep_rest(sorter, str_from(key, HEAD_LEN))};
	return 0;
}

int sorter_finish(struct sorter *sorter)
{
	if (sorter->runs == NULL) {
		sort_memory(sorter);
		return 0;
	}
	int error = sorter->n > 0 ? write_run(sorter) : 0;
	free_memory(sorter);
	return error ? error : sorter_runs_merge(sorter->runs);
}

int sorter_next(struct sorter *sorter, uint32_t *ret_number, bool *ret_same)
{
	const struct record *v = sorter->records;
	size_t i = sorter->next;

	if (sorter->runs != NULL)
		return sorter_runs_next(sorter->runs, ret_number, ret_same);
	if (i == sorter->n)
		return 0;
	*ret_number = v[i].number;
	*ret_same = i > 0 && v[i].head == v[i - 1].head &&
	            str_eq(rest_of(sorter, &v[i]), rest_of(sorter, &v[i - 1]));
	sorter->next++;
	return 1;
}
