/*
 * mail/bodystructure.h: BODY and BODYSTRUCTURE of a message, as IMAP sends them (RFC 9051 §7.5.2;
 * RFC 3501 §7.4.2 is the same).
 *
 * The text is ready to be sent as it is, as in mail/envelope.h. A multipart without children, which
 * the grammar cannot say, is shown with one empty text/plain part.
 */
#ifndef MAIL_BODYSTRUCTURE_H
#define MAIL_BODYSTRUCTURE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "mail/mime.h"

enum bodystructure_form {
	BODYSTRUCTURE_BASIC,    /* FETCH BODY: without extension data */
	BODYSTRUCTURE_EXTENDED, /* FETCH BODYSTRUCTURE */
};

/* Appends it. 0; -E2BIG at the ceiling of `out`; what reading the message says. */
MUST_USE int bodystructure_write(struct mail_source *message, const struct mime_part *root,
    enum bodystructure_form form, struct buf *out);

#endif
