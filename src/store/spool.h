/* store/spool.h: what appending takes out of a spool (store/store_spool.h). */
#ifndef STORE_SPOOL_H
#define STORE_SPOOL_H

#include "seal/body.h"
#include "store/store_spool.h"

/*
 * Ends it. Its bytes are either in memory (`*ret_here`, borrowed) or in a blob, which is the
 * caller's from now on (`ret_body->in_blob`).
 */
MUST_USE int store_spool_take(
    struct store_spool *spool, struct str *ret_here, struct body *ret_body);

#endif
