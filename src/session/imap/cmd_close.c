#include "session/imap/commands.h"

/*
 * CLOSE removes what has \Deleted without a word (RFC 9051 §6.4.1), UNSELECT leaves it (§6.4.2).
 */
struct imap_result imap_cmd_close(struct imap_session *s, const struct imap_command *c)
{
	int r = 0;

	if (c->id == IMAP_CLOSE && !s->read_only && (s->rights & STORE_RIGHT_EXPUNGE) != 0)
		r = imap_expunge_all(s);
	imap_unselect(s, false);
	if (r < 0)
		return imap_store_error(s, r);
	return IMAP_RESULT_OK(c->id == IMAP_CLOSE ? "CLOSE done" : "UNSELECT done");
}
