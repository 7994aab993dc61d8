/* mail/line_end.h: what a message lacks to be lines that all end with CRLF. */
#ifndef MAIL_LINE_END_H
#define MAIL_LINE_END_H

#include "base/str.h"

/*
 * So many octets longer is the message when each LF without CR gets one and the last line is ended.
 * 0 for a message as SMTP's DATA brings it, and for an empty one.
 */
size_t line_end_missing(struct str message);

#endif
