#include "mail/mailbox_list.h"

/*
 * RFC 5322 §3.4, RFC 6854 §2:
 *   from         = "From:" (mailbox-list / address-list) CRLF
 *   address      = mailbox / group
 *   mailbox      = name-addr / addr-spec
 *   name-addr    = [display-name] [CFWS] "<" addr-spec ">" [CFWS]
 *   group        = display-name ":" [group-list] ";" [CFWS]
 *   display-name = phrase            phrase = 1*word / obs-phrase
 *   addr-spec    = local-part "@" domain
 */

enum entry { ENTRY_BAD, ENTRY_MAILBOX, ENTRY_GROUP };

static bool starts(struct str s, char c)
{
	return s.len > 0 && s.p[0] == c;
}

static bool skip_char(struct str *s, char c)
{
	if (!starts(*s, c))
		return false;
	*s = str_from(*s, 1);
	return true;
}

/* FWS; that the lines are folded well was seen when the header was cut into fields. */
static void skip_space(struct str *s)
{
	while (starts(*s, ' ') || starts(*s, '\t') || starts(*s, '\r') || starts(*s, '\n'))
		*s = str_from(*s, 1);
}

/* From behind the opening quote or bracket to behind the closing one; comments stand in comments.
 */
static bool skip_enclosed(struct str *s, char open, char close)
{
	size_t depth = 1, i = 0;

	for (; i < s->len && depth > 0; i++) {
		if (s->p[i] == '\\')
			i++;
		else if (s->p[i] == close)
			depth--;
		else if (s->p[i] == open)
			depth++;
	}
	*s = str_from(*s, i);
	return depth == 0;
}

static bool skip_cfws(struct str *s)
{
	for (skip_space(s); skip_char(s, '('); skip_space(s))
		if (!skip_enclosed(s, '(', ')'))
			return false;
	return true;
}

/* atext and dots, and bytes of UTF-8 (RFC 6532 §3.2). */
static bool skip_atom(struct str *s)
{
	static const struct str specials = STR_INIT("()<>[]:;@\\,\"");
	size_t n = 0;

	while (n < s->len && s->p[n] != ' ' && (unsigned char)s->p[n] > ' ' && s->p[n] != 0x7f &&
	       str_index(specials, s->p[n]) == specials.len)
		n++;
	*s = str_from(*s, n);
	return n > 0;
}

static bool skip_word(struct str *s)
{
	return skip_char(s, '"') ? skip_enclosed(s, '\0', '"') : skip_atom(s);
}

/* domain-literal = "[" *dtext "]" */
static bool skip_domain(struct str *s)
{
	if (!skip_char(s, '['))
		return skip_atom(s);
	(void)skip_atom(s);
	while (skip_char(s, ':'))
		(void)skip_atom(s);
	return skip_char(s, ']');
}

static bool skip_angle(struct str *s)
{
	if (!skip_char(s, '<'))
		return false;
	skip_space(s);
	if (!skip_word(s) || !skip_char(s, '@') || !skip_domain(s))
		return false;
	skip_space(s);
	return skip_char(s, '>');
}

/* An addr-spec has "@" right behind its only word. */
static enum entry read_entry(struct str *s)
{
	for (bool first = true; !starts(*s, '<'); first = false) {
		if (!first && skip_char(s, ':'))
			return ENTRY_GROUP;
		if (!skip_word(s))
			return ENTRY_BAD;
		if (first && skip_char(s, '@'))
			return skip_domain(s) ? ENTRY_MAILBOX : ENTRY_BAD;
		if (!skip_cfws(s))
			return ENTRY_BAD;
	}
	return skip_angle(s) ? ENTRY_MAILBOX : ENTRY_BAD;
}

/* What may stand behind an address. */
static bool is_separated(struct str s, bool in_group)
{
	return s.len == 0 || starts(s, ',') || (in_group && starts(s, ';'));
}

bool mailbox_list_is_strict(struct str value)
{
	bool in_group = false;

	while (skip_cfws(&value)) {
		if (value.len == 0)
			return !in_group;
		if (skip_char(&value, ','))
			continue;
		if (in_group && skip_char(&value, ';')) {
			in_group = false;
		} else {
			enum entry entry = read_entry(&value);
			if (entry == ENTRY_BAD || (entry == ENTRY_GROUP && in_group))
				return false;
			in_group |= entry == ENTRY_GROUP;
			if (entry == ENTRY_GROUP)
				continue;
		}
		if (!skip_cfws(&value) || !is_separated(value, in_group))
			return false;
	}
	return false;
}
