/*
 * base/str.h: byte strings as slices.
 *
 * A `struct str` points at bytes that somebody else owns: a buffer, an arena, a literal. It is
 * passed by value, holds any byte (NUL too) and is not terminated.
 *
 * It does not own, copy or terminate; it knows nothing of characters. Case folding here is ASCII
 * only (protocol keywords); for words of a language see mail/charset.h.
 *
 * Invariant: `p` may be NULL only when `len` is 0.
 *
 * A function that cuts pieces off the front of a slice takes a `struct str *rest` and moves it
 * along; the pieces borrow from the same bytes.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

struct str {
	const char *p;
	size_t len;
};

/* A slice of a string literal. */
#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
/* The same as an initialiser of a static object. */
#define STR_INIT(literal)                                                                          \
	{                                                                                          \
		"" literal, sizeof(literal) - 1                                                    \
	}
/* For printf: "%.*s", STR_FMT(s). Only for bytes known to hold no NUL. */
#define STR_FMT(s) (int)(s).len, (s).p ? (s).p : ""

static inline struct str str_of(const void *p, size_t len)
{
	return (struct str){(const char *)p, len};
}

/* The bytes of a NUL-terminated string, borrowed; an empty slice for NULL. */
struct str str_of_cstr(const char *cstr);

bool str_eq(struct str a, struct str b);
/* Equal but for the case of ASCII letters. */
bool str_eq_nocase(struct str a, struct str b);
/* Order by bytes, shorter first: <0, 0, >0, as for qsort. */
int str_cmp(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* Position of the first `c`, or `s.len` where there is none. */
size_t str_index(struct str s, char c);
/* Position of the first `needle`, or `s.len` where there is none; 0 for an empty needle. */
size_t str_find(struct str s, struct str needle);
size_t str_find_nocase(struct str s, struct str needle);

/* `s` from byte `from` on; empty where it is shorter. */
struct str str_from(struct str s, size_t from);
/* The first `len` bytes of `s`, or all of it. */
struct str str_first(struct str s, size_t len);
/* Without spaces, tabs, CR and LF at both ends. */
struct str str_trim(struct str s);

/*
 * Cuts `*rest` at the first `sep`: the piece before it is returned, `*rest` becomes what follows
 * it. Without a `sep` all of it is returned and `*rest` becomes empty.
 */
struct str str_cut(struct str *rest, char sep);

/* Cuts the next line off `*rest`, ending with LF or CRLF (not in the result) or at the end. */
struct str str_cut_line(struct str *rest);

/* Skips `prefix` at the front of `*rest`; false, and untouched, where it does not stand there. */
bool str_skip(struct str *rest, struct str prefix);
bool str_skip_nocase(struct str *rest, struct str prefix);

/*
 * Writes `s` and a NUL to `dst` for a system call. -EINVAL when `s` holds a NUL, -ENAMETOOLONG when
 * it does not fit; `dst` is then the empty string. The only way from a slice to a C string.
 */
MUST_USE int str_to_cstr(struct str s, char *dst, size_t dst_len);

/* ASCII classes, without locale. */
static inline bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline char ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

/* Value of a hexadecimal digit, -1 for another byte. */
int ascii_hex(char c);

#endif
