#include "gate/imap_dialogue.h"

#include <errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "tls/server.h"

void imap_gate_answer(struct imap_dialogue *d, struct str tag, const char *status, const char *text)
{
	buf_printf(&d->g->out, "%.*s %s %s\r\n", STR_FMT(tag), status, text);
}

static void end(struct imap_dialogue *d, const char *why)
{
	buf_printf(&d->g->out, "* BYE %s\r\n", why);
	d->ending = true;
}

static void count_error(struct imap_dialogue *d)
{
	if (++d->n_errors >= IMAP_GATE_ERRORS_MAX && !d->ending)
		end(d, "Too many errors");
}

static void lost(struct imap_dialogue *d, int error)
{
	if (error == -ETIMEDOUT)
		end(d, "Autologout; nobody signed in");
	else if (error == -ESHUTDOWN)
		end(d, "The server is restarting");
	else
		d->broken = error;
}

/* Feeds what is pending. True when a command is whole or the dialogue is to end. */
static bool feed(struct imap_dialogue *d)
{
	struct str rest = gate_pending(d->g);
	size_t before = rest.len;
	enum imap_read result = imap_reader_feed(d->reader, &rest);

	gate_consume(d->g, before - rest.len);
	switch (result) {
	case IMAP_READ_COMMAND:
		return true;
	case IMAP_READ_CONTINUE:
		gate_say(d->g, STR("+ OK\r\n"));
		break;
	case IMAP_READ_REFUSED:
		imap_gate_answer(
		    d, imap_reader_tag(d->reader), "BAD", imap_reader_refusal(d->reader));
		imap_reader_reset(d->reader);
		count_error(d);
		break;
	case IMAP_READ_FATAL:
		end(d, imap_reader_refusal(d->reader));
		break;
	case IMAP_READ_MORE:
		break;
	}
	return d->ending;
}

int imap_gate_read(struct imap_dialogue *d)
{
	struct gate *g = d->g;

	for (;;) {
		while (gate_pending(g).len > 0)
			if (feed(d))
				return 0;
		g->interruptible = imap_reader_idle(d->reader);
		int r = gate_fill(g);
		g->interruptible = false;
		if (r < 0)
			return r;
	}
}

static void capability(struct imap_dialogue *d, const struct imap_command *c)
{
	struct gate *g = d->g;
	struct imap_offer offer = imap_gate_offer(g);

	gate_say(g, STR("* CAPABILITY "));
	imap_capability_write(imap_gate_stage(g), &offer, &g->out);
	gate_say(g, STR("\r\n"));
	imap_gate_answer(d, c->tag, "OK", "CAPABILITY done");
}

/*
 * RFC 9051 §6.2.1. Whatever came in the same breath was sent in the clear, perhaps not by the
 * client: gate_start_tls throws it away.
 */
static void starttls(struct imap_dialogue *d, const struct imap_command *c)
{
	struct gate *g = d->g;

	if (g->tls != NULL || g->tls_server == NULL) {
		imap_gate_answer(d, c->tag, "BAD", g->tls ? "TLS is on already" : "No TLS here");
		return;
	}
	if (gate_reach_keyholder(g) < 0) {
		imap_gate_answer(d, c->tag, "NO", "[UNAVAILABLE] TLS is not to be had now");
		return;
	}
	size_t injected = gate_pending(g).len;
	if (injected > 0)
		log_event(LOG_WARNING, "imap.injected", "connection=%llu peer=%s bytes=%zu",
		    (unsigned long long)g->connection, g->peer, injected);
	imap_gate_answer(d, c->tag, "OK", "Go ahead with TLS");
	int r = gate_start_tls(g);
	if (r < 0) {
		log_event(LOG_INFO, "imap.tls_failed", "connection=%llu peer=%s error=%d reason=%s",
		    (unsigned long long)g->connection, g->peer, -r,
		    log_quote(str_of_cstr(tls_error())).text);
		d->broken = r;
	}
}

static void run_command(struct imap_dialogue *d, const struct imap_command *c)
{
	switch (c->id) {
	case IMAP_CAPABILITY:
		capability(d, c);
		break;
	case IMAP_NOOP:
		imap_gate_answer(d, c->tag, "OK", "NOOP done");
		break;
	case IMAP_ID:
		gate_say(d->g, STR("* ID (\"name\" \"Gatepost\")\r\n"));
		imap_gate_answer(d, c->tag, "OK", "ID done");
		break;
	case IMAP_LOGOUT:
		end(d, "Good-bye");
		imap_gate_answer(d, c->tag, "OK", "LOGOUT done");
		break;
	case IMAP_STARTTLS:
		starttls(d, c);
		break;
	case IMAP_LOGIN:
		imap_gate_login(d, c);
		break;
	case IMAP_AUTHENTICATE:
		imap_gate_authenticate(d, c);
		break;
	default:
		imap_gate_answer(d, c->tag, "BAD", "Sign in first");
		count_error(d);
		break;
	}
}

static void run_text(struct imap_dialogue *d)
{
	struct imap_parser p = imap_parser_of(imap_reader_text(d->reader), &d->arena);
	struct imap_command c;

	if (imap_command_parse(&p, &c)) {
		run_command(d, &c);
	} else {
		buf_printf(&d->g->out, "%.*s BAD ", STR_FMT(c.tag));
		imap_error_write(&p, &d->g->out);
		gate_say(d->g, STR("\r\n"));
		count_error(d);
	}
	imap_reader_reset(d->reader);
	arena_done(&d->arena);
	if (++d->n_commands >= IMAP_GATE_COMMANDS_MAX && d->stream < 0 && !d->ending)
		end(d, "Too many commands without a sign-in");
}

static void greet(struct imap_dialogue *d)
{
	struct gate *g = d->g;
	struct imap_offer offer = imap_gate_offer(g);

	gate_say(g, STR("* OK "));
	imap_capability_code_write(imap_gate_stage(g), &offer, &g->out);
	buf_printf(&g->out, " %s ready\r\n", g->config->hostname);
}

/* Until somebody is signed in, or the end. */
static void converse(struct imap_dialogue *d)
{
	d->g->closes_at_ms = clock_ms() + d->g->config->sign_in_timeout * 1000;
	while (!d->ending && d->broken == 0 && d->stream < 0) {
		int r = imap_gate_read(d);
		if (r < 0)
			lost(d, r);
		else if (!d->ending)
			run_text(d);
	}
}

static void begin(struct imap_dialogue *d)
{
	d->g->closes_at_ms = clock_ms() + d->g->config->sign_in_timeout * 1000;
	if (d->g->implicit_tls)
		d->broken = gate_start_tls(d->g);
	if (d->broken == 0)
		greet(d);
}

/* The session's time. True when it gave the connection back (RFC 8437): as at the start, but that
 * TLS is there and what failed is remembered. */
static bool serve(struct imap_dialogue *d)
{
	d->broken = gate_flush(d->g);
	if (d->broken != 0)
		return false;
	int r = gate_pump(d->g, fd_take(&d->stream));
	if (r == GATE_GIVEN_BACK) {
		d->n_errors = d->n_commands = 0;
		return true;
	}
	if (r == -ENOBUFS)
		end(d, "Too much was sent behind UNAUTHENTICATE");
	else
		d->broken = r;
	d->served = true;
	return false;
}

int gate_imap(struct gate *g)
{
	const struct imap_limits limits = {.text_len = IMAP_TEXT_LEN_BEFORE_LOGIN_MAX,
	    .literal_len = IMAP_LITERAL_LEN_BEFORE_LOGIN_MAX};
	struct imap_dialogue d = {.g = g, .arena = ARENA_MAX(IMAP_GATE_ARENA_MAX), .stream = -1};

	g->signs_in_anew = g->config->sign_in_anew != 0;
	begin(&d);
	do {
		if (!d.reader)
			d.reader = imap_reader_new(&limits);
		converse(&d);
		imap_reader_free(d.reader);
		d.reader = NULL;
		arena_done(&d.arena);
	} while (d.stream >= 0 && serve(&d));
	int r = d.broken != 0 ? d.broken : gate_flush(g);
	fd_close(&d.stream);
	if (d.broken == 0 && (d.ending || !d.served))
		gate_linger(g);
	return r;
}
