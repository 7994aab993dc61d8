#include "gate/imap_dialogue.h"
#include "imap/sasl_plain.h"

static void answer_failure(struct imap_dialogue *d, struct str tag, enum auth_result result)
{
	if (result == AUTH_TEMPORARY)
		imap_gate_answer(
		    d, tag, "NO", "[UNAVAILABLE] Sign-in does not work now, try again");
	else if (result == AUTH_SLOW_DOWN)
		imap_gate_answer(d, tag, "NO", "[LIMIT] Too many failures, try again later");
	else
		imap_gate_answer(d, tag, "NO", "[AUTHENTICATIONFAILED] User or password is wrong");
	if (!d->tries.over)
		return;
	gate_say(d->g, d->tries.lost ? STR("* BYE Sign-in does not work now, try again\r\n")
	                             : STR("* BYE Too many failures\r\n"));
	d->ending = true;
}

static void sign_in(struct imap_dialogue *d, struct str tag, struct str user, struct str password)
{
	struct gate *g = d->g;
	struct imap_offer offer = imap_gate_offer(g);
	enum auth_result result =
	    gate_sign_in(g, &d->tries, SESSION_IMAP, user, password, &d->stream);

	if (result != AUTH_OK) {
		answer_failure(d, tag, result);
		return;
	}
	buf_printf(&g->out, "%.*s OK ", STR_FMT(tag));
	imap_capability_code_write(IMAP_STAGE_SIGNED_IN, &offer, &g->out);
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
