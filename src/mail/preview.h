/*
 * mail/preview.h: the first words of a message, for lists (RFC 8970, RFC 8621 §4.1.4).
 *
 * The first text part that is no attachment, plain text before HTML; without quoted lines (unless
 * there is nothing else), without what follows the signature's "-- ", white space as single spaces,
 * no controls. Empty where a message has no text.
 *
 * Limits: PREVIEW_CHARACTERS_MAX characters, made of the first PREVIEW_LOOK_LEN bytes of the part's
 * text.
 */
#ifndef MAIL_PREVIEW_H
#define MAIL_PREVIEW_H

#include "base/buf.h"
#include "mail/mime.h"

enum {
	PREVIEW_CHARACTERS_MAX = 200, /* RFC 8970 §3.3 */
	PREVIEW_LEN_MAX = 4 * PREVIEW_CHARACTERS_MAX,
	PREVIEW_LOOK_LEN = 32 * 1024,
};

/* Appends it, UTF-8; at most PREVIEW_LEN_MAX bytes. 0 or what reading the message says. */
MUST_USE int preview_write(
    struct mail_source *message, const struct mime_part *root, struct buf *out);

#endif
