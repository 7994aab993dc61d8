/* NOTIFY (RFC 5465). */
#include <stdlib.h>
#include <string.h>

#include "session/imap/commands.h"
#include "session/imap/notify.h"
#include "session/imap/notify_watch.h"

/* --- what was asked for, kept beyond the command --- */

static bool keep_strings(
    struct arena *a, const struct str *from, size_t n, const struct str **ret_kept)
{
	struct str *kept = ARENA_NEW_ARRAY(a, struct str, n + 1);

	for (size_t i = 0; kept != NULL && i < n; i++)
		if (!arena_dup(a, from[i], &kept[i]))
			return false;
	*ret_kept = kept;
	return kept != NULL;
}

static bool keep_item(struct arena *a, struct imap_fetch_item *item)
{
	uint32_t *part = ARENA_NEW_ARRAY(a, uint32_t, item->section.n_part + 1);

	if (part == NULL)
		return false;
	if (item->section.n_part > 0)
		memcpy(part, item->section.part, item->section.n_part * sizeof(*part));
	item->section.part = part;
	return keep_strings(a, item->section.fields, item->section.n_fields, &item->section.fields);
}

static bool keep_items(struct arena *a, struct imap_fetch_items *items)
{
	struct imap_fetch_item *kept = ARENA_NEW_ARRAY(a, struct imap_fetch_item, items->n + 1);

	if (kept == NULL)
		return false;
	for (size_t i = 0; i < items->n; i++) {
		kept[i] = items->v[i];
		if (!keep_item(a, &kept[i]))
			return false;
	}
	items->v = kept;
	return true;
}

/* A name that cannot be one is of no mailbox, and those are ignored (§3.1). */
static bool keep_filter(
    struct imap_session *s, struct arena *a, struct imap_mailbox_filter **filter)
{
	struct imap_mailbox_filter *kept = ARENA_NEW(a, struct imap_mailbox_filter);
	struct imap_result ignored;
	struct str name;

	if (kept == NULL)
		return false;
	*kept = (struct imap_mailbox_filter){.kind = (*filter)->kind};
	kept->names = ARENA_NEW_ARRAY(a, struct str, (*filter)->n_names + 1);
	if (kept->names == NULL)
		return false;
	for (size_t i = 0; i < (*filter)->n_names; i++) {
		if (!imap_read_name(s, (*filter)->names[i], &name, &ignored))
			continue;
		if (!arena_dup(a, name, &kept->names[kept->n_names++]))
			return false;
	}
	*filter = kept;
	return true;
}

static struct imap_notify_watch *keep(struct imap_session *s, const struct imap_notify *asked)
{
	struct imap_notify_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		abort();
	w->arena = ARENA_MAX(NOTIFY_ARENA_MAX);
	w->state.arena = ARENA_MAX(NOTIFY_STATE_MAX);
	struct imap_event_group **to = &w->groups;
	for (const struct imap_event_group *g = asked->groups; g != NULL; g = g->next) {
		struct imap_event_group *group = ARENA_NEW(&w->arena, struct imap_event_group);
		if (group != NULL)
			*group = *g;
		if (group == NULL || !keep_filter(s, &w->arena, &group->filter) ||
		    !keep_items(&w->arena, &group->items)) {
			imap_notify_free(w);
			return NULL;
		}
		group->next = NULL;
		*to = group;
		to = &group->next;
	}
	return w;
}

/* --- the command --- */

/* "BADEVENT (…)" names the events that there are (§3.1). */
static struct imap_result bad_event(struct imap_session *s)
{
	struct imap_result result = IMAP_RESULT_NO("BADEVENT", "An event is unknown");
	struct buf code CLEANUP(buf_done) = BUF_MAX(512);

	buf_add(&code, STR("BADEVENT ("));
	for (unsigned event = 1; event < EVENT_UNKNOWN; event <<= 1) {
		if (event > 1)
			buf_add_c(&code, ' ');
		buf_add(&code, imap_event_name(event));
	}
	buf_add_c(&code, ')');
	if (!buf_failed(&code) && arena_dup(&s->arena, buf_str(&code), &result.code))
		return result;
	return IMAP_RESULT_NO("BADEVENT", "An event is unknown");
}

static bool asks_metadata(const struct imap_notify *asked, unsigned *ret_all)
{
	*ret_all = 0;
	for (const struct imap_event_group *g = asked->groups; g != NULL; g = g->next)
		*ret_all |= g->events;
	return (*ret_all & (EVENT_MAILBOX_METADATA | EVENT_SERVER_METADATA)) != 0;
}

/* Where the mailboxes that are watched stand now, those of the selected one aside. */
static void tell_states(struct imap_session *s, const struct imap_notify_watch *w, bool status)
{
	const unsigned messages = EVENT_MESSAGE_NEW | EVENT_MESSAGE_EXPUNGE | EVENT_FLAG_CHANGE;

	for (size_t i = 0; i < w->state.n; i++) {
		const struct notify_box *box = &w->state.v[i];
		unsigned events = notify_events_of(w, box);
		bool selected = s->view != NULL && s->view->mailbox == box->id;
		if (events != 0 && box->no_access)
			notify_no_access(s, box);
		else if (status && !selected && (events & messages) != 0)
			notify_status(s, box, events);
	}
}

struct imap_result imap_cmd_notify(struct imap_session *s, const struct imap_command *c)
{
	unsigned events;
	bool metadata = asks_metadata(c->notify, &events);

	if ((events & EVENT_UNKNOWN) != 0)
		return bad_event(s);
	struct imap_notify_watch *w = keep(s, c->notify);
	if (w == NULL)
		return imap_too_much();
	imap_take_in(s);
	/* What has happened in the selected mailbox so far is told in any case (§3.1). */
	if (!imap_send_updates(s, false, true)) {
		imap_notify_free(w);
		return IMAP_RESULT_OK("NOTIFY done");
	}
	int r = notify_state_make(s, &w->state);
	if (r < 0 || (metadata && !s->metadata && !imap_watch_metadata(s))) {
		imap_notify_free(w);
		return r < 0 ? imap_store_error(s, r) : imap_store_error(s, -1);
	}
	imap_notify_free(s->notify);
	s->notify = w;
	s->notify_due = false;
	tell_states(s, w, c->notify->status);
	return IMAP_RESULT_OK("NOTIFY done");
}
