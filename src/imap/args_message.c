/* Arguments of the commands on messages. */
#include "imap/command_args.h"

/* EXPUNGE alone, or UID EXPUNGE with a set (RFC 9051 §6.4.9) */
bool imap_parse_expunge(struct imap_parser *p, struct imap_command *c)
{
	return !c->uid || (imap_parse_space(p) && imap_parse_set(p, &c->set));
}

bool imap_parse_set_and_name(struct imap_parser *p, struct imap_command *c)
{
	return imap_parse_space(p) && imap_parse_set(p, &c->set) && imap_parse_name(p, c);
}

/* search = "SEARCH" [SP search-return-opts] SP search-program */
bool imap_parse_search(struct imap_parser *p, struct imap_command *c)
{
	if (!imap_parse_space(p))
		return false;
	if (imap_skip_word(p, STR("RETURN")) &&
	    (!imap_parse_search_return(p, &c->search) || !imap_parse_space(p)))
		return false;
	return imap_parse_search_program(p, &c->search);
}

/* "(" word SP mod-sequence-value ")" (RFC 7162 §7) */
static bool parse_modifier(struct imap_parser *p, struct str word, uint64_t *ret_modseq)
{
	if (!imap_parse_char(p, '('))
		return false;
	if (!imap_skip_word(p, word))
		return imap_fail(p, "a modifier that is known here");
	return imap_parse_space(p) && imap_parse_number(p, 0, INT64_MAX, ret_modseq) &&
	       imap_parse_char(p, ')');
}

/* fetch = "FETCH" SP sequence-set SP fetch-atts [SP fetch-modifiers] (RFC 4466 §2.4) */
bool imap_parse_fetch(struct imap_parser *p, struct imap_command *c)
{
	struct imap_fetch *fetch = &c->fetch;

	if (!imap_parse_space(p) || !imap_parse_set(p, &fetch->set) || !imap_parse_space(p) ||
	    !imap_parse_fetch_items(p, &fetch->items))
		return false;
	return !imap_skip(p, ' ') || imap_parse_fetch_modifiers(p, c);
}

/* store-att-flags = ([("+" / "-")] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag))) */
static bool parse_store_flags(struct imap_parser *p, struct imap_store *store)
{
	if (imap_skip(p, '+'))
		store->mode = STORE_ADD;
	else if (imap_skip(p, '-'))
		store->mode = STORE_REMOVE;
	store->silent = imap_skip_word(p, STR("FLAGS.SILENT"));
	if (!store->silent && !imap_skip_word(p, STR("FLAGS")))
		return imap_fail(p, "FLAGS or FLAGS.SILENT");
	return imap_parse_space(p) && imap_parse_store_flags(p, &store->flags);
}

/* store = "STORE" SP sequence-set [SP "(" "UNCHANGEDSINCE" SP modseq ")"] SP store-att-flags */
bool imap_parse_store(struct imap_parser *p, struct imap_command *c)
{
	struct imap_store *store = &c->store;

	if (!imap_parse_space(p) || !imap_parse_set(p, &store->set) || !imap_parse_space(p))
		return false;
	if (imap_peek(p) == '(') {
		store->has_unchanged_since = true;
		if (!parse_modifier(p, STR("UNCHANGEDSINCE"), &store->unchanged_since) ||
		    !imap_parse_space(p))
			return false;
	}
	return parse_store_flags(p, store);
}
