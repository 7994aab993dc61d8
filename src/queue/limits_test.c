/* What others could make too much of: each has an end, and nobody else suffers. */
#include "queue/database_memory.h"
#include "queue/test_courier.h"
#include "queue/test_submit.h"

enum { MINUTE_MS = 60000, HOUR_MS = 3600000, FAILING = 3000 };

/* Recipients that are refused take no room, however many there are. (They used to, and then a
 * scribe was accused of it.) */
static void refused_recipients_leave_nothing(void **state)
{
	struct world *w = *state;
	char address[IPC_ADDRESS_MAX + 1];
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	memset(address, 'x', IPC_ADDRESS_MAX);
	memcpy(address + IPC_ADDRESS_MAX - 12, "@example.org", 13);
	for (int i = 0; i < FAILING; i++) {
		struct ipc_submit_rcpt rcpt = {.recipient = str_of_cstr(address)};
		address[0] = (char)('a' + i % 26);
		assert_int_equal(ipc_send(submitter, IPC_SUBMIT_RCPT, &rcpt), 0);
		assert_int_equal(loop_once(w->q->loop, 0), 0);
		answer_route(w, RCPT_UNKNOWN, 0, "");
		(void)expect_answer(submitter, SUBMIT_UNKNOWN);
	}
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	assert_int_equal(say_message(w, submitter, WORLD_MESSAGE), 1);
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	world_expect_nothing(w->ledger);
	close(submitter);
}

static int expect_gate(struct world *w)
{
	struct ipc_received m;
	world_expect(w->delivery, IPC_GATE, &m);
	int gate = fd_take(&((struct ipc_gate *)m.msg)->channel);
	ipc_received_done(&m);
	assert_int_equal(fd_set_nonblocking(gate, true), 0);
	return gate;
}

static void deliver(struct world *w, const char *outside)
{
	struct ipc_delivered delivered = {.result = DELIVER_OK};
	answer_route(w, RCPT_OK, 9, outside);
	int gate = expect_gate(w);
	say(w, gate, IPC_DELIVERED, &delivered);
	close(gate);
}

static void submit_to_alias(struct world *w, int submitter)
{
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "list@example.org", 0, RCPT_OK, 9);
	say_message(w, submitter, WORLD_MESSAGE);
}

/* An alias that leads where no mail can be sent: its sender hears, of the alias. */
static void an_alias_that_leads_nowhere_is_told(void **state)
{
	struct world *w = *state;
	struct carried c;
	int submitter = world_submitter(w);
	submit_to_alias(w, submitter);
	deliver(w, "nobody@local");
	answer_elsewhere(w);
	expect_carry(expect_courier(w), &c);
	assert_string_equal(c.recipients[0], "ann@example.org");
	assert_non_null(strstr(c.text, "Final-Recipient: rfc822;list@example.org"));
	assert_non_null(strstr(c.text, "Status: 5.1.3"));
	assert_null(strstr(c.text, "nobody@local"));
	say_carried_rcpt(c.channel, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
	say_carried(w, c.channel, false);
	carried_done(&c);
	close(c.channel);
	close(submitter);
	assert_int_equal(world_count(w), 0);
}

/* More than an alias passes on in an hour goes later, and all of it goes. */
static void forwarding_has_a_pace(void **state)
{
	enum { MESSAGES = 5 };
	struct world *w = *state;
	int submitter = world_submitter(w);
	w->config.forward_alias_hour = 2;
	for (int i = 0; i < MESSAGES; i++) {
		submit_to_alias(w, submitter);
		deliver(w, "out@example.net");
		if (i < 2)
			carry_one(w, "out@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	}
	world_expect_nothing(w->dispatcher);
	assert_int_equal(world_count(w), MESSAGES - 2);
	for (int i = 2; i < MESSAGES; i++) {
		if (i % 2 == 0)
			world_wait(w, HOUR_MS);
		carry_one(w, "out@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	}
	assert_int_equal(world_count(w), 0);
	close(submitter);
}

/* A server that cannot be reached by two at once could not be reached once. */
static void what_fails_together_is_one_failure(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w), couriers[2];
	struct carried c;
	for (uint64_t round = 1; round <= 3; round++) {
		size_t n = round == 1 ? 2 : 1; /* in trouble one at a time */
		for (size_t i = 0; i < n; i++) {
			if (round == 1)
				submit_one(w, submitter, "bob@example.net", 0);
			couriers[i] = expect_courier(w);
			expect_carry(couriers[i], &c);
			carried_done(&c);
		}
		for (size_t i = 0; i < n; i++) {
			say_carried_rcpt(couriers[i], 0, CARRY_LATER, 0, "4.4.1", "refused");
			say_carried(w, couriers[i], true);
			close(couriers[i]);
			world_wait(w, 10);
		}
		assert_int_equal(
		    states_count(w->q->db, "SELECT max(failures) FROM destination"), round);
		world_wait(w, HOUR_MS);
	}
	close(expect_courier(w));
	world_go(w);
	close(submitter);
}

/* A domain that answers differently each time fills no day's table. */
static void results_of_tls_have_an_end(void **state)
{
	enum { MANY = 3 * QUEUE_TLS_ROWS_MAX };
	struct world *w = *state;
	char detail[32];
	assert_int_equal(queue_db_begin(w->q->db, true), 0);
	for (int i = 0; i < MANY; i++) {
		snprintf(detail, sizeof(detail), "reason %d", i);
		struct ipc_tls_result r = {.policy = TLS_POLICY_STS,
		    .result = i % 2 ? TLS_CERTIFICATE_EXPIRED : TLS_VALIDATION_FAILURE,
		    .mx = STR("mx.example.net"),
		    .detail = str_of_cstr(detail)};
		assert_int_equal(queue_db_tls_add(w->q->db, w->now, STR("example.net"), &r), 0);
	}
	assert_int_equal(
	    states_count(w->q->db, "SELECT count(*) FROM tls_result"), QUEUE_TLS_ROWS_MAX + 2);
	assert_int_equal(states_count(w->q->db, "SELECT sum(sessions) FROM tls_result"), MANY);
	/* Of others there is room, until the day is full. */
	struct ipc_tls_result other = {.result = TLS_SUCCESS, .mx = STR("mx.example.com")};
	assert_int_equal(queue_db_tls_add(w->q->db, w->now, STR("example.com"), &other), 0);
	assert_int_equal(
	    states_count(w->q->db, "SELECT count(*) FROM tls_result"), QUEUE_TLS_ROWS_MAX + 3);
	w->q->db->tls_rows = QUEUE_TLS_DAY_MAX;
	assert_int_equal(queue_db_tls_add(w->q->db, w->now, STR("example.org"), &other), 0);
	assert_int_equal(
	    states_count(w->q->db, "SELECT count(*) FROM tls_result"), QUEUE_TLS_ROWS_MAX + 3);
	assert_int_equal(queue_db_commit(w->q->db), 0);
}

/* A question that cannot be said is no reason to end. */
static void what_is_too_long_is_not_asked(void **state)
{
	struct world *w = *state;
	static char name[2 * IPC_MESSAGE_MAX];
	memset(name, 'x', sizeof(name));
	struct ipc_signers ask = {
	    .request = queue_request(w->q), .domain = str_of(name, sizeof(name))};
	assert_int_equal(queue_ask(w->q, w->q->directory, IPC_SIGNERS, &ask, ask.request,
	                     IPC_SIGNERS_ANSWER, NULL, NULL),
	    -EMSGSIZE);
	assert_int_equal(w->q->n_questions, 0);
	world_expect_nothing(w->directory);
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	close(submitter);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(refused_recipients_leave_nothing),
	    TEST(an_alias_that_leads_nowhere_is_told),
	    TEST(forwarding_has_a_pace),
	    TEST(what_fails_together_is_one_failure),
	    TEST(results_of_tls_have_an_end),
	    TEST(what_is_too_long_is_not_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
