#include <errno.h>
#include <stdlib.h>

#include "imap/mailbox_name.h"
#include "session/imap/commands.h"
#include "session/imap/rights.h"
#include "session/imap/fetch_narrow.h"
#include "session/imap/vanished.h"

/* In larger mailboxes the first unseen message is not looked for. */
enum { UNSEEN_MESSAGES_MAX = 1000 };

void imap_unselect(struct imap_session *s, bool say)
{
	if (s->view == NULL)
		return;
	store_view_close(s->view);
	s->view = NULL;
	free(s->saved);
	s->saved = NULL;
	s->n_saved = 0;
	if (say)
		buf_add(&s->out.buf, STR("* OK [CLOSED] The mailbox is closed\r\n"));
}

/*
 * The first unseen message, for clients of RFC 3501 §6.3.1, where it costs little: of a large
 * mailbox nothing is read until the client asks for it.
 */
static void send_unseen(struct imap_session *s)
{
	if (s->uidonly || s->view->n > UNSEEN_MESSAGES_MAX || store_view_load(s->view) < 0)
		return;
	for (size_t i = 0; i < s->view->n; i++) {
		if ((store_view_entry(s->view, i).flags & STORE_SEEN) != 0)
			continue;
		buf_printf(&s->out.buf, "* OK [UNSEEN %zu] The first unseen message\r\n", i + 1);
		return;
	}
}

/* "* LIST () "/" name", with OLDNAME where the client's spelling is another (RFC 9051 §6.3.2). */
static void send_list(struct imap_session *s, struct str asked, struct str name)
{
	struct buf *out = &s->out.buf;
	bool inbox = str_eq(name, STR("INBOX"));

	buf_add(out, STR("* LIST () \"/\" "));
	imap_mailbox_name_write(name, true, out);
	if (!inbox && !str_eq(asked, name)) {
		buf_add(out, STR(" (\"OLDNAME\" ("));
		imap_mailbox_name_write(asked, true, out);
		buf_add(out, STR("))"));
	}
	buf_add(out, STR("\r\n"));
}

static void send_state(
    struct imap_session *s, const struct imap_command *c, const struct store_mailbox *mailbox)
{
	struct buf *out = &s->out.buf;
	const struct store_view *v = s->view;

	imap_send_flags(s);
	buf_printf(out, "* %zu EXISTS\r\n", v->n);
	if (s->rev2) {
		send_list(s, c->name, mailbox->name);
	} else {
		buf_printf(out, "* %u RECENT\r\n", v->n_recent);
		send_unseen(s);
	}
	buf_printf(out,
	    "* OK [UIDVALIDITY %u] UIDs are valid\r\n"
	    "* OK [UIDNEXT %u] The next UID\r\n"
	    "* OK [HIGHESTMODSEQ %llu] The highest MODSEQ\r\n",
	    v->uidvalidity, v->uidnext, (unsigned long long)v->highest_modseq);
	buf_add(out, STR("* OK [MAILBOXID "));
	imap_mailbox_id_write(mailbox, out);
	buf_add(out, STR("] Stays the same when the mailbox is renamed\r\n"));
}

/* Which of the view's messages the client knows, by UID. */
static bool known_positions(
    struct imap_session *s, const struct imap_resync *resync, struct imap_positions *ret_positions)
{
	struct imap_range whole = {1, UINT32_MAX};
	struct imap_set all = {.ranges = &whole, .n = 1};
	struct imap_result unused;

	return imap_positions_of(
	    s, resync->has_known ? &resync->known : &all, true, ret_positions, &unused);
}

/*
 * What happened since the client was here last (RFC 7162 §3.2.5). Where it knows another mailbox,
 * nothing.
 */
static int send_since(struct imap_session *s, struct imap_resync *resync)
{
	struct vanished_query query = {.modseq = resync->modseq};
	struct imap_positions changed;

	if (resync->uidvalidity != s->view->uidvalidity ||
	    resync->modseq >= s->view->highest_modseq)
		return 0;
	int r = store_view_load(s->view);
	if (r < 0)
		return r;
	query.above = vanished_match(s->view, resync);
	if (resync->has_known) {
		imap_set_resolve(&resync->known, UINT32_MAX);
		query.known = &resync->known;
	}
	if (!known_positions(s, resync, &changed) ||
	    !fetch_changed_since(s, resync->modseq, &changed))
		return -E2BIG;
	r = vanished_send_earlier(s, &query);
	for (size_t i = 0; r == 0 && i < changed.n; i++)
		for (size_t at = changed.v[i].first; at < changed.v[i].end; at++)
			imap_send_entry(s, at, true, true);
	return r;
}

/* What is wrong with QRESYNC's parameter leaves the mailbox that is selected (RFC 7162 §3.2.5). */
static bool accept_resync(
    struct imap_session *s, const struct imap_resync *resync, struct imap_result *ret_result)
{
	if (!s->qresync)
		*ret_result = IMAP_RESULT_BAD("QRESYNC needs ENABLE QRESYNC");
	else if (s->uidonly && resync->match_numbers.n > 0)
		*ret_result = imap_uid_required();
	else if (!vanished_is_sample(resync))
		*ret_result = IMAP_RESULT_BAD("Numbers and UIDs do not go together");
	else
		return true;
	return false;
}

static int open_mailbox(struct imap_session *s, const struct store_mailbox *mailbox, bool examine)
{
	int r = imap_selected_rights(s, mailbox->id, examine);

	imap_rights_said(s);

	return r < 0 ? r : store_view_select(s->store, mailbox->id, examine, &s->view);
}

/*
 * SELECT and EXAMINE (RFC 9051 §6.3.2). A mailbox that was selected is left even when the new one
 * cannot be had.
 */
struct imap_result imap_cmd_select(struct imap_session *s, const struct imap_command *c)
{
	bool examine = c->id == IMAP_EXAMINE;
	struct store_mailbox mailbox;
	struct imap_result result;

	if (c->resync != NULL && !accept_resync(s, c->resync, &result))
		return result;
	imap_unselect(s, true);
	imap_take_in(s);
	store_hold(s->store); /* again, where mail was taken in */
	if (!imap_find_permitted(s, c->name, STORE_RIGHT_READ, &mailbox, &result))
		return result;
	int r = open_mailbox(s, &mailbox, examine);
	if (r < 0)
		return imap_store_error(s, r);
	if (c->condstore)
		s->condstore = true;
	send_state(s, c, &mailbox);
	r = c->resync != NULL ? send_since(s, c->resync) : 0;
	if (r < 0) {
		imap_unselect(s, false);
		return imap_store_error(s, r);
	}
	result = IMAP_RESULT_OK(examine ? "EXAMINE done" : "SELECT done");
	result.code = s->read_only ? STR("READ-ONLY") : STR("READ-WRITE");
	return result;
}
