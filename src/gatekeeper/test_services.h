/*
 * gatekeeper/test_services.h: all services of a gatekeeper as one process of its test: they take
 * gates, answer them, and note what was delivered and which alarms there were, a line each. Only
 * *_test.c includes it.
 */
#ifndef GATEKEEPER_TEST_SERVICES_H
#define GATEKEEPER_TEST_SERVICES_H

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/loop.h"
#include "ipc/messages.h"
#include "tls/signer.h"

struct services {
	struct loop *loop;
	struct signer *signer;
	int notes;
};

static int on_rcpt(struct loop_entry *from, void *msg UNUSED, void *ctx UNUSED)
{
	static const uint64_t account = 7;
	struct ipc_rcpt_answer answer = {.result = RCPT_OK, .accounts = {&account, 1}};
	return loop_send(from, IPC_RCPT_ANSWER, &answer);
}

static int on_sign(struct loop_entry *from, void *msg, void *ctx)
{
	struct services *s = ctx;
	unsigned char signature[SIGNER_SIGNATURE_LEN_MAX];
	size_t len = 0;
	int r = signer_sign(s->signer, msg, signature, &len);
	struct ipc_signed answer = {.ok = r == 0, .signature = str_of(signature, len)};
	return loop_send(from, IPC_SIGNED, &answer);
}

static int take(struct loop_entry *from, void *ctx, const struct ipc_envelope *e, size_t len)
{
	struct ipc_delivered answer = {.result = DELIVER_OK, .detail = STR("")};
	(void)dprintf(((struct services *)ctx)->notes, "delivered len=%zu trace=%.*s\n", len,
	    STR_FMT(e->trace));
	return loop_send(from, IPC_DELIVERED, &answer);
}

static int on_deliver(struct loop_entry *from, void *msg, void *ctx)
{
	const struct ipc_deliver *d = msg;
	size_t len = 0;
	return fd_check_sealed(d->message, &len) < 0 ? -EPROTO : take(from, ctx, &d->envelope, len);
}

static int on_deliver_short(struct loop_entry *from, void *msg, void *ctx)
{
	const struct ipc_deliver_short *d = msg;
	return take(from, ctx, &d->envelope, d->message.len);
}

static const struct ipc_receiver gate_messages[] = {{IPC_RCPT, on_rcpt}, {IPC_SIGN, on_sign},
    {IPC_DELIVER, on_deliver}, {IPC_DELIVER_SHORT, on_deliver_short}};
static const struct ipc_receivers gate_receivers = {gate_messages, ARRAY_LEN(gate_messages), NULL};

static int on_gate(struct loop_entry *from, void *msg, void *ctx)
{
	struct services *s = ctx;
	struct ipc_gate *m = msg;
	(void)from;
	if (!str_eq(m->peer, STR("127.0.0.1")))
		return -EPROTO;
	(void)loop_add_channel(s->loop, fd_take(&m->channel), &gate_receivers, s);
	return 0;
}

static int on_ledger_event(struct loop_entry *from, void *msg, void *ctx)
{
	const struct ipc_ledger_event *e = msg;
	(void)from;
	(void)dprintf(((struct services *)ctx)->notes, "ledger kind=%u peer=%.*s detail=%.*s\n",
	    e->kind, STR_FMT(e->peer), STR_FMT(e->detail));
	return 0;
}

static void on_gatekeeper_closed(struct loop_entry *from, int error, void *ctx)
{
	struct services *s = ctx;
	(void)from;
	(void)error;
	loop_stop(s->loop);
}

static const struct ipc_receiver keeper_messages[] = {
    {IPC_GATE, on_gate}, {IPC_LEDGER_EVENT, on_ledger_event}};
static const struct ipc_receivers keeper_receivers = {
    keeper_messages, ARRAY_LEN(keeper_messages), on_gatekeeper_closed};

static _Noreturn void be_services(const int *channels, size_t n, struct str key, int notes)
{
	struct services s = {.notes = notes};
	bool ok =
	    loop_new(&s.loop) == 0 && signer_new(&s.signer) == 0 && signer_add(s.signer, key) == 0;
	for (size_t i = 0; i < n && ok; i++)
		ok = loop_add_channel(s.loop, channels[i], &keeper_receivers, &s) != NULL;
	_exit(ok && loop_run(s.loop) == 0 ? 0 : 1);
}

#endif
