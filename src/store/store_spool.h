/*
 * store/store_spool.h: the bytes of a message that is to be appended, as they come.
 *
 * Small ones may be kept in memory; others go, sealed, into a file of the account, which becomes
 * the message's own when it is appended (store/store_append.h), and goes with the spool otherwise.
 * After a crash the sweep of the blobs finds it.
 *
 * The first error is kept: what is written after it goes nowhere, and whoever uses the spool is
 * told.
 */
#ifndef STORE_STORE_SPOOL_H
#define STORE_STORE_SPOOL_H

#include "mail/source.h"
#include "store/store.h"

enum { STORE_SPOOL_HERE_MAX = 256 << 10 };

struct store_spool;

/*
 * Of a message of at most `max` bytes (-EFBIG above), of which `here` (at most
 * STORE_SPOOL_HERE_MAX) are kept in memory. Given: store_spool_free.
 */
struct store_spool *store_spool_new(struct store *s, uint64_t max, size_t here);
/* Nothing for NULL. For CLEANUP. */
void store_spool_free(struct store_spool **spool);

/* 0; -EFBIG; -ENOSPC, also where new mail has to leave the rest (store/room.h); -errno. The same
 * again after an error. */
int store_spool_write(struct store_spool *spool, struct str piece);

/* All of these; what reading them says, or the same as above. */
int store_spool_write_all(struct store_spool *spool, struct mail_source *bytes);

uint64_t store_spool_len(const struct store_spool *spool);
/* Whether a NUL is among the bytes. */
bool store_spool_has_nul(const struct store_spool *spool);
int store_spool_error(const struct store_spool *spool);

/*
 * Nothing is written to it any more, and nothing read for now: it keeps no descriptor and no work
 * space, so that a command may have many. What fails is kept as above.
 */
void store_spool_end(struct store_spool *spool);

/* Nothing is written to it any more: its bytes, borrowed until it is ended, freed or appended. */
MUST_USE int store_spool_read(struct store_spool *spool, struct mail_source *ret_bytes);

#endif
