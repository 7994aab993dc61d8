#include "imap/parse.h"

#include <assert.h>

#include "base/num.h"
#include "base/utf8.h"

struct imap_parser imap_parser_of(struct imap_text text, struct arena *a)
{
	return (struct imap_parser){.rest = text.text, .text = text, .arena = a};
}

bool imap_fail(struct imap_parser *p, const char *expected)
{
	if (p->error == NULL) {
		p->error = expected;
		p->error_at = p->text.text.len - p->rest.len;
	}
	return false;
}

bool imap_fail_size(struct imap_parser *p)
{
	return imap_fail(p, "a simpler command, this one is too complex");
}

char imap_peek(const struct imap_parser *p)
{
	return p->rest.len > 0 ? p->rest.p[0] : '\0';
}

bool imap_at_end(const struct imap_parser *p)
{
	return p->rest.len == 0;
}

/*
 * ATOM-CHAR = <any CHAR except atom-specials>
 * atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
 */
bool imap_is_atom_char(char c)
{
	return c > ' ' && c < 0x7f && memchr("(){%*\"\\]", c, 8) == NULL;
}

/* ASTRING-CHAR = ATOM-CHAR / resp-specials */
bool imap_is_astring_char(char c)
{
	return imap_is_atom_char(c) || c == ']';
}

/* list-char = ATOM-CHAR / list-wildcards / resp-specials */
static bool is_list_char(char c)
{
	return imap_is_astring_char(c) || c == '%' || c == '*';
}

/* tag = 1*<any ASTRING-CHAR except "+"> */
static bool is_tag_char(char c)
{
	return imap_is_astring_char(c) && c != '+';
}

bool imap_skip(struct imap_parser *p, char c)
{
	if (p->rest.len == 0 || p->rest.p[0] != c)
		return false;
	p->rest = str_from(p->rest, 1);
	return true;
}

bool imap_skip_word(struct imap_parser *p, struct str word)
{
	if (!str_starts_nocase(p->rest, word))
		return false;
	if (p->rest.len > word.len && imap_is_atom_char(p->rest.p[word.len]))
		return false;
	p->rest = str_from(p->rest, word.len);
	return true;
}

bool imap_parse_char(struct imap_parser *p, char c)
{
	if (imap_skip(p, c))
		return true;
	switch (c) {
	case '(':
		return imap_fail(p, "'('");
	case ')':
		return imap_fail(p, "')'");
	case '[':
		return imap_fail(p, "'['");
	case ']':
		return imap_fail(p, "']'");
	default:
		return imap_fail(p, "another character");
	}
}

bool imap_parse_space(struct imap_parser *p)
{
	if (imap_skip(p, ' '))
		return true;
	return imap_fail(p, imap_at_end(p) ? "more arguments" : "a space");
}

bool imap_parse_end(struct imap_parser *p)
{
	return imap_at_end(p) || imap_fail(p, "the end of the command");
}

static struct str take_while(struct imap_parser *p, bool (*is)(char c))
{
	size_t len = 0;

	while (len < p->rest.len && is(p->rest.p[len]))
		len++;
	struct str taken = str_first(p->rest, len);
	p->rest = str_from(p->rest, len);
	return taken;
}

bool imap_parse_tag(struct imap_parser *p, struct str *ret)
{
	struct str tag = take_while(p, is_tag_char);

	if (tag.len == 0)
		return imap_fail(p, "a tag");
	if (tag.len > IMAP_TAG_LEN_MAX)
		return imap_fail(p, "a shorter tag");
	*ret = tag;
	return true;
}

bool imap_parse_atom(struct imap_parser *p, struct str *ret)
{
	struct str atom = take_while(p, imap_is_atom_char);

	if (atom.len == 0)
		return imap_fail(p, "a word");
	*ret = atom;
	return true;
}

/* Copies the inside of a quoted string without its backslashes. */
static bool unquote(struct imap_parser *p, struct str inside, struct str *ret)
{
	char *to = ARENA_NEW_ARRAY(p->arena, char, inside.len);
	size_t len = 0;

	if (to == NULL)
		return imap_fail_size(p);
	for (size_t i = 0; i < inside.len; i++) {
		if (inside.p[i] == '\\')
			i++;
		to[len++] = inside.p[i];
	}
	*ret = str_of(to, len);
	return true;
}

/*
 * quoted = DQUOTE *QUOTED-CHAR DQUOTE
 * QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials / UTF8-2 / …
 * TEXT-CHAR = <any CHAR except CR and LF>
 */
static bool parse_quoted(struct imap_parser *p, struct str *ret)
{
	struct str text = str_from(p->rest, 1);
	bool escaped = false;
	size_t i = 0;

	for (; i < text.len && text.p[i] != '"'; i++) {
		char c = text.p[i];
		if (c == '\\') {
			escaped = true;
			i++;
			if (i == text.len || (text.p[i] != '"' && text.p[i] != '\\'))
				return imap_fail(p, "\\\" or \\\\ in the quoted string");
		} else if (c == '\r' || c == '\n' || c == '\0') {
			return imap_fail(p, "a quoted string of one line without NUL");
		}
	}
	if (i == text.len)
		return imap_fail(p, "a quote that ends the quoted string");
	struct str inside = str_first(text, i);
	if (!utf8_is_valid(inside))
		return imap_fail(p, "UTF-8 in the quoted string");
	if (escaped && !unquote(p, inside, &inside))
		return false;
	p->rest = str_from(text, i + 1);
	*ret = inside;
	return true;
}

bool imap_parse_long_literal(
    struct imap_parser *p, struct str *ret, bool *ret_binary, size_t *ret_spooled)
{
	bool binary = imap_skip(p, '~');
	size_t end = str_find(p->rest, STR("}\r\n"));

	/* The reader has seen each announcement: only one that it did not take for one is none. */
	if (imap_peek(p) != '{' || end == p->rest.len || p->literal == p->text.n_literals)
		return imap_fail(p, "a literal");
	for (size_t i = 1; i < end; i++)
		if (!ascii_is_digit(p->rest.p[i]) && !(i + 1 == end && p->rest.p[i] == '+'))
			return imap_fail(p, "a literal");
	struct str literal = p->text.literals[p->literal++];
	bool spooled = literal.p == NULL && literal.len > 0;
	if (!spooled && !binary && memchr(literal.p, '\0', literal.len) != NULL)
		return imap_fail(p, "a literal without NUL, or literal8");
	p->rest = str_from(p->rest, end + 3);
	p->n_spooled += spooled;
	*ret = literal;
	*ret_binary = binary;
	*ret_spooled = spooled ? p->n_spooled : 0;
	return true;
}

bool imap_parse_literal(struct imap_parser *p, struct str *ret, bool *ret_binary)
{
	struct str literal;
	size_t spooled;

	if (!imap_parse_long_literal(p, &literal, ret_binary, &spooled))
		return false;
	if (spooled > 0)
		return imap_fail(p, "a shorter literal before this");
	*ret = literal;
	return true;
}

/* string = quoted / literal */
bool imap_parse_string(struct imap_parser *p, struct str *ret)
{
	bool binary;

	if (imap_peek(p) == '"')
		return parse_quoted(p, ret);
	if (imap_peek(p) == '{')
		return imap_parse_literal(p, ret, &binary);
	return imap_fail(p, "a string");
}

/* nstring = string / nil */
bool imap_parse_nstring(struct imap_parser *p, struct str *ret)
{
	if (imap_skip_word(p, STR("NIL"))) {
		*ret = (struct str){NULL, 0};
		return true;
	}
	return imap_parse_string(p, ret);
}

static bool parse_word_or_string(
    struct imap_parser *p, bool (*is)(char c), const char *expected, struct str *ret)
{
	if (imap_peek(p) == '"' || imap_peek(p) == '{')
		return imap_parse_string(p, ret);
	struct str word = take_while(p, is);
	if (word.len == 0)
		return imap_fail(p, expected);
	*ret = word;
	return true;
}

/* astring = 1*ASTRING-CHAR / string */
bool imap_parse_astring(struct imap_parser *p, struct str *ret)
{
	return parse_word_or_string(p, imap_is_astring_char, "a word or string", ret);
}

/* list-mailbox = 1*list-char / string */
bool imap_parse_list_mailbox(struct imap_parser *p, struct str *ret)
{
	return parse_word_or_string(p, is_list_char, "a mailbox pattern", ret);
}

/* number = 1*DIGIT */
bool imap_parse_number(struct imap_parser *p, uint64_t least, uint64_t max, uint64_t *ret)
{
	size_t len = 0;
	uint64_t value;

	while (len < p->rest.len && ascii_is_digit(p->rest.p[len]))
		len++;
	if (len == 0)
		return imap_fail(p, "a number");
	if (!num_parse(str_first(p->rest, len), max, &value))
		return imap_fail(p, "a smaller number");
	if (value < least)
		return imap_fail(p, "a larger number");
	p->rest = str_from(p->rest, len);
	*ret = value;
	return true;
}
