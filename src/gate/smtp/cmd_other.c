/* The commands that say little: RSET, NOOP, HELP, VRFY, EXPN, AUTH, QUIT. */
#include "gate/smtp/dialogue.h"

struct smtp_reply smtp_cmd_rset(struct smtp_dialogue *d, struct str argument)
{
	if (argument.len > 0)
		return SMTP_REPLY(501, 5, 4, "RSET takes no argument");
	smtp_transaction_reset(d);
	return SMTP_REPLY(250, 0, 0, "Forgotten");
}

struct smtp_reply smtp_cmd_noop(struct smtp_dialogue *d, struct str argument)
{
	(void)d;
	(void)argument;
	return SMTP_REPLY(250, 0, 0, "OK");
}

struct smtp_reply smtp_cmd_help(struct smtp_dialogue *d, struct str argument)
{
	(void)argument;
	return (struct smtp_reply){.code = 214, .enhanced = true, .text = d->policy->help};
}

/* Who has a mailbox here is told to nobody who does not bring a message (RFC 5321 §7.3). */
struct smtp_reply smtp_cmd_vrfy(struct smtp_dialogue *d, struct str argument)
{
	(void)d;
	if (argument.len == 0)
		return SMTP_REPLY(501, 5, 4, "VRFY takes an address");
	return SMTP_REPLY(252, 5, 0, "Cannot say; send the message and see");
}

struct smtp_reply smtp_cmd_expn(struct smtp_dialogue *d, struct str argument)
{
	(void)d;
	(void)argument;
	return SMTP_REPLY(502, 5, 1, "Lists are not told");
}

struct smtp_reply smtp_cmd_auth(struct smtp_dialogue *d, struct str argument)
{
	return d->policy->auth(d, argument);
}

struct smtp_reply smtp_cmd_quit(struct smtp_dialogue *d, struct str argument)
{
	if (argument.len > 0)
		return SMTP_REPLY(501, 5, 4, "QUIT takes no argument");
	d->ending = d->has_quit = true;
	return SMTP_REPLY(221, 0, 0, "Goodbye");
}
