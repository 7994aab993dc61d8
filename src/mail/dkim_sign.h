/*
 * mail/dkim_sign.h: making DKIM signatures, all but the private key's part (RFC 6376 §5).
 *
 * The process that has the message makes the field up to "b=" and the hash that is signed; the one
 * that has the key sees the hash alone. Both forms are "relaxed": what harmless relays do to white
 * space breaks nothing.
 *
 * What is signed: the fields that people and programs read (dkim_sign.c has the list), every one of
 * them that is there. Those that must not be added behind our back (From, To, Subject, …) are named
 * once more than they are there ("over-signed", §5.4.2): a second From put on top would break the
 * signature. List-*, Sender and Resent-*, which lists and those who send a message again add
 * honestly on the way, are not over-signed.
 *
 * Limits: DKIM_SIGNED_EACH_MAX fields of a name; a field of at most DKIM_SIGN_FIELD_MAX bytes
 * before its signature: names that come last are left out of h= where they do not fit.
 */
#ifndef MAIL_DKIM_SIGN_H
#define MAIL_DKIM_SIGN_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "mail/dkim_canon.h"
#include "mail/dkim_key.h"

enum { DKIM_SIGNED_EACH_MAX = 4, DKIM_SIGN_FIELD_MAX = 1024, DKIM_SIGN_NAMES_MAX = 480 };

struct dkim_signer {
	struct str domain, selector; /* A-labels */
	enum dkim_key_kind kind;
	uint64_t at; /* seconds since 1970: t= */
};

/* Appends the list for h=: "From:From:To:…". */
bool dkim_sign_names(struct str header, struct buf *out);

/*
 * The field for a message with `header`, ending in "b=", appended to `field`, and the hash that is
 * signed. `names` as dkim_sign_names made it; `body_hash` of the relaxed form of the whole body.
 * False when the field does not fit.
 */
MUST_USE bool dkim_sign_prepare(const struct dkim_signer *signer, struct str header,
    struct str names, const uint8_t body_hash[static DKIM_HASH_LEN], struct buf *field,
    uint8_t ret_hash[static DKIM_HASH_LEN]);

/* Appends the whole field: `field` that ends in "b=", the signature in base64, folded, and CRLF. */
bool dkim_sign_complete(struct str field, struct str signature, struct buf *out);

/* Appends "h=", the names, folded behind colons, and ";". */
void dkim_sign_add_names(struct str names, struct buf *field);

/* Appends `text` in pieces of at most `width` bytes with a fold between; for what may be folded
 * anywhere. */
bool dkim_sign_fold(struct str text, size_t width, struct buf *out);

#endif
