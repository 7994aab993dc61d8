/* Arguments of APPEND. */
#include "imap/command_args.h"

/* date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE */
static bool parse_date_time(struct imap_parser *p, struct date *ret_date)
{
	struct str text;

	if (!imap_parse_string(p, &text))
		return false;
	if (!date_parse_internal(text, ret_date))
		return imap_fail(p, "a date such as \"17-Jul-1996 02:44:25 -0700\" before this");
	return true;
}

/* utf8-literal = "UTF8" SP "(" literal8 ")" (RFC 6855 §4) */
static bool parse_utf8_literal(struct imap_parser *p, struct str *ret, size_t *ret_spooled)
{
	bool binary;

	if (!imap_parse_space(p) || !imap_parse_char(p, '('))
		return false;
	if (imap_peek(p) != '~')
		return imap_fail(p, "a literal8");
	return imap_parse_long_literal(p, ret, &binary, ret_spooled) && imap_parse_char(p, ')');
}

/* append-data =/ utf8-literal */
static bool parse_utf8_message(struct imap_parser *p, struct imap_append_message *m)
{
	m->utf8 = m->binary = true;
	return parse_utf8_literal(p, &m->message, &m->spooled);
}

static bool parse_cat_part(
    struct imap_parser *p, struct imap_append_message *m, struct imap_cat_part *part)
{
	part->is_url = imap_skip_word(p, STR("URL"));
	if (part->is_url)
		return imap_parse_space(p) && imap_parse_astring(p, &part->text);
	if (imap_skip_word(p, STR("UTF8"))) {
		m->utf8 = part->binary = true;
		return parse_utf8_literal(p, &part->text, &part->spooled);
	}
	if (!imap_skip_word(p, STR("TEXT")))
		return imap_fail(p, "TEXT or URL");
	return imap_parse_space(p) &&
	       imap_parse_long_literal(p, &part->text, &part->binary, &part->spooled);
}

/*
 * append-data =/ "CATENATE" SP "(" cat-part *(SP cat-part) ")"
 * cat-part = text-literal / url, text-literal = "TEXT" SP literal, url = "URL" SP astring
 * (RFC 4469 §5), cat-part =/ utf8-literal (RFC 6855 §4)
 */
static bool parse_parts(struct imap_parser *p, struct imap_append_message *m)
{
	struct imap_cat_part *parts =
	    ARENA_NEW_ARRAY(p->arena, struct imap_cat_part, IMAP_CAT_PARTS_MAX);

	if (parts == NULL)
		return imap_fail_size(p);
	m->parts = parts;
	if (!imap_parse_space(p) || !imap_parse_char(p, '('))
		return false;
	do {
		if (m->n_parts == IMAP_CAT_PARTS_MAX)
			return imap_fail(p, "fewer parts");
		if (!parse_cat_part(p, m, &parts[m->n_parts++]))
			return false;
	} while (imap_skip(p, ' '));
	return imap_parse_char(p, ')');
}

/* append-message = [SP flag-list] [SP date-time] SP append-data */
static bool parse_append_message(struct imap_parser *p, struct imap_append_message **ret_message)
{
	struct imap_append_message *m = ARENA_NEW(p->arena, struct imap_append_message);

	if (m == NULL)
		return imap_fail_size(p);
	if (!imap_parse_space(p))
		return false;
	if (imap_peek(p) == '(' && (!imap_parse_flag_list(p, &m->flags) || !imap_parse_space(p)))
		return false;
	if (imap_peek(p) == '"') {
		m->has_date = true;
		if (!parse_date_time(p, &m->date) || !imap_parse_space(p))
			return false;
	}
	*ret_message = m;
	if (imap_skip_word(p, STR("UTF8")))
		return parse_utf8_message(p, m);
	if (imap_skip_word(p, STR("CATENATE")))
		return parse_parts(p, m);
	return imap_parse_long_literal(p, &m->message, &m->binary, &m->spooled);
}

/* append = "APPEND" SP mailbox 1*append-message (RFC 3502 §6.3.11) */
bool imap_parse_append(struct imap_parser *p, struct imap_command *c)
{
	struct imap_append_message **to = &c->messages;

	if (!imap_parse_name(p, c))
		return false;
	do {
		if (!parse_append_message(p, to))
			return false;
		to = &(*to)->next;
	} while (imap_peek(p) == ' ');
	return true;
}

/* replace = "REPLACE" SP seq-number SP mailbox append-message; UID REPLACE likewise (RFC 8508 §7)
 */
bool imap_parse_replace(struct imap_parser *p, struct imap_command *c)
{
	if (!imap_parse_space(p) || !imap_parse_set(p, &c->set))
		return false;
	if (c->set.saved || c->set.n != 1 || c->set.ranges[0].first != c->set.ranges[0].last)
		return imap_fail(p, "one message before this");
	return imap_parse_name(p, c) && parse_append_message(p, &c->messages);
}
