/* What the user may do in the selected mailbox, now and not when it was selected. */
#include "session/imap/rights.h"

/* Who has none of these may read only (RFC 4314 §5.2). */
enum {
	RIGHTS_TO_CHANGE = STORE_RIGHT_INSERT | STORE_RIGHT_EXPUNGE | STORE_RIGHT_SEEN |
	                   STORE_RIGHT_WRITE | STORE_RIGHT_DELETE,
};

int imap_selected_rights(struct imap_session *s, uint64_t mailbox, bool examine)
{
	int r = authorize_rights(s->store, &s->subject, mailbox, &s->rights);

	s->examined = examine;
	s->read_only = examine || (s->rights & RIGHTS_TO_CHANGE) == 0;
	return r;
}

/* What PERMANENTFLAGS says. */
static uint64_t flags_to_keep(const struct imap_session *s)
{
	return s->read_only ? 0 : imap_rights_flags(s->rights);
}

void imap_rights_said(struct imap_session *s)
{
	s->said_read_only = s->read_only;
	s->said_flags = flags_to_keep(s);
}

bool imap_renew_rights(struct imap_session *s, bool tell)
{
	if (s->view == NULL)
		return true;
	/* Where they cannot be read there are none, until they can. */
	int r = imap_selected_rights(s, s->view->mailbox, s->examined);
	if (r < 0)
		s->rights = 0;
	if (!imap_may_read_selected(s))
		return false;
	if (!tell)
		return true;
	if (flags_to_keep(s) != s->said_flags)
		imap_send_flags(s);
	if (s->read_only != s->said_read_only)
		buf_printf(&s->out.buf, "* OK [%s] Your rights to it have changed\r\n",
		    s->read_only ? "READ-ONLY" : "READ-WRITE");
	imap_rights_said(s);
	return true;
}
