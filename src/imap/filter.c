#include "imap/filter.h"

#include "base/num.h"

struct splitting {
	struct str rest;
	struct str *literals;
	size_t n_literals;
	char *text; /* what is no literal; as long as the value at most */
	size_t len;
};

static void keep(struct splitting *s, size_t len)
{
	memcpy(s->text + s->len, s->rest.p, len);
	s->len += len;
	s->rest = str_from(s->rest, len);
}

/* To the closing quote, or the end. */
static void keep_quoted(struct splitting *s)
{
	size_t at = 1;

	while (at < s->rest.len && s->rest.p[at] != '"')
		at += s->rest.p[at] == '\\' ? 2 : 1;
	keep(s, num_min(at + 1, s->rest.len));
}

/* literal = "{" number ["+"] "}" CRLF *CHAR8; the announcement stays in the text, as in a command's
 * (imap/reader.h). False where the announced is not there. */
static bool keep_literal(struct splitting *s)
{
	size_t close = str_index(s->rest, '}');
	struct str digits = str_from(str_first(s->rest, close), 1);
	uint64_t len;

	if (close == s->rest.len || s->n_literals == FILTER_LITERALS_MAX)
		return false;
	if (str_ends(digits, STR("+")))
		digits.len--;
	if (!num_parse(digits, s->rest.len, &len) ||
	    !str_starts(str_from(s->rest, close + 1), STR("\r\n")))
		return false;
	keep(s, close + 3);
	if (len > s->rest.len)
		return false;
	s->literals[s->n_literals++] = str_first(s->rest, (size_t)len);
	s->rest = str_from(s->rest, (size_t)len);
	return true;
}

/* In a command a line end stands behind a literal's announcement alone, and NUL nowhere. */
static bool split(struct splitting *s)
{
	while (s->rest.len > 0) {
		char c = s->rest.p[0];
		if (c == '\r' || c == '\n' || c == '\0')
			return false;
		if (c == '"')
			keep_quoted(s);
		else if (c != '{')
			keep(s, 1);
		else if (!keep_literal(s))
			return false;
	}
	return true;
}

bool imap_parse_filter(struct str value, struct arena *a, struct imap_search_key **ret_key)
{
	struct splitting s = {.rest = value,
	    .literals = ARENA_NEW_ARRAY(a, struct str, FILTER_LITERALS_MAX),
	    .text = ARENA_NEW_ARRAY(a, char, value.len + 1)};

	if (s.literals == NULL || s.text == NULL || !split(&s))
		return false;
	struct imap_text text = {
	    .text = str_of(s.text, s.len), .literals = s.literals, .n_literals = s.n_literals};
	struct imap_parser p = imap_parser_of(text, a);
	return imap_parse_search_keys(&p, ret_key) && p.literal == s.n_literals;
}

bool imap_is_filter_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!imap_is_atom_char(name.p[i]) || name.p[i] == '/')
			return false;
	return name.len > 0;
}

bool imap_parse_filter_name(struct imap_parser *p, struct str *ret_name)
{
	if (!imap_parse_atom(p, ret_name))
		return false;
	return imap_is_filter_name(*ret_name) || imap_fail(p, "a name without / before this");
}
