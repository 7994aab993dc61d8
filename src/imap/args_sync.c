/* Arguments of resynchronising: SELECT with parameters, FETCH with modifiers. */
#include "imap/command_args.h"

/* A set of plain numbers: neither "*" nor "$" may stand in it. */
static bool parse_plain_set(struct imap_parser *p, struct imap_set *ret_set)
{
	if (!imap_parse_set(p, ret_set))
		return false;
	for (size_t i = 0; i < ret_set->n; i++)
		if (ret_set->ranges[i].first == IMAP_SET_STAR ||
		    ret_set->ranges[i].last == IMAP_SET_STAR)
			return imap_fail(p, "numbers without * before this");
	return !ret_set->saved || imap_fail(p, "numbers instead of $ before this");
}

/* seq-match-data = "(" known-sequence-set SP known-uid-set ")", both ascending */
static bool parse_match(struct imap_parser *p, struct imap_resync *resync)
{
	return imap_parse_char(p, '(') && parse_plain_set(p, &resync->match_numbers) &&
	       imap_parse_space(p) && parse_plain_set(p, &resync->match_uids) &&
	       imap_parse_char(p, ')');
}

/*
 * select-param =/ "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids]
 *                 [SP seq-match-data] ")" (RFC 7162 §7)
 */
static bool parse_resync(struct imap_parser *p, struct imap_command *c)
{
	struct imap_resync *resync = ARENA_NEW(p->arena, struct imap_resync);
	uint64_t uidvalidity;

	if (resync == NULL)
		return imap_fail_size(p);
	if (!imap_parse_space(p) || !imap_parse_char(p, '(') ||
	    !imap_parse_number(p, 1, UINT32_MAX, &uidvalidity) || !imap_parse_space(p) ||
	    !imap_parse_number(p, 1, INT64_MAX, &resync->modseq))
		return false;
	resync->uidvalidity = (uint32_t)uidvalidity;
	c->resync = resync;
	if (imap_skip(p, ')'))
		return true;
	if (!imap_parse_space(p))
		return false;
	if (imap_peek(p) != '(') {
		resync->has_known = true;
		if (!parse_plain_set(p, &resync->known))
			return false;
		if (imap_skip(p, ')'))
			return true;
		if (!imap_parse_space(p))
			return false;
	}
	return parse_match(p, resync) && imap_parse_char(p, ')');
}

static bool parse_select_param(struct imap_parser *p, struct imap_command *c)
{
	if (!c->condstore && imap_skip_word(p, STR("CONDSTORE")))
		return c->condstore = true;
	if (c->resync == NULL && imap_skip_word(p, STR("QRESYNC")))
		return parse_resync(p, c);
	return imap_fail(p, "CONDSTORE or QRESYNC, once each");
}

/* select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"] (RFC 4466 §2.1) */
bool imap_parse_select(struct imap_parser *p, struct imap_command *c)
{
	if (!imap_parse_name(p, c))
		return false;
	if (!imap_skip(p, ' '))
		return true;
	if (!imap_parse_char(p, '('))
		return false;
	do {
		if (!parse_select_param(p, c))
			return false;
	} while (imap_skip(p, ' '));
	return imap_parse_char(p, ')');
}

/*
 * fetch-modifier =/ "CHANGEDSINCE" SP mod-sequence-value / "VANISHED" (RFC 7162 §7)
 * fetch-modifier =/ "PARTIAL" SP partial-range (RFC 9394 §4)
 */
static bool parse_fetch_modifier(struct imap_parser *p, struct imap_fetch *fetch)
{
	if (!fetch->has_changed_since && imap_skip_word(p, STR("CHANGEDSINCE"))) {
		fetch->has_changed_since = true;
		return imap_parse_space(p) &&
		       imap_parse_number(p, 0, INT64_MAX, &fetch->changed_since);
	}
	if (!fetch->vanished && imap_skip_word(p, STR("VANISHED")))
		return fetch->vanished = true;
	if (!fetch->has_partial && imap_skip_word(p, STR("PARTIAL"))) {
		fetch->has_partial = true;
		return imap_parse_space(p) && imap_parse_partial(p, &fetch->partial);
	}
	return imap_fail(p, "a modifier that is known here, once each");
}

/* "(" fetch-modifier *(SP fetch-modifier) ")" */
bool imap_parse_fetch_modifiers(struct imap_parser *p, struct imap_command *c)
{
	struct imap_fetch *fetch = &c->fetch;

	if (!imap_parse_char(p, '('))
		return false;
	do {
		if (!parse_fetch_modifier(p, fetch))
			return false;
	} while (imap_skip(p, ' '));
	if (!imap_parse_char(p, ')'))
		return false;
	/* RFC 7162 §3.2.6, RFC 9394 §3.3 */
	if (fetch->vanished && !fetch->has_changed_since)
		return imap_fail(p, "CHANGEDSINCE with VANISHED before this");
	if ((fetch->vanished || fetch->has_partial) && !c->uid)
		return imap_fail(p, "UID FETCH with VANISHED or PARTIAL");
	return true;
}
