/*
 * pop3/multiline.h: a message as the lines of a multi-line response (RFC 1939 §3), piece by piece.
 *
 * Each line ends with CRLF and one that begins with a dot gets another; ".CRLF" ends the response.
 * A LF without CR is the end of a line too, and gets its CR: to a client that takes LF for an end
 * of line, a message could otherwise contain the end of the response and a forged next one. All
 * other bytes go out as they are.
 *
 * `octets` counts what is sent but for the doubled dots and the last ".CRLF": the size that LIST
 * shows, which is the message's length and line_end_missing (mail/line_end.h).
 */
#ifndef POP3_MULTILINE_H
#define POP3_MULTILINE_H

#include "base/attr.h"
#include "base/buf.h"

struct pop3_multiline {
	uint64_t octets;
	uint64_t line_len;   /* bytes of the line under way */
	uint64_t lines_left; /* of the body, where `limited` */
	bool after_cr;
	bool in_body;
	bool limited;
};

/* A whole message, for RETR; zeroed is the same. */
#define POP3_MULTILINE_WHOLE ((struct pop3_multiline){.octets = 0})
/* Its header, the empty line, and `n` lines of its body, for TOP. */
#define POP3_MULTILINE_TOP(n) ((struct pop3_multiline){.limited = true, .lines_left = (n)})

/*
 * Appends what goes out for the next bytes. False when the lines asked for are there and no more
 * bytes are wanted. Room for twice the bytes and a little is needed in `out`.
 */
MUST_USE bool pop3_multiline_write(struct pop3_multiline *m, struct str bytes, struct buf *out);

/* Appends the end: of the last line if it has none, and of the response. */
void pop3_multiline_end(struct pop3_multiline *m, struct buf *out);

#endif
