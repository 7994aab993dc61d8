/*
 * mail/header.h: a message as header fields and body (RFC 5322 §2.1 to §2.2).
 *
 * Slices of the stored bytes, nothing is copied. Lines end with CRLF or a bare LF, whichever the
 * message was stored with. The header ends behind the first empty line, which belongs to it, so
 * that header and body together are the message.
 *
 * It does not judge: a line that is no field and continues none is stepped over (it stays in the
 * header's bytes), a missing empty line leaves the body empty. It does not decode: encoded words
 * are mail/encoded_word.h's, structured values are the matter of address.h, date.h and mime.h.
 *
 * Limits: HEADER_FIELDS_MAX fields are looked at, HEADER_LEN_MAX bytes of header (SMTP takes half
 * of that); what is beyond either is not seen by iteration and search (still part of the header's
 * bytes).
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "mail/source.h"

enum { HEADER_FIELDS_MAX = 10000, HEADER_LEN_MAX = 2 * 1024 * 1024 };
/* Whoever cuts a header keeps so much of it: what is too long is then seen to be. */
enum { HEADER_LOOK_LEN = HEADER_LEN_MAX + 1 };

struct header_field {
	struct str name;  /* as written, without white space before the colon */
	struct str value; /* what follows the colon, folds included, final line end not */
	struct str whole; /* all bytes of the field with its final line end */
};

/* An iteration: `(struct header_reader){.rest = header}`. */
struct header_reader {
	struct str rest;
	size_t n_read;   /* fields given out */
	size_t n_passed; /* bytes passed */
};

/* Cuts `message` into its header, with the empty line, and its body. Either may be empty. */
void header_split(struct str message, struct str *ret_header, struct str *ret_body);

/* How long the header of a message is, with the empty line. 0 or what reading the message says. */
MUST_USE int header_find_end(struct mail_source *message, uint64_t *ret_len);

/* The next field, borrowed from the header; false at its end or at a limit. */
bool header_next(struct header_reader *reader, struct header_field *ret_field);

/* The first field called `name` (any case), or false. */
bool header_find(struct str header, struct str name, struct header_field *ret_field);
/* The trimmed, still folded value of the first field called `name`; empty where there is none. */
struct str header_value(struct str header, struct str name);

/*
 * Appends `value` without its line ends (RFC 5322 §2.2.3: unfolding removes any CRLF that is
 * followed by white space) and without white space at both ends; bare CR and NUL go too.
 * False when it does not fit.
 */
bool header_unfold(struct str value, struct buf *out);

#endif
