#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "gate/imap_dialogue.h"
#include "imap/sasl_plain.h"
#include "ipc/channel.h"
#include "ipc/messages.h"

/*
 * Asks the directory. On AUTH_OK `*ret_stream` is our end of the session's stream (given).
 * Temporary trouble of any kind is AUTH_TEMPORARY. Where no answer came, the connection ends: one
 * that comes late must not be taken for that to the next question.
 */
static enum auth_result ask(
    struct imap_dialogue *d, struct str user, struct str password, int *ret_stream)
{
	struct ipc_auth auth = {.user = user, .password = password, .protocol = SESSION_IMAP};
	struct ipc_received m;
	int pair[2];

	if (user.len > IPC_ADDRESS_MAX || password.len > IPC_PASSWORD_MAX)
		return AUTH_WRONG;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return AUTH_TEMPORARY;
	int ours CLEANUP(fd_close) = pair[0], theirs CLEANUP(fd_close) = pair[1];
	auth.stream = theirs;
	int r =
	    ipc_call(d->g->channels.directory, IPC_AUTH, &auth, IPC_AUTH_ANSWER, GATE_CALL_MS, &m);
	if (r < 0) {
		log_event(LOG_ERROR, "imap.no_directory", "connection=%llu error=%d",
		    (unsigned long long)d->g->connection, -r);
		d->ending = true;
		return AUTH_TEMPORARY;
	}
	const struct ipc_auth_answer *answer = m.msg;
	enum auth_result result = answer->result;
	if (result == AUTH_OK) {
		log_event(LOG_INFO, "imap.signed_in", "connection=%llu peer=%s account=%llu",
		    (unsigned long long)d->g->connection, d->g->peer,
		    (unsigned long long)answer->account);
		*ret_stream = fd_take(&ours);
	}
	ipc_received_done(&m);
	return result;
}

/* Guessing gets slower with each try. Nothing is read meanwhile. */
static void wait_after_failure(struct imap_dialogue *d)
{
	unsigned ms = d->n_failures * IMAP_GATE_FAILURE_MS;
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static void answer_failure(struct imap_dialogue *d, struct str tag, enum auth_result result)
{
	d->n_failures++;
	log_event(LOG_INFO, "imap.sign_in_failed", "connection=%llu peer=%s result=%d",
	    (unsigned long long)d->g->connection, d->g->peer, (int)result);
	if (result == AUTH_TEMPORARY) {
		imap_gate_answer(
		    d, tag, "NO", "[UNAVAILABLE] Sign-in does not work now, try again");
	} else if (result == AUTH_SLOW_DOWN) {
		imap_gate_answer(d, tag, "NO", "[LIMIT] Too many failures, try again later");
	} else {
		wait_after_failure(d);
		imap_gate_answer(d, tag, "NO", "[AUTHENTICATIONFAILED] User or password is wrong");
	}
	if (d->ending)
		gate_say(d->g, STR("* BYE Sign-in does not work now, try again\r\n"));
	else if (d->n_failures >= IMAP_GATE_FAILURES_MAX)
		gate_say(d->g, STR("* BYE Too many failures\r\n"));
	d->ending = d->ending || d->n_failures >= IMAP_GATE_FAILURES_MAX;
}

static void sign_in(struct imap_dialogue *d, struct str tag, struct str user, struct str password)
{
	struct gate *g = d->g;
	enum auth_result result = ask(d, user, password, &d->stream);

	if (result != AUTH_OK) {
		answer_failure(d, tag, result);
		return;
	}
	buf_printf(&g->out, "%.*s OK ", STR_FMT(tag));
	imap_capability_code_write(IMAP_STAGE_SIGNED_IN, g->config->message_size, &g->out);
	gate_say(g, STR(" Signed in\r\n"));
}

/* No credential is taken in the clear, on loopback neither (RFC 9051 §11.2, LOGINDISABLED). */
static bool may_sign_in(struct imap_dialogue *d, struct str tag)
{
	if (d->g->tls != NULL)
		return true;
	imap_gate_answer(d, tag, "NO", "[PRIVACYREQUIRED] Use STARTTLS first");
	return false;
}

void imap_gate_login(struct imap_dialogue *d, const struct imap_command *c)
{
	if (may_sign_in(d, c->tag))
		sign_in(d, c->tag, c->name, c->name2);
}

/* SASL PLAIN's message, checked; acting as somebody else is not to be had (RFC 4616 §2). */
static void sign_in_plain(struct imap_dialogue *d, struct str tag, struct str base64)
{
	struct buf decoded CLEANUP(buf_done) = BUF_MAX(SASL_PLAIN_LEN_MAX);
	struct sasl_plain plain;

	buf_reserve(&decoded, SASL_PLAIN_LEN_MAX); /* so that wiping reaches every copy */
	if (str_eq(base64, STR("*")))
		imap_gate_answer(d, tag, "BAD", "AUTHENTICATE given up");
	else if (!sasl_plain_decode(base64, &decoded, &plain))
		imap_gate_answer(d, tag, "BAD", "expected base64 of a SASL PLAIN message");
	else if (plain.authorization.len > 0 && !str_eq(plain.authorization, plain.user))
		imap_gate_answer(
		    d, tag, "NO", "[AUTHORIZATIONFAILED] Acting as another user is not possible");
	else
		sign_in(d, tag, plain.user, plain.password);
	explicit_bzero(decoded.p, decoded.cap);
}

/* The client's answer to "+ " is a line of its own; the tag outlives the reader's text. */
static void ask_for_response(struct imap_dialogue *d, struct str tag)
{
	char kept[IMAP_TAG_LEN_MAX];
	struct str kept_tag = {kept, tag.len};

	memcpy(kept, tag.p, tag.len);
	imap_reader_reset(d->reader);
	gate_say(d->g, STR("+ \r\n"));
	int r = imap_gate_read(d);
	if (r < 0)
		d->broken = r;
	else if (!d->ending)
		sign_in_plain(d, kept_tag, imap_reader_text(d->reader).text);
}

/* RFC 9051 §6.2.2 with the initial response of SASL-IR (RFC 4959). */
void imap_gate_authenticate(struct imap_dialogue *d, const struct imap_command *c)
{
	if (!may_sign_in(d, c->tag))
		return;
	if (!str_eq_nocase(c->mechanism, STR("PLAIN")))
		imap_gate_answer(d, c->tag, "NO", "[CANNOT] Only PLAIN is known here");
	else if (c->has_initial)
		sign_in_plain(d, c->tag, c->initial);
	else
		ask_for_response(d, c->tag);
}
