#include "gate/smtp/dialogue.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "tls/server.h"

/* The table of commands. */
static struct smtp_reply (*const handlers[N_SMTP_VERBS])(
    struct smtp_dialogue *d, struct str argument) = {
    [SMTP_EHLO] = smtp_cmd_ehlo,
    [SMTP_HELO] = smtp_cmd_helo,
    [SMTP_MAIL] = smtp_cmd_mail,
    [SMTP_RCPT] = smtp_cmd_rcpt,
    [SMTP_DATA] = smtp_cmd_data,
    [SMTP_BDAT] = smtp_cmd_bdat,
    [SMTP_RSET] = smtp_cmd_rset,
    [SMTP_VRFY] = smtp_cmd_vrfy,
    [SMTP_EXPN] = smtp_cmd_expn,
    [SMTP_HELP] = smtp_cmd_help,
    [SMTP_NOOP] = smtp_cmd_noop,
    [SMTP_QUIT] = smtp_cmd_quit,
    [SMTP_STARTTLS] = smtp_cmd_starttls,
    [SMTP_AUTH] = smtp_cmd_auth,
};

void smtp_transaction_reset(struct smtp_dialogue *d)
{
	struct smtp_transaction *tx = &d->tx;
	smtp_message_done(&tx->message);
	arena_clear(&tx->arena);
	tx->is_open = tx->in_chunks = tx->has_failed = tx->forwards = false;
	tx->reverse_path = tx->envelope_id = tx->first_recipient = STR("");
	tx->parameters = (struct smtp_mail_parameters){.envid = STR("")};
	tx->n_recipients = tx->n_accounts = 0;
}

unsigned smtp_extensions(const struct smtp_dialogue *d)
{
	unsigned extensions = d->policy->extensions;
	if (!d->g->tls) /* RFC 8689 §2, RFC 4954 §4 */
		extensions &= ~(unsigned)(SMTP_EXTENSION_REQUIRETLS | SMTP_EXTENSION_AUTH);
	if (d->g->config->submit_hold == 0)
		extensions &= ~(unsigned)SMTP_EXTENSION_FUTURERELEASE;
	return extensions;
}

void smtp_transaction_receive(struct smtp_dialogue *d)
{
	smtp_message_begin(&d->tx.message, d->g->config->message_size, d->g->channels.gatekeeper);
}

struct smtp_reply smtp_end(struct smtp_dialogue *d, struct smtp_reply reply)
{
	d->ending = true;
	return reply;
}

struct smtp_reply smtp_lost(struct smtp_dialogue *d, int error)
{
	if (error == -ETIMEDOUT)
		return smtp_end(d, SMTP_REPLY(421, 4, 2, "Nothing has come for too long"));
	if (error == -ESHUTDOWN)
		return smtp_end(d, SMTP_REPLY(421, 3, 2, "This server is about to stop"));
	d->broken = error;
	return SMTP_NO_REPLY;
}

int smtp_wait_for_data(struct smtp_dialogue *d, uint64_t began_ms, uint64_t received)
{
	uint64_t ends = began_ms + SMTP_DATA_MS + received / SMTP_DATA_BYTES_PER_MS;
	uint64_t now = clock_ms();
	uint64_t left = ends > now ? ends - now : 0;
	gate_set_deadline(d->g, num_min(left, d->g->config->smtp_timeout * 1000));
	return gate_fill(d->g);
}

int smtp_read_line(struct smtp_dialogue *d, struct str *ret_line, struct smtp_reply *ret_reply)
{
	struct gate *g = d->g;
	bool is_long = false;
	gate_set_deadline(g, g->config->smtp_timeout * 1000);
	for (;;) {
		struct str pending = gate_pending(g);
		size_t lf = str_index(pending, '\n');
		if (lf < pending.len) {
			*ret_line = str_first(pending, lf > 0 ? lf - 1 : 0);
			bool crlf = lf > 0 && pending.p[lf - 1] == '\r';
			gate_consume(g, lf + 1);
			if (is_long || lf + 1 > SMTP_LINE_MAX)
				*ret_reply = SMTP_REPLY(500, 5, 2, "The line is too long");
			else if (!crlf)
				*ret_reply = SMTP_REPLY(500, 5, 2, "Lines end with CRLF");
			else
				return 0;
			return 1;
		}
		if (pending.len > SMTP_LINE_MAX) {
			is_long = true;
			gate_consume(g, pending.len);
		}
		g->interruptible = pending.len == 0;
		int r = gate_fill(g);
		g->interruptible = false;
		if (r < 0)
			return r;
	}
}

/* A browser that somebody else's page sent here (RFC 5321 knows no such words). */
static bool is_http(struct str keyword)
{
	static const struct str words[] = {STR_INIT("GET"), STR_INIT("POST"), STR_INIT("PUT"),
	    STR_INIT("HEAD"), STR_INIT("OPTIONS"), STR_INIT("CONNECT"), STR_INIT("Host:")};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq_nocase(keyword, words[i]))
			return true;
	}
	return false;
}

static struct smtp_reply run_line(struct smtp_dialogue *d, struct str line)
{
	struct smtp_command command = smtp_command_parse(line);
	if (line.len + 2 > smtp_command_line_max(command.verb))
		return SMTP_REPLY(500, 5, 2, "The line is too long");
	if (!smtp_line_is_clean(line))
		return SMTP_REPLY(500, 5, 2, "The line has characters that no command has");
	if (command.verb == SMTP_UNKNOWN && is_http(command.keyword))
		return smtp_end(d, SMTP_REPLY(421, 7, 0, "This is no web server"));
	if (command.verb == SMTP_UNKNOWN)
		return SMTP_REPLY(500, 5, 1, "No such command");
	if (command.verb != SMTP_RCPT && command.verb != SMTP_QUIT &&
	    ++d->n_idle > SMTP_IDLE_COMMANDS_MAX && !d->tx.is_open)
		return smtp_end(d, SMTP_REPLY(421, 7, 0, "Many commands and no message"));
	return handlers[command.verb](d, command.argument);
}

/* Errors of syntax and order, and the other refusals, each up to their limit. */
static struct smtp_reply count(struct smtp_dialogue *d, struct smtp_reply reply)
{
	if (d->ending || smtp_reply_is_positive(reply))
		return reply;
	bool is_error = (reply.code >= 500 && reply.code <= 504) || reply.code == 555;
	if (is_error && ++d->n_errors >= d->g->config->smtp_errors)
		return smtp_end(d, SMTP_REPLY(421, 7, 0, "Too many errors"));
	if (!is_error && ++d->n_refusals >= SMTP_REFUSALS_MAX)
		return smtp_end(d, SMTP_REPLY(421, 7, 0, "Too much had to be refused"));
	return reply;
}

static int answer(struct smtp_dialogue *d, struct smtp_reply reply)
{
	struct gate *g = d->g;
	if (reply.code != 0)
		smtp_reply_format(count(d, reply), &g->out);
	return g->out.len > SMTP_REPLIES_GATHERED ? gate_flush(g) : 0;
}

static void greet(struct smtp_dialogue *d)
{
	buf_printf(&d->g->out, "220 %s ESMTP ready\r\n", d->g->config->hostname);
}

/* TLS before the first word: an answer in the clear would be no answer. */
static bool start_with_tls(struct smtp_dialogue *d)
{
	d->broken = gate_start_tls(d->g);
	if (d->broken < 0)
		log_event(LOG_INFO, "smtp.tls_failed", "connection=%llu peer=%s error=%d reason=%s",
		    (unsigned long long)d->g->connection, d->g->peer, -d->broken,
		    log_quote(str_of_cstr(tls_error())).text);
	return d->broken == 0;
}

static void converse(struct smtp_dialogue *d)
{
	greet(d);
	while (!d->ending && d->broken == 0) {
		struct str line = STR("");
		struct smtp_reply reply = SMTP_NO_REPLY;
		int r = smtp_read_line(d, &line, &reply);
		if (r < 0)
			reply = smtp_lost(d, r);
		else if (r == 0)
			reply = run_line(d, line);
		r = answer(d, reply);
		if (r < 0 && d->broken == 0)
			d->broken = r;
	}
}

int smtp_serve(struct gate *g, const struct smtp_policy *policy)
{
	struct smtp_dialogue d = {.g = g,
	    .policy = policy,
	    .began_ms = clock_ms(),
	    .tx = {.arena = ARENA_MAX(SMTP_TRANSACTION_MEMORY), .message = {.fd = -1}}};
	smtp_transaction_reset(&d);
	uint64_t seconds = g->config->smtp_duration;
	if (policy->submits)
		seconds = num_min(seconds, g->config->sign_in_timeout);
	g->closes_at_ms = d.began_ms + seconds * 1000;
	if (g->implicit_tls && !start_with_tls(&d))
		return d.broken;
	converse(&d);
	int r = d.broken != 0 ? d.broken : gate_finish(g, d.has_quit);
	smtp_transaction_reset(&d);
	arena_done(&d.tx.arena);
	log_event(LOG_DEBUG, "smtp.closed", "connection=%llu peer=%s messages=%u errors=%u",
	    (unsigned long long)g->connection, g->peer, d.n_messages, d.n_errors);
	return r;
}
