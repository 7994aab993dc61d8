/*
 * mail/envelope.h: the ENVELOPE of a message, as IMAP sends it (RFC 9051 §7.5.2).
 *
 * The text is ready to be sent as it is: parentheses, quoted strings, literals with `{n}CRLF`
 * inside, NIL. Header text is unfolded and not decoded; 8-bit text becomes literals. Sender and
 * Reply-To are filled from From where they are missing or empty.
 *
 * Limits: `out`'s ceiling, and those of header.h and address.h.
 */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

/* Appends "(date subject from …)". -E2BIG at the ceiling of `out`, else 0. */
MUST_USE int envelope_write(struct str header, struct buf *out);

#endif
