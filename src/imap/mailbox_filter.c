#include "imap/mailbox_filter.h"

/* one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")" */
static bool parse_names(struct imap_parser *p, struct imap_mailbox_filter *filter)
{
	struct str names[IMAP_FILTER_NAMES_MAX];
	bool many = imap_skip(p, '(');

	do {
		if (filter->n_names == IMAP_FILTER_NAMES_MAX)
			return imap_fail(p, "fewer mailboxes");
		if (!imap_parse_astring(p, &names[filter->n_names]))
			return false;
		filter->n_names++;
	} while (many && imap_skip(p, ' '));
	if (many && !imap_parse_char(p, ')'))
		return false;
	filter->names = ARENA_NEW_ARRAY(p->arena, struct str, filter->n_names);
	if (filter->names == NULL)
		return imap_fail_size(p);
	memcpy(filter->names, names, filter->n_names * sizeof(names[0]));
	return true;
}

/*
 * filter-mailboxes-selected = "selected" / "selected-delayed"
 * filter-mailboxes-other = "inboxes" / "personal" / "subscribed" /
 *                          ("subtree" SP one-or-more-mailbox) /
 *                          ("subtree-one" SP one-or-more-mailbox) /
 *                          ("mailboxes" SP one-or-more-mailbox)
 */
bool imap_parse_mailbox_filter(struct imap_parser *p, struct imap_mailbox_filter **ret_filter)
{
	static const struct str words[] = {
	    [FILTER_SELECTED] = STR_INIT("selected"),
	    [FILTER_SELECTED_DELAYED] = STR_INIT("selected-delayed"),
	    [FILTER_INBOXES] = STR_INIT("inboxes"),
	    [FILTER_PERSONAL] = STR_INIT("personal"),
	    [FILTER_SUBSCRIBED] = STR_INIT("subscribed"),
	    [FILTER_SUBTREE] = STR_INIT("subtree"),
	    [FILTER_SUBTREE_ONE] = STR_INIT("subtree-one"),
	    [FILTER_MAILBOXES] = STR_INIT("mailboxes"),
	};
	struct imap_mailbox_filter *filter = ARENA_NEW(p->arena, struct imap_mailbox_filter);
	size_t kind = 0;

	if (filter == NULL)
		return imap_fail_size(p);
	while (kind < ARRAY_LEN(words) && !imap_skip_word(p, words[kind]))
		kind++;
	if (kind == ARRAY_LEN(words))
		return imap_fail(p,
		    "selected, inboxes, personal, subscribed, subtree, subtree-one or mailboxes");
	filter->kind = (enum imap_filter_kind)kind;
	if (kind >= FILTER_SUBTREE && (!imap_parse_space(p) || !parse_names(p, filter)))
		return false;
	*ret_filter = filter;
	return true;
}
