/*
 * mail/html_text.h: the text that a reader of HTML sees, for searching.
 *
 * Tags go away, character references are decoded, runs of white space become one space; where a
 * block begins or ends (p, div, br, td, …) there is a line end. What is not shown is left out:
 * comments, script, style. Tags within a word leave it whole: "f<b>oo</b>" is "foo".
 *
 * One pass, in time linear in the length; any bytes give a text, never longer than the HTML. It
 * does not look at styles, attributes or links, and what it gives is not safe to put into HTML.
 */
#ifndef MAIL_HTML_TEXT_H
#define MAIL_HTML_TEXT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

/* Appends the text of `html` (UTF-8). False when it does not fit: then what fits is there. */
bool html_to_text(struct str html, struct buf *out);

#endif
