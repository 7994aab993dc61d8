/*
 * base/digest.h: the digest by which the ledger knows a file of the operator's: BLAKE2b with 32
 * bytes of output (RFC 7693), in lower-case hexadecimal.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/str.h"

enum { DIGEST_TEXT_LEN = 64 };

struct digest_text {
	char text[DIGEST_TEXT_LEN + 1];
};

struct digest_text digest_of(struct str content);

#endif
