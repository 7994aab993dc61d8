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
	struct html_text *state;
	struct str rest;
	bool last; /* nothing follows `rest` */
	struct buf *out;
};

static void put_gap(struct html_reader *r, char gap)
{
	if (r->state->begun && r->state->gap != '\n')
		r->state->gap = gap;
}

static bool put(struct html_reader *r, struct str text)
{
	if (r->state->gap != 0 && !buf_add_c(r->out, r->state->gap))
		return false;
	r->state->gap = 0;
	r->state->begun = true;
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

	while (n < rest->len && n < HTML_NAME_LEN_MAX && !is_space(rest->p[n]) &&
	       rest->p[n] != '/' && rest->p[n] != '>')
		n++;
	struct str name = str_first(*rest, n);
	*rest = str_from(*rest, n);
	return name;
}

/* Behind the '>' of a tag; one in a quoted attribute's value does not end it. */
static void skip_tag(struct html_reader *r)
{
	struct html_text *h = r->state;

	for (size_t i = 0; i < r->rest.len; i++) {
		char c = r->rest.p[i];
		if (h->quote != 0) {
			h->quote = c == h->quote ? 0 : h->quote;
			continue;
		}
		if ((c == '"' || c == '\'') && h->before == '=')
			h->quote = c;
		if (c == '>') {
			r->rest = str_from(r->rest, i + 1);
			h->where = h->next;
			h->before = 0;
			if (h->ends_line)
				put_gap(r, '\n');
			return;
		}
		if (!is_space(c))
			h->before = c;
	}
	r->rest = str_from(r->rest, r->rest.len);
}

/* Behind `end`. False: it may begin at the end of what is there. */
static bool skip_past(struct html_reader *r, struct str end)
{
	size_t at = str_find(r->rest, end);

	if (at < r->rest.len) {
		r->rest = str_from(r->rest, at + end.len);
		r->state->where = HTML_SHOWN;
		return true;
	}
	size_t keep = r->last || r->rest.len < end.len ? 0 : end.len - 1;
	if (!r->last && r->rest.len < end.len)
		return false;
	r->rest = str_from(r->rest, r->rest.len - keep);
	return keep == 0;
}

/* The content of script and style ends at its own end tag only. False as above. */
static bool skip_raw(struct html_reader *r, struct str name)
{
	while (r->rest.len > 0) {
		r->rest = str_from(r->rest, str_index(r->rest, '<'));
		struct str at = r->rest;
		if (!r->last && at.len > 0 && at.len < name.len + 2)
			return false;
		if (str_skip(&at, STR("</")) && str_skip_nocase(&at, name)) {
			r->state->where = HTML_SHOWN;
			return true;
		}
		r->rest = str_from(r->rest, 1);
	}
	return true;
}

/* Goes on amid what is not shown. False: more has to be seen. */
static bool skip_on(struct html_reader *r)
{
	switch (r->state->where) {
	case HTML_IN_COMMENT:
		return skip_past(r, STR("-->"));
	case HTML_IN_DECLARATION:
		return skip_past(r, STR(">"));
	case HTML_IN_SCRIPT:
		return skip_raw(r, STR("script"));
	case HTML_IN_STYLE:
		return skip_raw(r, STR("style"));
	default:
		skip_tag(r);
		return true;
	}
}

/* At '<' and all of a name. False: this is no markup, but text. */
static bool begin_markup(struct html_reader *r)
{
	struct html_text *h = r->state;
	struct str at = str_from(r->rest, 1);

	if (str_skip(&at, STR("!--"))) {
		h->where = HTML_IN_COMMENT;
	} else if (at.len > 0 && (at.p[0] == '!' || at.p[0] == '?')) {
		h->where = HTML_IN_DECLARATION;
	} else {
		bool end = str_skip(&at, STR("/"));
		if (at.len == 0 || !ascii_is_alpha(at.p[0]))
			return false;
		struct str name = cut_name(&at);
		h->where = HTML_IN_TAG;
		h->next = HTML_SHOWN;
		if (!end && str_eq_nocase(name, STR("script")))
			h->next = HTML_IN_SCRIPT;
		if (!end && str_eq_nocase(name, STR("style")))
			h->next = HTML_IN_STYLE;
		h->quote = h->before = 0;
		h->ends_line = !is_inline(name);
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

/* Whether what begins here may go on behind what is there. */
static bool needs_more(const struct html_reader *r)
{
	char c = r->rest.p[0];

	return !r->last && (c == '<' || c == '&') && r->rest.len < HTML_HELD_MAX;
}

bool html_text_add(
    struct html_text *h, struct str piece, bool last, struct buf *out, size_t *ret_used)
{
	struct html_reader r = {.state = h, .rest = piece, .last = last, .out = out};
	bool fits = true;

	while (r.rest.len > 0 && fits) {
		char c = r.rest.p[0];
		if (h->where != HTML_SHOWN) {
			if (!skip_on(&r))
				break;
		} else if (is_space(c)) {
			put_gap(&r, ' ');
			r.rest = str_from(r.rest, 1);
		} else if (needs_more(&r)) {
			break;
		} else if (c != '<' || !begin_markup(&r)) {
			fits = c == '&' ? put_reference(&r) : put_plain(&r);
		}
	}
	*ret_used = piece.len - r.rest.len;
	return fits;
}

bool html_to_text(struct str html, struct buf *out)
{
	struct html_text h = {0};
	size_t used;

	return html_text_add(&h, html, true, out, &used);
}
