/*
 * smtp/data.h: the message after DATA: where it ends, its doubled dots, and its line ends.
 *
 * Strict: a line ends with CRLF and nothing else does; a CR or LF alone anywhere ends the scan
 * (RFC 5321 §2.3.8, §4.1.1.4). So there is exactly one reading of where a message ends, and nobody
 * can smuggle a second one past two servers that read it differently.
 *
 * The scanner works over what has been received so far and takes complete lines only; it keeps
 * nothing but the two slices of its caller. It copies nothing: it hands out runs of bytes that
 * belong to the message as they stand.
 *
 * Limit: SMTP_TEXT_LINE_MAX bytes a line with its CRLF (RFC 5321 §4.5.3.1.6), not counting a dot
 * that was doubled.
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include "base/attr.h"
#include "base/str.h"

enum { SMTP_TEXT_LINE_MAX = 1000 };

enum smtp_data {
	SMTP_DATA_RUN,       /* bytes of the message; call again */
	SMTP_DATA_MORE,      /* what is left in `*rest` is no complete line */
	SMTP_DATA_END,       /* the line with the single dot was read; `*rest` follows it */
	SMTP_DATA_BARE,      /* a CR or LF alone */
	SMTP_DATA_LONG_LINE, /* go on with smtp_data_skip */
};

/*
 * Cuts the next piece off the front of `*rest`, which begins at the start of a line. After
 * SMTP_DATA_RUN `*ret_run` is one or more lines, borrowed from there; otherwise it is empty. After
 * BARE and LONG_LINE `*rest` begins with the line at fault.
 */
enum smtp_data smtp_data_next(struct str *rest, struct str *ret_run);

/*
 * Drops a line that was too long, or as much of it as is there, from the front of `*rest`: RUN when
 * its CRLF has gone by (`*rest` is at the start of a line again), MORE when this must be asked
 * again with what follows, or BARE.
 */
enum smtp_data smtp_data_skip(struct str *rest);

/*
 * Whether text that came in chunks (BDAT) keeps to the same lines, dots apart: drops the complete
 * lines at the front of `*rest`. MORE where all is well so far and `*rest` is no complete line (all
 * of it, at the end of the message, is allowed to be one); BARE and LONG_LINE as above.
 */
enum smtp_data smtp_text_check(struct str *rest);

#endif
