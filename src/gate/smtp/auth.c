/*
 * Signing in (RFC 4954) with PLAIN (RFC 4616) or LOGIN, which is no standard and which many
 * programs know alone. Nobody is asked for a credential in the clear.
 */
#include "gate/smtp/dialogue.h"

#include "base/base64.h"
#include "base/num.h"
#include "imap/sasl_plain.h"

/* LOGIN's questions, "Username:" and "Password:". */
static const struct smtp_reply ask_user = {.code = 334, .text = STR_INIT("VXNlcm5hbWU6")};
static const struct smtp_reply ask_password = {.code = 334, .text = STR_INIT("UGFzc3dvcmQ6")};
static const struct smtp_reply ask_plain = {.code = 334, .text = STR_INIT("")};

static struct smtp_reply check_order(const struct smtp_dialogue *d)
{
	if (!d->g->tls)
		return SMTP_REPLY(538, 7, 11, "Say STARTTLS first");
	if (!d->is_extended)
		return SMTP_REPLY(503, 5, 1, "Say EHLO first");
	if (d->g->channels.queue >= 0)
		return SMTP_REPLY(503, 5, 1, "Somebody is signed in already");
	return SMTP_NO_REPLY;
}

/* The client's answer to `question`; false where there is none that counts: `*ret_reply` says why
 * (SMTP_NO_REPLY: nobody is there). */
static bool converse(struct smtp_dialogue *d, struct smtp_reply question, struct str *ret_line,
    struct smtp_reply *ret_reply)
{
	smtp_reply_format(question, &d->g->out);
	int r = smtp_read_line(d, ret_line, ret_reply);
	if (r < 0)
		*ret_reply = smtp_lost(d, r);
	else if (r > 0)
		*ret_reply = SMTP_REPLY(500, 5, 6, "The line is too long");
	else if (str_eq(*ret_line, STR("*")))
		*ret_reply = SMTP_REPLY(501, 7, 0, "Given up");
	else
		return true;
	return false;
}

/* After the last failure, or without a directory, the connection ends. */
static struct smtp_reply refuse(struct smtp_dialogue *d, enum auth_result result)
{
	struct smtp_reply reply = SMTP_REPLY(535, 7, 8, "User or password is wrong");
	if (result == AUTH_TEMPORARY)
		reply = SMTP_REPLY(454, 7, 0, "Sign-in does not work now; try again");
	else if (result == AUTH_SLOW_DOWN)
		reply = SMTP_REPLY(454, 7, 0, "Too many failures; try again later");
	if (!d->tries.over)
		return reply;
	smtp_reply_format(reply, &d->g->out);
	return smtp_end(d, d->tries.lost ? SMTP_REPLY(421, 3, 0, "Sign-in does not work now")
	                                 : SMTP_REPLY(421, 7, 0, "Too many failures"));
}

static struct smtp_reply sign_in(struct smtp_dialogue *d, struct str user, struct str password)
{
	struct gate *g = d->g;
	enum auth_result result =
	    gate_sign_in(g, &d->tries, SESSION_SUBMISSION, user, password, &g->channels.queue);
	if (result != AUTH_OK)
		return refuse(d, result);
	g->closes_at_ms = d->began_ms + g->config->smtp_duration * 1000;
	return SMTP_REPLY(235, 7, 0, "Signed in");
}

/* Acting as somebody else is not to be had (RFC 4616 §2). */
static struct smtp_reply plain(struct smtp_dialogue *d, struct str base64)
{
	struct buf decoded CLEANUP(buf_done) = BUF_MAX(SASL_PLAIN_LEN_MAX);
	struct sasl_plain message;
	struct smtp_reply reply;
	buf_reserve(&decoded, SASL_PLAIN_LEN_MAX); /* so that wiping reaches every copy */
	if (!sasl_plain_decode(base64, &decoded, &message))
		reply = SMTP_REPLY(501, 5, 2, "That is not base64 of a message of PLAIN");
	else if (message.authorization.len > 0 && !str_eq(message.authorization, message.user))
		reply = SMTP_REPLY(535, 7, 8, "Acting as another user is not possible");
	else
		reply = sign_in(d, message.user, message.password);
	explicit_bzero(decoded.p, decoded.cap);
	return reply;
}

static struct smtp_reply login_password(struct smtp_dialogue *d, struct str user)
{
	struct buf password CLEANUP(buf_done) = BUF_MAX(SASL_PLAIN_LEN_MAX);
	struct str line = STR("");
	struct smtp_reply reply;
	if (!converse(d, ask_password, &line, &reply))
		return reply;
	buf_reserve(&password, SASL_PLAIN_LEN_MAX);
	if (base64_decode(line, &password) && password.len > 0)
		reply = sign_in(d, user, buf_str(&password));
	else
		reply = SMTP_REPLY(501, 5, 2, "That is not a password in base64");
	explicit_bzero(password.p, password.cap);
	return reply;
}

static struct smtp_reply login(struct smtp_dialogue *d, struct str base64)
{
	struct buf user CLEANUP(buf_done) = BUF_MAX(IPC_ADDRESS_MAX);
	if (!base64_decode(base64, &user) || user.len == 0)
		return SMTP_REPLY(501, 5, 2, "That is not a user in base64");
	return login_password(d, buf_str(&user));
}

/*
 *   auth-command     = "AUTH" SP sasl-mech [SP initial-response] CRLF
 *   initial-response = base64 / "="
 */
struct smtp_reply smtp_sign_in(struct smtp_dialogue *d, struct str argument)
{
	struct smtp_reply reply = check_order(d);
	if (reply.code != 0)
		return reply;
	struct str response = argument;
	struct str mechanism = str_cut(&response, ' ');
	bool is_plain = str_eq_nocase(mechanism, STR("PLAIN"));
	if (!is_plain && !str_eq_nocase(mechanism, STR("LOGIN")))
		return SMTP_REPLY(504, 5, 4, "PLAIN and LOGIN are known here");
	if (mechanism.len == argument.len &&
	    !converse(d, is_plain ? ask_plain : ask_user, &response, &reply))
		return reply;
	if (str_eq(response, STR("=")))
		response = STR("");
	return is_plain ? plain(d, response) : login(d, response);
}
