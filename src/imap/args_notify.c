/* Arguments of NOTIFY (RFC 5465 §8). */
#include "imap/command_args.h"

static const struct {
	struct str word;
	enum imap_event event;
} events[] = {
    {STR_INIT("MessageNew"), EVENT_MESSAGE_NEW},
    {STR_INIT("MessageExpunge"), EVENT_MESSAGE_EXPUNGE},
    {STR_INIT("FlagChange"), EVENT_FLAG_CHANGE},
    {STR_INIT("MailboxName"), EVENT_MAILBOX_NAME},
    {STR_INIT("SubscriptionChange"), EVENT_SUBSCRIPTION},
    {STR_INIT("MailboxMetadataChange"), EVENT_MAILBOX_METADATA},
    {STR_INIT("ServerMetadataChange"), EVENT_SERVER_METADATA},
};

struct str imap_event_name(enum imap_event event)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (events[i].event == event)
			return events[i].word;
	return STR("");
}

static bool is_of_selected(const struct imap_event_group *group)
{
	return group->filter->kind == FILTER_SELECTED ||
	       group->filter->kind == FILTER_SELECTED_DELAYED;
}

/* event = message-event / mailbox-event / user-event / event-ext, the last an atom */
static bool parse_event(struct imap_parser *p, struct imap_event_group *group)
{
	struct str atom;

	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		if (!imap_skip_word(p, events[i].word))
			continue;
		group->events |= events[i].event;
		if (events[i].event != EVENT_MESSAGE_NEW || !str_starts(p->rest, STR(" (")))
			return true;
		if (!is_of_selected(group))
			return imap_fail(p, "FETCH items only for the selected mailbox");
		return imap_parse_space(p) && imap_parse_fetch_items(p, &group->items);
	}
	group->events |= EVENT_UNKNOWN;
	return imap_parse_atom(p, &atom);
}

/* Which events go together (RFC 5465 §5), and with which mailboxes (§6.1). */
static bool check_group(struct imap_parser *p, const struct imap_event_group *group)
{
	const unsigned both = EVENT_MESSAGE_NEW | EVENT_MESSAGE_EXPUNGE;
	const unsigned message = both | EVENT_FLAG_CHANGE;

	if ((group->events & message) != 0 && (group->events & both) != both)
		return imap_fail(p, "MessageNew and MessageExpunge before this");
	if (is_of_selected(group) && (group->events & ~(message | EVENT_UNKNOWN)) != 0)
		return imap_fail(p, "only message events for the selected mailbox before this");
	return true;
}

/*
 * event-group = "(" filter-mailboxes SP events ")"
 * events = ("(" event *(SP event) ")") / "NONE"; the RFC's own examples leave the inner
 * parentheses out.
 */
static bool parse_group(struct imap_parser *p, struct imap_event_group **ret_group)
{
	struct imap_event_group *group = ARENA_NEW(p->arena, struct imap_event_group);

	if (group == NULL)
		return imap_fail_size(p);
	if (!imap_parse_char(p, '(') || !imap_parse_mailbox_filter(p, &group->filter) ||
	    !imap_parse_space(p))
		return false;
	if (!imap_skip_word(p, STR("NONE"))) {
		bool inner = imap_skip(p, '(');
		do {
			if (!parse_event(p, group))
				return false;
		} while (imap_skip(p, ' '));
		if (inner && !imap_parse_char(p, ')'))
			return false;
	}
	*ret_group = group;
	return check_group(p, group) && imap_parse_char(p, ')');
}

/* Only one of them may be about the selected mailbox (RFC 5465 §6.1). */
static bool parse_groups(struct imap_parser *p, struct imap_notify *notify)
{
	struct imap_event_group **to = &notify->groups;
	size_t n = 0, n_selected = 0;

	do {
		if (++n > IMAP_FILTERS_MAX)
			return imap_fail(p, "fewer mailboxes");
		if (!parse_group(p, to))
			return false;
		n_selected += is_of_selected(*to);
		if (n_selected > 1)
			return imap_fail(p, "the selected mailbox once only before this");
		to = &(*to)->next;
	} while (imap_skip(p, ' '));
	return true;
}

/* notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE") */
bool imap_parse_notify(struct imap_parser *p, struct imap_command *c)
{
	c->notify = ARENA_NEW(p->arena, struct imap_notify);
	if (c->notify == NULL)
		return imap_fail_size(p);
	if (!imap_parse_space(p))
		return false;
	if (imap_skip_word(p, STR("NONE")))
		return true;
	if (!imap_skip_word(p, STR("SET")))
		return imap_fail(p, "SET or NONE");
	if (!imap_parse_space(p))
		return false;
	c->notify->status = imap_skip_word(p, STR("STATUS"));
	if (c->notify->status && !imap_parse_space(p))
		return false;
	return parse_groups(p, c->notify);
}
