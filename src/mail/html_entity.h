/*
 * mail/html_entity.h: character references of HTML: &amp; &#8364; &#x20ac;
 *
 * The names are those of HTML 4; others are no references here. A missing semicolon is forgiven.
 */
#ifndef MAIL_HTML_ENTITY_H
#define MAIL_HTML_ENTITY_H

#include "base/attr.h"
#include "base/str.h"

enum { HTML_ENTITY_LEN_MAX = 8 };

/*
 * The code point that the reference at the front of `*rest` (at '&') means, and moves behind it; 0,
 * and `*rest` stays, where none stands there. Impossible numbers mean U+FFFD.
 */
unsigned html_entity_next(struct str *rest);

#endif
