/*
 * smtp/hello.h: the answer to EHLO: the extensions on offer.
 *
 *   ehlo-ok-rsp = ( "250" SP Domain [ SP ehlo-greet ] CRLF ) / ( … *( "250-" ehlo-line CRLF ) … )
 */
#ifndef SMTP_HELLO_H
#define SMTP_HELLO_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

struct smtp_offer {
	struct str hostname;
	uint64_t size_max;   /* SIZE, RFC 1870 */
	unsigned rcpt_max;   /* LIMITS RCPTMAX, RFC 9422 */
	unsigned mail_max;   /* LIMITS MAILMAX */
	bool starttls;       /* only while in the clear, and where there is TLS */
	unsigned extensions; /* SMTP_EXTENSION_ bits (smtp/parameter.h) of those on offer now */
	uint64_t hold_max;   /* of FUTURERELEASE: seconds, RFC 4865 */
	uint64_t now;        /* seconds since 1970, to say until when that is */
};

/* Appends the whole answer; false when it does not fit. */
bool smtp_hello_format(const struct smtp_offer *offer, struct buf *out);

#endif
