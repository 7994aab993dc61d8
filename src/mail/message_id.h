/*
 * mail/message_id.h: message identifiers (RFC 5322 §3.6.4).
 *
 * A reference is compared as bytes, with its angle brackets taken off; threading normalises it
 * before. It does not check the inside: identifiers are opaque, and many in use break the grammar.
 */
#ifndef MAIL_MESSAGE_ID_H
#define MAIL_MESSAGE_ID_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { MESSAGE_ID_LEN_MAX = 998, MESSAGE_ID_REFERENCES_MAX = 1000 };

/*
 * Cuts the next `<id>` off the value of Message-ID, References or In-Reply-To; comments, phrases
 * and quoted strings between them (obsolete) are stepped over. `*ret_id` is borrowed, without
 * brackets. False when there is no more; identifiers over MESSAGE_ID_LEN_MAX, empty or with white
 * space within are left out.
 */
bool message_id_next(struct str *rest, struct str *ret_id);

/*
 * Appends an identifier in the one spelling by which it is compared: quotes and backslashes of its
 * left side taken off where they are (RFC 5256 §3). False when it does not fit.
 */
bool message_id_normalise(struct str id, struct buf *out);

/* Appends "<random-hex@domain>" from 16 random bytes that the caller brings. */
bool message_id_format(const unsigned char random[static 16], struct str domain, struct buf *out);

#endif
