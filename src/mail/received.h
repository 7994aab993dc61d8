/*
 * mail/received.h: trace fields (RFC 5321 §4.4): counting them against loops, writing our own.
 *
 * Values that come from the peer (HELO name, …) are cleaned of everything that could end the field
 * or a comment. It adds no fold but its own, and reads no clock.
 */
#ifndef MAIL_RECEIVED_H
#define MAIL_RECEIVED_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "mail/date.h"

enum { RECEIVED_VALUE_LEN_MAX = 255 }; /* of each value; longer ones are cut */

struct received {
	struct str helo;         /* what the peer called itself */
	struct str peer_name;    /* verified reverse name, or empty: "unknown" */
	struct str peer_address; /* "192.0.2.1", "2001:db8::1" (written as IPv6:…), or empty: not
	                            told */
	struct str by;           /* our name */
	struct str protocol;     /* "ESMTPS", "UTF8SMTPS", … (RFC 3848, RFC 6531 §4.3) */
	struct str tls;          /* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384", or empty */
	struct str id;           /* our identifier of the transaction, or empty */
	struct str recipient;    /* `for <…>` when there is exactly one, or empty */
	struct date date;
};

/* How many Received fields a header has. */
size_t received_count(struct str header);

/* Appends the whole field, folded, with its last CRLF; false when it does not fit. */
bool received_format(const struct received *received, struct buf *out);

#endif
