#include "gate/smtp/dialogue.h"

#include "base/clock.h"
#include "base/num.h"

/*
 * RFC 3030 §2: the chunk follows the command at once, whatever we think of it: so it is always
 * read, to keep in step, and only then answered. After a chunk that was refused every other is
 * answered with 503 until RSET.
 */

static struct smtp_reply check_order(const struct smtp_dialogue *d)
{
	const struct smtp_transaction *tx = &d->tx;
	if (!tx->is_open)
		return SMTP_REPLY(503, 5, 1, "MAIL and RCPT come before BDAT");
	if (tx->has_failed)
		return SMTP_REPLY(503, 5, 1, "A chunk before this one was refused; say RSET");
	if (tx->n_recipients == 0)
		return SMTP_REPLY(554, 5, 1, "No valid recipients");
	return SMTP_NO_REPLY;
}

/* Reads a chunk; into the message where `keep`. 0 or the connection's error. */
static int read_chunk(struct smtp_dialogue *d, uint64_t size, bool keep)
{
	struct gate *g = d->g;
	uint64_t began = clock_ms();
	for (uint64_t left = size; left > 0;) {
		struct str piece = str_first(gate_pending(g), num_min(left, SIZE_MAX));
		if (piece.len > 0 && keep) {
			struct iovec v = {(char *)(uintptr_t)piece.p, piece.len};
			smtp_message_add(&d->tx.message, &v, 1);
		}
		gate_consume(g, piece.len);
		left -= piece.len;
		int r = left > 0 ? smtp_wait_for_data(d, began, size - left) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static struct smtp_reply refuse(struct smtp_dialogue *d, struct smtp_reply reply)
{
	d->tx.has_failed = true;
	smtp_message_done(&d->tx.message);
	smtp_log_refusal(d, reply, STR(""));
	return reply;
}

struct smtp_reply smtp_cmd_bdat(struct smtp_dialogue *d, struct str argument)
{
	uint64_t size;
	bool last;
	/* Without a size nobody knows where the next command begins. */
	if (!smtp_bdat_parse(argument, &size, &last))
		return smtp_end(d, SMTP_REPLY(421, 5, 4, "BDAT takes a size, and LAST"));
	if (size > d->g->config->message_size + SMTP_SWALLOW_MAX)
		return smtp_end(d, SMTP_REPLY(421, 3, 4, "The message is far too large"));
	struct smtp_reply reply = check_order(d);
	if (reply.code == 0 && !d->tx.in_chunks) {
		smtp_transaction_receive(d);
		d->tx.in_chunks = true;
	}
	int r = read_chunk(d, size, reply.code == 0);
	if (r < 0)
		return smtp_lost(d, r);
	if (reply.code != 0)
		return reply;
	if (d->tx.message.fault.code != 0)
		return refuse(d, d->tx.message.fault);
	if (!last)
		return SMTP_REPLY(250, 0, 0, "Chunk taken");
	return smtp_deliver(d);
}
