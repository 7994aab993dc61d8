#include "imap/mailbox_name.h"
#include "session/imap/commands.h"
#include "session/imap/rights.h"
#include "store/store_usage.h"

static uint64_t deleted_size(struct imap_session *s, const struct store_mailbox *m)
{
	uint64_t size = 0;

	if (m->n_deleted == 0 || store_deleted_size(s->store, m->id, &size) < 0)
		return 0;
	return size;
}

static uint64_t value_of(
    struct imap_session *s, const struct store_mailbox *m, enum imap_status_item item)
{
	switch (item) {
	case STATUS_MESSAGES:
		return m->n_messages;
	case STATUS_RECENT:
		return m->n_recent;
	case STATUS_UIDNEXT:
		return m->uidnext;
	case STATUS_UIDVALIDITY:
		return m->uidvalidity;
	case STATUS_UNSEEN:
		return m->n_unseen;
	case STATUS_DELETED:
		return m->n_deleted;
	case STATUS_SIZE:
		return m->size;
	case STATUS_HIGHESTMODSEQ:
		return m->highest_modseq;
	case STATUS_DELETED_STORAGE:
		return deleted_size(s, m);
	case STATUS_APPENDLIMIT:
		return s->append_limit;
	default:
		return 0;
	}
}

void imap_mailbox_id_write(const struct store_mailbox *mailbox, struct buf *out)
{
	buf_add(out, STR("(F"));
	buf_add(out, str_of_cstr(mailbox->object_id));
	buf_add_c(out, ')');
}

void imap_status_write(
    struct imap_session *s, const struct store_mailbox *mailbox, unsigned items, struct buf *out)
{
	bool first = true;

	buf_add(out, STR("* STATUS "));
	imap_mailbox_name_write(mailbox->name, s->utf8, out);
	buf_add(out, STR(" ("));
	for (unsigned item = 1; item <= STATUS_LAST; item <<= 1) {
		if ((items & item) == 0)
			continue;
		if (!first)
			buf_add_c(out, ' ');
		first = false;
		buf_add(out, imap_status_item_name(item));
		buf_add_c(out, ' ');
		if (item == STATUS_MAILBOXID)
			imap_mailbox_id_write(mailbox, out);
		else
			buf_add_u64(out, value_of(s, mailbox, item));
	}
	buf_add(out, STR(")\r\n"));
}

struct imap_result imap_cmd_status(struct imap_session *s, const struct imap_command *c)
{
	struct store_mailbox mailbox;
	struct imap_result result;

	imap_take_in(s);
	if (!imap_find_permitted(s, c->name, STORE_RIGHT_READ, &mailbox, &result))
		return result;
	/* RFC 7162 §3.1: asking for it enables CONDSTORE. */
	if ((c->status & STATUS_HIGHESTMODSEQ) != 0)
		imap_enable_condstore(s);
	imap_status_write(s, &mailbox, c->status, &s->out.buf);
	return IMAP_RESULT_OK("STATUS done");
}
