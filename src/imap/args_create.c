/* Arguments of CREATE. */
#include "imap/command_args.h"

/* use-attr = "\All" / "\Archive" / … / use-attr-ext, use-attr-ext = "\" atom (RFC 6154 §6) */
static bool parse_use(struct imap_parser *p, struct str *ret_use)
{
	struct str whole = p->rest, name;

	if (!imap_skip(p, '\\'))
		return imap_fail(p, "a special use such as \\Sent");
	if (!imap_parse_atom(p, &name))
		return false;
	*ret_use = str_first(whole, name.len + 1);
	return true;
}

/* "USE" SP "(" [use-attr *(SP use-attr)] ")" */
static bool parse_uses(struct imap_parser *p, struct imap_command *c)
{
	if (!imap_skip_word(p, STR("USE")))
		return imap_fail(p, "USE");
	if (!imap_parse_space(p) || !imap_parse_char(p, '('))
		return false;
	c->words = ARENA_NEW_ARRAY(p->arena, struct str, IMAP_USES_MAX);
	if (c->words == NULL)
		return imap_fail_size(p);
	if (imap_skip(p, ')'))
		return true;
	do {
		if (c->n_words == IMAP_USES_MAX)
			return imap_fail(p, "fewer special uses");
		if (!parse_use(p, &c->words[c->n_words++]))
			return false;
	} while (imap_skip(p, ' '));
	return imap_parse_char(p, ')');
}

/*
 * create = "CREATE" SP mailbox [SP "(" create-param *(SP create-param) ")"] (RFC 4466 §6.2), where
 * RFC 6154 §3 knows one parameter.
 */
bool imap_parse_create(struct imap_parser *p, struct imap_command *c)
{
	if (!imap_parse_name(p, c))
		return false;
	if (!imap_skip(p, ' '))
		return true;
	return imap_parse_char(p, '(') && parse_uses(p, c) && imap_parse_char(p, ')');
}
