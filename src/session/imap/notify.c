#include "session/imap/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imap/mailbox_name.h"
#include "session/imap/commands.h"
#include "session/imap/notify_watch.h"
#include "session/imap/rights.h"

static const unsigned message_events =
    EVENT_MESSAGE_NEW | EVENT_MESSAGE_EXPUNGE | EVENT_FLAG_CHANGE;

static const struct imap_event_group *selected_group(const struct imap_notify_watch *w)
{
	for (const struct imap_event_group *g = w->groups; g != NULL; g = g->next)
		if (g->filter->kind == FILTER_SELECTED ||
		    g->filter->kind == FILTER_SELECTED_DELAYED)
			return g;
	return NULL;
}

enum imap_notify_selected imap_notify_selected(const struct imap_session *s)
{
	if (s->notify == NULL)
		return NOTIFY_AS_EVER;
	const struct imap_event_group *g = selected_group(s->notify);
	if (g == NULL || g->events == 0)
		return NOTIFY_NOTHING;
	return g->filter->kind == FILTER_SELECTED ? NOTIFY_AT_ONCE : NOTIFY_DELAYED;
}

bool imap_notify_flags(const struct imap_session *s)
{
	if (s->notify == NULL)
		return true;
	const struct imap_event_group *g = selected_group(s->notify);
	return g != NULL && (g->events & EVENT_FLAG_CHANGE) != 0;
}

const struct imap_fetch_items *imap_notify_items(const struct imap_session *s)
{
	if (s->notify == NULL)
		return NULL;
	const struct imap_event_group *g = selected_group(s->notify);
	return g != NULL && g->items.n > 0 ? &g->items : NULL;
}

bool imap_notify_listens(const struct imap_session *s)
{
	return s->notify != NULL && s->notify->groups != NULL;
}

/* --- which events of a mailbox are watched --- */

static bool is_named(const struct imap_mailbox_filter *filter, struct str name)
{
	for (size_t i = 0; i < filter->n_names; i++) {
		struct str asked = filter->names[i];
		if (str_eq(name, asked))
			return true;
		if (filter->kind != FILTER_SUBTREE && filter->kind != FILTER_SUBTREE_ONE)
			continue;
		struct str below = str_from(name, asked.len);
		if (!str_starts(name, asked) || !str_skip(&below, STR("/")))
			continue;
		if (filter->kind == FILTER_SUBTREE || str_index(below, IMAP_DELIMITER) == below.len)
			return true;
	}
	return false;
}

static bool is_chosen(const struct imap_mailbox_filter *filter, const struct notify_box *box)
{
	switch (filter->kind) {
	case FILTER_SELECTED:
	case FILTER_SELECTED_DELAYED:
		return false;
	case FILTER_INBOXES: /* only INBOX gets deliveries */
		return str_eq(box->name, STR("INBOX"));
	case FILTER_PERSONAL:
		return true;
	case FILTER_SUBSCRIBED:
		return box->subscribed || box->was_subscribed;
	default:
		return is_named(filter, box->name);
	}
}

unsigned notify_events_of(const struct imap_notify_watch *w, const struct notify_box *box)
{
	unsigned events = 0;

	for (const struct imap_event_group *g = w->groups; g != NULL; g = g->next)
		if ((g->events & ~events) != 0 && is_chosen(g->filter, box))
			events |= g->events;
	return events;
}

bool imap_notify_metadata(const struct imap_session *s, struct str mailbox)
{
	const struct notify_box box = {.name = mailbox};

	if (s->notify == NULL)
		return false;
	if (mailbox.len > 0)
		return (notify_events_of(s->notify, &box) & EVENT_MAILBOX_METADATA) != 0;
	for (const struct imap_event_group *g = s->notify->groups; g != NULL; g = g->next)
		if ((g->events & EVENT_SERVER_METADATA) != 0)
			return true;
	return false;
}

/* --- telling --- */

/* "* LIST (attributes) "/" name" (RFC 5465 §5.4) */
static void tell_name(
    struct imap_session *s, struct str attribute, const struct notify_box *box, struct str old_name)
{
	struct buf *out = &s->out.buf;
	bool subscribed = box->subscribed && !str_eq(attribute, STR("\\NoAccess"));

	buf_add(out, STR("* LIST ("));
	buf_add(out, attribute);
	if (subscribed && attribute.len > 0)
		buf_add_c(out, ' ');
	if (subscribed)
		buf_add(out, STR("\\Subscribed"));
	buf_add(out, STR(") \"/\" "));
	imap_mailbox_name_write(box->name, s->utf8, out);
	if (old_name.len > 0) {
		buf_add(out, STR(" (\"OLDNAME\" ("));
		imap_mailbox_name_write(old_name, s->utf8, out);
		buf_add(out, STR("))"));
	}
	buf_add(out, STR("\r\n"));
	imap_output_room(&s->out);
}

static void tell_status(struct imap_session *s, const struct notify_box *box, unsigned items)
{
	const struct store_mailbox mailbox = {.name = box->name,
	    .uidvalidity = box->uidvalidity,
	    .uidnext = box->uidnext,
	    .n_messages = box->n_messages,
	    .highest_modseq = box->highest_modseq};

	imap_status_write(s, &mailbox, items, &s->out.buf);
	imap_output_room(&s->out);
}

void notify_status(struct imap_session *s, const struct notify_box *box, unsigned events)
{
	unsigned items = STATUS_MESSAGES | STATUS_UIDNEXT | STATUS_UIDVALIDITY;

	if ((events & EVENT_FLAG_CHANGE) != 0)
		items |= STATUS_HIGHESTMODSEQ;
	tell_status(s, box, items);
}

void notify_no_access(struct imap_session *s, const struct notify_box *box)
{
	tell_name(s, STR("\\NoAccess"), box, STR(""));
}

/* Messages of a mailbox that is not selected (§5.1 to §5.3). */
static void tell_messages(struct imap_session *s, const struct notify_box *old,
    const struct notify_box *new, unsigned events)
{
	unsigned items = 0;

	if ((events & message_events) == 0 || new->no_access ||
	    (s->view != NULL && s->view->mailbox == new->id))
		return;
	if (old->uidnext != new->uidnext || old->n_messages != new->n_messages)
		items |= STATUS_MESSAGES | STATUS_UIDNEXT;
	else if (old->highest_modseq != new->highest_modseq && (events & EVENT_FLAG_CHANGE) != 0)
		items |= STATUS_UIDVALIDITY | STATUS_HIGHESTMODSEQ;
	if (old->uidvalidity != new->uidvalidity && (events & EVENT_FLAG_CHANGE) != 0)
		items |= STATUS_UIDVALIDITY;
	if (items != 0 && s->condstore)
		items |= STATUS_HIGHESTMODSEQ;
	if (items != 0)
		tell_status(s, new, items);
}

/* A child whose superior was renamed went along (§5.4). */
static bool went_along(
    const struct notify_box *old, const struct notify_box *new, struct str from, struct str to)
{
	return from.len > 0 && str_starts(old->name, from) && str_starts(new->name, to) &&
	       str_eq(str_from(old->name, from.len), str_from(new->name, to.len)) &&
	       str_starts(str_from(old->name, from.len), STR("/"));
}

/* What one mailbox that is in both states, or in one of them, has to be told. */
static void tell_box(struct imap_session *s, const struct notify_box *old, struct notify_box *new,
    struct str *renamed_from, struct str *renamed_to)
{
	const struct imap_notify_watch *w = s->notify;

	if (new == NULL) {
		struct notify_box gone = *old;
		gone.subscribed = false;
		if ((notify_events_of(w, old) & EVENT_MAILBOX_NAME) != 0)
			tell_name(s, STR("\\NonExistent"), &gone, STR(""));
		return;
	}
	new->was_subscribed = old != NULL && old->subscribed;
	unsigned events = notify_events_of(w, new);
	if (old == NULL) {
		if ((events & EVENT_MAILBOX_NAME) != 0)
			tell_name(s, STR(""), new, STR(""));
		return;
	}
	if (!str_eq(old->name, new->name)) {
		unsigned either = events | notify_events_of(w, old);
		bool along = went_along(old, new, *renamed_from, *renamed_to);
		if (!along && (either & EVENT_MAILBOX_NAME) != 0)
			tell_name(s, STR(""), new, old->name);
		if (!along) {
			*renamed_from = old->name;
			*renamed_to = new->name;
		}
	} else if (old->subscribed != new->subscribed && (events & EVENT_SUBSCRIPTION) != 0) {
		tell_name(s, STR(""), new, STR(""));
	}
	tell_messages(s, old, new, events);
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct notify_box *)a)->id, y = ((const struct notify_box *)b)->id;
	return x < y ? -1 : x > y;
}

static int by_name(const void *a, const void *b)
{
	const struct notify_box *x = *(struct notify_box *const *)a;
	const struct notify_box *y = *(struct notify_box *const *)b;
	return str_cmp(x->name, y->name);
}

static const struct notify_box *find(const struct notify_state *state, uint64_t id)
{
	const struct notify_box key = {.id = id};
	return state->n > 0 ? bsearch(&key, state->v, state->n, sizeof(key), by_id) : NULL;
}

/* In the order of names, so that a superior comes before its inferiors. */
static int tell_differences(
    struct imap_session *s, const struct notify_state *old, const struct notify_state *new)
{
	struct notify_box **sorted = ARENA_NEW_ARRAY(&s->arena, struct notify_box *, new->n + 1);
	struct str from = STR(""), to = STR("");

	if (sorted == NULL)
		return -E2BIG;
	for (size_t i = 0; i < old->n; i++)
		if (find(new, old->v[i].id) == NULL)
			tell_box(s, &old->v[i], NULL, &from, &to);
	for (size_t i = 0; i < new->n; i++)
		sorted[i] = &new->v[i];
	qsort(sorted, new->n, sizeof(struct notify_box *), by_name);
	for (size_t i = 0; i < new->n; i++)
		tell_box(s, find(old, sorted[i]->id), sorted[i], &from, &to);
	return 0;
}

/* --- states --- */

/* Rights that every event needs (§5). */
static int look_at_rights(struct imap_session *s, struct notify_box *box, bool *ret_seen)
{
	unsigned rights = 0;
	int r = authorize_rights(s->store, &s->subject, box->id, &rights);

	box->no_access = (rights & STORE_RIGHT_READ) == 0;
	*ret_seen = (rights & STORE_RIGHT_LOOKUP) != 0;
	return r;
}

int notify_state_make(struct imap_session *s, struct notify_state *ret_state)
{
	struct notify_state state = {.arena = ARENA_MAX(NOTIFY_STATE_MAX)};
	struct store_mailbox *list;
	size_t n;
	int r = store_mailbox_list(s->store, &s->arena, &list, &n);

	if (r < 0)
		return r;
	state.v = ARENA_NEW_ARRAY(&state.arena, struct notify_box, n + 1);
	for (size_t i = 0; state.v != NULL && r == 0 && i < n; i++) {
		struct notify_box *box = &state.v[state.n];
		bool seen = false;
		if (list[i].id == 0)
			continue;
		*box = (struct notify_box){.id = list[i].id,
		    .subscribed = list[i].subscribed,
		    .uidvalidity = list[i].uidvalidity,
		    .uidnext = list[i].uidnext,
		    .n_messages = list[i].n_messages,
		    .highest_modseq = list[i].highest_modseq};
		r = look_at_rights(s, box, &seen);
		if (r == 0 && !arena_dup(&state.arena, list[i].name, &box->name))
			r = -E2BIG;
		state.n += r == 0 && seen;
	}
	if (state.v == NULL)
		r = -E2BIG;
	if (r < 0) {
		arena_done(&state.arena);
		return r;
	}
	qsort(state.v, state.n, sizeof(*state.v), by_id);
	*ret_state = state;
	return 0;
}

/* Nothing is told any more, as after NOTIFY NONE (§5.8). */
static void overflow(struct imap_session *s)
{
	s->notify->groups = NULL;
	buf_add(&s->out.buf, STR("* OK [NOTIFICATIONOVERFLOW] Too much to watch\r\n"));
}

void imap_notify_tell(struct imap_session *s)
{
	struct notify_state new;

	if (!imap_notify_listens(s) || !s->notify_due)
		return;
	int r = notify_state_make(s, &new);
	if (r == -E2BIG)
		overflow(s);
	if (r < 0)
		return; /* what cannot be read now is told with the next change */
	s->notify_due = false;
	if (tell_differences(s, &s->notify->state, &new) < 0)
		overflow(s);
	arena_done(&s->notify->state.arena);
	s->notify->state = new;
}

void imap_notify_free(struct imap_notify_watch *w)
{
	if (w == NULL)
		return;
	arena_done(&w->arena);
	arena_done(&w->state.arena);
	free(w);
}
