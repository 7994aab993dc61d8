/*
 * session/imap/output.h: what is said to the client, gathered so that a command costs few writes.
 *
 * Writers append to `buf` and call imap_output_room between responses; what stands there goes out
 * when it is more than IMAP_OUTPUT_LEN, and at the end of each command. A response that fails half
 * way can be taken back while none of it went out.
 *
 * One whose `fd` is negative only gathers: what stands in `buf` is for somebody else. So is what
 * goes to `take`, and NUL stays NUL in it.
 *
 * Once writing failed, everything is dropped; the dialogue sees it and ends.
 */
#ifndef SESSION_IMAP_OUTPUT_H
#define SESSION_IMAP_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "session/imap/compression.h"
#include "store/store.h"

enum {
	IMAP_OUTPUT_LEN = 64 * 1024,
	IMAP_OUTPUT_MAX = 128 << 20,  /* the longest piece of a response */
	IMAP_SEND_MS = 5 * 60 * 1000, /* a client that does not read is left */
};

struct imap_output {
	struct buf buf;
	int fd;
	/* Unless NULL: what there is goes to it instead of `fd`. 0 or -errno. */
	int (*take)(void *context, struct str bytes);
	void *context;
	int error;                            /* -errno of the first failure */
	uint64_t sent;                        /* bytes so far, before they are compressed */
	struct imap_compression *compression; /* borrowed; NULL: none */
	struct store *store; /* borrowed; nothing of it is held while something is sent; or NULL */
};

void imap_output_init(struct imap_output *o, int fd);
void imap_output_init_to(
    struct imap_output *o, int (*take)(void *context, struct str bytes), void *context);
void imap_output_done(struct imap_output *o);

/* Sends all there is. 0 or the -errno of the first failure. */
int imap_output_flush(struct imap_output *o);
/* Sends when there is much. */
static inline void imap_output_room(struct imap_output *o)
{
	if (o->buf.len >= IMAP_OUTPUT_LEN && (o->fd >= 0 || o->take != NULL))
		(void)imap_output_flush(o);
}
/* Gives the memory back; nothing may be waiting. */
void imap_output_release(struct imap_output *o);

/* Where the output stands, for taking back. */
static inline uint64_t imap_output_mark(const struct imap_output *o)
{
	return o->sent + o->buf.len;
}
/* Drops what was written since the mark; false when some of it is sent already. */
MUST_USE bool imap_output_take_back(struct imap_output *o, uint64_t mark);

#endif
