#include "mail/html_text.h"

#include "base/utf8.h"
#include "mail/html_entity.h"

/* Elements within a line; all others end it. */
static const struct str inline_elements[] = {STR_INIT("a"), STR_INIT("abbr"), STR_INIT("acronym"),
    STR_INIT("b"), STR_INIT("bdi"), STR_INIT("bdo"), STR_INIT("big"), STR_INIT("cite"),
    STR_INIT("code"), STR_INIT("del"), STR_INIT("dfn"), STR_INIT("em"), STR_INIT("font"),
    STR_INIT("i"), STR_INIT("ins"), STR_INIT("kbd"), STR_INIT("mark"), STR_INIT("o:p"),
    STR_INIT("q"), STR_INIT("s"), STR_INIT("samp"), STR_INIT("small"), STR_INIT("span"),
    STR_INIT("strike"), STR_INIT("strong"), STR_INIT("sub"), STR_INIT("sup"), STR_INIT("tt"),
    STR_INIT("u"), STR_INIT("var"), STR_INIT("wbr")};

struct html_reader {
	struct str rest;
	struct buf *out;
	size_t start; /* of our text in `out` */
	char gap;     /* white space that is to come before the next character: 0, ' ' or '\n' */
};

static void put_gap(struct html_reader *r, char gap)
{
	if (r->out->len > r->start && r->gap != '\n')
		r->gap = gap;
}

static bool put(struct html_reader *r, struct str text)
{
	if (r->gap != 0 && !buf_add_c(r->out, r->gap))
		return false;
	r->gap = 0;
	return buf_add(r->out, text);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static bool is_inline(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(inline_elements); i++)
		if (str_eq_nocase(name, inline_elements[i]))
			return true;
	return false;
}

/* A tag's name ends where white space, '/' or '>' stands; a longer one is none that we know. */
static struct str cut_name(struct str *rest)
{
	size_t n = 0;

	while (n < rest->len && !is_space(rest->p[n]) && rest->p[n] != '/' && rest->p[n] != '>')
		n++;
	struct str name = str_first(*rest, n);
	*rest = str_from(*rest, n);
	return name;
}

/* Behind the '>' of a tag; one in a quoted attribute's value does not end it. */
static void skip_tag(struct str *rest)
{
	char quote = 0, before = 0;

	for (size_t i = 0; i < rest->len; i++) {
		char c = rest->p[i];
		if (quote != 0) {
			quote = c == quote ? 0 : quote;
			continue;
		}
		if ((c == '"' || c == '\'') && before == '=')
			quote = c;
		if (c == '>') {
			*rest = str_from(*rest, i + 1);
			return;
		}
		if (!is_space(c))
			before = c;
	}
	*rest = str_from(*rest, rest->len);
}

/* Behind `end`, or to the end where it never comes. */
static void skip_past(struct str *rest, struct str end)
{
	size_t at = str_find(*rest, end);

	*rest = str_from(*rest, at < rest->len ? at + end.len : at);
}

/* The content of script and style ends at its own end tag only. */
static void skip_raw(struct str *rest, struct str name)
{
	while (rest->len > 0) {
		*rest = str_from(*rest, str_index(*rest, '<'));
		struct str at = *rest;
		if (str_skip(&at, STR("</")) && str_skip_nocase(&at, name))
			return;
		*rest = str_from(*rest, 1);
	}
}

/* At '<'. False: this is no markup, but text. */
static bool skip_markup(struct html_reader *r)
{
	struct str at = str_from(r->rest, 1);

	if (str_skip(&at, STR("!--"))) {
		skip_past(&at, STR("-->"));
	} else if (at.len > 0 && (at.p[0] == '!' || at.p[0] == '?')) {
		skip_past(&at, STR(">"));
	} else {
		bool end = str_skip(&at, STR("/"));
		if (at.len == 0 || !ascii_is_alpha(at.p[0]))
			return false;
		struct str name = cut_name(&at);
		skip_tag(&at);
		if (!end &&
		    (str_eq_nocase(name, STR("script")) || str_eq_nocase(name, STR("style"))))
			skip_raw(&at, name);
		if (!is_inline(name))
			put_gap(r, '\n');
	}
	r->rest = at;
	return true;
}

static bool put_reference(struct html_reader *r)
{
	char bytes[4];
	unsigned code_point = html_entity_next(&r->rest);

	if (code_point == 0) {
		r->rest = str_from(r->rest, 1);
		return put(r, STR("&"));
	}
	if (code_point == ' ' || code_point == 0xa0) {
		put_gap(r, ' ');
		return true;
	}
	return put(r, str_of(bytes, utf8_put(code_point, bytes)));
}

/* Characters up to the next that means something. */
static bool put_plain(struct html_reader *r)
{
	size_t n = 1;

	while (n < r->rest.len && r->rest.p[n] != '<' && r->rest.p[n] != '&' &&
	       !is_space(r->rest.p[n]))
		n++;
	bool fits = put(r, str_first(r->rest, n));
	r->rest = str_from(r->rest, n);
	return fits;
}

bool html_to_text(struct str html, struct buf *out)
{
	struct html_reader r = {.rest = html, .out = out, .start = out->len};

	while (r.rest.len > 0) {
		char c = r.rest.p[0];
		if (is_space(c)) {
			put_gap(&r, ' ');
			r.rest = str_from(r.rest, 1);
		} else if (c == '<' && skip_markup(&r)) {
			continue;
		} else if (!(c == '&' ? put_reference(&r) : put_plain(&r))) {
			return false;
		}
	}
	return true;
}
