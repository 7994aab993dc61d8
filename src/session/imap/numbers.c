/* From the numbers and UIDs of a command to positions in the selected mailbox. */
#include "session/imap/imap_session.h"

#include <errno.h>

#include "store/store_change.h"

static bool names_star(const struct imap_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->ranges[i].first == IMAP_SET_STAR || set->ranges[i].last == IMAP_SET_STAR)
			return true;
	return false;
}

static void add_uid_range(
    const struct store_view *v, struct imap_range range, struct imap_positions *to)
{
	size_t first = store_view_at(v, range.first);
	size_t end = range.last == UINT32_MAX ? v->n : store_view_at(v, range.last + 1);

	if (first >= end)
		return;
	to->count += end - first;
	if (to->n > 0 && to->v[to->n - 1].end == first)
		to->v[to->n - 1].end = end;
	else
		to->v[to->n++] = (struct imap_position_range){first, end};
}

static bool add_numbers(struct imap_session *s, struct imap_set *set, struct imap_positions *to,
    struct imap_result *ret_result)
{
	/* "1:*" of an empty mailbox is asked by many clients and means nothing in it. */
	if (s->view->n == 0 && names_star(set))
		return true;
	imap_set_resolve(set, (uint32_t)s->view->n);
	if (set->n == 0 || set->ranges[set->n - 1].last > s->view->n) {
		*ret_result = IMAP_RESULT_BAD("There is no message of that number");
		return false;
	}
	for (size_t i = 0; i < set->n; i++) {
		size_t first = set->ranges[i].first - 1, end = set->ranges[i].last;
		to->v[to->n++] = (struct imap_position_range){first, end};
		to->count += end - first;
	}
	return true;
}

bool imap_positions_of(struct imap_session *s, const struct imap_set *set, bool uid,
    struct imap_positions *ret_positions, struct imap_result *ret_result)
{
	struct imap_positions to = {0};
	struct imap_set uids = *set;

	if (set->saved)
		uids = (struct imap_set){.ranges = s->saved, .n = s->n_saved};
	to.v = ARENA_NEW_ARRAY(&s->arena, struct imap_position_range, uids.n > 0 ? uids.n : 1);
	if (to.v == NULL) {
		*ret_result = imap_too_much();
		return false;
	}
	if (!uid && !set->saved) {
		if (!add_numbers(s, &uids, &to, ret_result))
			return false;
		*ret_positions = to;
		return true;
	}
	if (!set->saved)
		imap_set_resolve(
		    &uids, s->view->n > 0 ? store_view_entry(s->view, s->view->n - 1).uid : 0);
	for (size_t i = 0; i < uids.n; i++)
		add_uid_range(s->view, uids.ranges[i], &to);
	*ret_positions = to;
	return true;
}

int imap_uids_of(
    struct imap_session *s, const struct imap_positions *positions, struct store_uids *ret_uids)
{
	uint32_t *uids = ARENA_NEW_ARRAY(&s->arena, uint32_t, positions->count + 1);
	size_t n = 0;

	if (uids == NULL)
		return -E2BIG;
	for (size_t i = 0; i < positions->n; i++)
		for (size_t at = positions->v[i].first; at < positions->v[i].end; at++)
			if ((store_view_entry(s->view, at).flags & STORE_GONE) == 0)
				uids[n++] = store_view_entry(s->view, at).uid;
	*ret_uids = (struct store_uids){uids, n};
	return 0;
}
