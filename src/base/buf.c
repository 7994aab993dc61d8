#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"

enum { BUF_FIRST_CAP = 256 };

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

char *buf_reserve(struct buf *b, size_t len)
{
	size_t want;

	if (!num_add(b->len, len, &want) || want > b->max) {
		b->failed = true;
		return NULL;
	}
	if (want > b->cap || b->p == NULL) {
		size_t cap = num_max(num_max(want, BUF_FIRST_CAP), num_min(b->cap * 2, b->max));
		char *p = realloc(b->p, cap);
		assert(p != NULL);
		b->p = p;
		b->cap = cap;
	}
	return b->p + b->len;
}

void buf_commit(struct buf *b, size_t len)
{
	assert(len <= b->cap - b->len);
	b->len += len;
}

void buf_consume(struct buf *b, size_t len)
{
	assert(len <= b->len);
	b->len -= len;
	if (b->len > 0 && len > 0)
		memmove(b->p, b->p + len, b->len);
}

bool buf_add(struct buf *b, struct str s)
{
	char *to = buf_reserve(b, s.len);

	if (to == NULL)
		return false;
	if (s.len > 0)
		memcpy(to, s.p, s.len);
	b->len += s.len;
	return true;
}

bool buf_add_c(struct buf *b, char c)
{
	return buf_add(b, str_of(&c, 1));
}

bool buf_add_u64(struct buf *b, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return buf_add(b, str_of(digits + at, sizeof(digits) - at));
}

bool buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	assert(len >= 0);

	char *to = buf_reserve(b, (size_t)len);
	if (to == NULL)
		return false;
	/* vsnprintf wants room for its NUL, which is not part of the content. */
	char *with_nul = malloc((size_t)len + 1);
	assert(with_nul != NULL);
	vsnprintf(with_nul, (size_t)len + 1, fmt, args);
	memcpy(to, with_nul, (size_t)len);
	free(with_nul);
	b->len += (size_t)len;
	return true;
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	bool fits = buf_vprintf(b, fmt, args);
	va_end(args);
	return fits;
}
