/* What a gate that was broken, or a user who means harm, sends to the queue. */
#include "queue/test_submit.h"

static bool is_closed(int channel)
{
	struct ipc_received m;
	int r = ipc_recv(channel, &m);
	if (r == 0)
		ipc_received_done(&m);
	return r == -ENODATA || r == -ECONNRESET || r == -EPIPE;
}

static void expect_cut_off(struct world *w, int submitter)
{
	struct ipc_received m;
	assert_true(is_closed(submitter));
	world_expect(w->ledger, IPC_LEDGER_EVENT, &m);
	assert_int_equal(((struct ipc_ledger_event *)m.msg)->kind, LEDGER_ALARM_BAD_MESSAGE);
	ipc_received_done(&m);
	assert_int_equal(world_count(w), 0);
	close(submitter);
}

/* What stands on top was looked at by no scribe: it is one Received field, and no author. */
static void a_trace_is_nothing_else(void **state)
{
	static const char *const traces[] = {
	    "Received: by test\r\nFrom: ceo@example.org\r\n",
	    "From: ceo@example.org\r\n",
	    "Received: by test\r\n\r\n",
	    "Received: by test\nFrom: ceo@example.org\r\n",
	    "Received: by test\rFrom: ceo@example.org\r\n",
	    "Received: by test\r\n ",
	    "Received: by test",
	    "\r\n",
	};
	struct world *w = *state;
	for (size_t i = 0; i < ARRAY_LEN(traces); i++) {
		int submitter = world_submitter(w);
		say_mail(w, submitter, 0);
		say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
		struct ipc_submit_data data = {
		    .trace = str_of_cstr(traces[i]), .message = world_memfd(WORLD_MESSAGE)};
		say(w, submitter, IPC_SUBMIT_DATA, &data);
		close(data.message);
		expect_cut_off(w, submitter);
	}
	world_expect_nothing(w->scribes);
}

static void a_folded_trace_is_taken(void **state)
{
	struct world *w = *state;
	struct ipc_received m;
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	struct ipc_submit_data data = {
	    .trace = STR("Received: from x\r\n\tby test;\r\n\tMon, 1 Jan 2026 00:00:00 +0000\r\n"),
	    .message = world_memfd(WORLD_MESSAGE)};
	say(w, submitter, IPC_SUBMIT_DATA, &data);
	close(data.message);
	world_expect(w->scribes, IPC_PREPARE, &m);
	ipc_received_done(&m);
	close(submitter);
}

/* A courier would say them to other servers. */
static void no_commands_in_addresses(void **state)
{
	static const struct ipc_submit_rcpt rcpts[] = {
	    {.recipient = STR_INIT("\"a\r\nRSET\r\n\"@example.net")},
	    {.recipient = STR_INIT("a@[1]\r\nRSET\r\n[]")},
	    {.recipient = STR_INIT("bob@example.net"),
	        .original_recipient = STR_INIT("rfc822\r\nRSET\r\n;x")},
	    {.recipient = STR_INIT("bob@example.net"),
	        .original_recipient = STR_INIT("rfc822 X=y;x")},
	};
	struct world *w = *state;
	for (size_t i = 0; i < ARRAY_LEN(rcpts); i++) {
		int submitter = world_submitter(w);
		say_mail(w, submitter, 0);
		say(w, submitter, IPC_SUBMIT_RCPT, &rcpts[i]);
		expect_cut_off(w, submitter);
	}
	struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("\"a\nb\"@example.org")}};
	int submitter = world_submitter(w);
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	expect_cut_off(w, submitter);
	world_expect_nothing(w->directory);
}

/* The destination of what is for accounts here is no domain's name for others. */
static void nobody_is_at_local(void **state)
{
	struct world *w = *state;
	struct ipc_submit_rcpt rcpt = {.recipient = STR("bob@Local.")};
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	say(w, submitter, IPC_SUBMIT_RCPT, &rcpt);
	answer_route(w, RCPT_NOT_LOCAL, 0, "");
	(void)expect_answer(submitter, SUBMIT_UNKNOWN);
	close(submitter);
}

/* Many connections at once are one account still. */
static void connections_share_the_limits(void **state)
{
	enum { CONNECTIONS = 3 };
	struct world *w = *state;
	int submitters[CONNECTIONS];
	w->config.submit_recipients_hour = 2;
	for (size_t i = 0; i < CONNECTIONS; i++) {
		submitters[i] = world_submitter(w);
		say_mail(w, submitters[i], 0);
		say_rcpt(w, submitters[i], "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	}
	for (size_t i = 0; i < CONNECTIONS; i++) {
		int scribe = say_data(w, submitters[i], WORLD_MESSAGE);
		say_examined(w, scribe);
		answer_may_send(w, MAY_SEND, "");
		answer_signers(w, "");
		say_finished(w, scribe, WORLD_MESSAGE, false);
		close(scribe);
		world_wait(w, 10); /* a round may gather */
		(void)expect_answer(submitters[i], i < 2 ? SUBMIT_OK : SUBMIT_RATE);
		close(submitters[i]);
	}
	assert_int_equal(world_count(w), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_trace_is_nothing_else),
	    TEST(a_folded_trace_is_taken),
	    TEST(no_commands_in_addresses),
	    TEST(nobody_is_at_local),
	    TEST(connections_share_the_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
