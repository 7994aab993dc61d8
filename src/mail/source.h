/*
 * mail/source.h: the bytes of a message, wherever they lie.
 *
 * What reads messages goes from the front to the back through windows, so that a large one, which
 * is opened piece by piece, is never in memory as a whole. A message that is in memory is one
 * window.
 *
 * It does not read ahead, and keeps one window only. Going forward costs what is passed; going back
 * beyond the window may mean to begin anew.
 *
 * Errors: what `look` says, handed on.
 */
#ifndef MAIL_SOURCE_H
#define MAIL_SOURCE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

struct mail_source {
	uint64_t len; /* of the whole message */
	/*
	 * Bytes from `at` (< len) on, at least one: 0, or a negative errno that ends the reading.
	 * Borrowed until the next call.
	 */
	int (*look)(void *context, uint64_t at, struct str *ret_bytes);
	void *context;

	struct str window; /* what was looked at last … */
	uint64_t window_at;
};

/* Of a message in memory, which is borrowed. It never fails. */
static inline struct mail_source mail_source_of(struct str whole)
{
	return (struct mail_source){.len = whole.len, .window = whole};
}

/* Bytes from `at` on: at least one, empty at the end. Borrowed until the next look elsewhere. */
MUST_USE int mail_source_look(struct mail_source *s, uint64_t at, struct str *ret_bytes);

/*
 * `len` bytes from `at`, fewer where the message ends: borrowed from the window where they lie in
 * it, else put together in `room` (cleared first) as far as its ceiling lets them.
 */
MUST_USE int mail_source_slice(
    struct mail_source *s, uint64_t at, uint64_t len, struct buf *room, struct str *ret_bytes);

/* True when all of the message is in the window: then slices of it stay where they are. */
bool mail_source_is_whole(const struct mail_source *s);

#endif
