/*
 * seal/recovery.h: the organisation's recovery key, and how people write it down.
 *
 * An X25519 pair. The server keeps the public half and makes a slot with it in every account; the
 * private half is shown once, as text, and kept by people:
 *
 *     0 1 2 3 4 … in 14 groups of 4 characters of Crockford's base32 (no I, L, O, U), joined by
 * "-": a version byte, the 32 bytes of the key, 2 bytes of checksum.
 *
 * Reading takes either case, O for 0, I and L for 1, and ignores spaces, line ends and dashes. Any
 * single wrong character, and any two exchanged ones, are refused but for one chance in 65,536.
 */
#ifndef SEAL_RECOVERY_H
#define SEAL_RECOVERY_H

#include "base/attr.h"
#include "base/str.h"
#include "seal/cipher.h"
#include "seal/secret.h"

enum { RECOVERY_TEXT_LEN = 14 * 4 + 13, RECOVERY_TEXT_MAX = 512 };

/* A fresh pair; the private half is given (secret_free). */
struct secret *recovery_new(uint8_t ret_public[static CIPHER_PUBLIC_LEN]);

/* The text, NUL-terminated. The caller wipes it. */
void recovery_encode(
    const struct secret *recovery_private, char ret_text[static RECOVERY_TEXT_LEN + 1]);

/* -EBADMSG where it is not such a text; else 0 and the private half (given). */
MUST_USE int recovery_decode(struct str text, struct secret **ret_private);

#endif
