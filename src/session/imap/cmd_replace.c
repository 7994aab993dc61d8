#include "session/imap/append.h"
#include "session/imap/commands.h"
#include "session/imap/rights.h"
#include "store/store_change.h"

/* The one message that is replaced. */
static bool find_replaced(struct imap_session *s, const struct imap_command *c,
    struct imap_replaced *ret_replaced, struct imap_result *ret_result)
{
	struct imap_positions positions;
	struct store_uids uids;

	if (!imap_positions_of(s, &c->set, c->uid, &positions, ret_result))
		return false;
	if (imap_uids_of(s, &positions, &uids) < 0) {
		*ret_result = imap_too_much();
		return false;
	}
	if (uids.n != 1) {
		*ret_result = IMAP_RESULT_NO("EXPUNGEISSUED", "The message to be replaced is gone");
		return false;
	}
	*ret_replaced = (struct imap_replaced){s->view->mailbox, uids.v[0]};
	return true;
}

/*
 * REPLACE and UID REPLACE (RFC 8508): the new message is there and the old one is gone, both or
 * neither, whatever crashes when. The EXPUNGE response comes with the updates, behind APPENDUID.
 */
struct imap_result imap_cmd_replace(struct imap_session *s, const struct imap_command *c)
{
	struct imap_result result = IMAP_RESULT_OK("REPLACE done");
	struct imap_replaced replaced;
	struct str code;

	if (s->read_only)
		return IMAP_RESULT_NO("NOPERM", "The mailbox is open for reading only");
	if (!imap_may(s, STORE_RIGHT_DELETE | STORE_RIGHT_EXPUNGE, s->view->mailbox, &result) ||
	    !find_replaced(s, c, &replaced, &result) ||
	    !imap_append(s, c, &replaced, &code, &result))
		return result;
	if (code.len == 0)
		return IMAP_RESULT_OK("REPLACE done; the message will appear soon");
	buf_add(&s->out.buf, STR("* OK ["));
	buf_add(&s->out.buf, code);
	buf_add(&s->out.buf, STR("] The replacement is there\r\n"));
	return result;
}
