/*
 * mail/dsn.h: writes delivery status notifications: what became of a message, for who sent it and
 * for their program (RFC 3464 inside RFC 6522, RFC 6533 where addresses are not ASCII).
 *
 * The message is written in two pieces with the returned content between them, which the caller
 * copies: `dsn_write_begin`, content, `dsn_write_end`. Nobody has to hold a large message in
 * memory.
 *
 * It does not decide whether a notification is due (RFC 3461 §5.2, §6), nor of what; it does not
 * send, and reads no clock. It never signs or encodes the returned content: who returns a header
 * that needs SMTPUTF8 encodes it with `dsn_encode_header`.
 *
 * Values that come from other servers are cleaned of everything that could end a line, and cut at
 * DSN_TEXT_LEN_MAX bytes. Limits: DSN_RECIPIENTS_MAX recipients in one notification, so that with
 * the longest values the two pieces stay below DSN_LEN_MAX.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { DSN_RECIPIENTS_MAX = 200, DSN_TEXT_LEN_MAX = 1024, DSN_LEN_MAX = 2 << 20 };

/* RFC 3464 §2.3.3 */
enum dsn_action {
	DSN_FAILED,
	DSN_DELAYED,
	DSN_DELIVERED,
	DSN_RELAYED,
	DSN_EXPANDED,
	N_DSN_ACTIONS
};

struct dsn_recipient {
	struct str recipient;          /* the address that was tried */
	struct str original_recipient; /* "type;address" as ORCPT gave it, decoded; or empty */
	enum dsn_action action;
	struct str status;      /* "5.1.1" */
	struct str mta;         /* who said it: a name, perhaps with " [address]"; or empty */
	struct str reply;       /* its SMTP reply with the code; or empty */
	struct str reason;      /* in words, where there was no reply; or empty */
	int64_t last_attempt_s; /* 0: none. Seconds since 1970 */
	int64_t retry_until_s;  /* of DSN_DELAYED; else 0 */
};

/* What follows as the third part (RFC 6522 §3). */
enum dsn_content {
	DSN_HEADER,         /* the header of the message, 7-bit or 8-bit */
	DSN_HEADER_ENCODED, /* the same of a header with UTF-8, from dsn_encode_header */
	DSN_MESSAGE,        /* the whole message */
};

struct dsn {
	struct str host;        /* ours: Reporting-MTA */
	struct str from;        /* its author: an address of the domain that it speaks for */
	struct str to;          /* the reverse-path of the message */
	struct str message_id;  /* of the notification, without "<" and ">" */
	struct str boundary;    /* at most 70 bytes, in no content: random */
	struct str envelope_id; /* ENVID, or empty */
	struct str subject; /* of the message, encoded words and all as it stands there; or empty */
	struct str references; /* Message-ID of the message with "<" and ">", or empty */
	int64_t at_s;          /* now */
	int64_t arrived_s;     /* when the message came */
	const struct dsn_recipient *recipients;
	size_t n_recipients;
	enum dsn_content content;
	bool content_is_8bit;
};

/* Appends everything before the content; false when it does not fit. */
MUST_USE bool dsn_write_begin(const struct dsn *dsn, struct buf *out);

/* Appends what comes behind the content. */
MUST_USE bool dsn_write_end(const struct dsn *dsn, struct buf *out);

/* A header with UTF-8 in a form for any server (RFC 6533 §4.5), for DSN_HEADER_ENCODED. */
MUST_USE bool dsn_encode_header(struct str header, struct buf *out);

/* Does the notification itself need SMTPUTF8 (its reverse-path's address does)? */
bool dsn_needs_smtputf8(const struct dsn *dsn);

#endif
