/*
 * smtp/reply.h: what the server says: a code, an enhanced status code (RFC 2034, RFC 3463) and
 * words, on one line or several.
 *
 * A reply is data: `struct smtp_reply` by value, so that a rule can give one back and the dialogue
 * sends it. Its text is ASCII without CR and LF; what comes from the peer is never put into it.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

/* RFC 5321 §4.5.3.1.5 */
enum { SMTP_REPLY_LINE_MAX = 512 };

struct smtp_reply {
	uint16_t code;
	uint16_t subject; /* X.subject.detail; the class is the code's first digit */
	uint16_t detail;
	bool enhanced; /* not in the greeting, nor in the answers to EHLO and HELO (RFC 2034 §4) */
	struct str text;
};

/* SMTP_REPLY(550, 1, 1, "No such mailbox here") */
#define SMTP_REPLY(code_, subject_, detail_, text_)                                                \
	((struct smtp_reply){.code = (code_),                                                      \
	    .subject = (subject_),                                                                 \
	    .detail = (detail_),                                                                   \
	    .enhanced = true,                                                                      \
	    .text = STR(text_)})
#define SMTP_REPLY_PLAIN(code_, text_) ((struct smtp_reply){.code = (code_), .text = STR(text_)})

/* True for 2yz and 3yz. */
static inline bool smtp_reply_is_positive(struct smtp_reply reply)
{
	return reply.code < 400;
}

/* Appends the reply with its CRLF, one line for each line of `text` (separated by LF). */
bool smtp_reply_format(struct smtp_reply reply, struct buf *out);

#endif
