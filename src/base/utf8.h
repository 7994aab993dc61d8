/* base/utf8.h: UTF-8 (RFC 3629) checked strictly: no overlong forms, no surrogates, at most
 * U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/attr.h"
#include "base/str.h"

enum { UTF8_INVALID = -1 };

/* Cuts the next code point off `*rest`; UTF8_INVALID, and one byte skipped, where there is none.
 * `rest->len` > 0. */
int utf8_next(struct str *rest);

bool utf8_is_valid(struct str s);
bool utf8_is_ascii(struct str s);

/* Writes the code point's 1 to 4 bytes to `to` and returns how many; 0 for a surrogate or beyond
 * U+10FFFF. */
size_t utf8_put(unsigned code_point, char to[static 4]);

#endif
