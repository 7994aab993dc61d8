#include <errno.h>

#include "base/base64.h"
#include "gate/pop3_dialogue.h"
#include "imap/sasl_plain.h"

/*
 * RFC 3206 §4: with AUTH the user is to be asked for another password, with SYS/TEMP not: the
 * same one may be right later.
 */
static void answer_failure(struct pop3_dialogue *d, enum auth_result result)
{
	if (result == AUTH_TEMPORARY)
		pop3_gate_error(d, "[SYS/TEMP] Sign-in does not work now, try again");
	else if (result == AUTH_SLOW_DOWN)
		pop3_gate_error(d, "[SYS/TEMP] Too many failures, try again later");
	else
		pop3_gate_error(d, "[AUTH] User or password is wrong");
	d->ending = d->ending || d->tries.over;
}

static void sign_in(struct pop3_dialogue *d, struct str user, struct str password)
{
	enum auth_result result =
	    gate_sign_in(d->g, &d->tries, SESSION_POP3, user, password, &d->stream);

	if (result == AUTH_OK)
		gate_say(d->g, STR("+OK Signed in\r\n"));
	else
		answer_failure(d, result);
}

static bool may_sign_in(struct pop3_dialogue *d)
{
	if (d->g->tls != NULL)
		return true;
	pop3_gate_error(d, "Use STLS first: no password is taken in the clear");
	return false;
}

/* What was read lies in the gate's buffer, which lives on. */
static void wipe(struct str s)
{
	explicit_bzero((char *)(uintptr_t)s.p, s.len);
}

/* Whether there is such a user shows only with the password (RFC 1939 §13). */
void pop3_gate_user(struct pop3_dialogue *d, const struct pop3_command *c)
{
	if (!may_sign_in(d))
		return;
	if (c->argument.len > sizeof(d->user)) {
		pop3_gate_error(d, "[AUTH] That is too long for a user");
		return;
	}
	memcpy(d->user, c->argument.p, c->argument.len);
	d->user_len = c->argument.len;
	gate_say(d->g, STR("+OK Now the password\r\n"));
}

void pop3_gate_pass(struct pop3_dialogue *d, const struct pop3_command *c)
{
	bool allowed = may_sign_in(d);

	if (allowed && d->user_len == 0)
		pop3_gate_error(d, "USER comes before PASS");
	else if (allowed)
		sign_in(d, str_of(d->user, d->user_len), c->argument);
	d->user_len = 0;
	wipe(c->argument);
}

/* --- SASL (RFC 5034) --- */

/* The empty response is "=" behind the command, and an empty line elsewhere (RFC 5034 §4). */
static struct str initial_of(const struct pop3_command *c)
{
	return str_eq(c->initial, STR("=")) ? STR("") : c->initial;
}

/* Says "+ challenge" and reads what the client answers; false when it gave up or went. */
static bool ask(struct pop3_dialogue *d, struct str challenge, struct str *ret_answer)
{
	gate_say(d->g, STR("+ "));
	gate_say(d->g, challenge);
	gate_say(d->g, STR("\r\n"));
	int r = pop3_gate_read(d, ret_answer);
	if (r == -ETIMEDOUT || r == -ESHUTDOWN || r == -EMSGSIZE)
		d->ending = true;
	else if (r < 0)
		d->broken = r;
	else if (str_eq(*ret_answer, STR("*")))
		pop3_gate_error(d, "AUTH given up");
	else
		return true;
	return false;
}

/* PLAIN's message, checked; acting as somebody else is not to be had (RFC 4616 §2). */
static void sign_in_plain(struct pop3_dialogue *d, struct str base64)
{
	struct buf decoded CLEANUP(buf_done) = BUF_MAX(SASL_PLAIN_LEN_MAX);
	struct sasl_plain plain;

	buf_reserve(&decoded, SASL_PLAIN_LEN_MAX); /* so that wiping reaches every copy */
	if (!sasl_plain_decode(base64, &decoded, &plain))
		pop3_gate_error(d, "expected base64 of a SASL PLAIN message");
	else if (plain.authorization.len > 0 && !str_eq(plain.authorization, plain.user))
		pop3_gate_error(d, "[AUTH] Acting as another user is not possible");
	else
		sign_in(d, plain.user, plain.password);
	explicit_bzero(decoded.p, decoded.cap);
	wipe(base64);
}

static void auth_plain(struct pop3_dialogue *d, const struct pop3_command *c)
{
	struct str response;

	if (c->has_initial)
		sign_in_plain(d, initial_of(c));
	else if (ask(d, STR(""), &response))
		sign_in_plain(d, response);
}

/* Nothing but this decides what LOGIN is: it was never an RFC, and old devices know nothing else.
 */
static void auth_login(struct pop3_dialogue *d, const struct pop3_command *c)
{
	struct buf user CLEANUP(buf_done) = BUF_MAX(IPC_ADDRESS_MAX);
	struct buf password CLEANUP(buf_done) = BUF_MAX(IPC_PASSWORD_MAX);
	struct str response = initial_of(c);

	buf_reserve(&password, IPC_PASSWORD_MAX);
	if (!c->has_initial && !ask(d, STR("VXNlcm5hbWU6"), &response))
		return;
	if (!base64_decode(response, &user)) {
		pop3_gate_error(d, "expected base64 of a user");
		return;
	}
	if (!ask(d, STR("UGFzc3dvcmQ6"), &response))
		return;
	if (base64_decode(response, &password))
		sign_in(d, buf_str(&user), buf_str(&password));
	else
		pop3_gate_error(d, "expected base64 of a password");
	explicit_bzero(password.p, password.cap);
	wipe(response);
}

void pop3_gate_auth(struct pop3_dialogue *d, const struct pop3_command *c)
{
	d->user_len = 0;
	if (!may_sign_in(d))
		return;
	if (c->mechanism.len == 0)
		gate_say(d->g, STR("+OK These are known here\r\nPLAIN\r\nLOGIN\r\n.\r\n"));
	else if (str_eq_nocase(c->mechanism, STR("PLAIN")))
		auth_plain(d, c);
	else if (str_eq_nocase(c->mechanism, STR("LOGIN")))
		auth_login(d, c);
	else
		pop3_gate_error(d, "Only PLAIN and LOGIN are known here");
}
