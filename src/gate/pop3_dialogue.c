#include "gate/pop3_dialogue.h"

#include <errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "tls/server.h"

void pop3_gate_error(struct pop3_dialogue *d, const char *text)
{
	buf_printf(&d->g->out, "-ERR %s\r\n", text);
}

static void count_error(struct pop3_dialogue *d, const char *text)
{
	bool last = ++d->n_errors >= POP3_GATE_ERRORS_MAX;

	pop3_gate_error(d, last ? "Too many errors" : text);
	d->ending = d->ending || last;
}

int pop3_gate_read(struct pop3_dialogue *d, struct str *ret_line)
{
	struct gate *g = d->g;

	for (;;) {
		struct str pending = gate_pending(g), rest = pending;
		enum pop3_line cut = pop3_line_cut(&rest, POP3_SIGN_IN_LINE_MAX, ret_line);
		if (cut == POP3_LINE_WHOLE) {
			gate_consume(g, pending.len - rest.len);
			return 0;
		}
		if (cut == POP3_LINE_TOO_LONG) {
			pop3_gate_error(d, "That line is too long");
			d->ending = true;
			return -EMSGSIZE;
		}
		g->interruptible = pending.len == 0;
		int r = gate_fill(g);
		g->interruptible = false;
		if (r < 0)
			return r;
	}
}

static void capa(struct pop3_dialogue *d)
{
	pop3_capability_write(d->g->tls != NULL ? POP3_STAGE_TLS : POP3_STAGE_PLAIN, &d->g->out);
}

/*
 * RFC 2595 §4. Whatever came in the same breath was sent in the clear, perhaps not by the client:
 * gate_start_tls throws it away, and a name given so far is forgotten.
 */
static void stls(struct pop3_dialogue *d)
{
	struct gate *g = d->g;

	if (g->tls != NULL || g->tls_server == NULL) {
		count_error(d, g->tls ? "TLS is on already" : "No TLS here");
		return;
	}
	if (gate_reach_keyholder(g) < 0) {
		pop3_gate_error(d, "[SYS/TEMP] TLS is not to be had now");
		return;
	}
	size_t injected = gate_pending(g).len;
	if (injected > 0)
		log_event(LOG_WARNING, "pop3.injected", "connection=%llu peer=%s bytes=%zu",
		    (unsigned long long)g->connection, g->peer, injected);
	gate_say(g, STR("+OK Go ahead with TLS\r\n"));
	d->user_len = 0;
	int r = gate_start_tls(g);
	if (r < 0) {
		log_event(LOG_INFO, "pop3.tls_failed", "connection=%llu peer=%s error=%d reason=%s",
		    (unsigned long long)g->connection, g->peer, -r,
		    log_quote(str_of_cstr(tls_error())).text);
		d->broken = r;
	}
}

static void run_command(struct pop3_dialogue *d, const struct pop3_command *c)
{
	switch (c->id) {
	case POP3_CAPA:
		capa(d);
		break;
	case POP3_STLS:
		stls(d);
		break;
	case POP3_USER:
		pop3_gate_user(d, c);
		break;
	case POP3_PASS:
		pop3_gate_pass(d, c);
		break;
	case POP3_AUTH:
		pop3_gate_auth(d, c);
		break;
	case POP3_QUIT:
		gate_say(d->g, STR("+OK Good-bye\r\n"));
		d->ending = true;
		break;
	default:
		count_error(d, "Sign in first");
		break;
	}
}

static void run_line(struct pop3_dialogue *d, struct str line)
{
	struct pop3_command c;
	const char *error;

	if (pop3_command_parse(line, &c, &error))
		run_command(d, &c);
	else
		count_error(d, error);
	if (++d->n_commands >= POP3_GATE_COMMANDS_MAX && d->stream < 0)
		d->ending = true;
}

/* RFC 1939 §4; no "<…>" in it, which would announce APOP. */
static void greet(struct pop3_dialogue *d)
{
	buf_printf(&d->g->out, "+OK %s ready\r\n", d->g->config->hostname);
}

static void converse(struct pop3_dialogue *d)
{
	struct str line;

	if (d->g->implicit_tls && d->g->tls == NULL)
		d->broken = gate_start_tls(d->g);
	if (d->broken == 0)
		greet(d);
	while (!d->ending && d->broken == 0 && d->stream < 0) {
		int r = pop3_gate_read(d, &line);
		if (r == 0)
			run_line(d, line);
		else if (r == -ETIMEDOUT || r == -ESHUTDOWN || r == -EMSGSIZE)
			d->ending = true;
		else
			d->broken = r;
	}
}

int gate_pop3(struct gate *g)
{
	struct pop3_dialogue d = {.g = g, .stream = -1};

	g->closes_at_ms = clock_ms() + g->config->sign_in_timeout * 1000;
	converse(&d);
	int r = d.broken != 0 ? d.broken : gate_flush(g);
	if (d.stream >= 0 && r == 0)
		return gate_pump(g, fd_take(&d.stream));
	fd_close(&d.stream);
	if (d.broken == 0)
		gate_linger(g);
	return r;
}
