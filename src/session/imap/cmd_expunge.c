#include "session/imap/change.h"
#include "session/imap/commands.h"
#include "session/imap/message_limit.h"
#include "store/store_change.h"

/* Those with \Deleted of the set or, where it is NULL, of the mailbox. */
static int expunge(struct imap_session *s, const struct imap_positions *positions, size_t *ret_n)
{
	struct store_uids uids = {NULL, 0};
	int r = positions != NULL ? imap_uids_of(s, positions, &uids) : 0;

	if (r == 0)
		r = change_expunge(s, positions != NULL ? &uids : NULL, ret_n);
	if (*ret_n > 0)
		imap_tell_others(s);
	return r;
}

int imap_expunge_all(struct imap_session *s)
{
	size_t n = 0;

	return expunge(s, NULL, &n);
}

/*
 * The EXPUNGE or VANISHED responses come from the updates that precede the answer (RFC 7162 §3.2.7,
 * §3.2.9: with its HIGHESTMODSEQ).
 */
struct imap_result imap_cmd_expunge(struct imap_session *s, const struct imap_command *c)
{
	struct imap_positions positions;
	struct imap_result result;
	size_t n = 0;

	if (s->read_only)
		return IMAP_RESULT_NO("NOPERM", "The mailbox is open for reading only");
	if ((s->rights & STORE_RIGHT_EXPUNGE) == 0)
		return IMAP_RESULT_NO("NOPERM", "You have no right to remove messages here");
	if (c->uid && !imap_positions_of(s, &c->set, true, &positions, &result))
		return result;
	if (c->uid)
		imap_limit_deleted(s, &positions);
	int r = expunge(s, c->uid ? &positions : NULL, &n);
	if (r < 0)
		return imap_store_error(s, r);
	result = IMAP_RESULT_OK("EXPUNGE done");
	if (n > 0)
		result.code = imap_expunged_code(s);
	return result;
}
