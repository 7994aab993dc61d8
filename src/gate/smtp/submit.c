/* What a gate says to the queue, and what it makes of the answers. */
#include "gate/smtp/dialogue.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "ipc/outgoing.h"

#define ANSWER(code_, subject_, detail_, text_)                                                    \
	{                                                                                          \
		.code = (code_), .subject = (subject_), .detail = (detail_), .enhanced = true,     \
		.text = STR_INIT(text_)                                                            \
	}

/* All but SUBMIT_OK, which each step has words of its own for. */
static const struct smtp_reply replies[N_SUBMIT_RESULTS] = {
    [SUBMIT_NOT_YOURS] = ANSWER(550, 7, 1, "You may not send as this address"),
    [SUBMIT_AUTHOR] = ANSWER(550, 7, 1, "From or Sender is an address that you may not send as"),
    [SUBMIT_UNKNOWN] = ANSWER(550, 1, 1, "No such mailbox here"),
    [SUBMIT_RELAY] = ANSWER(550, 7, 1, "Not a domain of this server; it does not relay"),
    [SUBMIT_TOO_MANY] = ANSWER(452, 5, 3, "Too many recipients; send the message again for them"),
    [SUBMIT_RATE] = ANSWER(450, 7, 1, "Enough messages for now"),
    [SUBMIT_MALFORMED] = ANSWER(554, 6, 0, "The message cannot be sent as it is"),
    [SUBMIT_LOOP] = ANSWER(554, 4, 6, "Too many hops: this message goes round in circles"),
    [SUBMIT_REFUSED] = ANSWER(550, 7, 1, "That cannot be had"),
    [SUBMIT_GONE] = ANSWER(550, 5, 1, "There is no such message"),
    [SUBMIT_FULL] = ANSWER(452, 3, 1, "No room for the message now"),
    [SUBMIT_TEMPORARY] = ANSWER(451, 3, 0, "Cannot take the message now"),
};

/* A reply's text is ASCII without control characters, whatever the detail holds. */
static struct str add_detail(struct smtp_dialogue *d, struct str words, struct str detail)
{
	if (detail.len == 0)
		return words;
	int len =
	    snprintf(d->words, sizeof d->words, "%.*s: %.*s", STR_FMT(words), STR_FMT(detail));
	assert(len > 0);
	struct str text = str_of_cstr(d->words);
	for (size_t i = 0; i < text.len; i++)
		if (d->words[i] < 32 || d->words[i] > 126)
			d->words[i] = '?';
	return text;
}

/* Asks; SUBMIT_OK is answered with `ok`, and with the number where the queue gave one. */
static struct smtp_reply ask(
    struct smtp_dialogue *d, uint16_t type, const void *question, uint64_t ms, struct smtp_reply ok)
{
	struct ipc_received m;
	int r = ipc_call(d->g->channels.queue, type, question, IPC_SUBMIT_ANSWER, ms, &m);
	/* It may have been started anew: another connection will reach it. */
	if (r < 0)
		return smtp_end(d, SMTP_REPLY(421, 3, 0, "Cannot take mail now"));
	const struct ipc_submit_answer *answer = m.msg;
	struct smtp_reply reply = ok;
	if (answer->result != SUBMIT_OK) {
		reply = replies[answer->result];
		reply.text = add_detail(d, reply.text, answer->detail);
	} else if (answer->message != 0) {
		snprintf(d->words, sizeof d->words, "%.*s as %llu", STR_FMT(ok.text),
		    (unsigned long long)answer->message);
		reply.text = str_of_cstr(d->words);
	}
	ipc_received_done(&m);
	return reply;
}

static uint8_t by_mode_of(enum smtp_by by)
{
	return by == SMTP_BY_RETURN ? BY_RETURN : by == SMTP_BY_NOTIFY ? BY_NOTIFY : BY_NONE;
}

static uint8_t return_of(enum smtp_ret ret)
{
	return ret == SMTP_RET_FULL   ? RETURN_FULL
	       : ret == SMTP_RET_HDRS ? RETURN_HEADERS
	                              : RETURN_UNSAID;
}

struct smtp_reply smtp_submit_sender(struct smtp_dialogue *d)
{
	const struct smtp_transaction *tx = &d->tx;
	const struct smtp_mail_parameters *p = &tx->parameters;
	struct ipc_submit_mail question = {
	    .mail =
	        {
	            .reverse_path = tx->reverse_path,
	            .envelope_id = tx->envelope_id,
	            .ret = return_of(p->ret),
	            .body = (uint8_t)p->body,
	            .smtputf8 = p->smtputf8,
	            .require_tls = p->require_tls,
	            .by_mode = by_mode_of(p->by_mode),
	            .by_trace = p->by_trace,
	        },
	    .hold_until = p->hold_seconds > 0 ? p->hold_until * 1000 : 0,
	    .size = p->size,
	};
	if (p->by_mode != SMTP_BY_NONE)
		question.mail.deliver_by =
		    (uint64_t)((int64_t)clock_wall_ms() + p->by_seconds * 1000);
	return ask(
	    d, IPC_SUBMIT_MAIL, &question, GATE_CALL_MS, SMTP_REPLY(250, 1, 0, "Sender taken"));
}

struct smtp_reply smtp_submit_recipient(
    struct smtp_dialogue *d, const struct smtp_recipient *recipient)
{
	struct ipc_submit_rcpt question = {
	    .recipient = recipient->address,
	    .original_recipient = recipient->original_recipient,
	    .notify = recipient->notify,
	};
	return ask(
	    d, IPC_SUBMIT_RCPT, &question, GATE_CALL_MS, SMTP_REPLY(250, 1, 5, "Recipient taken"));
}

struct smtp_reply smtp_submit_message(struct smtp_dialogue *d, struct str trace)
{
	struct smtp_message *m = &d->tx.message;
	if (smtp_message_to_file(m) < 0)
		return SMTP_REPLY(451, 3, 0, "Cannot take the message now");
	struct ipc_submit_data question = {.trace = trace, .message = m->fd};
	return ask(
	    d, IPC_SUBMIT_DATA, &question, SMTP_DELIVER_MS, SMTP_REPLY(250, 0, 0, "Message taken"));
}
