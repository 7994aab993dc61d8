/* mail/expect.h: what the unit tests of this folder share: comparing slices with literals. */
#ifndef MAIL_EXPECT_H
#define MAIL_EXPECT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"

/* Fails the test, showing both, where `got` is not the text `want`. */
static inline void expect_str_at(struct str got, const char *want, const char *file, int line)
{
	if (str_eq(got, str_of_cstr(want)))
		return;
	print_error("got  \"%.*s\"\nwant \"%s\"\n", STR_FMT(got), want);
	_fail(file, line);
}

#define expect_str(got, want) expect_str_at((got), (want), __FILE__, __LINE__)
#define expect_buf(got, want) expect_str_at(buf_str(&(got)), (want), __FILE__, __LINE__)

/* Appends `text` `n` times. */
static inline void repeat(struct buf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_add(out, str_of_cstr(text));
}

#endif
