#include "store/sorter_runs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/num.h"
#include "store/spill.h"
#include "store/store_sorter.h"

enum {
	USED_LEN = 2, /* at the start of a block */
	AT_HEAD = 4,
	AT_REST_LEN = 12,
	AT_REST = 14,
};

_Static_assert(USED_LEN + AT_REST + SORTER_KEY_MAX <= SPILL_BLOCK_LEN, "a record has its block");
_Static_assert(SPILL_BLOCK_LEN <= UINT16_MAX, "its length is kept in two bytes");

/* Where a run is, and how far it is read. */
struct run {
	uint32_t next_block, end_block;
	uint8_t *block; /* NULL: not begun, or at the end */
	size_t at, used;
	struct run_record record; /* the next one; its rest in the block */
};

struct sorter_runs {
	struct spill spill;
	uint8_t *block; /* that is written, `used` bytes of it */
	size_t used;
	struct run *v;
	uint32_t n, max;
	uint32_t *heap; /* of the runs that have a record, the lowest first */
	uint32_t n_heap;
	uint64_t last_head;
	struct buf last_rest;
	bool has_last;
};

static void *must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

int sorter_runs_new(int dir_fd, uint32_t n, struct sorter_runs **ret_runs)
{
	struct spill spill = {0};
	int error = spill_init(&spill, dir_fd);
	if (error)
		return error;
	assert(n >= 2);
	struct sorter_runs *runs = must(calloc(1, sizeof(*runs)));
	*runs = (struct sorter_runs){.spill = spill,
	    .block = must(calloc(1, SPILL_BLOCK_LEN)),
	    .v = must(calloc(n, sizeof(*runs->v))),
	    .heap = must(calloc(n, sizeof(*runs->heap))),
	    .max = n,
	    .last_rest = BUF_MAX(SORTER_KEY_MAX)};
	*ret_runs = runs;
	return 0;
}

void sorter_runs_free(struct sorter_runs *runs)
{
	if (runs == NULL)
		return;
	for (uint32_t i = 0; i < runs->n; i++)
		free(runs->v[i].block);
	free(runs->v);
	free(runs->heap);
	free(runs->block);
	buf_done(&runs->last_rest);
	spill_done(&runs->spill);
	free(runs);
}

/* --- writing --- */

static int write_block(struct sorter_runs *runs)
{
	num_put16(runs->block, (uint16_t)runs->used);
	memset(runs->block + runs->used, 0, SPILL_BLOCK_LEN - runs->used);
	runs->used = USED_LEN;
	return spill_add(&runs->spill, runs->block);
}

int sorter_runs_add(struct sorter_runs *runs, const struct run_record *record)
{
	int error = 0;

	if (runs->used + AT_REST + record->rest.len > SPILL_BLOCK_LEN)
		error = write_block(runs);
	if (error)
		return error;
	uint8_t *to = runs->block + runs->used;
	num_put32(to, record->number);
	num_put64(to + AT_HEAD, record->head);
	num_put16(to + AT_REST_LEN, (uint16_t)record->rest.len);
	if (record->rest.len > 0)
		memcpy(to + AT_REST, record->rest.p, record->rest.len);
	runs->used += AT_REST + record->rest.len;
	return 0;
}

int sorter_runs_end(struct sorter_runs *runs)
{
	int error = runs->used > USED_LEN ? write_block(runs) : 0;

	runs->v[runs->n - 1].end_block = runs->spill.n_blocks;
	return error;
}

/* --- reading --- */

/* The next record of a run: 1, 0 at its end, or -errno. */
static int advance(const struct sorter_runs *runs, struct run *run)
{
	if (run->block == NULL)
		run->block = must(malloc(SPILL_BLOCK_LEN));
	if (run->at == run->used) {
		if (run->next_block == run->end_block) {
			free(run->block);
			run->block = NULL;
			return 0;
		}
		int error = spill_read(&runs->spill, run->next_block++, run->block);
		if (error)
			return error;
		run->used = num_get16(run->block);
		run->at = USED_LEN;
	}
	const uint8_t *from = run->block + run->at;
	run->record = (struct run_record){.number = num_get32(from),
	    .head = num_get64(from + AT_HEAD),
	    .rest = str_of(from + AT_REST, num_get16(from + AT_REST_LEN))};
	run->at += AT_REST + run->record.rest.len;
	return 1;
}

static bool is_below(const struct sorter_runs *runs, uint32_t a, uint32_t b)
{
	const struct run_record *x = &runs->v[a].record, *y = &runs->v[b].record;

	if (x->head != y->head)
		return x->head < y->head;
	int order = str_cmp(x->rest, y->rest);
	return order != 0 ? order < 0 : a < b;
}

/* The heap is in order but for the one at `at`. */
static void sift_down(struct sorter_runs *runs, uint32_t at)
{
	uint32_t *heap = runs->heap, run = heap[at];

	for (;;) {
		uint32_t child = 2 * at + 1;
		if (child + 1 < runs->n_heap && is_below(runs, heap[child + 1], heap[child]))
			child++;
		if (child >= runs->n_heap || !is_below(runs, heap[child], run))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = run;
}

int sorter_runs_merge(struct sorter_runs *runs)
{
	runs->n_heap = 0;
	for (uint32_t i = 0; i < runs->n; i++) {
		int r = advance(runs, &runs->v[i]);
		if (r < 0)
			return r;
		if (r > 0)
			runs->heap[runs->n_heap++] = i;
	}
	for (uint32_t i = runs->n_heap / 2; i > 0; i--)
		sift_down(runs, i - 1);
	return 0;
}

/* The lowest has been dealt with. */
static int pass(struct sorter_runs *runs)
{
	int r = advance(runs, &runs->v[runs->heap[0]]);

	if (r < 0)
		return r;
	if (r == 0)
		runs->heap[0] = runs->heap[--runs->n_heap];
	if (runs->n_heap > 0)
		sift_down(runs, 0);
	return 0;
}

int sorter_runs_next(struct sorter_runs *runs, uint32_t *ret_number, bool *ret_same)
{
	if (runs->n_heap == 0)
		return 0;
	const struct run_record *record = &runs->v[runs->heap[0]].record;
	*ret_number = record->number;
	*ret_same = runs->has_last && record->head == runs->last_head &&
	            str_eq(record->rest, buf_str(&runs->last_rest));
	if (!*ret_same) {
		runs->last_head = record->head;
		buf_clear(&runs->last_rest);
		buf_add(&runs->last_rest, record->rest);
		runs->has_last = true;
	}
	int error = pass(runs);
	return error ? error : 1;
}

/* All runs become one, behind them in the file. */
static int merge_all(struct sorter_runs *runs)
{
	const struct run whole = {.next_block = runs->spill.n_blocks};

	int error = sorter_runs_merge(runs);
	while (!error && runs->n_heap > 0) {
		error = sorter_runs_add(runs, &runs->v[runs->heap[0]].record);
		if (!error)
			error = pass(runs);
	}
	if (error)
		return error;
	runs->v[0] = whole;
	runs->n = 1;
	return sorter_runs_end(runs);
}

int sorter_runs_begin(struct sorter_runs *runs)
{
	runs->used = USED_LEN;
	int error = runs->n == runs->max ? merge_all(runs) : 0;
	if (error)
		return error;
	runs->used = USED_LEN;
	runs->v[runs->n++] = (struct run){.next_block = runs->spill.n_blocks};
	return 0;
}
