/*
 * store/store_space.h: mailbox.db gives free pages back to the disk.
 *
 * What is deleted leaves free pages, which what comes later uses again. Where much of the file is
 * free, pages from its end are moved into them and the file is cut (SQLite's incremental vacuum),
 * in transactions of a few pages: others work on beside it. Pages that are half empty stay. Before
 * that goes what the deleted messages left in `thread_keys`: the keys of threads without messages.
 */
#ifndef STORE_STORE_SPACE_H
#define STORE_STORE_SPACE_H

#include "base/attr.h"
#include "store/store.h"

/*
 * Works for about `budget_ms`, where a quarter of the database and 4 MiB are free; others wait for
 * it no longer than for one transaction of 64 pages. True in `*ret_more` when it is to be called
 * again soon. The file gets shorter with the next checkpoint that no reader is in the way of.
 */
MUST_USE int store_space_work(struct store *s, unsigned budget_ms, bool *ret_more);

#endif
