/*
 * gate/smtp/test_play.h: one transcript being played (dialogue_test.c), and the queue in it. Only
 * *_test.c includes it.
 */
#ifndef GATE_SMTP_TEST_PLAY_H
#define GATE_SMTP_TEST_PLAY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "config/config.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "ipc/outgoing.h"

enum { STEP_MS = 20000, SILENCE_MS = 150, PLAY_BUFFER = 8 << 20, WORKERS = 4 };

struct play {
	const char *name;
	unsigned line;
	struct config config;
	uint64_t budget;     /* what the gatekeeper grants in all */
	uint64_t budget_now; /* what was last granted */
	int peer;            /* our end of the connection */
	int directory, delivery[WORKERS], gatekeeper, queue, drain;
	uint64_t submission, no_queue;
	uint64_t missing, busy; /* workers: a bit for each */
	pid_t gate;
	struct buf in;
	bool ended;
	/* the last delivery */
	unsigned n_delivered, worker;
	unsigned n_introductions; /* asked for in all */
	struct buf accounts, recipients, from, envid, trace, text;
	struct buf told; /* to the queue, lines not looked at */
	unsigned body, smtputf8;
};

#define FAIL(p, ...)                                                                               \
	do {                                                                                       \
		fprintf(stderr, "%s:%u: ", (p)->name, (p)->line);                                  \
		fprintf(stderr, __VA_ARGS__);                                                      \
		fprintf(stderr, "\n");                                                             \
		fail();                                                                            \
	} while (0)

static inline void keep(struct buf *to, struct str s)
{
	buf_clear(to);
	assert_true(buf_add(to, s));
}

/* --- the queue --- */

static inline void answer_submitter(struct play *p, struct str what, uint64_t message)
{
	struct ipc_submit_answer answer = {.result = SUBMIT_OK, .detail = STR("")};
	struct str number = str_cut(&what, '.');
	uint64_t result;
	if (what.len > 0 && num_parse(number, 99, &result)) {
		answer.result = (uint8_t)result;
		answer.detail = what;
	} else {
		answer.message = message;
	}
	if (answer.result == 99)
		fd_close(&p->queue);
	else
		assert_int_equal(ipc_send(p->queue, IPC_SUBMIT_ANSWER, &answer), 0);
}

/* In tens of seconds from now on, so that the test need not be fast. */
static inline long long from_now(uint64_t at_ms)
{
	return at_ms == 0 ? 0 : ((long long)(at_ms - clock_wall_ms()) + 5000) / 10000 * 10;
}

static inline void take_mail(struct play *p, const struct ipc_submit_mail *m)
{
	const struct ipc_outgoing *o = &m->mail;
	buf_printf(&p->told,
	    "MAIL <%.*s> envid=%.*s ret=%u body=%u utf8=%u tls=%u by=%u trace=%u until=%lld "
	    "hold=%lld size=%llu\n",
	    STR_FMT(o->reverse_path), STR_FMT(o->envelope_id), o->ret, o->body, o->smtputf8,
	    o->require_tls, o->by_mode, o->by_trace, from_now(o->deliver_by),
	    from_now(m->hold_until), (unsigned long long)m->size);
	answer_submitter(p, o->reverse_path, 0);
}

static inline void take_rcpt(struct play *p, const struct ipc_submit_rcpt *m)
{
	buf_printf(&p->told, "RCPT <%.*s> orcpt=%.*s notify=%u\n", STR_FMT(m->recipient),
	    STR_FMT(m->original_recipient), m->notify);
	answer_submitter(p, m->recipient, 0);
}

static inline void take_data(struct play *p, const struct ipc_submit_data *m)
{
	size_t len;
	keep(&p->trace, m->trace);
	assert_int_equal(fd_check_sealed(m->message, &len), 0);
	buf_clear(&p->text);
	char *to = buf_reserve(&p->text, len);
	assert_non_null(to);
	assert_int_equal(fd_pread_all(m->message, to, len, 0), 0);
	buf_commit(&p->text, len);
	buf_printf(&p->told, "DATA\n");
	struct str rest = buf_str(&p->text);
	answer_submitter(p, str_cut_line(&rest), 77);
}

static inline void serve_submitter(struct play *p, const struct ipc_received *m)
{
	if (m->type == IPC_SUBMIT_MAIL)
		take_mail(p, m->msg);
	else if (m->type == IPC_SUBMIT_RCPT)
		take_rcpt(p, m->msg);
	else if (m->type == IPC_SUBMIT_DATA)
		take_data(p, m->msg);
	else
		FAIL(p, "the queue was sent a message of type %u", m->type);
}

static inline void introduce_to_queue(struct play *p)
{
	struct ipc_not_introduced refusal = {
	    .reason = p->no_queue == 1 ? INTRODUCE_MISSING : INTRODUCE_BUSY};
	int ends[2];
	if (p->no_queue != 0) {
		assert_int_equal(ipc_send(p->gatekeeper, IPC_NOT_INTRODUCED, &refusal), 0);
		return;
	}
	assert_int_equal(ipc_pair(ends), 0);
	struct ipc_introduced answer = {.channel = ends[0]};
	assert_int_equal(ipc_send(p->gatekeeper, IPC_INTRODUCED, &answer), 0);
	close(ends[0]);
	p->queue = ends[1];
}

#endif
