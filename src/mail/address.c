#include "mail/address.h"

#include <errno.h>

/*
 * RFC 5322 §3.4, with what §4.4 adds:
 *   address-list = (address *("," address)) / obs-addr-list     address = mailbox / group
 *   mailbox = name-addr / addr-spec      name-addr = [display-name] angle-addr
 *   angle-addr = [CFWS] "<" [obs-route] addr-spec ">" [CFWS]
 *   group = display-name ":" [group-list] ";" [CFWS]
 *   obs-route = obs-domain-list ":"      addr-spec = local-part "@" domain
 *   local-part = dot-atom / quoted-string / obs-local-part (word *("." word))
 *   domain = dot-atom / domain-literal / obs-domain (atom *("." atom))
 */

struct parser {
	struct str rest;
	struct arena *arena;
	struct address *last;
	struct address **link;
	size_t n;
	bool in_group;
	bool full; /* the arena's ceiling was reached */

	/* The last comment since `comment.len` was set to 0, without its parentheses. */
	struct str comment;

	/* What `read_words` found: all words with spaces, and those of the local part alone. */
	struct buf phrase, local;
	size_t name_len;  /* of `phrase`: the words before the local part */
	bool quoted_name; /* some word was quoted, be it "" */
};

static char peek(const struct parser *p)
{
	return p->rest.len > 0 ? p->rest.p[0] : '\0';
}

static bool at_end(const struct parser *p)
{
	return p->rest.len == 0;
}

static void advance(struct parser *p, size_t n)
{
	p->rest = str_from(p->rest, n);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Length of a comment with both parentheses; all of the rest where it is not closed. */
static size_t comment_len(struct str s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.len;
}

/* CFWS = (1*([FWS] comment) [FWS]) / FWS; true when there was any. */
static bool skip_cfws(struct parser *p)
{
	size_t before = p->rest.len;

	while (!at_end(p)) {
		if (is_space(peek(p))) {
			advance(p, 1);
		} else if (peek(p) == '(') {
			size_t len = comment_len(p->rest);
			bool closed = p->rest.p[len - 1] == ')' && len > 1;
			p->comment = str_first(str_from(p->rest, 1), len - 1 - closed);
			advance(p, len);
		} else {
			break;
		}
	}
	return p->rest.len < before;
}

/* Appends without backslashes of quoted pairs, and without line ends. */
static void add_unescaped(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\\' && i + 1 < s.len)
			i++;
		if (s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0')
			buf_add_c(out, s.p[i]);
	}
}

/* NUL can stand nowhere that an address is sent to. */
static void add_without_nul(struct buf *out, struct str s)
{
	while (s.len > 0)
		buf_add(out, str_cut(&s, '\0'));
}

/* Length of the text of a quoted string from behind its first quote to its last. */
static size_t quoted_len(struct str s)
{
	size_t i = 0;

	while (i < s.len && s.p[i] != '"')
		i += s.p[i] == '\\' && i + 1 < s.len ? 2 : 1;
	return i;
}

/* Appends a quoted string to both renditions. */
static void read_quoted(struct parser *p)
{
	advance(p, 1);
	struct str text = str_first(p->rest, quoted_len(p->rest));
	advance(p, text.len + 1);
	add_unescaped(&p->phrase, text);
	add_unescaped(&p->local, text);
	p->quoted_name = true;
}

static bool ends_words(const struct parser *p, char c, bool in_angle)
{
	switch (c) {
	case '<':
	case '@':
	case ',':
		return true;
	case '>':
		return in_angle;
	case ';':
	case ':':
		return !in_angle && (c == ';' || !p->in_group);
	default:
		return false;
	}
}

static void read_atom(struct parser *p, bool in_angle)
{
	size_t n = 0;

	while (n < p->rest.len) {
		char c = p->rest.p[n];
		if (is_space(c) || c == '(' || c == '"' || c == '.' || ends_words(p, c, in_angle))
			break;
		n++;
	}
	struct str atom = str_first(p->rest, n);
	advance(p, n);
	add_without_nul(&p->phrase, atom);
	add_without_nul(&p->local, atom);
}

/*
 * A space stood between two words. In a local part it can only be obsolete white space around a
 * dot; elsewhere the words before it are a name that lacks its angle brackets.
 */
static void begin_word(struct parser *p, bool after_dot, bool in_angle)
{
	bool dot = after_dot || peek(p) == '.';

	if (p->phrase.len == 0)
		return;
	if (!dot && !in_angle) {
		p->name_len = p->phrase.len;
		buf_clear(&p->local);
	} else if (!dot) {
		buf_add_c(&p->local, ' ');
	}
	buf_add_c(&p->phrase, ' ');
}

/* word *([CFWS] / ".") word: everything up to a character with a meaning of its own. */
static void read_words(struct parser *p, bool in_angle)
{
	bool after_dot = false;

	buf_clear(&p->phrase);
	buf_clear(&p->local);
	p->name_len = 0;
	p->quoted_name = false;
	for (;;) {
		bool spaced = skip_cfws(p);
		if (at_end(p) || ends_words(p, peek(p), in_angle))
			return;
		if (spaced)
			begin_word(p, after_dot, in_angle);
		after_dot = peek(p) == '.';
		if (after_dot) {
			buf_add_c(&p->phrase, '.');
			buf_add_c(&p->local, '.');
			advance(p, 1);
		} else if (peek(p) == '"') {
			read_quoted(p);
		} else {
			read_atom(p, in_angle);
		}
	}
}

static struct str keep(struct parser *p, struct str s)
{
	struct str copy = STR("");

	if (s.len > 0 && !arena_dup(p->arena, s, &copy))
		p->full = true;
	return copy;
}

/* domain-literal = "[" *([FWS] dtext) [FWS] "]", without its white space. */
static void read_literal(struct parser *p, struct buf *out)
{
	while (!at_end(p)) {
		char c = peek(p);
		if (!is_space(c) && c != '\0')
			buf_add_c(out, c);
		advance(p, 1);
		if (c == ']')
			return;
	}
}

static bool ends_domain_atom(char c)
{
	return is_space(c) || str_index(STR("()<>@,;:\"[]."), c) < STR("()<>@,;:\"[].").len;
}

static bool read_domain_atom(struct parser *p, struct buf *out)
{
	size_t n = 0;

	while (n < p->rest.len && !ends_domain_atom(p->rest.p[n]))
		n++;
	add_without_nul(out, str_first(p->rest, n));
	advance(p, n);
	return n > 0;
}

/*
 * Appends a domain: atoms and dots with CFWS about them, or a literal. Only a comment behind it can
 * be a name.
 */
static void read_domain(struct parser *p, struct buf *out)
{
	skip_cfws(p);
	if (peek(p) == '[') {
		read_literal(p, out);
		p->comment.len = 0;
		skip_cfws(p);
		return;
	}
	(void)read_domain_atom(p, out);
	for (;;) {
		p->comment.len = 0;
		skip_cfws(p);
		if (peek(p) != '.')
			return;
		buf_add_c(out, '.');
		advance(p, 1);
		skip_cfws(p);
		(void)read_domain_atom(p, out);
	}
}

/* obs-domain-list = *(CFWS / ",") "@" domain *("," [CFWS] ["@" domain]) */
static struct str read_route(struct parser *p)
{
	buf_clear(&p->phrase);
	while (peek(p) == '@') {
		if (p->phrase.len > 0)
			buf_add_c(&p->phrase, ',');
		buf_add_c(&p->phrase, '@');
		advance(p, 1);
		read_domain(p, &p->phrase);
		while (peek(p) == ',') {
			advance(p, 1);
			skip_cfws(p);
		}
	}
	if (peek(p) == ':')
		advance(p, 1);
	return keep(p, buf_str(&p->phrase));
}

static struct address *add_entry(struct parser *p, enum address_kind kind)
{
	struct address *entry =
	    p->n < ADDRESS_LIST_MAX ? ARENA_NEW(p->arena, struct address) : NULL;

	if (entry == NULL) {
		p->full |= p->n < ADDRESS_LIST_MAX;
		p->rest.len = 0;
		return NULL;
	}
	entry->kind = kind;
	*p->link = entry;
	p->link = &entry->next;
	p->n++;
	return entry;
}

static void set_name(struct parser *p, struct address *entry, struct str name, bool quoted)
{
	name = str_trim(name);
	entry->has_name = name.len > 0 || quoted;
	entry->name = keep(p, name);
}

/* "<" [route] local "@" domain ">" from its bracket on. */
static void read_angle(struct parser *p, struct address *entry)
{
	advance(p, 1);
	skip_cfws(p);
	if (peek(p) == '@')
		entry->route = read_route(p);
	read_words(p, true);
	entry->mailbox = keep(p, buf_str(&p->local));
	if (peek(p) == '@') {
		advance(p, 1);
		buf_clear(&p->phrase);
		read_domain(p, &p->phrase);
		entry->host = keep(p, buf_str(&p->phrase));
	}
	while (!at_end(p) && peek(p) != '>' && peek(p) != ',')
		advance(p, 1);
	if (peek(p) == '>')
		advance(p, 1);
	p->comment.len = 0;
}

/* What stands between an address and the next comma, or a bracket if asked for, means nothing. */
static void skip_to_separator(struct parser *p, bool or_angle)
{
	while (!at_end(p) && peek(p) != ',' && peek(p) != ';' && !(or_angle && peek(p) == '<')) {
		if (peek(p) == '"') {
			advance(p, 1);
			advance(p, quoted_len(p->rest));
		}
		if (!skip_cfws(p))
			advance(p, 1);
	}
}

/* A bare addr-spec, whose local part was read, from its "@" on. `start` is where it began. */
static void read_bare(struct parser *p, struct address *entry, struct str start)
{
	struct str name = keep(p, str_first(buf_str(&p->phrase), p->name_len));

	entry->mailbox = keep(p, buf_str(&p->local));
	advance(p, 1);
	buf_clear(&p->phrase);
	read_domain(p, &p->phrase);
	struct parser behind_domain = *p;
	skip_to_separator(p, true);
	if (peek(p) == '<') {
		/* `u@h <u@h>`: what looked like an address is the name. */
		buf_clear(&p->phrase);
		add_unescaped(&p->phrase, str_first(start, start.len - p->rest.len));
		set_name(p, entry, buf_str(&p->phrase), false);
		read_angle(p, entry);
		return;
	}
	p->rest = behind_domain.rest;
	p->comment = behind_domain.comment;
	entry->host = keep(p, buf_str(&p->phrase));
	set_name(p, entry, name, false);
}

static void read_mailbox(struct parser *p, struct str start)
{
	struct address *entry = add_entry(p, ADDRESS_MAILBOX);

	if (entry == NULL)
		return;
	if (peek(p) == '<') {
		set_name(p, entry, buf_str(&p->phrase), p->quoted_name);
		read_angle(p, entry);
	} else if (peek(p) == '@') {
		read_bare(p, entry, start);
	} else {
		entry->mailbox = keep(p, str_trim(buf_str(&p->phrase)));
	}
	skip_cfws(p);
	if (!entry->has_name && p->comment.len > 0) {
		buf_clear(&p->phrase);
		add_unescaped(&p->phrase, p->comment);
		set_name(p, entry, buf_str(&p->phrase), false);
	}
}

static void end_group(struct parser *p)
{
	if (p->in_group)
		(void)add_entry(p, ADDRESS_GROUP_END);
	p->in_group = false;
}

static void begin_group(struct parser *p)
{
	struct address *entry = add_entry(p, ADDRESS_GROUP_START);

	advance(p, 1);
	if (entry == NULL)
		return;
	set_name(p, entry, buf_str(&p->phrase), p->quoted_name);
	p->in_group = true;
}

static void read_entry(struct parser *p)
{
	skip_cfws(p);
	p->comment.len = 0;
	if (at_end(p))
		return;
	if (peek(p) == ',') {
		advance(p, 1);
		return;
	}
	if (peek(p) == ';') {
		advance(p, 1);
		end_group(p);
		return;
	}
	struct str start = p->rest;
	read_words(p, false);
	if (peek(p) == ':' && !at_end(p)) {
		begin_group(p);
		return;
	}
	read_mailbox(p, start);
	skip_to_separator(p, false);
}

int address_list_parse(struct str value, struct arena *a, struct address **ret_first)
{
	struct address *first = NULL;
	struct buf phrase CLEANUP(buf_done) = BUF_MAX(value.len * 2 + 2);
	struct buf local CLEANUP(buf_done) = BUF_MAX(value.len * 2 + 2);
	struct parser p = {
	    .rest = value, .arena = a, .link = &first, .phrase = phrase, .local = local};

	while (!at_end(&p) && !p.full)
		read_entry(&p);
	end_group(&p);
	phrase = p.phrase;
	local = p.local;
	if (p.full)
		return -E2BIG;
	*ret_first = first;
	return 0;
}
