/*
 * store/sorter_runs.h: sorted runs in a sealed temporary file, and merging them. Private to
 * store/sorter.c.
 *
 * A run is blocks (store/spill.h), each: how many bytes of it are used, and records, none of which
 * goes on in another block: number, head, length of the rest, the rest.
 */
#ifndef STORE_SORTER_RUNS_H
#define STORE_SORTER_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

struct run_record {
	uint64_t head;
	uint32_t number;
	struct str rest;
};

struct sorter_runs;

/* `n` runs at most are on their own: before another comes they are merged to one. 0 or -errno. */
MUST_USE int sorter_runs_new(int dir_fd, uint32_t n, struct sorter_runs **ret_runs);
void sorter_runs_free(struct sorter_runs *runs);

/* A run's records, in order. 0 or -errno. */
MUST_USE int sorter_runs_begin(struct sorter_runs *runs);
MUST_USE int sorter_runs_add(struct sorter_runs *runs, const struct run_record *record);
MUST_USE int sorter_runs_end(struct sorter_runs *runs);

/* Then the records of all: equal ones in the order of their runs. 0 or -errno. */
MUST_USE int sorter_runs_merge(struct sorter_runs *runs);
/* As sorter_next. */
MUST_USE int sorter_runs_next(struct sorter_runs *runs, uint32_t *ret_number, bool *ret_same);

#endif
