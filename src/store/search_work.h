/* store/search_work.h: what a store holds of work on its word index. Private to src/store. */
#ifndef STORE_SEARCH_WORK_H
#define STORE_SEARCH_WORK_H

#include "store/store_private.h"

/* Gives it back; what was not finished is begun anew by the next. */
void search_work_done(struct store *s);

#endif
