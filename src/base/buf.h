/*
 * base/buf.h: growing byte buffers with a ceiling.
 *
 * A `struct buf` is told at its making how large it may ever become. What does not fit is not
 * added, and the buffer remembers it: so a writer appends piece by piece and asks once at the end
 * (`buf_failed`).
 *
 * It does not terminate its bytes with NUL. Running out of memory is ours, and aborts.
 *
 * Embedded by the caller: `struct buf b CLEANUP(buf_done) = BUF_MAX(4096);`
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

struct buf {
	char *p;
	size_t len;
	size_t cap;
	size_t max;
	bool failed; /* something did not fit */
};

#define BUF_MAX(limit) ((struct buf){.max = (limit)})

/* Frees the bytes; the buffer is then empty with the same ceiling. */
void buf_done(struct buf *b);

/* Forgets the content and the failure, keeps the memory. */
void buf_clear(struct buf *b);

/* True when something did not fit since the last `buf_clear`. */
static inline bool buf_failed(const struct buf *b)
{
	return b->failed;
}

/* The content, borrowed until the buffer changes. */
static inline struct str buf_str(const struct buf *b)
{
	return (struct str){b->p, b->len};
}

/* Each appends all of what it is given, or nothing, and then false and `failed`. */
bool buf_add(struct buf *b, struct str s);
bool buf_add_c(struct buf *b, char c);
bool buf_add_u64(struct buf *b, uint64_t value); /* decimal */
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
bool buf_vprintf(struct buf *b, const char *fmt, va_list args) PRINTF(2, 0);

/*
 * Makes room for `len` more bytes and returns where they go, NULL (and `failed`) where the ceiling
 * is in the way. `buf_commit` then says how many were written.
 */
char *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);

/* Drops the first `len` bytes and moves the rest to the front. */
void buf_consume(struct buf *b, size_t len);

#endif
