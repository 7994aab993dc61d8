/*
 * mail/casemap.h: the key by which texts are ordered: the collation i;unicode-casemap (RFC 5051),
 * which SORT and THREAD compare with (RFC 5256 §3, RFC 5255 §4.2).
 *
 * Each character becomes its title case, then what it decomposes to, and keys compare as bytes.
 * It is not the order of any one language, and not the key for searching (charset_fold).
 */
#ifndef MAIL_CASEMAP_H
#define MAIL_CASEMAP_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

/*
 * Appends the key of UTF-8 text; malformed bytes count as U+FFFD, NUL is left out. False when it
 * does not fit: then what fits is there, cut at a character.
 */
bool casemap_key(struct str text, struct buf *out);

#endif
