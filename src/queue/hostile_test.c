/* What a gate that was broken, or a user who means harm, sends to the queue. */
#include "queue/database_private.h"
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
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	struct ipc_submit_data data = {
	    .trace = STR("Received: from x\r\n\tby test;\r\n\tMon, 1 Jan 2026 00:00:00 +0000\r\n"),
	    .message = world_memfd(WORLD_MESSAGE)};
	say(w, submitter, IPC_SUBMIT_DATA, &data);
	close(data.message);
	struct ipc_prepare prepare;
	int scribe = world_prepared(w, SCRIBE_MESSAGES_MAX, &prepare);
	assert_int_equal(prepare.complete, 1);
	close(scribe);
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

/* Nothing of a message to a courier is longer than it can be. */
static void a_destination_has_a_name_that_can_be_said(void **state)
{
	struct world *w = *state;
	char address[IPC_ADDRESS_MAX + 1] = "b@[x:";
	memset(address + 5, 'y', IPC_ADDRESS_MAX - 6);
	address[IPC_ADDRESS_MAX - 1] = ']';
	struct ipc_submit_rcpt rcpt = {.recipient = str_of_cstr(address)};
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	say(w, submitter, IPC_SUBMIT_RCPT, &rcpt);
	answer_route(w, RCPT_NOT_LOCAL, 0, "");
	(void)expect_answer(submitter, SUBMIT_UNKNOWN);
	close(submitter);
}

/* A scribe that was broken says of an author what the directory would not take. */
static void authors_are_addresses(void **state)
{
	struct world *w = *state;
	char address[IPC_ADDRESS_MAX + 2];
	memset(address, 'y', sizeof(address));
	struct str authors[] = {str_of(address, IPC_ADDRESS_MAX + 1), STR("")};
	for (size_t i = 0; i < ARRAY_LEN(authors); i++) {
		int submitter = world_submitter(w);
		say_mail(w, submitter, 0);
		say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
		int scribe = say_data(w, submitter, WORLD_MESSAGE);
		struct ipc_examined examined = {.authors = {&authors[i], 1}, .header_len = 20};
		say(w, scribe, IPC_EXAMINED, &examined);
		(void)expect_answer(submitter, SUBMIT_TEMPORARY);
		world_expect_nothing(w->directory);
		close(scribe);
		close(submitter);
	}
}

static void answer_team(struct world *w)
{
	enum { TEAM = 2 };
	uint64_t accounts[TEAM] = {8, 9};
	struct ipc_received m;
	world_expect(w->directory, IPC_ROUTE, &m);
	struct ipc_route_answer answer = {.request = ((struct ipc_route *)m.msg)->request,
	    .result = RCPT_OK,
	    .accounts = {accounts, TEAM}};
	ipc_received_done(&m);
	assert_int_equal(ipc_send(w->directory, IPC_ROUTE_ANSWER, &answer), 0);
	world_go(w);
}

/* As many and as long addresses as may be, each of several accounts: delivery gets them in pieces.
 */
static void long_addresses_of_many(void **state)
{
	enum { RECIPIENTS = 100, DELIVERIES = 2 };
	struct world *w = *state;
	struct ipc_received m;
	size_t n = 0;
	w->config.recipients = RECIPIENTS;
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	for (int i = 0; i < RECIPIENTS; i++) {
		char address[IPC_ADDRESS_MAX + 1];
		int len = snprintf(address, sizeof(address), "team+%0303d@example.org", i);
		assert_int_equal(len, IPC_ADDRESS_MAX);
		struct ipc_submit_rcpt rcpt = {.recipient = str_of_cstr(address)};
		say(w, submitter, IPC_SUBMIT_RCPT, &rcpt);
		answer_team(w);
		(void)expect_answer(submitter, SUBMIT_OK);
	}
	say_message(w, submitter, WORLD_MESSAGE);
	for (int i = 0; i < RECIPIENTS; i++)
		answer_team(w);
	world_expect(w->delivery, IPC_GATE, &m);
	int gate = fd_take(&((struct ipc_gate *)m.msg)->channel);
	ipc_received_done(&m);
	for (int i = 0; i < DELIVERIES; i++) {
		struct ipc_delivered delivered = {.result = DELIVER_OK};
		world_expect(gate, IPC_DELIVER, &m);
		n += ((struct ipc_deliver *)m.msg)->envelope.accounts.n;
		ipc_received_done(&m);
		say(w, gate, IPC_DELIVERED, &delivered);
	}
	assert_int_equal(n, 2 * RECIPIENTS);
	world_wait(w, 10);
	assert_int_equal(world_count(w), 0);
	close(gate);
	close(submitter);
}

/* One row that cannot be read keeps no other message from coming and going, and can be removed. */
static void damage_is_in_nobodys_way(void **state)
{
	enum { LONG_MS = 6 * 86400000 };
	struct world *w = *state;
	struct ipc_received m;
	int submitter = world_submitter(w);
	uint64_t bad = submit_one(w, submitter, "bob@example.net", 0);
	world_stop(w);
	close(submitter);
	world_start(w);
	world_expect(w->dispatcher, IPC_COURIER, &m);
	ipc_received_done(&m);
	world_stop(w);
	struct queue_db *db;
	assert_int_equal(queue_db_open(&db), 0);
	assert_int_equal(
	    sqlite3_exec(db->handle, "UPDATE message SET file=x'00'", NULL, NULL, NULL), SQLITE_OK);
	queue_db_close(db);
	world_start(w);
	world_expect_nothing(w->dispatcher);
	submitter = world_submitter(w);
	(void)submit_one(w, submitter, "bob@example.net", NOTIFY_NEVER);
	world_expect(w->dispatcher, IPC_COURIER, &m);
	ipc_received_done(&m);
	world_wait(w, LONG_MS);
	(void)submit_one(w, submitter, "carol@example.net", 0);
	assert_int_equal(queue_db_begin(w->q->db, true), 0);
	assert_int_equal(queue_db_remove(w->q->db, bad), 0);
	assert_int_equal(queue_db_commit(w->q->db), 0);
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
	    TEST(a_destination_has_a_name_that_can_be_said),
	    TEST(authors_are_addresses),
	    TEST(long_addresses_of_many),
	    TEST(damage_is_in_nobodys_way),
	    TEST(connections_share_the_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
