/*
 * base/base64.h: base64 (RFC 4648 §4) and hexadecimal (§8) of whole, bounded strings.
 *
 * Strict: no white space, padding required, no bits left over. The lenient decoder that mail needs
 * is in mail/transfer.h.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

/* Appends the encoding of `s`; false when it does not fit. */
bool base64_encode(struct str s, struct buf *out);
/* Appends the decoding of `s`; false when it is not base64 (nothing is added) or does not fit. */
MUST_USE bool base64_decode(struct str s, struct buf *out);

/* Lower-case hexadecimal, two digits a byte. */
bool hex_encode(struct str s, struct buf *out);
MUST_USE bool hex_decode(struct str s, struct buf *out);

#endif
