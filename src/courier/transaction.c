#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/utf8.h"
#include "courier/state.h"
#include "mail/address.h"

enum {
	/* So much is said before answers are taken: both sides have room for it (RFC 2920 §3.1). */
	PIPELINE_BYTES = 4096,
	PATH_MAX_LEN = 700,
	RECIPIENTS_AT_ONCE = 100, /* RFC 5321 §4.5.3.1.8: so many every server takes */
	LAST_WORDS_MS = 2000,     /* of a server that stopped listening */
};

struct tx {
	struct courier *c;
	struct job *job;
	struct recipient *v[IPC_RECIPIENTS_MAX];
	size_t n;
	size_t n_accepted;
	bool is_refused; /* MAIL was */
	bool data_said;
	bool must_stop; /* 421: the server takes nothing more */
};

static const struct courier_times *times(const struct tx *tx)
{
	return tx->c->start->times;
}

/* --- fates --- */

static void give(struct tx *tx, struct recipient *r, const struct fate *fate, bool is_decided)
{
	if (r->is_decided)
		return;
	r->fate = *fate;
	if (str_to_cstr(str_of_cstr(tx->c->host), r->fate.mta, sizeof(r->fate.mta)) < 0)
		r->fate.mta[0] = '\0';
	r->is_decided = is_decided;
}

/* To all of the job, or to those that RCPT accepted. */
static void give_all(struct tx *tx, const struct fate *fate, bool is_decided)
{
	for (size_t i = 0; i < tx->job->n; i++)
		give(tx, &tx->job->v[i], fate, is_decided);
}

static void give_accepted(struct tx *tx, const struct fate *fate, bool is_decided)
{
	for (size_t i = 0; i < tx->n; i++)
		if (tx->v[i]->is_accepted)
			give(tx, tx->v[i], fate, is_decided);
}

static struct fate fate_of(const struct smtp_answer *answer)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(SMTP_ANSWER_TEXT_MAX);
	enum carry_outcome outcome = answer->code / 100 == 2   ? CARRY_ACCEPTED
	                             : answer->code / 100 == 5 ? CARRY_NEVER
	                                                       : CARRY_LATER;
	struct smtp_status status = smtp_answer_status(answer);
	struct fate fate;

	if (outcome == CARRY_LATER)
		status.text[0] = '4';
	smtp_answer_text(answer, &text);
	fate_set(&fate, outcome, status.text, "%.*s", STR_FMT(buf_str(&text)));
	fate.code = answer->code;
	return fate;
}

/* The connection failed: nothing was delivered, another server may do. */
static int lost(struct tx *tx, int error, const char *at)
{
	struct fate fate;

	fate_set(&fate, CARRY_LATER, "4.4.2", "%s %s %s", tx->c->mta, link_error(error), at);
	give_all(tx, &fate, false);
	return error;
}

/* --- what the server cannot do --- */

static bool is_ascii(const struct job *job)
{
	bool ascii = utf8_is_ascii(job->carry->mail.reverse_path);

	for (size_t i = 0; i < job->n; i++) {
		struct str address = job->v[i].address;
		size_t at = address.len; /* the last one: a quoted local part may have others */
		while (at > 0 && address.p[at - 1] != '@')
			at--;
		ascii = ascii && utf8_is_ascii(str_first(address, at > 0 ? at : address.len));
	}
	return ascii;
}

static int64_t seconds_left(const struct ipc_outgoing *mail)
{
	return ((int64_t)mail->deliver_by - (int64_t)clock_wall_ms()) / 1000;
}

struct lack {
	bool is_there;
	const char *status, *what;
};

/* Nothing is converted: the message goes as it is, or its sender hears why not. */
static struct lack lack_of(const struct courier *c, const struct job *job)
{
	const struct ipc_outgoing *mail = &job->carry->mail;
	const struct smtp_extensions *e = &c->extensions;
	bool binary = mail->body == 2, returns = mail->by_mode == BY_RETURN;
	bool in_time = seconds_left(mail) > 0 && (uint64_t)seconds_left(mail) >= e->deliverby_min;
	const struct lack lacks[] = {
	    {job_requires_tls(mail) && !c->is_verified, "5.7.10",
	        "cannot be reached by verified TLS, which the message requires"},
	    {job_requires_tls(mail) && !e->requiretls, "5.7.30",
	        "does not support REQUIRETLS, which the message requires"},
	    {!e->smtputf8 && (mail->smtputf8 || !is_ascii(job)), "5.6.7",
	        "does not support addresses or headers in other scripts (SMTPUTF8), which the "
	        "message has"},
	    {binary && !(e->binarymime && e->chunking), "5.6.3",
	        "does not take binary content (BINARYMIME), which the message has"},
	    {!binary && job->carry->eight_bit && !e->eight_bit, "5.6.3",
	        "does not take 8-bit content (8BITMIME), which the message has"},
	    {e->size_max != 0 && job->message.len > e->size_max, "5.3.4",
	        "does not take messages of this size"},
	    {returns && !e->deliverby, "5.3.3",
	        "does not support DELIVERBY, which the message requires"},
	    {returns && !in_time, "5.4.7", "promises no delivery within the time that is left"},
	};

	for (size_t i = 0; i < ARRAY_LEN(lacks); i++)
		if (lacks[i].is_there)
			return lacks[i];
	return (struct lack){0};
}

/* --- commands --- */

/* Printable ASCII but "+" and "=" as it is, the rest as "+HH" (RFC 3461 §4). */
static void say_xtext(struct link *l, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c < 33 || c > 126 || c == '+' || c == '=')
			link_say(l, "+%02X", c);
		else
			link_say(l, "%c", c);
	}
}

/* local@domain with the quotes that the local part needs; the domain in A-labels where the server
 * knows no others. */
static void say_path(struct tx *tx, struct str address)
{
	struct buf path CLEANUP(buf_done) = BUF_MAX(PATH_MAX_LEN);
	size_t at = address.len;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	struct str local = str_first(address, at > 0 ? at - 1 : 0), domain = str_from(address, at);
	if (at == 0) {
		buf_add(&path, address); /* "", or what has no domain */
	} else {
		if (str_starts(local, STR("\"")))
			buf_add(&path, local);
		else
			address_local_quote(local, &path);
		buf_add_c(&path, '@');
		if (utf8_is_ascii(domain) || tx->c->extensions.smtputf8 ||
		    !address_domain_canonical(domain, &path))
			buf_add(&path, domain);
	}
	link_say(&tx->c->link, "<%.*s>", STR_FMT(buf_str(&path)));
}

static void say_mail(struct tx *tx)
{
	static const char *const bodies[] = {"", " BODY=8BITMIME", " BODY=BINARYMIME"};
	static const char *const rets[] = {"", " RET=FULL", " RET=HDRS"};
	const struct ipc_outgoing *mail = &tx->job->carry->mail;
	const struct smtp_extensions *e = &tx->c->extensions;
	struct link *l = &tx->c->link;
	unsigned body = mail->body == 2 ? 2 : tx->job->carry->eight_bit && e->eight_bit;

	link_say(l, "MAIL FROM:");
	say_path(tx, mail->reverse_path);
	if (e->size)
		link_say(l, " SIZE=%zu", tx->job->message.len);
	link_say(l, "%s", bodies[body]);
	if (e->smtputf8 && (mail->smtputf8 || !is_ascii(tx->job)))
		link_say(l, " SMTPUTF8");
	if (e->dsn) {
		link_say(l, "%s", rets[mail->ret]);
		if (mail->envelope_id.len > 0) {
			link_say(l, " ENVID=");
			say_xtext(l, mail->envelope_id);
		}
	}
	if (mail->require_tls && e->requiretls)
		link_say(l, " REQUIRETLS");
	if (e->deliverby && mail->by_mode != BY_NONE)
		link_say(l, " BY=%lld;%c%s", (long long)seconds_left(mail),
		    mail->by_mode == BY_RETURN ? 'R' : 'N', mail->by_trace ? "T" : "");
	link_say(l, "\r\n");
}

static void say_notify(struct link *l, uint8_t notify)
{
	static const struct {
		uint8_t bit;
		const char *word;
	} words[] = {{NOTIFY_NEVER, "NEVER"}, {NOTIFY_SUCCESS, "SUCCESS"},
	    {NOTIFY_FAILURE, "FAILURE"}, {NOTIFY_DELAY, "DELAY"}};
	const char *separator = " NOTIFY=";

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if ((notify & words[i].bit) != 0) {
			link_say(l, "%s%s", separator, words[i].word);
			separator = ",";
		}
}

static void say_rcpt(struct tx *tx, const struct recipient *r)
{
	struct link *l = &tx->c->link;

	link_say(l, "RCPT TO:");
	say_path(tx, r->address);
	if (tx->c->extensions.dsn) {
		struct str rest = r->original;
		say_notify(l, r->notify);
		if (rest.len > 0) {
			struct str type = str_cut(&rest, ';');
			link_say(l, " ORCPT=%.*s;", STR_FMT(type));
			say_xtext(l, rest);
		}
	}
	link_say(l, "\r\n");
}

/* --- answers --- */

static int answer(struct tx *tx, uint64_t ms, struct smtp_answer *ret_answer)
{
	int r = link_answer(&tx->c->link, ms, ret_answer);

	if (r == 0 && ret_answer->code == 421)
		tx->must_stop = true;
	return r;
}

static int take_rset(struct tx *tx)
{
	struct smtp_answer a;
	int r = answer(tx, times(tx)->command, &a);

	if (r == 0)
		tx->c->needs_reset = a.code / 100 != 2;
	return r < 0 ? lost(tx, r, "at RSET") : 0;
}

/* A refusal for now may be another server's acceptance; one for good is for good. */
static int take_mail(struct tx *tx)
{
	struct smtp_answer a;
	int r = answer(tx, times(tx)->command, &a);

	if (r < 0)
		return lost(tx, r, "at MAIL");
	if (a.code / 100 == 2)
		return 0;
	struct fate fate = fate_of(&a);
	tx->is_refused = true;
	give_all(tx, &fate, fate.outcome == CARRY_NEVER);
	return 0;
}

static int take_rcpt(struct tx *tx, struct recipient *recipient)
{
	struct smtp_answer a;
	int r = answer(tx, times(tx)->command, &a);

	if (r < 0)
		return lost(tx, r, "at RCPT");
	if (tx->is_refused)
		return 0;
	if (a.code / 100 == 2) {
		recipient->is_accepted = true;
		tx->n_accepted++;
		return 0;
	}
	/* Enough for one transaction, perhaps: then the others have the next, in which this says
	 * what it says (RFC 5321 §4.5.3.1.10). */
	bool is_enough = (a.code == 452 || a.code == 552) && tx->n_accepted > 0;
	bool is_for_now = tx->must_stop || is_enough;
	struct fate fate = fate_of(&a);
	give(tx, recipient, &fate, !is_for_now);
	if (tx->must_stop)
		give_all(tx, &fate, false);
	return 0;
}

/* RSET where something may be left over, and MAIL. */
static int begin_envelope(struct tx *tx, bool resets)
{
	struct courier *c = tx->c;
	bool together = c->extensions.pipelining;
	int r = 0;

	if (resets)
		link_say(&c->link, "RSET\r\n");
	if (resets && !together)
		r = take_rset(tx);
	say_mail(tx);
	return r == 0 && !together ? take_mail(tx) : r;
}

/* The answers to what was said together (RFC 2920), from the `*taken`th recipient on. */
static int take_answers(struct tx *tx, bool resets, size_t said, size_t *taken)
{
	bool begins = tx->c->extensions.pipelining && *taken == 0;
	int r = begins && resets ? take_rset(tx) : 0;

	if (begins && r == 0)
		r = take_mail(tx);
	for (; *taken < said && r == 0 && !tx->must_stop; (*taken)++)
		r = take_rcpt(tx, tx->v[*taken]);
	return r;
}

/* Everything before the message: 0, or the connection's error. */
static int open_envelope(struct tx *tx)
{
	struct courier *c = tx->c;
	bool together = c->extensions.pipelining;
	bool resets = c->needs_reset || c->n_messages > 0;
	size_t said = 0, taken = 0;
	int r = begin_envelope(tx, resets);

	while (said < tx->n && r == 0 && !tx->is_refused && !tx->must_stop) {
		say_rcpt(tx, tx->v[said++]);
		if (together && said < tx->n && c->link.out.len < PIPELINE_BYTES)
			continue;
		tx->data_said = together && said == tx->n && !c->extensions.chunking;
		if (tx->data_said)
			link_say(&c->link, "DATA\r\n");
		r = take_answers(tx, resets, said, &taken);
	}
	return r;
}

/* --- the message --- */

/* 0: it may be sent; 1: not; or the connection's error. */
static int ask_for_data(struct tx *tx)
{
	struct smtp_answer a;

	if (!tx->data_said && tx->n_accepted == 0)
		return 1;
	if (!tx->data_said && tx->c->extensions.chunking)
		return 0;
	if (!tx->data_said)
		link_say(&tx->c->link, "DATA\r\n");
	int r = answer(tx, times(tx)->data, &a);
	if (r < 0)
		return lost(tx, r, "at DATA");
	if (a.code == 354 && tx->n_accepted > 0)
		return 0;
	if (a.code == 354) {
		/* DATA went out with recipients that were all refused: an empty message takes it
		 * back (RFC 2920 §3.1). */
		link_say(&tx->c->link, ".\r\n");
		r = answer(tx, times(tx)->final, &a);
		return r < 0 ? r : 1;
	}
	struct fate fate = fate_of(&a);
	if (fate.outcome == CARRY_ACCEPTED)
		fate_set(
		    &fate, CARRY_LATER, "4.5.0", "%s answered DATA with %u", tx->c->mta, a.code);
	give_accepted(tx, &fate, !tx->must_stop);
	return 1;
}

/* Lines that begin with a dot get another (RFC 5321 §4.5.2). */
static int send_stuffed(struct tx *tx)
{
	struct str rest = tx->job->message;
	struct link *l = &tx->c->link;
	bool ends = str_ends(rest, STR("\r\n"));
	int r = 0;

	if (str_starts(rest, STR(".")))
		r = link_send(l, STR("."), times(tx)->block);
	while (rest.len > 0 && r == 0) {
		size_t dot = str_find(rest, STR("\r\n."));
		size_t len = dot < rest.len ? dot + 3 : rest.len;
		r = link_send(l, str_first(rest, len), times(tx)->block);
		if (r == 0 && dot < rest.len)
			r = link_send(l, STR("."), times(tx)->block);
		rest = str_from(rest, len);
	}
	return r == 0 ? link_send(l, ends ? STR(".\r\n") : STR("\r\n.\r\n"), times(tx)->block) : r;
}

static int send_message(struct tx *tx)
{
	if (!tx->c->extensions.chunking)
		return send_stuffed(tx);
	link_say(&tx->c->link, "BDAT %zu LAST\r\n", tx->job->message.len);
	return link_send(&tx->c->link, tx->job->message, times(tx)->block);
}

/* The server stopped taking the message. It may have said why before it closed. */
static int explain_break(struct tx *tx, int error)
{
	struct smtp_answer a;

	buf_clear(&tx->c->link.out);
	if ((error != -EPIPE && error != -ECONNRESET) ||
	    link_answer(&tx->c->link, LAST_WORDS_MS, &a) < 0 || a.code < 400)
		return lost(tx, error, "in the midst of the message");
	struct fate fate = fate_of(&a);
	give_accepted(tx, &fate, fate.outcome == CARRY_NEVER);
	return error;
}

static int hand_over(struct tx *tx)
{
	struct smtp_answer a;
	int r = send_message(tx);

	if (r < 0)
		return explain_break(tx, r);
	/* From here on it may be delivered whatever happens to the connection. */
	tx->c->link.interruptible = false;
	r = answer(tx, times(tx)->final, &a);
	tx->c->link.interruptible = true;
	struct fate fate;
	if (r < 0) {
		fate_set(&fate, CARRY_LATER, "4.4.2",
		    "%s %s after the whole message was sent; it may have been delivered",
		    tx->c->mta, link_error(r));
		give_accepted(tx, &fate, true);
		return r;
	}
	fate = fate_of(&a);
	if (a.code / 100 == 3)
		fate_set(&fate, CARRY_LATER, "4.5.0", "%s answered the message with %u", tx->c->mta,
		    a.code);
	if (fate.outcome == CARRY_ACCEPTED)
		tx->c->needs_reset = false;
	give_accepted(tx, &fate, true);
	for (size_t i = 0; i < tx->n; i++)
		tx->v[i]->relayed =
		    tx->v[i]->fate.outcome == CARRY_ACCEPTED && !tx->c->extensions.dsn;
	return 0;
}

/* --- all of it --- */

static void choose_recipients(struct tx *tx)
{
	const struct smtp_extensions *e = &tx->c->extensions;
	size_t most =
	    e->rcpt_max != 0 ? num_min(e->rcpt_max, IPC_RECIPIENTS_MAX) : RECIPIENTS_AT_ONCE;

	for (size_t i = 0; i < tx->job->n && tx->n < most; i++)
		if (!tx->job->v[i].is_decided) {
			tx->job->v[i].is_accepted = false;
			tx->v[tx->n++] = &tx->job->v[i];
		}
}

static size_t count_undecided(const struct job *job)
{
	size_t n = 0;

	for (size_t i = 0; i < job->n; i++)
		n += !job->v[i].is_decided;
	return n;
}

/* One transaction. True when the connection can take another. */
static bool run_once(struct tx *tx)
{
	choose_recipients(tx);
	int r = open_envelope(tx);
	tx->c->needs_reset = true;
	if (r == 0 && !tx->must_stop && (tx->data_said || !tx->is_refused))
		r = ask_for_data(tx);
	if (r == 0 && !tx->must_stop && !tx->is_refused && tx->n_accepted > 0)
		r = hand_over(tx);
	return r >= 0 && !tx->must_stop;
}

bool transaction_run(struct courier *c, struct job *job)
{
	struct lack lack = lack_of(c, job);

	if (lack.is_there) {
		struct tx tx = {.c = c, .job = job};
		struct fate fate;
		fate_set(&fate, CARRY_NEVER, lack.status, "%s %s", c->mta, lack.what);
		give_all(&tx, &fate, false);
		return true;
	}
	for (unsigned round = 0; round < COURIER_ROUNDS_MAX; round++) {
		struct tx tx = {.c = c, .job = job};
		size_t before = count_undecided(job);
		if (!run_once(&tx))
			return false;
		size_t after = count_undecided(job);
		if (after == 0 || after == before)
			return true;
	}
	struct tx tx = {.c = c, .job = job};
	struct fate fate;
	fate_set(&fate, CARRY_LATER, "4.5.3", "%s takes too few recipients at a time", c->mta);
	give_all(&tx, &fate, true);
	return true;
}
