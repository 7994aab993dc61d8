/*
 * The port to which other servers bring mail for this one (RFC 5321). The directory says who gets
 * it; delivery takes it, or, where an alias sends it out of the house, the queue.
 */
#include "gate/smtp/dialogue.h"

#include <assert.h>
#include <errno.h>

#include "base/log.h"
#include "ipc/channel.h"
#include "mail/address.h"

static struct smtp_reply refuse_auth(struct smtp_dialogue *d, struct str argument)
{
	(void)d;
	(void)argument;
	return SMTP_REPLY(502, 5, 1, "Nobody signs in at this port");
}

static struct smtp_reply take_sender(struct smtp_dialogue *d)
{
	(void)d;
	return SMTP_REPLY(250, 1, 0, "Sender taken");
}

/* The address as the directory knows it: unquoted; <Postmaster> without a domain. */
static bool plain_address(const struct smtp_path *path, struct buf *out)
{
	address_local_unquote(path->local, out);
	if (path->domain.len > 0) {
		buf_add_c(out, '@');
		buf_add(out, path->domain);
	}
	return !buf_failed(out);
}

/* An account gets one copy, however many addresses led to it. False: no room for all. */
static bool add_accounts(
    struct smtp_transaction *tx, const struct ipc_u64s *accounts, struct str recipient)
{
	size_t before = tx->n_accounts;
	for (size_t i = 0; i < accounts->n; i++) {
		size_t at = 0;
		while (at < tx->n_accounts && tx->accounts[at] != accounts->v[i])
			at++;
		if (at < tx->n_accounts)
			continue;
		if (at == IPC_RECIPIENTS_MAX) {
			tx->n_accounts = before;
			return false;
		}
		tx->accounts[at] = accounts->v[i];
		tx->recipients[at] = recipient;
		tx->n_accounts++;
	}
	return true;
}

static struct smtp_reply add_recipient(struct smtp_transaction *tx,
    const struct ipc_rcpt_answer *answer, const struct smtp_path *path,
    const struct smtp_rcpt_parameters *parameters)
{
	struct smtp_recipient *recipient = &tx->named[tx->n_recipients];
	if (!smtp_recipient_keep(tx, path, parameters, recipient) ||
	    !add_accounts(tx, &answer->accounts, recipient->address))
		return SMTP_REPLY(
		    452, 5, 3, "Too many recipients; send the message again for them");
	tx->forwards |= answer->forwards == 1;
	if (tx->n_recipients == 0)
		tx->first_recipient = recipient->address;
	return SMTP_REPLY(250, 1, 5, "Recipient taken");
}

static struct smtp_reply reply_of(struct smtp_transaction *tx, const struct ipc_rcpt_answer *answer,
    const struct smtp_path *path, const struct smtp_rcpt_parameters *parameters)
{
	switch (answer->result) {
	case RCPT_OK:
		return add_recipient(tx, answer, path, parameters);
	case RCPT_UNKNOWN:
		return SMTP_REPLY(550, 1, 1, "No such mailbox here");
	case RCPT_NOT_LOCAL:
		return SMTP_REPLY(550, 7, 1, "Not a domain of this server; it does not relay");
	default:
		return SMTP_REPLY(451, 3, 0, "Cannot say now whether there is such a mailbox");
	}
}

static struct smtp_reply take_recipient(struct smtp_dialogue *d, const struct smtp_path *path,
    const struct smtp_rcpt_parameters *parameters)
{
	struct buf address CLEANUP(buf_done) = BUF_MAX(IPC_ADDRESS_MAX);
	assert(d->tx.n_recipients < IPC_RECIPIENTS_MAX);
	if (!plain_address(path, &address))
		return SMTP_REPLY(501, 1, 3, "That is no address of a recipient");
	struct ipc_rcpt question = {
	    .null_sender = d->tx.reverse_path.len == 0, .address = buf_str(&address)};
	struct ipc_received answer;
	int r = ipc_call(
	    d->g->channels.directory, IPC_RCPT, &question, IPC_RCPT_ANSWER, GATE_CALL_MS, &answer);
	/* The directory may have been started anew: another connection will reach it. */
	if (r < 0)
		return smtp_end(d, SMTP_REPLY(421, 3, 0, "Cannot look up mailboxes now"));
	struct smtp_reply reply = reply_of(&d->tx, answer.msg, path, parameters);
	ipc_received_done(&answer);
	return reply;
}

/*
 * The directory has taken all of them. When the queue does not take one after all, something
 * changed in between: the sender comes again, and hears about each.
 */
static struct smtp_reply forward(struct smtp_dialogue *d, struct str trace)
{
	int r = gate_reach_queue(d->g);
	if (r == -ENOTCONN || r == -EAGAIN)
		return SMTP_REPLY(451, 3, 0, "Cannot forward the message now");
	if (r < 0)
		return smtp_end(d, SMTP_REPLY(421, 3, 0, "Cannot forward the message now"));
	struct smtp_reply reply = smtp_submit_sender(d);
	for (size_t i = 0; i < d->tx.n_recipients && smtp_reply_is_positive(reply); i++)
		reply = smtp_submit_recipient(d, &d->tx.named[i]);
	if (smtp_reply_is_positive(reply))
		return smtp_submit_message(d, trace);
	log_event(LOG_WARNING, "smtp.not_forwarded", "connection=%llu code=%u reason=%s",
	    (unsigned long long)d->g->connection, reply.code, log_quote(reply.text).text);
	return reply.code < 500 ? reply : SMTP_REPLY(451, 3, 0, "Cannot forward the message now");
}

static struct smtp_reply hand_over(struct smtp_dialogue *d, struct str trace)
{
	return d->tx.forwards ? forward(d, trace) : smtp_hand_to_delivery(d, trace);
}

static const struct smtp_policy policy = {
    .extensions = SMTP_EXTENSION_REQUIRETLS,
    .help = STR_INIT("This server takes mail for its own domains (RFC 5321).\n"
                     "EHLO HELO STARTTLS MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT"),
    .auth = refuse_auth,
    .sender = take_sender,
    .recipient = take_recipient,
    .hand_over = hand_over,
};

int gate_smtp(struct gate *g)
{
	return smtp_serve(g, &policy);
}
