/* mail/line_end.h: what a message lacks to be lines that all end with CRLF. */
#ifndef MAIL_LINE_END_H
#define MAIL_LINE_END_H

#include <stddef.h>

#include "base/str.h"

/*
 * So many octets longer is the message when each LF without CR gets one and the last line is ended.
 * 0 for a message as SMTP's DATA brings it, and for an empty one.
 */
size_t line_end_missing(struct str message);

/* The same of one that comes in pieces; `(struct line_ends){0}` begins. */
struct line_ends {
	size_t n_missing;
	char last; /* the last byte so far … */
	bool any;  /* … if there was one */
};
void line_ends_add(struct line_ends *e, struct str piece);
size_t line_ends_missing(const struct line_ends *e);

#endif
