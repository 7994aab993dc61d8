/*
 * smtp/reply_parse.h: what another server says: replies of one line or several, and the extensions
 * in its answer to EHLO.
 *
 *   Reply-line  = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
 *   Reply-code  = %x32-35 %x30-35 %x30-39                     (RFC 5321 §4.2)
 *   status-code = class "." subject "." detail                (RFC 2034 §4, RFC 3463 §2)
 *
 * Strict where it matters: all lines of a reply have one code (§4.2.1), and what has no code is no
 * reply. Lenient where servers are known to be careless and nothing hangs on it: a line may end
 * with LF alone, the second digit may be any, bytes of the text may be any.
 *
 * Everything it says borrows from the bytes it was given. What is for people goes through
 * smtp_answer_text: whatever a server sends, that is UTF-8 without control characters, and short.
 */
#ifndef SMTP_REPLY_PARSE_H
#define SMTP_REPLY_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum {
	SMTP_ANSWER_LINE_MAX = 2048, /* §4.5.3.1.5 asks for 512; some send more */
	SMTP_ANSWER_LINES_MAX = 200,
	SMTP_ANSWER_MAX = 32768, /* of all lines */
	SMTP_ANSWER_TEXT_MAX = 1000,
	SMTP_STATUS_MAX = 12, /* "5.123.456" and a NUL */
};

struct smtp_answer {
	uint16_t code; /* 200 to 599 */
	bool enhanced; /* the first line has a status code, and its class is the code's */
	uint16_t subject, detail;
	struct str lines; /* the whole reply as it came */
};

enum smtp_answer_result {
	SMTP_ANSWER_COMPLETE,
	SMTP_ANSWER_PARTIAL, /* more bytes are needed */
	SMTP_ANSWER_GARBAGE, /* no reply of SMTP */
	SMTP_ANSWER_ENDLESS, /* beyond a limit */
};

/*
 * Looks at the front of `bytes` for one whole reply, and says in `*ret_len` how long it is. Partial
 * never holds more than SMTP_ANSWER_MAX bytes.
 */
MUST_USE enum smtp_answer_result smtp_answer_parse(
    struct str bytes, struct smtp_answer *ret_answer, size_t *ret_len);

/* Cuts the next line off `*rest`, which begins as answer.lines: its text behind code and separator,
 * without the line's end. */
struct str smtp_answer_cut(struct str *rest);

/* The text of all lines for a person, without status codes, in one line: appended, and at most
 * SMTP_ANSWER_TEXT_MAX bytes. */
void smtp_answer_text(const struct smtp_answer *answer, struct buf *out);

/* "5.1.1"; where the server gave none, "5.0.0" of the code's class. */
struct smtp_status {
	char text[SMTP_STATUS_MAX];
};
struct smtp_status smtp_answer_status(const struct smtp_answer *answer);

/* What a server said it can do in its answer to EHLO. */
struct smtp_extensions {
	bool pipelining; /* RFC 2920 */
	bool chunking;   /* RFC 3030 */
	bool binarymime; /* RFC 3030 */
	bool eight_bit;  /* RFC 6152 */
	bool smtputf8;   /* RFC 6531 */
	bool dsn;        /* RFC 3461 */
	bool starttls;   /* RFC 3207 */
	bool requiretls; /* RFC 8689 */
	bool deliverby;  /* RFC 2852 */
	bool size;       /* RFC 1870 */
	bool auth_plain; /* RFC 4954, RFC 4616 */
	bool auth_login;
	uint64_t size_max;      /* 0: it named none */
	uint64_t deliverby_min; /* seconds; 0: it named none */
	uint64_t rcpt_max;      /* LIMITS, RFC 9422; 0: it named none */
	uint64_t mail_max;
};

/* From a reply 250 to EHLO. Lines that it does not know or that are malformed count for nothing. */
void smtp_extensions_parse(
    const struct smtp_answer *answer, struct smtp_extensions *ret_extensions);

#endif
