#include "gate/smtp/dialogue.h"

/* RFC 5321 §4.1.1.2; its parameters: smtp/parameter.h. */

static struct smtp_reply check_order(const struct smtp_dialogue *d)
{
	if (d->hello_name.len == 0)
		return SMTP_REPLY(503, 5, 1, "Say EHLO first");
	if (d->policy->submits)
		return SMTP_REPLY(530, 7, 0, "Sign in first");
	if (d->tx.is_open)
		return SMTP_REPLY(503, 5, 1, "A message is under way already");
	return SMTP_NO_REPLY;
}

static struct smtp_reply refusal_of(enum smtp_parameter_result result)
{
	switch (result) {
	case SMTP_PARAMETER_UNKNOWN:
		return SMTP_REPLY(555, 5, 4, "A parameter that is not known here");
	case SMTP_PARAMETER_TWICE:
		return SMTP_REPLY(501, 5, 4, "A parameter stands there twice");
	default:
		return SMTP_REPLY(501, 5, 4, "A parameter has a value it cannot have");
	}
}

static struct smtp_reply check_parameters(
    struct smtp_dialogue *d, struct str s, const struct smtp_path *path)
{
	struct smtp_mail_parameters *p = &d->tx.parameters;
	if (!d->is_extended && str_trim(s).len > 0)
		return SMTP_REPLY(555, 5, 4, "Parameters need EHLO");
	enum smtp_parameter_result result = smtp_mail_parameters_parse(s, p);
	if (result != SMTP_PARAMETER_OK)
		return refusal_of(result);
	if (p->size > d->g->config->message_size)
		return SMTP_REPLY(552, 3, 4, "The message is too large");
	if (path->non_ascii && !p->smtputf8)
		return SMTP_REPLY(553, 6, 7, "Such an address needs SMTPUTF8");
	return SMTP_NO_REPLY;
}

static bool keep(struct smtp_transaction *tx, const struct smtp_path *path)
{
	struct buf envid CLEANUP(buf_done) = BUF_MAX(SMTP_ENVID_MAX);
	return smtp_xtext_decode(tx->parameters.envid, &envid) &&
	       arena_dup(&tx->arena, path->mailbox, &tx->reverse_path) &&
	       arena_dup(&tx->arena, buf_str(&envid), &tx->envelope_id);
}

struct smtp_reply smtp_cmd_mail(struct smtp_dialogue *d, struct str argument)
{
	struct smtp_path path;
	struct smtp_reply reply = check_order(d);
	if (reply.code != 0)
		return reply;
	if (!smtp_skip_from(&argument))
		return SMTP_REPLY(501, 5, 2, "MAIL FROM:<address>");
	if (!smtp_reverse_path_cut(&argument, &path))
		return SMTP_REPLY(501, 1, 7, "That is no address of a sender");
	if (d->n_messages >= SMTP_MAIL_MAX)
		return smtp_end(d, SMTP_REPLY(421, 7, 0, "Enough messages for one connection"));
	reply = check_parameters(d, argument, &path);
	if (reply.code != 0)
		return reply;
	if (!keep(&d->tx, &path))
		return SMTP_REPLY(452, 3, 1, "No memory now");
	d->tx.parameters.envid = STR(""); /* of the line, which is about to go */
	d->tx.is_open = true;
	return SMTP_REPLY(250, 1, 0, "Sender taken");
}
