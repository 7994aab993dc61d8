#include "session/imap/fetch_narrow.h"

#include "base/num.h"
#include "session/imap/vanished.h"

/* Runs of changed messages; with `to` NULL they are only counted. */
static size_t changed_runs(const struct store_view *v, uint64_t modseq,
    const struct imap_positions *from, struct imap_positions *to)
{
	size_t n = 0, end = SIZE_MAX;

	for (size_t i = 0; i < from->n; i++) {
		for (size_t at = from->v[i].first; at < from->v[i].end; at++) {
			if (store_view_entry(v, at).modseq <= modseq)
				continue;
			n += at != end;
			if (to != NULL && at != end)
				to->v[n - 1].first = at;
			end = at + 1;
			if (to != NULL)
				to->v[n - 1].end = end;
			if (to != NULL)
				to->count++;
		}
	}
	return n;
}

bool fetch_changed_since(struct imap_session *s, uint64_t modseq, struct imap_positions *positions)
{
	struct imap_positions changed = {.n = changed_runs(s->view, modseq, positions, NULL)};

	changed.v = ARENA_NEW_ARRAY(&s->arena, struct imap_position_range, changed.n + 1);
	if (changed.v == NULL)
		return false;
	changed_runs(s->view, modseq, positions, &changed);
	*positions = changed;
	return true;
}

/* Counted over all ranges together; in place. */
static void keep_page(const struct imap_partial *partial, struct imap_positions *positions)
{
	size_t first, end, before = 0, n = 0;

	imap_partial_bounds(partial, positions->count, &first, &end);
	for (size_t i = 0; i < positions->n; i++) {
		struct imap_position_range range = positions->v[i];
		size_t len = range.end - range.first;
		size_t from = num_max(first, before), to = num_min(end, before + len);
		if (from < to)
			positions->v[n++] = (struct imap_position_range){
			    range.first + (from - before), range.first + (to - before)};
		before += len;
	}
	positions->n = n;
	positions->count = end - first;
}

/*
 * The UIDs that the command names, there or not. "*" stands for the highest that ever was, so that
 * the last messages' going is told.
 */
static bool known_of(struct imap_session *s, const struct imap_set *set, struct imap_set *ret_known)
{
	struct imap_set known = *set;

	if (set->saved) {
		*ret_known = (struct imap_set){.ranges = s->saved, .n = s->n_saved};
		return true;
	}
	known.ranges = ARENA_NEW_ARRAY(&s->arena, struct imap_range, set->n);
	if (known.ranges == NULL)
		return false;
	memcpy(known.ranges, set->ranges, set->n * sizeof(*set->ranges));
	imap_set_resolve(&known, s->view->uidnext - 1);
	*ret_known = known;
	return true;
}

static bool narrow(struct imap_session *s, const struct imap_fetch *fetch,
    struct imap_positions *positions, struct imap_result *ret_result)
{
	if (fetch->has_partial)
		keep_page(&fetch->partial, positions);
	if (!fetch->has_changed_since || fetch_changed_since(s, fetch->changed_since, positions))
		return true;
	*ret_result = imap_too_much();
	return false;
}

bool fetch_positions(struct imap_session *s, const struct imap_command *c,
    struct imap_positions *ret_positions, struct imap_result *ret_result)
{
	struct imap_set known = {0};
	struct vanished_query query = {.modseq = c->fetch.changed_since, .known = &known};

	if (c->fetch.vanished && !s->qresync) {
		*ret_result = IMAP_RESULT_BAD("VANISHED needs ENABLE QRESYNC");
		return false;
	}
	if (c->fetch.vanished && !known_of(s, &c->fetch.set, &known)) {
		*ret_result = imap_too_much();
		return false;
	}
	if (!imap_positions_of(s, &c->fetch.set, c->uid, ret_positions, ret_result) ||
	    !narrow(s, &c->fetch, ret_positions, ret_result))
		return false;
	int r = c->fetch.vanished ? vanished_send_earlier(s, &query) : 0;
	if (r < 0)
		*ret_result = imap_store_error(s, r);
	return r == 0;
}
