#include "session/imap/vanished.h"

#include "base/num.h"

struct writer {
	struct imap_session *s;
	bool earlier;
	struct imap_set_builder set;
};

static void write_set(struct writer *w)
{
	struct buf *out = &w->s->out.buf;
	struct imap_set set = imap_set_builder_set(&w->set);

	if (set.n == 0)
		return;
	buf_add(out, w->earlier ? STR("* VANISHED (EARLIER) ") : STR("* VANISHED "));
	imap_set_write(&set, out);
	buf_add(out, STR("\r\n"));
	imap_output_room(&w->s->out);
	w->set.n = 0;
}

static void add_range(struct writer *w, uint32_t first, uint32_t last)
{
	if (w->set.n == VANISHED_RANGES_MAX)
		write_set(w);
	imap_set_builder_add_range(&w->set, (struct imap_range){first, last});
}

static void finish(struct writer *w)
{
	write_set(w);
	imap_set_builder_done(&w->set);
}

void vanished_send(struct imap_session *s, const uint32_t *uids, size_t n)
{
	struct writer w = {.s = s};

	for (size_t i = 0; i < n; i++)
		add_range(&w, uids[i], uids[i]);
	finish(&w);
}

/* The UIDs from `first` to `last` that no message of the view has. */
static void add_missing(struct writer *w, uint64_t first, uint32_t last)
{
	const struct store_view *v = w->s->view;

	for (size_t at = store_view_at(v, (uint32_t)first); at < v->n && first <= last; at++) {
		uint32_t uid = store_view_entry(v, at).uid;
		if (uid > last)
			break;
		if (uid > first)
			add_range(w, (uint32_t)first, uid - 1);
		first = (uint64_t)uid + 1;
	}
	if (first <= last)
		add_range(w, (uint32_t)first, last);
}

static void add_all_missing(struct writer *w, const struct vanished_query *q)
{
	const struct imap_range whole = {1, UINT32_MAX};
	const struct imap_set all = {.ranges = (struct imap_range *)&whole, .n = 1};
	const struct imap_set *known = q->known != NULL ? q->known : &all;
	uint32_t end = w->s->view->uidnext - 1;

	for (size_t i = 0; i < known->n; i++) {
		uint64_t first = num_max(known->ranges[i].first, (uint64_t)q->above + 1);
		uint32_t last = (uint32_t)num_min(known->ranges[i].last, end);
		if (first <= last)
			add_missing(w, first, last);
	}
}

int vanished_send_earlier(struct imap_session *s, const struct vanished_query *q)
{
	struct writer w = {.s = s, .earlier = true};
	const uint32_t *uids;
	size_t n;
	bool complete;
	int r = store_view_vanished(s->view, q->modseq, &s->arena, &uids, &n, &complete);

	if (r < 0)
		return r;
	for (size_t i = 0; complete && i < n; i++)
		if (uids[i] > q->above && (q->known == NULL || imap_set_has(q->known, uids[i])))
			add_range(&w, uids[i], uids[i]);
	if (!complete)
		add_all_missing(&w, q);
	finish(&w);
	return 0;
}

/* Where a walk along a set stands. */
struct cursor {
	const struct imap_set *set;
	size_t range;
	uint32_t number;
};

static bool is_ascending(const struct imap_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->ranges[i].first > set->ranges[i].last ||
		    (i > 0 && set->ranges[i].first <= set->ranges[i - 1].last))
			return false;
	return true;
}

static struct cursor cursor_of(const struct imap_set *set)
{
	return (struct cursor){set, 0, set->n > 0 ? set->ranges[0].first : 0};
}

static bool at_end(const struct cursor *c)
{
	return c->range == c->set->n;
}

static void step(struct cursor *c)
{
	if (c->number++ < c->set->ranges[c->range].last)
		return;
	if (++c->range < c->set->n)
		c->number = c->set->ranges[c->range].first;
}

bool vanished_is_sample(const struct imap_resync *resync)
{
	return is_ascending(&resync->match_numbers) && is_ascending(&resync->match_uids) &&
	       imap_set_count(&resync->match_numbers) == imap_set_count(&resync->match_uids);
}

uint32_t vanished_match(const struct store_view *v, const struct imap_resync *resync)
{
	struct cursor number = cursor_of(&resync->match_numbers);
	struct cursor uid = cursor_of(&resync->match_uids);
	uint32_t matched = 0;

	/* Numbers ascend: there are at most as many steps as messages. */
	for (; !at_end(&number) && number.number <= v->n; step(&number), step(&uid))
		if (store_view_entry(v, number.number - 1).uid == uid.number)
			matched = uid.number;
	return matched;
}
