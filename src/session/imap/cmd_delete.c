#include "session/imap/commands.h"
#include "session/imap/rights.h"

/* A large mailbox is emptied bit by bit first: others go on meanwhile, and see it happen. */
static int thin_out(struct imap_session *s, const struct store_mailbox *mailbox)
{
	bool more = mailbox->n_messages > STORE_THIN_OUT_MAX;
	int r = 0;

	while (r == 0 && more) {
		r = store_mailbox_thin_out(s->store, mailbox->name, &more);
		if (r == 0 && more) {
			imap_tell_others(s);
			r = imap_effort_pause(s);
		}
	}
	return r;
}

/* RFC 9051 §6.3.5. Its own selected mailbox may be deleted too; it is left then. */
struct imap_result imap_cmd_delete(struct imap_session *s, const struct imap_command *c)
{
	struct store_mailbox mailbox;
	struct imap_result result;

	if (!imap_find_permitted(s, c->name, STORE_RIGHT_REMOVE, &mailbox, &result))
		return result;
	int r = thin_out(s, &mailbox);
	if (r == 0)
		r = store_mailbox_delete(s->store, mailbox.name);
	if (r < 0)
		return imap_store_error(s, r);
	if (s->view != NULL && s->view->mailbox == mailbox.id)
		imap_unselect(s, true);
	imap_tell_others(s);
	return IMAP_RESULT_OK("DELETE done");
}
