#include "ipc/scribing.h"
#include "queue/test_courier.h"
#include "queue/test_submit.h"

enum { MINUTE_MS = 60000, HOUR_MS = 3600000 };

static void a_message_goes_the_whole_way(void **state)
{
	struct world *w = *state;
	struct carried c;
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	int scribe = say_data(w, submitter, WORLD_MESSAGE);
	say_examined(w, scribe);
	answer_may_send(w, MAY_SEND, "");
	answer_signers(w, "s1");
	say_finished(w, scribe, WORLD_MESSAGE, true);
	world_expect_nothing(submitter);
	say_signed(w);
	assert_int_equal(expect_answer(submitter, SUBMIT_OK), 1);
	expect_carry(expect_courier(w), &c);
	const struct ipc_carry *carry = c.carry.msg;
	assert_true(str_eq(carry->domain, STR("example.net")));
	assert_true(str_eq(carry->mail.reverse_path, STR("ann@example.org")));
	assert_true(str_eq(carry->mail.envelope_id, STR("QQ1")));
	assert_int_equal(c.n, 1);
	assert_string_equal(c.text, "DKIM-Signature: v=1; b=\r\n\tc2lnbmF0dXJl\r\n"
	                            "Subject: test\r\nFrom: ann@example.org\r\n\r\nbody\r\n");
	assert_int_equal(world_count(w), 1);
	say_carried_rcpt(c.channel, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
	say_carried(w, c.channel, false);
	assert_int_equal(world_count(w), 0);
	carried_done(&c);
	close(c.channel);
	close(scribe);
	close(submitter);
}

/* A sync is shared by what comes at about the same time; nobody waits longer than a moment, and who
 * submits alone not at all. */
static void a_message_waits_for_others_a_moment(void **state)
{
	struct world *w = *state;
	w->q->gathers = true;
	int alone = world_submitter(w);
	submit_one(w, alone, "bob@example.net", 0);
	int others[] = {world_submitter(w), world_submitter(w)};
	say_mail(w, alone, 0);
	say_rcpt(w, alone, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	int scribe = say_data(w, alone, WORLD_MESSAGE);
	say_examined(w, scribe);
	answer_may_send(w, MAY_SEND, "");
	answer_signers(w, "");
	say_finished(w, scribe, WORLD_MESSAGE, false);
	world_expect_nothing(alone);
	assert_int_equal(world_count(w), 1);
	assert_in_range(queue_wait_ms(w->q), 1, 5);
	world_wait(w, 5);
	expect_answer(alone, SUBMIT_OK);
	assert_int_equal(world_count(w), 2);
	close(scribe);
	close(alone);
	close(others[0]);
	close(others[1]);
}

static void what_is_accepted_outlives_the_process(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	close(submitter);
	/* It ends while a courier has it. */
	int courier = expect_courier(w);
	world_stop(w);
	close(courier);
	world_start(w);
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	assert_int_equal(world_count(w), 0);
}

static void what_is_refused_for_now_is_tried_again(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	carry_one(w, "bob@example.net", CARRY_LATER, 450, "4.7.1", "greylisted");
	world_wait(w, 2 * MINUTE_MS);
	world_expect_nothing(w->dispatcher);
	world_wait(w, 5 * MINUTE_MS);
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	assert_int_equal(world_count(w), 0);
	close(submitter);
}

static void a_failure_is_told_to_the_sender(void **state)
{
	struct world *w = *state;
	struct carried c;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	carry_one(w, "bob@example.net", CARRY_NEVER, 550, "5.1.1", "no such user");
	/* The notice goes to ann@example.org, elsewhere here. */
	assert_int_equal(world_count(w), 1);
	answer_elsewhere(w);
	expect_carry(expect_courier(w), &c);
	assert_int_equal(((struct ipc_carry *)c.carry.msg)->mail.reverse_path.len, 0);
	assert_string_equal(c.recipients[0], "ann@example.org");
	assert_non_null(strstr(c.text, "Final-Recipient: rfc822;bob@example.net"));
	assert_non_null(strstr(c.text, "Action: failed"));
	assert_non_null(strstr(c.text, "550 no such user"));
	assert_non_null(strstr(c.text, "Original-Envelope-Id: QQ1"));
	assert_non_null(strstr(c.text, "Subject: test"));
	/* And nobody is told that the notice failed. */
	say_carried_rcpt(c.channel, 0, CARRY_NEVER, 550, "5.1.1", "no such user");
	say_carried(w, c.channel, false);
	assert_int_equal(world_count(w), 0);
	world_expect_nothing(w->dispatcher);
	carried_done(&c);
	close(c.channel);
	close(submitter);
}

/* RFC 8689 §5 */
static void a_notice_about_required_tls_requires_it(void **state)
{
	struct world *w = *state;
	struct carried c;
	int submitter = world_submitter(w);
	struct ipc_submit_mail mail = {
	    .mail = {.reverse_path = STR("ann@example.org"), .ret = RETURN_FULL, .require_tls = 1}};
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	answer_may_send(w, MAY_SEND, "");
	(void)expect_answer(submitter, SUBMIT_OK);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	(void)say_message(w, submitter, STR("Subject: test\r\n\r\nsecret\r\n"));
	carry_one(w, "bob@example.net", CARRY_NEVER, 550, "5.1.1", "no such user");
	answer_elsewhere(w);
	expect_carry(expect_courier(w), &c);
	const struct ipc_outgoing *notice = &((struct ipc_carry *)c.carry.msg)->mail;
	assert_int_equal(notice->require_tls, 1);
	assert_int_equal(notice->reverse_path.len, 0);
	assert_non_null(strstr(c.text, "Subject: test"));
	assert_null(strstr(c.text, "secret"));
	say_carried_rcpt(c.channel, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
	say_carried(w, c.channel, false);
	close(c.channel);
	carried_done(&c);
	world_go(w);
	close(submitter);
}

static void notify_is_minded(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", NOTIFY_NEVER);
	carry_one(w, "bob@example.net", CARRY_NEVER, 550, "5.1.1", "no such user");
	assert_int_equal(world_count(w), 0);
	submit_one(w, submitter, "bob@example.net", NOTIFY_SUCCESS);
	carry_one(w, "bob@example.net", CARRY_NEVER, 550, "5.1.1", "no such user");
	assert_int_equal(world_count(w), 0);
	/* A server that does DSN tells of the success itself. */
	submit_one(w, submitter, "bob@example.net", NOTIFY_SUCCESS);
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	assert_int_equal(world_count(w), 0);
	close(submitter);
}

static void a_late_message_is_told_and_then_returned(void **state)
{
	struct world *w = *state;
	struct carried c;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	carry_one(w, "bob@example.net", CARRY_LATER, 451, "4.3.0", "busy");
	bool delayed = false, returned = false;
	size_t tries = 1;
	for (uint64_t ms = 0; ms < 6 * 24 * (uint64_t)HOUR_MS && !returned; ms += 10 * MINUTE_MS) {
		struct ipc_received m;
		world_wait(w, 10 * MINUTE_MS);
		answer_elsewhere(w);
		while (ipc_recv(w->dispatcher, &m) == 0) {
			int channel = fd_take(&((struct ipc_courier *)m.msg)->channel);
			ipc_received_done(&m);
			expect_carry(channel, &c);
			bool is_notice = strcmp(c.recipients[0], "ann@example.org") == 0;
			if (is_notice && strstr(c.text, "Action: delayed")) {
				assert_false(delayed);
				assert_in_range(ms, 3 * HOUR_MS, 5 * HOUR_MS);
				delayed = true;
			}
			if (is_notice && strstr(c.text, "Action: failed")) {
				assert_true(ms >= 118 * (uint64_t)HOUR_MS);
				returned = true;
			}
			if (is_notice)
				say_carried_rcpt(channel, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
			else
				say_carried_rcpt(channel, 0, CARRY_LATER, 451, "4.3.0", "busy");
			tries += !is_notice;
			say_carried(w, channel, false);
			carried_done(&c);
			close(channel);
			world_go(w);
		}
	}
	assert_true(delayed && returned);
	assert_in_range(tries, 25, 60);
	assert_int_equal(world_count(w), 0);
	close(submitter);
}

static void a_dead_destination_costs_one_try_for_all(void **state)
{
	struct world *w = *state;
	struct carried c;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "a@dead.example", 0);
	expect_carry(expect_courier(w), &c);
	say_carried_rcpt(
	    c.channel, 0, CARRY_LATER, 0, "4.4.1", "nobody answers at mx.dead.example");
	say_carried(w, c.channel, true);
	carried_done(&c);
	close(c.channel);
	for (int i = 0; i < 20; i++)
		submit_one(w, submitter, "b@dead.example", 0);
	world_expect_nothing(w->dispatcher);
	/* Others are not held up by it. */
	submit_one(w, submitter, "c@alive.example", 0);
	carry_one(w, "c@alive.example", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	assert_int_equal(world_count(w), 21);
	world_wait(w, 2 * MINUTE_MS);
	int courier = expect_courier(w);
	world_expect_nothing(w->dispatcher);
	/* It lives again: what waited follows. */
	expect_carry(courier, &c);
	say_carried_rcpt(courier, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
	say_carried(w, courier, false);
	carried_done(&c);
	close(courier);
	size_t n = 0;
	struct ipc_received m;
	world_go(w);
	while (ipc_recv(w->dispatcher, &m) == 0) {
		ipc_received_done(&m);
		n++;
	}
	assert_in_range(n, 2, 20);
	close(submitter);
}

static void local_recipients_go_to_delivery(void **state)
{
	struct world *w = *state;
	struct ipc_received m;
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.org", NOTIFY_SUCCESS, RCPT_OK, 9);
	say_message(w, submitter, WORLD_MESSAGE);
	answer_route(w, RCPT_OK, 9, "out@example.net");
	world_expect(w->delivery, IPC_GATE, &m);
	int gate = fd_take(&((struct ipc_gate *)m.msg)->channel);
	ipc_received_done(&m);
	world_expect(gate, IPC_DELIVER, &m);
	const struct ipc_deliver *deliver = m.msg;
	assert_int_equal(deliver->envelope.accounts.n, 1);
	assert_int_equal(deliver->envelope.accounts.v[0], 9);
	assert_true(str_eq(deliver->envelope.recipients.v[0], STR("bob@example.org")));
	ipc_received_done(&m);
	struct ipc_delivered delivered = {.result = DELIVER_OK};
	say(w, gate, IPC_DELIVERED, &delivered);
	answer_elsewhere(w);
	/* Delivered here, it goes on to the alias' target outside, and its sender hears. */
	struct carried c;
	bool told = false, forwarded = false;
	for (int i = 0; i < 2; i++) {
		expect_carry(expect_courier(w), &c);
		const struct ipc_carry *carry = c.carry.msg;
		if (strcmp(c.recipients[0], "out@example.net") == 0)
			forwarded = str_eq(carry->mail.reverse_path, STR("SRS0=x=y@example.org"));
		else
			told = strstr(c.text, "Action: delivered") != NULL;
		say_carried_rcpt(c.channel, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
		say_carried(w, c.channel, false);
		close(c.channel);
		carried_done(&c);
	}
	assert_true(told && forwarded);
	world_go(w);
	assert_int_equal(world_count(w), 0);
	close(gate);
	close(submitter);
}

static void a_full_mailbox_waits(void **state)
{
	struct world *w = *state;
	struct ipc_received m;
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.org", 0, RCPT_OK, 9);
	say_message(w, submitter, WORLD_MESSAGE);
	answer_route(w, RCPT_OK, 9, "");
	world_expect(w->delivery, IPC_GATE, &m);
	int gate = fd_take(&((struct ipc_gate *)m.msg)->channel);
	ipc_received_done(&m);
	struct ipc_delivered delivered = {.result = DELIVER_QUOTA, .account = 9};
	say(w, gate, IPC_DELIVERED, &delivered);
	assert_int_equal(world_count(w), 1);
	world_wait(w, 10 * MINUTE_MS);
	answer_route(w, RCPT_UNKNOWN, 0, "");
	/* Gone meanwhile: its sender hears. */
	struct carried c;
	answer_elsewhere(w);
	expect_carry(expect_courier(w), &c);
	assert_non_null(strstr(c.text, "Status: 5.1.1"));
	carried_done(&c);
	close(c.channel);
	close(gate);
	close(submitter);
}

static void what_is_held_can_be_taken_back(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	say_mail(w, submitter, WORLD_START + HOUR_MS);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	struct ipc_submit_cancel cancel = {.message = say_message(w, submitter, WORLD_MESSAGE)};
	world_wait(w, 30 * MINUTE_MS);
	world_expect_nothing(w->dispatcher);
	say(w, submitter, IPC_SUBMIT_CANCEL, &cancel);
	(void)expect_answer(submitter, SUBMIT_OK);
	assert_int_equal(world_count(w), 0);
	say(w, submitter, IPC_SUBMIT_CANCEL, &cancel);
	(void)expect_answer(submitter, SUBMIT_GONE);
	/* And goes when its time has come. */
	say_mail(w, submitter, w->now + HOUR_MS);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	cancel.message = say_message(w, submitter, WORLD_MESSAGE);
	world_wait(w, HOUR_MS);
	say(w, submitter, IPC_SUBMIT_CANCEL, &cancel);
	(void)expect_answer(submitter, SUBMIT_GONE);
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	/* Longer than is allowed. */
	struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("ann@example.org")},
	    .hold_until = w->now + w->config.submit_hold * 1000 + 1};
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	(void)expect_answer(submitter, SUBMIT_REFUSED);
	close(submitter);
}

static void only_what_is_theirs(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("eve@example.org")}};
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	answer_may_send(w, MAY_NOT_SEND, "eve@example.org");
	(void)expect_answer(submitter, SUBMIT_NOT_YOURS);
	say_mail(w, submitter, 0);
	struct ipc_submit_rcpt rcpt = {.recipient = STR("nobody@example.org")};
	say(w, submitter, IPC_SUBMIT_RCPT, &rcpt);
	answer_route(w, RCPT_UNKNOWN, 0, "");
	(void)expect_answer(submitter, SUBMIT_UNKNOWN);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	int scribe = say_data(w, submitter, WORLD_MESSAGE);
	say_examined(w, scribe);
	answer_may_send(w, MAY_NOT_SEND, "ann@example.org");
	(void)expect_answer(submitter, SUBMIT_AUTHOR);
	assert_int_equal(world_count(w), 0);
	close(scribe);
	close(submitter);
}

/* From DATA with that trace on: true when the queue goes on with it. */
static bool takes_trace(struct world *w, struct str trace)
{
	struct ipc_received m;
	int submitter = world_submitter(w);
	struct ipc_submit_data data = {.trace = trace, .message = world_memfd(WORLD_MESSAGE)};
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	say(w, submitter, IPC_SUBMIT_DATA, &data);
	close(data.message);
	bool is_taken = ipc_recv(w->scribes, &m) == 0;
	if (is_taken) {
		fd_close(&((struct ipc_scribe *)m.msg)->channel);
		ipc_received_done(&m);
		world_go(w);
		(void)expect_answer(submitter, SUBMIT_TEMPORARY);
	} else {
		assert_int_equal(ipc_recv(submitter, &m), -ENODATA);
		world_expect(w->ledger, IPC_LEDGER_EVENT, &m);
		ipc_received_done(&m);
	}
	close(submitter);
	world_go(w);
	return is_taken;
}

/* A gate that is broken puts no second field, and no line, above what the scribe reads. */
static void a_trace_is_one_field(void **state)
{
	static const char *const good[] = {"Received: from a by b; now\r\n",
	    "Received: from a\r\n\tby b\r\n for <\xc3\xa9@example.net>;\r\n\tnow\r\n"};
	static const char *const bad[] = {"From: ceo@example.org\r\n", "Received: a",
	    "Received: a\r\nFrom: ceo@example.org\r\n", "Received: a\r\n\r\nbody\r\n",
	    "Received: a\r\n \r\n", "Received: a\n.\nMAIL FROM:<x@example.org>\r\n",
	    "Received: a\rb\r\n", "Received: a\n\r\n", "Received: a\x7f\r\n",
	    "\r\nReceived: a\r\n"};
	char text[1100] = "Received: a\r\n ";
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(takes_trace(*state, str_of_cstr(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (takes_trace(*state, str_of_cstr(bad[i])))
			fail_msg("taken: %s", bad[i]);
	assert_false(takes_trace(*state, STR("Received: a\0b\r\n")));
	memset(text + 14, 'x', 1000);
	memcpy(text + 1014, "\r\n", 2);
	assert_false(takes_trace(*state, str_of(text, 1016)));
}

/* What is prepared is what was declared: only then a body may be anything. */
static void a_binary_body_is_declared_to_the_scribe(void **state)
{
	struct world *w = *state;
	struct ipc_prepare prepare;
	int submitter = world_submitter(w);
	struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("ann@example.org"), .body = 2}};
	struct ipc_submit_data data = {.message = world_memfd(WORLD_MESSAGE)};
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	answer_may_send(w, MAY_SEND, "");
	(void)expect_answer(submitter, SUBMIT_OK);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	say(w, submitter, IPC_SUBMIT_DATA, &data);
	close(data.message);
	int scribe = world_prepared(w, SCRIBE_MESSAGES_MAX, &prepare);
	assert_int_equal(prepare.body, 2);
	assert_int_equal(prepare.complete, 1);
	close(scribe);
	close(submitter);
	world_go(w);
}

/* Each partner dies at its step: the submitter hears at once, and can begin anew. */
static void every_partner_may_die(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	for (int at = 0; at < 5; at++) {
		say_mail(w, submitter, 0);
		say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
		int scribe = say_data(w, submitter, WORLD_MESSAGE);
		if (at >= 1)
			say_examined(w, scribe);
		if (at == 1)
			fd_close(&w->directory);
		if (at >= 2)
			answer_may_send(w, MAY_SEND, "");
		if (at >= 3)
			answer_signers(w, "s1");
		if (at >= 4)
			say_finished(w, scribe, WORLD_MESSAGE, true);
		if (at == 4)
			fd_close(&w->keyholder);
		close(scribe);
		world_go(w);
		(void)expect_answer(submitter, SUBMIT_TEMPORARY);
		if (w->directory < 0)
			w->directory = world_join(w, ROLE_DIRECTORY);
		/* Questions of before stay unanswered. */
		struct ipc_received m;
		while (ipc_recv(w->directory, &m) == 0)
			ipc_received_done(&m);
	}
	assert_int_equal(world_count(w), 0);
	w->keyholder = world_join(w, ROLE_KEYHOLDER);
	submit_one(w, submitter, "bob@example.net", 0);
	assert_int_equal(world_count(w), 1);
	close(submitter);
}

static void a_silent_scribe_is_given_up(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	int scribe = say_data(w, submitter, WORLD_MESSAGE);
	w->now += 2 * MINUTE_MS;
	clock_simulate(w->now);
	assert_int_equal(ipc_send(w->ledger, IPC_LEDGER_EVENT, &(struct ipc_ledger_event){0}), 0);
	assert_int_equal(queue_once(w->q), 0);
	(void)expect_answer(submitter, SUBMIT_TEMPORARY);
	close(scribe);
	close(submitter);
}

static void limits_hold(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	w->config.submit_messages_hour = 2;
	w->config.recipients = 2;
	submit_one(w, submitter, "bob@example.net", 0);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "a@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_rcpt(w, submitter, "b@example.net", 0, RCPT_NOT_LOCAL, 0);
	struct ipc_submit_rcpt rcpt = {.recipient = STR("c@example.net")};
	say(w, submitter, IPC_SUBMIT_RCPT, &rcpt);
	(void)expect_answer(submitter, SUBMIT_TOO_MANY);
	say_message(w, submitter, WORLD_MESSAGE);
	struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("ann@example.org")}};
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	(void)expect_answer(submitter, SUBMIT_RATE);
	world_wait(w, HOUR_MS);
	say_mail(w, submitter, 0);
	w->config.submit_queue = 2;
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	(void)expect_answer(submitter, SUBMIT_RATE);
	w->config.submit_queue = 100;
	w->config.submit_recipients_day = 3;
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	(void)expect_answer(submitter, SUBMIT_RATE);
	close(submitter);
}

static void a_large_message_is_a_file_until_it_is_gone(void **state)
{
	struct world *w = *state;
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct carried c;
	buf_add(&text, STR("Subject: large\r\n\r\n"));
	while (text.len < 600000)
		buf_add(&text, STR("all work and no play makes a long message\r\n"));
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_message(w, submitter, buf_str(&text));
	world_stop(w);
	world_start(w);
	expect_carry(expect_courier(w), &c);
	assert_true(str_eq(str_of_cstr(c.text), buf_str(&text)));
	say_carried_rcpt(c.channel, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
	say_carried(w, c.channel, false);
	carried_done(&c);
	close(c.channel);
	assert_int_equal(world_count(w), 0);
	/* key, database, its log and index */
	DIR *dir = opendir(".");
	size_t n = 0;
	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		n += e->d_name[0] != '.';
	closedir(dir);
	assert_int_equal(n, 4);
	close(submitter);
}

static void a_connection_is_used_again(void **state)
{
	struct world *w = *state;
	struct carried c;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	expect_carry(expect_courier(w), &c);
	int courier = c.channel;
	say_carried_rcpt(courier, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
	struct ipc_carried carried = {.reusable = 1, .tls = STR("none")};
	say(w, courier, IPC_CARRIED, &carried);
	carried_done(&c);
	submit_one(w, submitter, "eve@example.net", 0);
	world_expect_nothing(w->dispatcher);
	expect_carry(courier, &c);
	assert_string_equal(c.recipients[0], "eve@example.net");
	carried_done(&c);
	/* It dies over this one: that was an attempt. */
	close(courier);
	world_go(w);
	world_expect_nothing(w->dispatcher);
	world_wait(w, 7 * MINUTE_MS);
	carry_one(w, "eve@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	assert_int_equal(world_count(w), 0);
	close(submitter);
}

static void delivery_by_a_time(void **state)
{
	struct world *w = *state;
	struct carried c;
	int submitter = world_submitter(w);
	struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("ann@example.org"),
	                                   .by_mode = BY_RETURN,
	                                   .deliver_by = WORLD_START + 20 * MINUTE_MS}};
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	answer_may_send(w, MAY_SEND, "");
	(void)expect_answer(submitter, SUBMIT_OK);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_message(w, submitter, WORLD_MESSAGE);
	carry_one(w, "bob@example.net", CARRY_LATER, 450, "4.7.1", "later");
	world_wait(w, 6 * MINUTE_MS + MINUTE_MS / 2);
	carry_one(w, "bob@example.net", CARRY_LATER, 450, "4.7.1", "later");
	world_wait(w, 14 * MINUTE_MS);
	struct ipc_received m;
	bool returned = false;
	answer_elsewhere(w);
	while (ipc_recv(w->dispatcher, &m) == 0) {
		int channel = fd_take(&((struct ipc_courier *)m.msg)->channel);
		ipc_received_done(&m);
		expect_carry(channel, &c);
		returned = returned || strstr(c.text, "Status: 5.4.7") != NULL;
		carried_done(&c);
		close(channel);
	}
	assert_true(returned);
	close(submitter);
}

static void strangers_have_only_aliases(void **state)
{
	struct world *w = *state;
	int ends[2];
	int gatekeeper = world_join(w, ROLE_GATEKEEPER_SMTP);
	assert_int_equal(ipc_pair(ends), 0);
	struct ipc_gate m = {.connection = 4, .peer = STR("192.0.2.9"), .channel = ends[1]};
	say(w, gatekeeper, IPC_GATE, &m);
	close(ends[1]);
	assert_int_equal(fd_set_nonblocking(ends[0], true), 0);
	struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("eve@example.com")}};
	say(w, ends[0], IPC_SUBMIT_MAIL, &mail);
	(void)expect_answer(ends[0], SUBMIT_OK);
	struct ipc_submit_rcpt rcpt = {.recipient = STR("victim@example.net")};
	say(w, ends[0], IPC_SUBMIT_RCPT, &rcpt);
	answer_route(w, RCPT_NOT_LOCAL, 0, "");
	(void)expect_answer(ends[0], SUBMIT_RELAY);
	say_rcpt(w, ends[0], "list@example.org", 0, RCPT_OK, 9);
	/* what comes from outside has a scribe for itself */
	for (int i = 0; i < 2; i++) {
		struct ipc_prepare prepare;
		struct ipc_received none;
		const struct ipc_keys_wanted no_keys = {0};
		if (i > 0) {
			/* about the first one, which is on its way */
			while (ipc_recv(w->directory, &none) == 0)
				ipc_received_done(&none);
			say(w, ends[0], IPC_SUBMIT_MAIL, &mail);
			(void)expect_answer(ends[0], SUBMIT_OK);
			say_rcpt(w, ends[0], "list@example.org", 0, RCPT_OK, 9);
		}
		say_data_to(w, ends[0], WORLD_MESSAGE, -1, &prepare);
		int scribe = world_prepared(w, 1, &prepare);
		assert_int_equal(prepare.complete, 0);
		say_examined(w, scribe);
		say(w, scribe, IPC_KEYS_WANTED, &no_keys);
		say_finished(w, scribe, WORLD_MESSAGE, false);
		(void)expect_answer(ends[0], SUBMIT_OK);
		assert_int_equal(ipc_recv(scribe, &none), -ENODATA);
		close(scribe);
	}
	close(ends[0]);
	world_go(w);
	close(gatekeeper);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_message_goes_the_whole_way),
	    TEST(a_message_waits_for_others_a_moment),
	    TEST(what_is_accepted_outlives_the_process),
	    TEST(what_is_refused_for_now_is_tried_again),
	    TEST(a_failure_is_told_to_the_sender),
	    TEST(a_notice_about_required_tls_requires_it),
	    TEST(notify_is_minded),
	    TEST(a_late_message_is_told_and_then_returned),
	    TEST(a_dead_destination_costs_one_try_for_all),
	    TEST(local_recipients_go_to_delivery),
	    TEST(a_full_mailbox_waits),
	    TEST(what_is_held_can_be_taken_back),
	    TEST(only_what_is_theirs),
	    TEST(a_trace_is_one_field),
	    TEST(a_binary_body_is_declared_to_the_scribe),
	    TEST(every_partner_may_die),
	    TEST(a_silent_scribe_is_given_up),
	    TEST(limits_hold),
	    TEST(a_large_message_is_a_file_until_it_is_gone),
	    TEST(a_connection_is_used_again),
	    TEST(delivery_by_a_time),
	    TEST(strangers_have_only_aliases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
