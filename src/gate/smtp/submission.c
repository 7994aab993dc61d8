/*
 * The ports to which users bring mail that goes out (RFC 6409). Who is signed in the queue knows
 * from the directory, and says of each step whether it is allowed.
 */
#include "gate/smtp/dialogue.h"

static struct smtp_reply take_recipient(struct smtp_dialogue *d, const struct smtp_path *path,
    const struct smtp_rcpt_parameters *parameters)
{
	struct smtp_recipient recipient;
	if (!smtp_recipient_keep(&d->tx, path, parameters, &recipient))
		return SMTP_REPLY(
		    452, 5, 3, "Too many recipients; send the message again for them");
	struct smtp_reply reply = smtp_submit_recipient(d, &recipient);
	if (smtp_reply_is_positive(reply) && d->tx.n_recipients == 0)
		d->tx.first_recipient = recipient.address;
	return reply;
}

static const struct smtp_policy policy = {
    .submits = true,
    .extensions = SMTP_EXTENSION_REQUIRETLS | SMTP_EXTENSION_AUTH | SMTP_EXTENSION_DELIVERBY |
                  SMTP_EXTENSION_FUTURERELEASE,
    .help = STR_INIT("This port takes mail of this server's users (RFC 6409).\n"
                     "EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT"),
    .auth = smtp_sign_in,
    .sender = smtp_submit_sender,
    .recipient = take_recipient,
    .hand_over = smtp_submit_message,
};

int gate_submission(struct gate *g)
{
	return smtp_serve(g, &policy);
}
