/*
 * session/imap/spools.h: the long literals of APPEND and REPLACE, which are sealed to files as they
 * come (store/store_spool.h) and are never in memory as a whole.
 */
#ifndef SESSION_IMAP_SPOOLS_H
#define SESSION_IMAP_SPOOLS_H

#include "imap/reader.h"
#include "store/store_spool.h"

enum {
	IMAP_SPOOL_FROM = 256 << 10,   /* literals from this length on */
	IMAP_SPOOL_HERE_MAX = 4 << 20, /* of a command's literals are in memory */
};

struct imap_spools {
	struct store *store;
	uint64_t max;              /* of a message */
	struct store_spool **list; /* of the command under way */
	size_t n, cap;
};

/* From now on the reader's long literals come here; `spools` is borrowed by it. */
void imap_spools_init(
    struct imap_spools *spools, struct imap_reader *reader, struct store *s, uint64_t message_max);
/* After the reader is gone. */
void imap_spools_done(struct imap_spools *spools);

/* One by its number, from 1; borrowed until the reader is reset. */
struct store_spool *imap_spool(const struct imap_spools *spools, size_t number);

#endif
