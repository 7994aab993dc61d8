/* Arguments of GETMETADATA and SETMETADATA (RFC 5464 §5). */
#include "imap/command_args.h"

static bool parse_depth(struct imap_parser *p, struct imap_metadata *m)
{
	if (imap_skip_word(p, STR("0")))
		m->depth = METADATA_DEPTH_0;
	else if (imap_skip_word(p, STR("1")))
		m->depth = METADATA_DEPTH_1;
	else if (imap_skip_word(p, STR("infinity")))
		m->depth = METADATA_DEPTH_INFINITY;
	else
		return imap_fail(p, "0, 1 or infinity");
	return true;
}

/* maxsize-opt = "MAXSIZE" SP number, scope-opt = "DEPTH" SP ("0" / "1" / "infinity") */
static bool parse_option(struct imap_parser *p, struct imap_metadata *m)
{
	if (imap_skip_word(p, STR("DEPTH")))
		return imap_parse_space(p) && parse_depth(p, m);
	if (!imap_skip_word(p, STR("MAXSIZE")))
		return imap_fail(p, "MAXSIZE or DEPTH");
	m->has_max_size = true;
	return imap_parse_space(p) && imap_parse_number(p, 0, UINT32_MAX, &m->max_size);
}

/* getmetadata-options = "(" getmetadata-option *(SP getmetadata-option) ")" */
static bool parse_options(struct imap_parser *p, struct imap_metadata *m)
{
	if (!imap_parse_char(p, '('))
		return false;
	do {
		if (!parse_option(p, m))
			return false;
	} while (imap_skip(p, ' '));
	return imap_parse_char(p, ')');
}

/* entry = astring, a slash-separated path; MUST NOT contain "*" or "%" */
static bool parse_entry(struct imap_parser *p, struct str *ret_entry)
{
	struct str entry;

	if (!imap_parse_astring(p, &entry))
		return false;
	for (size_t i = 0; i < entry.len; i++)
		if (entry.p[i] <= ' ' || entry.p[i] > '~' || entry.p[i] == '*' || entry.p[i] == '%')
			return imap_fail(p, "an entry name of letters before this");
	if (!str_starts_nocase(entry, STR("/private")) && !str_starts_nocase(entry, STR("/shared")))
		return imap_fail(
		    p, "an entry name that begins with /private or /shared before this");
	if (entry.len > IMAP_METADATA_NAME_MAX || entry.p[entry.len - 1] == '/' ||
	    str_find(entry, STR("//")) < entry.len)
		return imap_fail(p, "an entry name that can be before this");
	*ret_entry = entry;
	return true;
}

static bool parse_next_entry(struct imap_parser *p, struct imap_metadata *m)
{
	if (m->n == IMAP_METADATA_ENTRIES_MAX)
		return imap_fail(p, "fewer entries");
	return parse_entry(p, &m->entries[m->n++].name);
}

bool imap_parse_metadata_entries(struct imap_parser *p, struct imap_metadata *m)
{
	m->entries =
	    ARENA_NEW_ARRAY(p->arena, struct imap_metadata_entry, IMAP_METADATA_ENTRIES_MAX);
	if (m->entries == NULL)
		return imap_fail_size(p);
	bool list = imap_skip(p, '(');
	do {
		if (!parse_next_entry(p, m))
			return false;
	} while (imap_skip(p, ' '));
	return !list || imap_parse_char(p, ')');
}

/* Options stand behind a parenthesis as entries do, but those begin with a slash or a quote. */
static bool has_options(const struct imap_parser *p)
{
	return str_starts_nocase(p->rest, STR("(MAXSIZE")) ||
	       str_starts_nocase(p->rest, STR("(DEPTH"));
}

/*
 * getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries. In the document's
 * examples, and for most clients, the options stand behind the mailbox; and an example has several
 * entries without parentheses.
 */
bool imap_parse_getmetadata(struct imap_parser *p, struct imap_command *c)
{
	struct imap_metadata *m = &c->metadata;

	if (!imap_parse_space(p))
		return false;
	if (imap_peek(p) == '(' && (!parse_options(p, m) || !imap_parse_space(p)))
		return false;
	if (!imap_parse_astring(p, &c->name) || !imap_parse_space(p))
		return false;
	if (has_options(p) && (!parse_options(p, m) || !imap_parse_space(p)))
		return false;
	return imap_parse_metadata_entries(p, m);
}

/* value = nstring / literal8 */
static bool parse_value(struct imap_parser *p, struct imap_metadata_entry *entry)
{
	bool binary;

	if (imap_peek(p) == '~')
		return imap_parse_literal(p, &entry->value, &binary);
	if (!imap_parse_nstring(p, &entry->value))
		return false;
	entry->removed = entry->value.p == NULL;
	return true;
}

/*
 * setmetadata = "SETMETADATA" SP mailbox SP entry-values
 * entry-values = "(" entry-value *(SP entry-value) ")", entry-value = entry SP value
 */
bool imap_parse_setmetadata(struct imap_parser *p, struct imap_command *c)
{
	struct imap_metadata *m = &c->metadata;

	m->entries =
	    ARENA_NEW_ARRAY(p->arena, struct imap_metadata_entry, IMAP_METADATA_ENTRIES_MAX);
	if (m->entries == NULL)
		return imap_fail_size(p);
	if (!imap_parse_name(p, c) || !imap_parse_space(p) || !imap_parse_char(p, '('))
		return false;
	do {
		if (!parse_next_entry(p, m) || !imap_parse_space(p) ||
		    !parse_value(p, &m->entries[m->n - 1]))
			return false;
	} while (imap_skip(p, ' '));
	return imap_parse_char(p, ')');
}
