#include "session/imap/commands.h"
#include "store/store_change.h"

int imap_expunge_all(struct imap_session *s)
{
	struct store_uids removed;
	int r = store_expunge(s->view, (struct store_uids){NULL, 0}, true, &s->arena, &removed);

	if (r == 0 && removed.n > 0)
		imap_tell_others(s);
	return r;
}

static int expunge_set(struct imap_session *s, const struct imap_positions *positions)
{
	struct store_uids uids, removed;
	int r = imap_uids_of(s, positions, &uids);

	if (r < 0)
		return r;
	r = store_expunge(s->view, uids, false, &s->arena, &removed);
	if (r == 0 && removed.n > 0)
		imap_tell_others(s);
	return r;
}

/* The EXPUNGE responses come from the updates that precede the answer. */
struct imap_result imap_cmd_expunge(struct imap_session *s, const struct imap_command *c)
{
	struct imap_positions positions;
	struct imap_result result;
	int r;

	if (s->read_only)
		return IMAP_RESULT_NO("NOPERM", "The mailbox is open for reading only");
	if (c->uid && !imap_positions_of(s, &c->set, true, &positions, &result))
		return result;
	r = c->uid ? expunge_set(s, &positions) : imap_expunge_all(s);
	if (r < 0)
		return imap_store_error(s, r);
	return IMAP_RESULT_OK("EXPUNGE done");
}
