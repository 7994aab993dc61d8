#include "gate/smtp/dialogue.h"

#include "base/clock.h"
#include "smtp/hello.h"

/*
 * RFC 5321 §4.1.1.1, §4.1.4: a client begins with EHLO, or HELO where it is old; either begins
 * anew. What it calls itself is not held against it, as long as it is a name.
 */
static bool take_name(struct smtp_dialogue *d, struct str name)
{
	if (!smtp_hello_name_is_valid(name) || name.len > sizeof d->hello)
		return false;
	smtp_transaction_reset(d);
	memcpy(d->hello, name.p, name.len);
	d->hello_name = str_of(d->hello, name.len);
	return true;
}

struct smtp_reply smtp_cmd_ehlo(struct smtp_dialogue *d, struct str argument)
{
	struct gate *g = d->g;
	if (!take_name(d, argument))
		return SMTP_REPLY(501, 5, 4, "EHLO takes your host name or [address]");
	d->is_extended = true;
	struct smtp_offer offer = {
	    .hostname = str_of_cstr(g->config->hostname),
	    .size_max = g->config->message_size,
	    .rcpt_max = (unsigned)g->config->recipients,
	    .mail_max = SMTP_MAIL_MAX,
	    .starttls = g->tls_server && !g->tls,
	    .extensions = smtp_extensions(d),
	    .hold_max = g->config->submit_hold,
	    .now = clock_wall(),
	};
	smtp_hello_format(&offer, &g->out);
	return SMTP_NO_REPLY;
}

struct smtp_reply smtp_cmd_helo(struct smtp_dialogue *d, struct str argument)
{
	if (!take_name(d, argument))
		return SMTP_REPLY(501, 5, 4, "HELO takes your host name");
	d->is_extended = false;
	return (struct smtp_reply){.code = 250, .text = str_of_cstr(d->g->config->hostname)};
}
