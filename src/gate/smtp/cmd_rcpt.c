#include "gate/smtp/dialogue.h"

#include "ipc/channel.h"
#include "mail/address.h"

/* RFC 5321 §4.1.1.3. The directory says who gets it. */

static struct smtp_reply check_order(const struct smtp_dialogue *d)
{
	if (!d->tx.is_open)
		return SMTP_REPLY(503, 5, 1, "MAIL comes before RCPT");
	if (d->tx.in_chunks)
		return SMTP_REPLY(503, 5, 1, "The message has begun already");
	return SMTP_NO_REPLY;
}

static struct smtp_reply check_address(
    const struct smtp_dialogue *d, const struct smtp_path *path, struct str parameters)
{
	struct smtp_rcpt_parameters p;
	if (!d->is_extended && str_trim(parameters).len > 0)
		return SMTP_REPLY(555, 5, 4, "Parameters need EHLO");
	enum smtp_parameter_result result = smtp_rcpt_parameters_parse(parameters, &p);
	if (result == SMTP_PARAMETER_UNKNOWN)
		return SMTP_REPLY(555, 5, 4, "A parameter that is not known here");
	if (result != SMTP_PARAMETER_OK)
		return SMTP_REPLY(501, 5, 4, "A parameter has a value it cannot have");
	if (path->non_ascii && !d->tx.parameters.smtputf8)
		return SMTP_REPLY(553, 6, 7, "Such an address needs SMTPUTF8");
	if (d->tx.n_recipients >= d->g->config->recipients)
		return SMTP_REPLY(
		    452, 5, 3, "Too many recipients; send the message again for them");
	return SMTP_NO_REPLY;
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

static struct smtp_reply add_recipient(
    struct smtp_transaction *tx, const struct ipc_u64s *accounts, const struct smtp_path *path)
{
	struct str recipient;
	if (!arena_dup(&tx->arena, path->mailbox, &recipient) ||
	    !add_accounts(tx, accounts, recipient))
		return SMTP_REPLY(
		    452, 5, 3, "Too many recipients; send the message again for them");
	if (tx->n_recipients++ == 0)
		tx->first_recipient = recipient;
	return SMTP_REPLY(250, 1, 5, "Recipient taken");
}

static struct smtp_reply reply_of(
    struct smtp_transaction *tx, const struct ipc_rcpt_answer *answer, const struct smtp_path *path)
{
	switch (answer->result) {
	case RCPT_OK:
		return add_recipient(tx, &answer->accounts, path);
	case RCPT_UNKNOWN:
		return SMTP_REPLY(550, 1, 1, "No such mailbox here");
	case RCPT_NOT_LOCAL:
		return SMTP_REPLY(550, 7, 1, "Not a domain of this server; it does not relay");
	default:
		return SMTP_REPLY(451, 3, 0, "Cannot say now whether there is such a mailbox");
	}
}

struct smtp_reply smtp_cmd_rcpt(struct smtp_dialogue *d, struct str argument)
{
	struct smtp_path path;
	struct smtp_reply reply = check_order(d);
	if (reply.code != 0)
		return reply;
	if (!smtp_skip_to(&argument))
		return SMTP_REPLY(501, 5, 2, "RCPT TO:<address>");
	if (!smtp_forward_path_cut(&argument, &path))
		return SMTP_REPLY(501, 1, 3, "That is no address of a recipient");
	reply = check_address(d, &path, argument);
	if (reply.code != 0)
		return reply;
	struct buf address CLEANUP(buf_done) = BUF_MAX(IPC_ADDRESS_MAX);
	if (!plain_address(&path, &address))
		return SMTP_REPLY(501, 1, 3, "That is no address of a recipient");
	struct ipc_rcpt question = {.address = buf_str(&address)};
	struct ipc_received answer;
	int r = ipc_call(
	    d->g->channels.directory, IPC_RCPT, &question, IPC_RCPT_ANSWER, GATE_CALL_MS, &answer);
	/* The directory may have been started anew: another connection will reach it. */
	if (r < 0)
		return smtp_end(d, SMTP_REPLY(421, 3, 0, "Cannot look up mailboxes now"));
	reply = reply_of(&d->tx, answer.msg, &path);
	ipc_received_done(&answer);
	if (!smtp_reply_is_positive(reply))
		smtp_log_refusal(d, reply, path.mailbox);
	return reply;
}
