/*
 * mail/dkim_canon.h: the forms in which header fields and bodies are hashed (RFC 6376 §3.4).
 *
 * A line ends with CRLF; a bare LF is read as one (messages can be kept with either), a bare CR is
 * a byte like others. Hashes are SHA-256: SHA-1 is no longer to be used (RFC 8301 §3.1).
 *
 * A body is taken in pieces of any size, cut anywhere, and never held.
 */
#ifndef MAIL_DKIM_CANON_H
#define MAIL_DKIM_CANON_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED };

enum { DKIM_HASH_LEN = 32 };

#define DKIM_BODY_WHOLE UINT64_MAX

/* Appends a header field (all its bytes) in its form, with CRLF at the end. */
bool dkim_canon_field(enum dkim_canon canon, struct str field, struct buf *out);

/*
 * Appends a field that holds a signature: in its form, with what stands in its tag "b=" left out
 * and without CRLF at the end (RFC 6376 §3.7).
 */
bool dkim_canon_signature(enum dkim_canon canon, struct str field, struct buf *out);

/* SHA-256 of `bytes`. */
void dkim_hash(struct str bytes, uint8_t ret_hash[static DKIM_HASH_LEN]);

struct dkim_body {
	void *hash;
	enum dkim_canon canon;
	uint64_t left;        /* bytes that may still be hashed: `l=` */
	uint64_t len;         /* of the body in its form */
	uint64_t empty_lines; /* line ends seen and not hashed yet */
	bool has_space;       /* white space seen and not hashed yet */
	bool has_cr;          /* the piece before ended with a CR */
	bool in_line;         /* something of the line has been hashed */
};

/* Begins; released with dkim_body_end. */
void dkim_body_begin(struct dkim_body *b, enum dkim_canon canon, uint64_t limit);
void dkim_body_add(struct dkim_body *b, struct str piece);
/* The hash, and in `b->len` how long the body is in its form (`l=` beyond it signs what is not
 * there). */
void dkim_body_end(struct dkim_body *b, uint8_t ret_hash[static DKIM_HASH_LEN]);

#endif
