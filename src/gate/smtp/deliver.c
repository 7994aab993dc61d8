#include "gate/smtp/dialogue.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "mail/received.h"

enum { TRACE_MAX = 2000 };

/* RFC 3848, RFC 6531 §4.3. HELO has no name of its own under TLS. Who submits does it in TLS. */
static struct str protocol_name(const struct smtp_dialogue *d)
{
	if (!d->is_extended)
		return STR("SMTP");
	if (d->policy->submits)
		return d->tx.parameters.smtputf8 ? STR("UTF8SMTPSA") : STR("ESMTPSA");
	if (d->tx.parameters.smtputf8)
		return d->g->tls ? STR("UTF8SMTPS") : STR("UTF8SMTP");
	return d->g->tls ? STR("ESMTPS") : STR("ESMTP");
}

/* Where a user sends from is not told to whom they write to: neither its address nor its name. */
static bool hides_client(const struct smtp_dialogue *d)
{
	return d->policy->submits && d->g->config->outbound_show_client == 0;
}

/* The recipient is named where there is one only: the others are nobody's business (RFC 5321 §7.2).
 */
static bool format_trace(const struct smtp_dialogue *d, struct str id, struct buf *out)
{
	struct received received = {
	    .helo = hides_client(d) ? str_of_cstr(d->g->config->hostname) : d->hello_name,
	    .peer_address = hides_client(d) ? STR("") : str_of_cstr(d->g->peer),
	    .by = str_of_cstr(d->g->config->hostname),
	    .protocol = protocol_name(d),
	    .tls = gate_tls_name(d->g),
	    .id = id,
	    .recipient = d->tx.n_recipients == 1 ? d->tx.first_recipient : STR(""),
	    .date = {.epoch_s = (int64_t)clock_wall()},
	};
	return received_format(&received, out);
}

static struct smtp_reply reply_of(const struct ipc_delivered *answer)
{
	switch (answer->result) {
	case DELIVER_OK:
		return SMTP_REPLY(250, 0, 0, "Message taken");
	case DELIVER_FULL:
		return SMTP_REPLY(452, 3, 1, "No room for the message now");
	case DELIVER_QUOTA:
		return SMTP_REPLY(452, 2, 2, "A mailbox is full");
	default:
		return SMTP_REPLY(451, 3, 0, "Cannot keep the message now");
	}
}

/* How long the envelope is in a message to delivery, at most. */
static size_t envelope_len(const struct ipc_envelope *e)
{
	enum { FIXED = 64, EACH = 16 };
	size_t len = FIXED + e->reverse_path.len + e->trace.len + e->envelope_id.len;
	for (size_t i = 0; i < e->recipients.n; i++)
		len += EACH + e->recipients.v[i].len;
	return len;
}

static int call_delivery(struct smtp_dialogue *d, int delivery, const struct ipc_envelope *envelope,
    struct ipc_received *ret_answer)
{
	struct smtp_message *m = &d->tx.message;
	if (m->fd < 0 && envelope_len(envelope) + m->text.len <= IPC_MESSAGE_MAX) {
		struct ipc_deliver_short question = {*envelope, buf_str(&m->text)};
		return ipc_call(delivery, IPC_DELIVER_SHORT, &question, IPC_DELIVERED,
		    SMTP_DELIVER_MS, ret_answer);
	}
	int r = smtp_message_to_file(m);
	if (r < 0)
		return r;
	struct ipc_deliver question = {*envelope, m->fd};
	return ipc_call(
	    delivery, IPC_DELIVER, &question, IPC_DELIVERED, SMTP_DELIVER_MS, ret_answer);
}

struct smtp_reply smtp_hand_to_delivery(struct smtp_dialogue *d, struct str trace)
{
	struct smtp_transaction *tx = &d->tx;
	struct ipc_envelope envelope = {
	    .accounts = {tx->accounts, tx->n_accounts},
	    .recipients = {tx->recipients, tx->n_accounts},
	    .reverse_path = tx->reverse_path,
	    .trace = trace,
	    .envelope_id = tx->envelope_id,
	    .body = (uint8_t)tx->parameters.body,
	    .smtputf8 = tx->parameters.smtputf8,
	};
	struct ipc_received answer;
	int delivery;
	if (envelope_len(&envelope) > IPC_MESSAGE_MAX)
		return SMTP_REPLY(452, 5, 3, "Too many recipients; send the message again");
	int r = gate_reach_delivery(d->g, tx->accounts[0], &delivery);
	if (r == -ENOTCONN || r == -EAGAIN)
		return SMTP_REPLY(451, 3, 0, "Cannot keep the message now");
	if (r == 0)
		r = call_delivery(d, delivery, &envelope, &answer);
	/* It may have been started anew: another connection will reach it. */
	if (r < 0)
		return smtp_end(d, SMTP_REPLY(421, 3, 0, "Cannot keep the message now"));
	struct ipc_delivered *delivered = answer.msg;
	struct smtp_reply reply = reply_of(delivered);
	if (delivered->result != DELIVER_OK)
		log_event(LOG_WARNING, "smtp.not_delivered",
		    "connection=%llu account=%llu detail=%s", (unsigned long long)d->g->connection,
		    (unsigned long long)delivered->account, log_quote(delivered->detail).text);
	ipc_received_done(&answer);
	return reply;
}

static void log_accepted(const struct smtp_dialogue *d, struct str id)
{
	const struct smtp_transaction *tx = &d->tx;
	log_event(LOG_INFO, "smtp.accepted",
	    "connection=%llu peer=%s id=%.*s from=%s to=%s recipients=%zu accounts=%zu size=%llu "
	    "tls=%d",
	    (unsigned long long)d->g->connection, d->g->peer, STR_FMT(id),
	    log_quote(tx->reverse_path).text, log_quote(tx->first_recipient).text, tx->n_recipients,
	    tx->n_accounts, (unsigned long long)tx->message.len, d->g->tls != NULL);
}

void smtp_log_refusal(const struct smtp_dialogue *d, struct smtp_reply reply, struct str recipient)
{
	log_event(LOG_INFO, "smtp.rejected",
	    "connection=%llu peer=%s hello=%s from=%s to=%s code=%u reason=%s",
	    (unsigned long long)d->g->connection, d->g->peer, log_quote(d->hello_name).text,
	    log_quote(d->tx.reverse_path).text, log_quote(recipient).text, reply.code,
	    log_quote(reply.text).text);
}

struct smtp_reply smtp_deliver(struct smtp_dialogue *d)
{
	struct smtp_transaction *tx = &d->tx;
	struct buf id CLEANUP(buf_done) = BUF_MAX(48);
	struct buf trace CLEANUP(buf_done) = BUF_MAX(TRACE_MAX);
	bool check_lines = tx->in_chunks && tx->parameters.body != SMTP_BODY_BINARYMIME;
	struct smtp_reply reply = smtp_message_end(&tx->message, check_lines);
	buf_printf(&id, "%llx.%x", (unsigned long long)d->g->connection, d->n_messages + 1);
	if (reply.code == 0 && !format_trace(d, buf_str(&id), &trace))
		reply = SMTP_REPLY(451, 3, 0, "Cannot keep the message now");
	if (reply.code == 0)
		reply = d->policy->hand_over(d, buf_str(&trace));
	if (smtp_reply_is_positive(reply)) {
		d->n_messages++;
		d->n_idle = 0;
		log_accepted(d, buf_str(&id));
	} else {
		smtp_log_refusal(d, reply, tx->first_recipient);
	}
	smtp_transaction_reset(d);
	return reply;
}
