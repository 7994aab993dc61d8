#include "gate/smtp/dialogue.h"

#include <errno.h>

#include "base/clock.h"
#include "smtp/data.h"

/* RFC 5321 §4.1.1.4. The rules of where a message ends are in smtp/data.h. */

enum {
	DATA_PIECES = 64,
	/* A client whose line ends are not ours may never send the end: it is over when nothing has
	 * come for this long. */
	DATA_PAUSE_MS = 1000,
	DATA_REFUSED_MS = 30 * 1000,
};

struct reading {
	struct smtp_dialogue *d;
	uint64_t began_ms;
	bool skipping; /* inside a line that is too long */
};

static struct smtp_reply check_order(const struct smtp_dialogue *d)
{
	const struct smtp_transaction *tx = &d->tx;
	if (!tx->is_open)
		return SMTP_REPLY(503, 5, 1, "MAIL and RCPT come before DATA");
	if (tx->in_chunks)
		return SMTP_REPLY(503, 5, 1, "The message has begun with BDAT");
	if (tx->n_recipients == 0)
		return SMTP_REPLY(554, 5, 1, "No valid recipients");
	if (tx->parameters.body == SMTP_BODY_BINARYMIME)
		return SMTP_REPLY(503, 5, 1, "BINARYMIME needs BDAT");
	return SMTP_NO_REPLY;
}

static void note_long_line(struct reading *r)
{
	r->skipping = true;
	if (r->d->tx.message.fault.code == 0)
		r->d->tx.message.fault =
		    SMTP_REPLY(550, 6, 0, "The message has a line of more than 998 characters");
}

/* Takes what of the message is pending. */
static enum smtp_data take_pending(struct reading *r)
{
	struct gate *g = r->d->g;
	struct iovec pieces[DATA_PIECES];
	size_t n = 0;
	struct str rest = gate_pending(g);
	enum smtp_data result = SMTP_DATA_RUN;
	while (result == SMTP_DATA_RUN || result == SMTP_DATA_LONG_LINE) {
		struct str run = STR("");
		result = r->skipping ? smtp_data_skip(&rest) : smtp_data_next(&rest, &run);
		if (result == SMTP_DATA_LONG_LINE)
			note_long_line(r);
		if (result == SMTP_DATA_RUN)
			r->skipping = false;
		if (run.len > 0)
			pieces[n++] = (struct iovec){(char *)(uintptr_t)run.p, run.len};
		if (n == DATA_PIECES) {
			smtp_message_add(&r->d->tx.message, pieces, n);
			n = 0;
		}
	}
	smtp_message_add(&r->d->tx.message, pieces, n);
	gate_consume(g, gate_pending(g).len - rest.len);
	return result;
}

/*
 * A CR or LF alone: nobody can say any more where this message ends and the next command begins. It
 * is refused, and so is everything after it: the connection ends, once the client has paused to
 * read.
 */
static struct smtp_reply refuse_bare(struct smtp_dialogue *d)
{
	struct gate *g = d->g;
	uint64_t until = clock_ms() + DATA_REFUSED_MS;
	uint64_t swallowed = 0;
	while (clock_ms() < until && swallowed < SMTP_SWALLOW_MAX &&
	       !str_ends(gate_pending(g), STR("\r\n.\r\n"))) {
		swallowed += gate_pending(g).len;
		gate_consume(g, gate_pending(g).len);
		gate_set_deadline(g, DATA_PAUSE_MS);
		int r = gate_fill(g);
		if (r == -ETIMEDOUT)
			break;
		if (r < 0)
			return smtp_lost(d, r);
	}
	gate_consume(g, gate_pending(g).len);
	struct smtp_reply reply =
	    SMTP_REPLY(550, 5, 2, "The message has CR or LF alone; lines end with CRLF");
	smtp_log_refusal(d, reply, STR(""));
	smtp_transaction_reset(d);
	d->ending = true;
	return reply;
}

struct smtp_reply smtp_cmd_data(struct smtp_dialogue *d, struct str argument)
{
	struct smtp_reply reply = check_order(d);
	if (reply.code != 0)
		return reply;
	if (argument.len > 0)
		return SMTP_REPLY(501, 5, 4, "DATA takes no argument");
	smtp_transaction_receive(d);
	struct smtp_message *m = &d->tx.message;
	smtp_reply_format(
	    SMTP_REPLY_PLAIN(354, "Go ahead; end with a dot on a line of its own"), &d->g->out);
	struct reading reading = {.d = d, .began_ms = clock_ms()};
	for (;;) {
		enum smtp_data result = take_pending(&reading);
		if (result == SMTP_DATA_END)
			return smtp_deliver(d);
		if (result == SMTP_DATA_BARE)
			return refuse_bare(d);
		if (m->len > m->size_max + SMTP_SWALLOW_MAX)
			return smtp_end(d, SMTP_REPLY(421, 3, 4, "The message is far too large"));
		int r = smtp_wait_for_data(d, reading.began_ms, m->len);
		if (r < 0)
			return smtp_lost(d, r);
	}
}
