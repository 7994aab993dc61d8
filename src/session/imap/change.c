#include "session/imap/change.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

/* What a part of a command needs lives no longer than it, or it would add up. */
enum { PART_ARENA_MAX = 4 << 20 };

/* The part of `uids` from `first` on. */
static struct store_uids part_of(struct store_uids uids, size_t first, size_t max)
{
	return (struct store_uids){uids.v + first, num_min(uids.n - first, max)};
}

/* In front of every part but the first. */
static int pause_between(struct imap_session *s, size_t first)
{
	return first > 0 ? imap_effort_pause(s) : 0;
}

static bool make_list(struct imap_session *s, size_t n, uint32_t **ret_list)
{
	*ret_list = ARENA_NEW_ARRAY(&s->arena, uint32_t, n + 1);
	return *ret_list != NULL;
}

static size_t append(uint32_t *list, size_t n, const uint32_t *more, size_t n_more)
{
	if (n_more > 0)
		memcpy(list + n, more, n_more * sizeof(*list));
	return n + n_more;
}

int change_flags(struct imap_session *s, struct store_uids uids,
    const struct store_flag_change *change, struct store_flag_result *ret_result)
{
	struct arena of_part CLEANUP(arena_done) = ARENA_MAX(PART_ARENA_MAX);
	struct store_flag_result part;
	uint32_t *changed, *modified = NULL;
	size_t n_changed = 0, n_modified = 0;
	int r = 0;

	*ret_result = (struct store_flag_result){0};
	if (uids.n <= CHANGE_FLAGS_AT_ONCE)
		return store_flags(s->view, uids, change, &s->arena, ret_result);
	if (!make_list(s, uids.n, &changed) ||
	    (change->conditional && !make_list(s, uids.n, &modified)))
		return -E2BIG;
	for (size_t i = 0; r == 0 && i < uids.n; i += CHANGE_FLAGS_AT_ONCE) {
		arena_clear(&of_part);
		r = pause_between(s, i);
		if (r == 0)
			r = store_flags(s->view, part_of(uids, i, CHANGE_FLAGS_AT_ONCE), change,
			    &of_part, &part);
		if (r < 0)
			break;
		n_changed = append(changed, n_changed, part.changed, part.n_changed);
		n_modified = append(modified, n_modified, part.modified.v, part.modified.n);
	}
	*ret_result = (struct store_flag_result){
	    .changed = changed, .n_changed = n_changed, .modified = {modified, n_modified}};
	return r;
}

int change_move(struct imap_session *s, struct store_uids uids, uint64_t target, uint64_t permitted,
    struct store_copy_result *ret_result)
{
	struct arena of_part CLEANUP(arena_done) = ARENA_MAX(PART_ARENA_MAX);
	struct store_copy_result part = {0};
	uint32_t *from, *to;
	size_t n = 0;
	int r = 0;

	*ret_result = (struct store_copy_result){0};
	if (!make_list(s, uids.n, &from) || !make_list(s, uids.n, &to))
		return -E2BIG;
	for (size_t i = 0; r == 0 && i < uids.n; i += CHANGE_MOVES_AT_ONCE) {
		arena_clear(&of_part);
		r = pause_between(s, i);
		if (r == 0)
			r = store_copy(s->view, part_of(uids, i, CHANGE_MOVES_AT_ONCE), target,
			    STORE_MOVE, permitted, &of_part, &part);
		if (r < 0)
			break;
		append(from, n, part.from, part.n);
		n = append(to, n, part.to, part.n);
	}
	*ret_result = (struct store_copy_result){
	    .uidvalidity = part.uidvalidity, .from = from, .to = to, .n = n};
	return r;
}

/* Of the mailbox: as long as there are as many as are removed at once. */
static int expunge_all(struct imap_session *s, size_t *n_removed)
{
	const struct store_uids none = {NULL, 0};
	struct store_uids removed = {NULL, STORE_EXPUNGE_MAX};
	struct arena of_part CLEANUP(arena_done) = ARENA_MAX(PART_ARENA_MAX);
	int r = 0;

	for (size_t i = 0; r == 0 && removed.n == STORE_EXPUNGE_MAX; i++) {
		arena_clear(&of_part);
		r = pause_between(s, i);
		if (r == 0)
			r = store_expunge(s->view, none, true, &of_part, &removed);
		if (r == 0)
			*n_removed += removed.n;
	}
	return r;
}

int change_expunge(struct imap_session *s, const struct store_uids *uids, size_t *ret_n_removed)
{
	struct arena of_part CLEANUP(arena_done) = ARENA_MAX(PART_ARENA_MAX);
	struct store_uids removed;
	int r = 0;

	*ret_n_removed = 0;
	if (uids == NULL)
		return expunge_all(s, ret_n_removed);
	for (size_t i = 0; r == 0 && i < uids->n; i += STORE_EXPUNGE_MAX) {
		arena_clear(&of_part);
		r = pause_between(s, i);
		if (r == 0)
			r = store_expunge(s->view, part_of(*uids, i, STORE_EXPUNGE_MAX), false,
			    &of_part, &removed);
		if (r == 0)
			*ret_n_removed += removed.n;
	}
	return r;
}
