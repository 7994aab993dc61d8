/* imap/sasl_plain.h: the message of SASL PLAIN (RFC 4616). */
#ifndef IMAP_SASL_PLAIN_H
#define IMAP_SASL_PLAIN_H

#include "base/attr.h"
#include "base/buf.h"

enum { SASL_PLAIN_LEN_MAX = 3 * 1024 }; /* of the decoded message */

struct sasl_plain {
	struct str authorization; /* whom to act as; empty: the same */
	struct str user, password;
};

/*
 * Decodes base64 into `decoded` (whose ceiling should be SASL_PLAIN_LEN_MAX; the caller wipes it)
 * and takes it apart: borrowed from there. False when it is not
 *
 *   message = [authzid] UTF8NUL authcid UTF8NUL passwd
 *
 * with user and password not empty, all in UTF-8 (RFC 4616 §2).
 */
MUST_USE bool sasl_plain_decode(struct str base64, struct buf *decoded, struct sasl_plain *ret);

#endif
