#include "gate/smtp/dialogue.h"

#include "ipc/outgoing.h"

/* RFC 5321 §4.1.1.3. Whether somebody is taken, the port's policy says. */

static struct smtp_reply check_order(const struct smtp_dialogue *d)
{
	if (!d->tx.is_open)
		return SMTP_REPLY(503, 5, 1, "MAIL comes before RCPT");
	if (d->tx.in_chunks)
		return SMTP_REPLY(503, 5, 1, "The message has begun already");
	return SMTP_NO_REPLY;
}

static struct smtp_reply check_address(const struct smtp_dialogue *d, const struct smtp_path *path,
    struct str parameters, struct smtp_rcpt_parameters *ret_parameters)
{
	if (!d->is_extended && str_trim(parameters).len > 0)
		return SMTP_REPLY(555, 5, 4, "Parameters need EHLO");
	enum smtp_parameter_result result = smtp_rcpt_parameters_parse(parameters, ret_parameters);
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

static bool keep_original(struct smtp_transaction *tx,
    const struct smtp_rcpt_parameters *parameters, struct str *ret_original)
{
	struct buf original CLEANUP(buf_done) = BUF_MAX(OUTGOING_ORIGINAL_RECIPIENT_MAX);
	if (parameters->orcpt_type.len > 0) {
		buf_add(&original, parameters->orcpt_type);
		buf_add_c(&original, ';');
		/* one of the type utf-8 need not be xtext (RFC 6533 §3) */
		if (!smtp_xtext_decode(parameters->orcpt, &original))
			buf_add(&original, parameters->orcpt);
	}
	return !buf_failed(&original) && arena_dup(&tx->arena, buf_str(&original), ret_original);
}

bool smtp_recipient_keep(struct smtp_transaction *tx, const struct smtp_path *path,
    const struct smtp_rcpt_parameters *parameters, struct smtp_recipient *ret_recipient)
{
	struct smtp_recipient r = {.notify = (uint8_t)parameters->notify};
	if (!arena_dup(&tx->arena, path->mailbox, &r.address) ||
	    !keep_original(tx, parameters, &r.original_recipient))
		return false;
	*ret_recipient = r;
	return true;
}

struct smtp_reply smtp_cmd_rcpt(struct smtp_dialogue *d, struct str argument)
{
	struct smtp_path path;
	struct smtp_rcpt_parameters parameters = {0};
	struct smtp_reply reply = check_order(d);
	if (reply.code != 0)
		return reply;
	if (!smtp_skip_to(&argument))
		return SMTP_REPLY(501, 5, 2, "RCPT TO:<address>");
	if (!smtp_forward_path_cut(&argument, &path))
		return SMTP_REPLY(501, 1, 3, "That is no address of a recipient");
	reply = check_address(d, &path, argument, &parameters);
	if (reply.code != 0)
		return reply;
	reply = d->policy->recipient(d, &path, &parameters);
	if (!smtp_reply_is_positive(reply))
		smtp_log_refusal(d, reply, path.mailbox);
	else
		d->tx.n_recipients++;
	return reply;
}
