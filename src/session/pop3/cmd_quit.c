/* The UPDATE state (RFC 1939 §6). */
#include <errno.h>
#include <time.h>

#include "base/num.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "session/pop3/commands.h"
#include "store/store_change.h"

/* UIDs of the messages whose marks are as said; in the arena. */
static int marked(const struct pop3_session *s, unsigned mask, unsigned wanted, struct arena *a,
    struct store_uids *ret_uids)
{
	size_t n = 0;

	for (size_t i = 0; i < s->view->n; i++)
		n += (s->marks[i] & mask) == wanted;
	uint32_t *uids = ARENA_NEW_ARRAY(a, uint32_t, n + 1);
	if (uids == NULL)
		return -E2BIG;
	n = 0;
	for (size_t i = 0; i < s->view->n; i++)
		if ((s->marks[i] & mask) == wanted)
			uids[n++] = store_view_entry(s->view, i).uid;
	*ret_uids = (struct store_uids){uids, n};
	return 0;
}

static void tell_others(struct pop3_session *s)
{
	const struct ipc_changed nothing_named = {{NULL, 0}};

	/* A full channel, or none: the registry has not read yet that something changed, which says
	 * it all, or it will tell nobody any more. */
	if (s->registry >= 0 && ipc_send(s->registry, IPC_CHANGED, &nothing_named) < 0)
		s->draining = true;
}

/* Between two transactions of many: others get at the database. */
static void pause_between(void)
{
	const struct timespec pause = {.tv_nsec = POP3_PAUSE_MS * 1000000L};

	nanosleep(&pause, NULL);
}

static struct store_uids part_of(struct store_uids uids, size_t first, size_t max)
{
	return (struct store_uids){uids.v + first, num_min(uids.n - first, max)};
}

void pop3_store_seen(struct pop3_session *s)
{
	const struct store_flag_change change = {.mode = STORE_FLAGS_ADD, .flags = STORE_SEEN};
	struct arena a CLEANUP(arena_done) = ARENA_MAX(POP3_UPDATE_ARENA_MAX);
	struct store_flag_result result;
	struct store_uids uids;
	size_t n_changed = 0;
	int r = 0;

	if (marked(s, POP3_DELETED | POP3_RETRIEVED, POP3_RETRIEVED, &a, &uids) < 0 ||
	    uids.n == 0 || pop3_authorize(s, STORE_RIGHT_SEEN) < 0)
		return;
	for (size_t i = 0; r == 0 && i < uids.n; i += POP3_SEEN_AT_ONCE) {
		if (i > 0)
			pause_between();
		r = store_flags(s->view, part_of(uids, i, POP3_SEEN_AT_ONCE), &change, &a, &result);
		if (r == 0)
			n_changed += result.n_changed;
	}
	if (n_changed > 0)
		tell_others(s);
	for (size_t i = 0; i < s->view->n; i++)
		s->marks[i] &= (uint8_t)~POP3_RETRIEVED;
}

/*
 * All that DELE marked, POP3_REMOVED_AT_ONCE in a transaction. When one fails the others stay done,
 * as RFC 1939 §6 allows: "some or none".
 */
static int remove_deleted(struct pop3_session *s)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(POP3_UPDATE_ARENA_MAX);
	struct store_uids uids, removed;
	size_t n_removed = 0;
	int r = marked(s, POP3_DELETED, POP3_DELETED, &a, &uids);

	if (r < 0 || uids.n == 0)
		return r;
	r = pop3_authorize(s, POP3_RIGHTS_TO_REMOVE);
	for (size_t i = 0; r == 0 && i < uids.n; i += POP3_REMOVED_AT_ONCE) {
		if (i > 0)
			pause_between();
		r = store_remove(s->view, part_of(uids, i, POP3_REMOVED_AT_ONCE), &a, &removed);
		if (r == 0)
			n_removed += removed.n;
	}
	if (n_removed > 0)
		tell_others(s);
	return r;
}

void pop3_cmd_quit(struct pop3_session *s, const struct pop3_command *c)
{
	int r = remove_deleted(s);

	(void)c;
	pop3_store_seen(s);
	if (r < 0)
		pop3_error(s, "[SYS/TEMP] Some messages marked as deleted were not removed");
	else
		buf_add(&s->out.buf, STR("+OK Good-bye\r\n"));
	s->ending = true;
}
