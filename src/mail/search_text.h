/*
 * mail/search_text.h: what a search looks at in a message, text by text.
 *
 * Whoever looks into a message itself and whoever makes an index of it take the texts from here, so
 * that both find the same. The texts, each as its folded key (mail/charset.h):
 *
 *   - every header field: its name, and its value with encoded words decoded; of From, To, Cc and
 *     Bcc a second time as the addresses are understood, whatever comments stand between. A second
 *     Subject is none (RFC 9051 §2.3.5: the envelope has the first), but another field;
 *   - every text part, decoded: HTML as the text that is shown, calendars and cards with their
 *     lines put together again; application/ics, application/json, application/xhtml+xml and
 *     application/xml count as text, and so does a multipart without delimiter;
 *   - the file name of every part;
 *   - every field of the MIME header of every part: what TEXT looks at, and BODY does not (RFC 9051
 *     §6.4.4);
 *   - of messages within the message all of that, "Name: value" of each field being body text.
 *
 * It does not look into other types of parts, and not into what an encoded message/rfc822 holds.
 *
 * The text of a part is given out in pieces of about SEARCH_TEXT_PIECE bytes, so that a message of
 * any length needs little memory; a piece ends between two words.
 *
 * Limits: those of mail/header.h and mail/mime.h; of a field's folded text SEARCH_TEXT_FOLDED_MAX.
 */
#ifndef MAIL_SEARCH_TEXT_H
#define MAIL_SEARCH_TEXT_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "mail/mime.h"

enum {
	SEARCH_TEXT_PIECE = 128 << 10,
	SEARCH_TEXT_FOLDED_MAX = 8 << 20,
	SEARCH_TEXT_KEEP = 256 << 10, /* work space that is kept from message to message */
};

/* Where a text stands. */
enum search_class {
	SEARCH_CLASS_NAME, /* a field's name; no text has this class, each field's text has a name
	                    */
	SEARCH_CLASS_SUBJECT,
	SEARCH_CLASS_FROM,
	SEARCH_CLASS_TO,
	SEARCH_CLASS_CC,
	SEARCH_CLASS_BCC,
	SEARCH_CLASS_HEADER, /* of another field */
	SEARCH_CLASS_BODY,
	SEARCH_CLASS_MIME, /* of a field in the header of a part */
	SEARCH_N_CLASSES
};

struct search_text {
	enum search_class class;
	struct str name;   /* the field's, folded; empty for what is no field */
	struct str text;   /* the value, or the text */
	struct str joined; /* "name: value", or the text: what TEXT looks at */
	bool goes_on;      /* it is the next piece of the text that was given out last */
	bool torn;         /* the piece may end within a word, since there was no better place */
};

/* Gets one text, borrowed during the call. False: enough. */
typedef bool (*search_text_fn)(void *ctx, const struct search_text *text);

/* Work space, for one message after the other; `(struct search_texts){0}` begins. */
struct search_texts {
	search_text_fn fn;
	void *ctx;
	struct buf raw, text, folded;
	struct buf header; /* of a part */
};

/* Frees the work space. */
void search_texts_done(struct search_texts *t);

/* The class of a field's value. */
enum search_class search_class_of(struct str field_name);

/*
 * The texts of a header; those of the fields called `only` (any case) unless that is empty. True:
 * all were given out, false: `fn` had enough. The arena holds addresses.
 */
bool search_text_header(struct search_texts *t, struct str header, struct str only, struct arena *a,
    search_text_fn fn, void *ctx);

/*
 * The texts of a message's body. 1: all were given out; 0: `fn` had enough; what reading the
 * message says.
 */
MUST_USE int search_text_body(struct search_texts *t, struct mail_source *message,
    const struct mime_part *root, search_text_fn fn, void *ctx);

#endif
