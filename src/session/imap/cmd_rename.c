#include "imap/mailbox_name.h"
#include "session/imap/commands.h"
#include "session/imap/rights.h"

/* "* LIST () "/" new ("OLDNAME" (old))" tells clients of RFC 9051 §6.3.6 what became of it. */
static void send_new_name(struct imap_session *s, struct str from, struct str to)
{
	struct buf *out = &s->out.buf;

	buf_add(out, STR("* LIST () \"/\" "));
	imap_mailbox_name_write(to, true, out);
	buf_add(out, STR(" (\"OLDNAME\" ("));
	imap_mailbox_name_write(from, true, out);
	buf_add(out, STR("))\r\n"));
}

/* A large INBOX is emptied bit by bit: others go on meanwhile, and see it happen. */
static int rename_it(struct imap_session *s, struct str from, struct str to)
{
	uint32_t rest = 0;
	int r = store_mailbox_rename(s->store, from, to, &rest);

	while (r == 0 && rest > 0) {
		imap_tell_others(s);
		r = imap_effort_pause(s);
		if (r == 0)
			r = store_mailbox_rename_rest(s->store, to, &rest);
	}
	return r;
}

/* RENAME (RFC 9051 §6.3.6). Where its time ends, what is still in INBOX can be moved with MOVE. */
struct imap_result imap_cmd_rename(struct imap_session *s, const struct imap_command *c)
{
	struct str from = c->name, to = c->name2;
	struct store_mailbox mailbox;
	struct imap_result result;

	if (to.len > 1 && to.p[to.len - 1] == IMAP_DELIMITER)
		to.len--;
	if (!imap_find_permitted(s, from, STORE_RIGHT_REMOVE, &mailbox, &result) ||
	    !imap_read_name(s, to, &to, &result) || !imap_may_create(s, to, &result))
		return result;
	from = mailbox.name;
	int r = rename_it(s, from, to);
	if (r < 0)
		return imap_store_error(s, r);
	if (s->rev2 && !str_eq(from, STR("INBOX")))
		send_new_name(s, from, to);
	imap_tell_others(s);
	return IMAP_RESULT_OK("RENAME done");
}
