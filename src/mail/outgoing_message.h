/*
 * mail/outgoing_message.h: a message on its way out: whether it can be sent, what it says of
 * itself, and its header completed (RFC 6409 §8).
 *
 * What cannot be sent is refused in words for the person who wrote it, rather than repaired: a line
 * without CRLF, a NUL, a line that is too long, a field that stands twice. With BINARYMIME the body
 * is what it is. What an alias sends on (`complete` false) was written elsewhere and is signed
 * there: its header is not changed, and only what is dangerous to hand on is refused: a CR or LF
 * alone, which the next server may read as a line end.
 *
 * It does not ask whether the addresses are the sender's.
 *
 * Limits: OUTGOING_LINE_MAX octets a line (RFC 5322 §2.1.1), OUTGOING_HEADER_MAX bytes and
 * HEADER_FIELDS_MAX fields of header, OUTGOING_AUTHORS addresses in From and Resent-From,
 * OUTGOING_HOPS_MAX Received fields (RFC 5321 §6.3).
 */
#ifndef MAIL_OUTGOING_MESSAGE_H
#define MAIL_OUTGOING_MESSAGE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "mail/date.h"

enum {
	OUTGOING_LINE_MAX = 998,
	OUTGOING_HEADER_MAX = 1 << 20,
	OUTGOING_AUTHORS = 16,
	OUTGOING_HOPS_MAX = 100,
	OUTGOING_DETAIL_MAX = 200,
	OUTGOING_ADDRESS_MAX = 320,
};

/* The order is that of enum examined (ipc/outgoing.h). */
enum outgoing_verdict { OUTGOING_OK, OUTGOING_MALFORMED, OUTGOING_LOOP };

/* What a body can be, as in the parameter BODY of MAIL. */
enum outgoing_body { OUTGOING_7BIT, OUTGOING_8BIT, OUTGOING_BINARY };

struct outgoing_found {
	enum outgoing_verdict verdict;
	char detail[OUTGOING_DETAIL_MAX + 1]; /* what is wrong */
	/* Of From, and of a submission of the topmost Resent-From and Resent-Sender behind them:
	 * local@domain, in the arena. */
	struct str authors[OUTGOING_AUTHORS];
	size_t n_authors;
	struct str sender;       /* of Sender:, or empty */
	bool tls_optional;       /* TLS-Required: No (RFC 8689 §5) */
	bool needs_smtputf8;     /* bytes above 127 in the header */
	enum outgoing_body body; /* what the content needs */
	struct str header, text; /* borrowed: the header with its empty line, and the body */
	bool lacks_empty_line;   /* it is all header */
	bool lacks_date, lacks_message_id;
};

/*
 * Looks at a whole message. `declared`: what the sender said of the body; only BINARY makes a
 * difference. A message that is not OUTGOING_OK has nothing but `detail`.
 */
void outgoing_examine(struct str message, bool complete, enum outgoing_body declared,
    struct arena *a, struct outgoing_found *ret_found);

struct outgoing_completion {
	struct date date;      /* where the message has none */
	struct str message_id; /* with its brackets, where the message has none */
	struct str sender;     /* Sender: is to say this; empty: as it is */
};

/*
 * Appends the header as it is sent, without its empty line: without Bcc, Resent-Bcc and
 * Return-Path, with what was missing. False when it does not fit.
 */
MUST_USE bool outgoing_complete(
    const struct outgoing_found *found, const struct outgoing_completion *with, struct buf *out);

#endif
