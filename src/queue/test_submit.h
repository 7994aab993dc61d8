/*
 * queue/test_submit.h: for tests: what a submitter, the directory and the keyholder say to a queue.
 * Only *_test.c includes it.
 */
#ifndef QUEUE_TEST_SUBMIT_H
#define QUEUE_TEST_SUBMIT_H

#include "queue/test_scribe.h"

/* --- the directory --- */

static inline void answer_may_send(struct world *w, enum may_send result, const char *address)
{
	struct ipc_received m;
	world_expect(w->directory, IPC_MAY_SEND, &m);
	const struct ipc_may_send *ask = m.msg;
	assert_int_equal(ask->account, WORLD_ACCOUNT);
	struct ipc_may_send_answer answer = {
	    .request = ask->request, .result = (uint8_t)result, .address = str_of_cstr(address)};
	/* who asks for signers is answered with them, by answer_signers */
	if (ask->domain.len > 0 && result <= MAY_SEND_ON_BEHALF) {
		w->may_send = answer;
		ipc_received_done(&m);
		return;
	}
	assert_int_equal(ipc_send(w->directory, IPC_MAY_SEND_ANSWER, &answer), 0);
	ipc_received_done(&m);
	world_go(w);
}

static inline void answer_route(
    struct world *w, uint8_t result, uint64_t account, const char *outside)
{
	struct ipc_received m;
	world_expect(w->directory, IPC_ROUTE, &m);
	struct str target = str_of_cstr(outside);
	struct ipc_route_answer answer = {
	    .request = ((struct ipc_route *)m.msg)->request,
	    .result = result,
	    .accounts = {&account, account > 0},
	    .outside = {&target, target.len > 0},
	    .reverse_path = target.len > 0 ? STR("SRS0=x=y@example.org") : STR(""),
	};
	assert_int_equal(ipc_send(w->directory, IPC_ROUTE_ANSWER, &answer), 0);
	ipc_received_done(&m);
	world_go(w);
}

/* All that is asked: it is elsewhere, and nobody signs. */
static inline void answer_elsewhere(struct world *w)
{
	struct ipc_received m;
	while (ipc_recv(w->directory, &m) == 0) {
		if (m.type == IPC_SIGNERS) {
			struct ipc_signers_answer none = {
			    .request = ((struct ipc_signers *)m.msg)->request};
			ipc_received_done(&m);
			assert_int_equal(ipc_send(w->directory, IPC_SIGNERS_ANSWER, &none), 0);
			world_go(w);
			continue;
		}
		assert_int_equal(m.type, IPC_ROUTE);
		struct ipc_route_answer answer = {
		    .request = ((struct ipc_route *)m.msg)->request, .result = RCPT_NOT_LOCAL};
		ipc_received_done(&m);
		assert_int_equal(ipc_send(w->directory, IPC_ROUTE_ANSWER, &answer), 0);
		world_go(w);
	}
}

/* Of one domain: with the answer to IPC_MAY_SEND, where they were asked for with that. */
static inline void answer_signers(struct world *w, const char *selector)
{
	struct ipc_received m;
	struct str name = str_of_cstr(selector);
	uint64_t algorithm = DKIM_ED25519_SHA256;
	struct ipc_strs selectors = {&name, name.len > 0};
	struct ipc_u64s algorithms = {&algorithm, name.len > 0};
	if (w->may_send.request != 0) {
		w->may_send.selectors = selectors;
		w->may_send.algorithms = algorithms;
		assert_int_equal(ipc_send(w->directory, IPC_MAY_SEND_ANSWER, &w->may_send), 0);
		w->may_send.request = 0;
	} else {
		world_expect(w->directory, IPC_SIGNERS, &m);
		struct ipc_signers_answer answer = {
		    .request = ((struct ipc_signers *)m.msg)->request,
		    .selectors = selectors,
		    .algorithms = algorithms};
		assert_int_equal(ipc_send(w->directory, IPC_SIGNERS_ANSWER, &answer), 0);
		ipc_received_done(&m);
	}
	world_go(w);
}

/* --- submitters --- */

static inline int world_submitter(struct world *w)
{
	int ends[2];
	assert_int_equal(ipc_pair(ends), 0);
	struct ipc_submitter m = {.account = WORLD_ACCOUNT,
	    .connection = 3,
	    .peer = STR("192.0.2.1"),
	    .user = STR("ann@example.org"),
	    .channel = ends[1]};
	assert_int_equal(ipc_send(w->directory, IPC_SUBMITTER, &m), 0);
	close(ends[1]);
	world_go(w);
	assert_int_equal(fd_set_nonblocking(ends[0], true), 0);
	return ends[0];
}

/* What the submitter is told; the message's number. */
static inline uint64_t expect_answer(int submitter, enum submit_result result)
{
	struct ipc_received m;
	world_expect(submitter, IPC_SUBMIT_ANSWER, &m);
	const struct ipc_submit_answer *answer = m.msg;
	assert_int_equal(answer->result, result);
	uint64_t id = answer->message;
	ipc_received_done(&m);
	return id;
}

static inline void say_rcpt(struct world *w, int submitter, const char *address, uint8_t notify,
    uint8_t result, uint64_t account)
{
	struct ipc_submit_rcpt rcpt = {.recipient = str_of_cstr(address), .notify = notify};
	say(w, submitter, IPC_SUBMIT_RCPT, &rcpt);
	answer_route(w, result, account, "");
	(void)expect_answer(submitter, SUBMIT_OK);
}

static inline void say_signed(struct world *w)
{
	struct ipc_received m;
	world_expect(w->keyholder, IPC_DKIM_SIGN, &m);
	struct ipc_dkim_signed answer = {.request = ((struct ipc_dkim_sign *)m.msg)->request,
	    .ok = 1,
	    .signature = STR("signature")};
	ipc_received_done(&m);
	say(w, w->keyholder, IPC_DKIM_SIGNED, &answer);
}

#define WORLD_MESSAGE STR("Subject: test\r\nFrom: ann@example.org\r\n\r\nbody\r\n")

/* MAIL to the answer of the last RCPT, with one recipient elsewhere. */
static inline void say_mail(struct world *w, int submitter, uint64_t hold_until)
{
	struct ipc_submit_mail mail = {
	    .mail = {.reverse_path = STR("ann@example.org"), .envelope_id = STR("QQ1")},
	    .hold_until = hold_until};
	struct ipc_received m;
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	/* not about an address under which this submitter has sent before */
	if (ipc_recv(submitter, &m) == 0) {
		assert_int_equal(((struct ipc_submit_answer *)m.msg)->result, SUBMIT_OK);
		ipc_received_done(&m);
		return;
	}
	answer_may_send(w, MAY_SEND, "");
	(void)expect_answer(submitter, SUBMIT_OK);
}

/* The message from DATA to its answer. */
static inline uint64_t say_message(struct world *w, int submitter, struct str message)
{
	int scribe = say_data(w, submitter, message);
	say_examined(w, scribe);
	answer_may_send(w, MAY_SEND, "");
	answer_signers(w, "");
	say_finished(w, scribe, message, false);
	close(scribe);
	return expect_answer(submitter, SUBMIT_OK);
}

/* One message to `address` of another server. */
static inline uint64_t submit_one(
    struct world *w, int submitter, const char *address, uint8_t notify)
{
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, address, notify, RCPT_NOT_LOCAL, 0);
	return say_message(w, submitter, WORLD_MESSAGE);
}

#endif
