/*
 * store/store_sorter.h: numbers in the order of their keys, as many as there are, in bounded
 * memory.
 *
 * What is added is sorted in memory as far as there is room (SORTER_RECORDS of them, and
 * SORTER_POOL_LEN bytes of what their keys are longer than 8 bytes); each such run then goes to a
 * sealed temporary file (store/spill.h) in the account's folder, and the runs are merged as the
 * numbers are taken out. So it takes at most 7 MiB, however many and however equal the keys are.
 *
 * Keys compare as bytes. None may be the beginning of another (text ends with a NUL, numbers have
 * one length). Numbers with equal keys come out as they were added.
 *
 * Running out of memory aborts.
 */
#ifndef STORE_STORE_SORTER_H
#define STORE_STORE_SORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

struct store;

enum {
	SORTER_RECORDS = 1 << 17,
	SORTER_POOL_LEN = 2 << 20,
	SORTER_RUNS = 64, /* so many are merged to one */
	SORTER_KEY_MAX = 6144,
};

struct sorter;

/* Given: sorter_free (nothing for NULL). */
struct sorter *sorter_new(struct store *s);
/* The same with less room (tests); the folder is borrowed. */
struct sorter *sorter_new_small(int dir_fd, uint32_t n_records, uint32_t pool_len, uint32_t n_runs);
void sorter_free(struct sorter *sorter);

/* 0, or -errno where the temporary file could not be written; then it is to be freed. */
MUST_USE int sorter_add(struct sorter *sorter, struct str key, uint32_t number);
/* After the last was added: 0 or -errno. */
MUST_USE int sorter_finish(struct sorter *sorter);
/* The next: 1, with whether its key is that of the one before; 0: that was all; -errno. */
MUST_USE int sorter_next(struct sorter *sorter, uint32_t *ret_number, bool *ret_same);

#endif
