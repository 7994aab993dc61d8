/*
 * directory/password.h: passwords as people type them, made comparable.
 *
 * The OpaqueString profile of PRECIS (RFC 8265 §4.2): spaces of other scripts become U+0020, the
 * text is normalised (NFC), case stays. Both a new password and one that is tried pass through
 * here, so that two keyboards that compose "é" differently mean the same.
 *
 * It does not judge how good a password is, beyond the least length of a new one.
 */
#ifndef DIRECTORY_PASSWORD_H
#define DIRECTORY_PASSWORD_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { PASSWORD_LEN_MAX = 1024, PASSWORD_NEW_LEAST = 8 };

/*
 * Appends the prepared password. False, with nothing added, when it is empty, longer than
 * PASSWORD_LEN_MAX bytes, not UTF-8, or has control characters. The caller wipes both.
 */
MUST_USE bool password_prepare(struct str password, struct buf *out);

#endif
