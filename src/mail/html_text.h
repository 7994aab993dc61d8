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

/* The longest name of an element that is one; what lies behind a longer one may be read wrong. */
enum { HTML_NAME_LEN_MAX = 64 };
/* A reference or a tag's beginning that is not all there is looked at again, up to this length. */
enum { HTML_HELD_MAX = 80 };

/* HTML that comes in pieces; `(struct html_text){0}` begins. */
struct html_text {
	bool begun; /* some text was added */
	char gap;   /* white space that is to come before the next character: 0, ' ' or '\n' */
	/* Amid what is not shown. */
	enum {
		HTML_SHOWN,
		HTML_IN_COMMENT,
		HTML_IN_DECLARATION,
		HTML_IN_TAG,
		HTML_IN_SCRIPT,
		HTML_IN_STYLE
	} where;
	char quote, before; /* within a tag */
	unsigned char next; /* where its '>' leads: `where`, and … */
	bool ends_line;     /* … whether it is a line's end */
};

/*
 * Appends the text of a piece and says how much of it was used: all of the last, and of others all
 * but at most HTML_HELD_MAX bytes, with which the next piece is to begin. False when it does not
 * fit.
 */
bool html_text_add(
    struct html_text *h, struct str piece, bool last, struct buf *out, size_t *ret_used);

#endif
