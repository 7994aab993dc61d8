#include "session/imap/commands.h"
#include "session/imap/rights.h"

/* Tells what is new; false when the connection is to end. */
static bool tell(struct imap_session *s)
{
	imap_take_in(s);
	(void)imap_renew_rights(s, true);
	if (!imap_send_updates(s, false, false))
		return false;
	arena_clear(&s->arena);
	return true;
}

/*
 * RFC 2177, RFC 9051 §6.3.13: what happens is told at once until the client says DONE. The
 * command itself is gone then: arena and reader are used for what is told and heard meanwhile.
 */
struct imap_result imap_cmd_idle(struct imap_session *s, const struct imap_command *c)
{
	enum imap_wait heard = IMAP_WAIT_CHANGED;

	(void)c;
	imap_reader_reset(s->reader);
	arena_clear(&s->arena);
	buf_add(&s->out.buf, STR("+ idling\r\n"));
	while (heard == IMAP_WAIT_CHANGED && tell(s))
		heard = imap_wait(s, true);
	if (heard != IMAP_WAIT_LINE)
		return IMAP_RESULT_OK("IDLE ended");
	if (!str_eq_nocase(imap_reader_text(s->reader).text, STR("DONE")))
		return IMAP_RESULT_BAD("expected DONE");
	return IMAP_RESULT_OK("IDLE done");
}
