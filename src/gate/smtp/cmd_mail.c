#include "gate/smtp/dialogue.h"

#include "base/clock.h"

/* RFC 5321 §4.1.1.2; its parameters: smtp/parameter.h. */

static struct smtp_reply check_order(const struct smtp_dialogue *d)
{
	if (d->hello_name.len == 0)
		return SMTP_REPLY(503, 5, 1, "Say EHLO first");
	if (d->policy->submits && d->g->channels.queue < 0)
		return d->g->tls ? SMTP_REPLY(530, 7, 0, "Sign in first")
		                 : SMTP_REPLY(530, 7, 0, "Say STARTTLS, and sign in");
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

/*
 * RFC 4865: no longer than was offered; what is over already is no hold at all. What must be
 * returned when it is late must not be held until then.
 */
static struct smtp_reply check_hold(struct smtp_dialogue *d)
{
	struct smtp_mail_parameters *p = &d->tx.parameters;
	uint64_t now = clock_wall();
	if (p->hold_until > now)
		p->hold_seconds = p->hold_until - now;
	if (p->hold_seconds > d->g->config->submit_hold)
		return SMTP_REPLY(501, 5, 4, "That is longer than a message can be held here");
	if (p->hold_seconds > 0)
		p->hold_until = now + p->hold_seconds;
	if (p->by_mode == SMTP_BY_RETURN && (uint64_t)p->by_seconds <= p->hold_seconds)
		return SMTP_REPLY(501, 5, 4, "It would be late before it is let go");
	return SMTP_NO_REPLY;
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
	if (p->extensions & ~smtp_extensions(d))
		return SMTP_REPLY(555, 5, 4, "A parameter that is not known here");
	if (p->size > d->g->config->message_size)
		return SMTP_REPLY(552, 3, 4, "The message is too large");
	if (path->non_ascii && !p->smtputf8)
		return SMTP_REPLY(553, 6, 7, "Such an address needs SMTPUTF8");
	return p->extensions & SMTP_EXTENSION_FUTURERELEASE ? check_hold(d) : SMTP_NO_REPLY;
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
	reply = d->policy->sender(d);
	d->tx.is_open = smtp_reply_is_positive(reply);
	if (!d->tx.is_open) {
		smtp_log_refusal(d, reply, STR(""));
		smtp_transaction_reset(d);
	}
	return reply;
}
