/*
 * mail/imap_string.h: strings as IMAP writes them (RFC 9051 §9 `string`, `nstring`).
 *
 * A quoted string where the bytes allow it, a literal `{n}CRLF` where they do not: 8-bit bytes
 * (quoted ones need UTF8=ACCEPT or IMAP4rev2 enabled), CR, LF. NUL can stand in neither: it is
 * left out.
 */
#ifndef MAIL_IMAP_STRING_H
#define MAIL_IMAP_STRING_H

#include "base/buf.h"
#include "base/str.h"

enum { IMAP_QUOTED_LEN_MAX = 1000 }; /* longer ones are written as literals */

/* Each appends to `out`, which remembers what did not fit. */
void imap_string_write(struct str s, struct buf *out);
/* NIL for NULL. */
void imap_nstring_write(const struct str *s, struct buf *out);
/* NIL for an empty one. */
void imap_nstring_write_nonempty(struct str s, struct buf *out);

#endif
