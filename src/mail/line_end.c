#include "mail/line_end.h"

void line_ends_add(struct line_ends *e, struct str piece)
{
	const char *p = piece.p, *end = p + piece.len;

	if (piece.len == 0)
		return;
	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		char before = p > piece.p ? p[-1] : e->any ? e->last : '\n';
		e->n_missing += before != '\r';
		p++;
	}
	e->last = end[-1];
	e->any = true;
}

size_t line_ends_missing(const struct line_ends *e)
{
	return e->n_missing + (e->any && e->last != '\n' ? strlen("\r\n") : 0);
}

size_t line_end_missing(struct str message)
{
	struct line_ends e = {0};

	line_ends_add(&e, message);
	return line_ends_missing(&e);
}
