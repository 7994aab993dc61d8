/* Messages that go at once, and what happens to one that does not get through. */
#include "queue/carry.h"
#include "queue/control.h"
#include "queue/database_memory.h"
#include "queue/test_courier.h"
#include "queue/test_submit.h"

enum { MINUTE_MS = 60000, DAY_MS = 86400000 };

static void expect_rows(struct world *w, uint64_t fresh, uint64_t messages)
{
	assert_int_equal(states_count(w->q->db, "SELECT count(*) FROM fresh"), fresh);
	assert_int_equal(states_count(w->q->db, "SELECT count(*) FROM message"), messages);
	assert_int_equal(states_count(w->q->db, "SELECT count(*) FROM content"), messages);
}

static uint64_t attempts(struct world *w)
{
	return states_count(w->q->db, "SELECT coalesce(sum(attempts),0) FROM recipient");
}

static uint64_t count_of(struct world *w)
{
	uint64_t n = 0;
	assert_int_equal(queue_db_count(w->q->db, WORLD_ACCOUNT, &n), 0);
	return n;
}

static void it_is_one_row(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	expect_rows(w, 1, 0);
	assert_int_equal(count_of(w), 1);
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	expect_rows(w, 0, 0);
	assert_int_equal(count_of(w), 0);
	close(submitter);
}

static void what_is_put_off_becomes_what_waits(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	carry_one(w, "bob@example.net", CARRY_LATER, 450, "4.7.1", "greylisted");
	expect_rows(w, 0, 1);
	assert_int_equal(attempts(w), 1);
	assert_int_equal(count_of(w), 1);
	world_wait(w, 7 * MINUTE_MS);
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	expect_rows(w, 0, 0);
	assert_int_equal(count_of(w), 0);
	close(submitter);
}

/* A destination for which nothing waits is forgotten, but not under what is on its way there: what
 * is put off would wait at another. */
static void its_destination_is_not_forgotten(void **state)
{
	struct world *w = *state;
	struct carried c;
	int submitter = world_submitter(w);
	uint64_t cursor = 0;
	submit_one(w, submitter, "bob@example.net", 0);
	expect_carry(expect_courier(w), &c);
	assert_int_equal(queue_db_begin(w->q->db, false), 0);
	assert_int_equal(queue_db_forget_destinations(w->q->db, w->now, &cursor), 0);
	assert_int_equal(queue_db_commit(w->q->db), 0);
	say_carried_rcpt(c.channel, 0, CARRY_LATER, 450, "4.7.1", "greylisted");
	say_carried(w, c.channel, false);
	close(c.channel);
	carried_done(&c);
	world_wait(w, 7 * MINUTE_MS);
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	expect_rows(w, 0, 0);
	close(submitter);
}

/* What is left of a message to very many that was removed: destinations that are due for nothing.
 * They are in nobody's way. */
static void what_is_due_for_nothing_holds_nobody_up(void **state)
{
	struct world *w = *state;
	static const char sql[] =
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<300)"
	    " INSERT INTO destination(name,due_at,blocked_until,failures,reason)"
	    " SELECT 'd'||i,1,0,0,'' FROM n";
	int submitter = world_submitter(w);
	say_mail(w, submitter, WORLD_START + MINUTE_MS);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_message(w, submitter, WORLD_MESSAGE);
	assert_int_equal(sqlite3_exec(w->q->db->handle, sql, NULL, NULL, NULL), SQLITE_OK);
	world_wait(w, 2 * MINUTE_MS);
	world_wait(w, 2000);
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	assert_int_equal(
	    states_count(w->q->db, "SELECT count(*) FROM destination WHERE due_at IS NOT NULL"), 0);
	close(submitter);
}

/* Some got it, one did not: only that one is left, and the sender hears of another. */
static void recipients_part_ways(void **state)
{
	struct world *w = *state;
	struct carried c;
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "a@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_rcpt(w, submitter, "b@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_rcpt(w, submitter, "c@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_message(w, submitter, WORLD_MESSAGE);
	expect_rows(w, 1, 0);
	expect_carry(expect_courier(w), &c);
	assert_int_equal(c.n, 3);
	say_carried_rcpt(c.channel, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
	say_carried_rcpt(c.channel, 1, CARRY_LATER, 450, "4.2.1", "later");
	say_carried_rcpt(c.channel, 2, CARRY_NEVER, 550, "5.1.1", "nobody");
	say_carried(w, c.channel, false);
	close(c.channel);
	carried_done(&c);
	assert_int_equal(states_count(w->q->db,
	                     "SELECT count(*) FROM recipient r JOIN message m ON m.id=r.message"
	                     " WHERE m.account=7 AND r.state=3 AND address='a@example.net'"),
	    1);
	assert_int_equal(
	    states_count(w->q->db,
	        "SELECT count(*) FROM recipient WHERE state=0 AND address='b@example.net'"),
	    1);
	assert_int_equal(
	    states_count(w->q->db,
	        "SELECT count(*) FROM recipient WHERE state=6 AND address='c@example.net'"),
	    1);
	assert_int_equal(states_count(w->q->db, "SELECT count(*) FROM message WHERE origin=2"), 1);
	close(submitter);
}

/* As a kill leaves it: nothing was written at the end. */
static void kill_queue(struct world *w)
{
	w->q->db->is_open = false;
	world_stop(w);
	world_start(w);
}

static void a_kill_loses_nothing_and_no_number_comes_again(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	uint64_t first = submit_one(w, submitter, "bob@example.net", 0);
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	uint64_t second = submit_one(w, submitter, "carol@example.net", 0);
	assert_int_equal(second, first + 1);
	close(submitter);
	kill_queue(w);
	expect_rows(w, 0, 1);
	carry_one(w, "carol@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	expect_rows(w, 0, 0);
	kill_queue(w);
	submitter = world_submitter(w);
	assert_true(submit_one(w, submitter, "dave@example.net", 0) > second);
	carry_one(w, "dave@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	close(submitter);
}

/* What takes long is filed, so that its age is looked at, and then goes on as it was. */
static void what_takes_long_is_filed(void **state)
{
	struct world *w = *state;
	struct carried c;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	expect_carry(expect_courier(w), &c);
	expect_rows(w, 1, 0);
	world_wait(w, MINUTE_MS);
	expect_rows(w, 0, 1);
	assert_int_equal(count_of(w), 1);
	say_carried_rcpt(c.channel, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
	say_carried(w, c.channel, false);
	close(c.channel);
	carried_done(&c);
	expect_rows(w, 0, 0);
	close(submitter);
}

/* What needs more than a row takes the ordinary way: what is held, has two destinations, is large,
 * would overtake others, or has nobody to take it. */
static void others_take_the_ordinary_way(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	say_mail(w, submitter, WORLD_START + MINUTE_MS);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_message(w, submitter, WORLD_MESSAGE);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@one.example", 0, RCPT_NOT_LOCAL, 0);
	say_rcpt(w, submitter, "bob@two.example", 0, RCPT_NOT_LOCAL, 0);
	say_message(w, submitter, WORLD_MESSAGE);
	char *large = malloc(QUEUE_FRESH_MAX + 1);
	assert_non_null(large);
	memset(large, 'x', QUEUE_FRESH_MAX + 1);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@three.example", 0, RCPT_NOT_LOCAL, 0);
	say_message(w, submitter, str_of(large, QUEUE_FRESH_MAX + 1));
	free(large);
	expect_rows(w, 0, 3);
	/* The window is two at first. */
	for (int i = 0; i < 4; i++)
		submit_one(w, submitter, "bob@four.example", 0);
	expect_rows(w, 2, 5);
	close(w->dispatcher);
	w->dispatcher = -1;
	world_go(w);
	submit_one(w, submitter, "bob@five.example", 0);
	assert_int_equal(
	    states_count(w->q->db, "SELECT count(*) FROM fresh WHERE destination='five.example'"),
	    0);
	close(submitter);
}

/* --- whose fault it is --- */

static void say_ready(struct world *w, int channel)
{
	static const struct ipc_courier_ready ready = {0};
	say(w, channel, IPC_COURIER_READY, &ready);
}

/* The dispatcher had no place, or no resolver, or ended: the message is tried again at once, as if
 * nothing had been. (It used to wait five minutes, and looked lost.) */
static void a_courier_that_never_was_is_no_attempt(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	close(expect_courier(w));
	world_go(w);
	expect_rows(w, 0, 1);
	assert_int_equal(attempts(w), 0);
	world_wait(w, CARRY_PARTNER_MS);
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	expect_rows(w, 0, 0);
	close(submitter);
}

static void a_courier_that_ends_over_a_message_is_one(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	int courier = expect_courier(w);
	say_ready(w, courier);
	close(courier);
	world_go(w);
	assert_int_equal(attempts(w), 1);
	world_wait(w, MINUTE_MS);
	world_expect_nothing(w->dispatcher);
	close(submitter);
}

static void couriers_that_die_with_their_dispatcher_are_none(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w), couriers[2];
	for (int i = 0; i < 2; i++) {
		submit_one(w, submitter, "bob@example.net", 0);
		couriers[i] = expect_courier(w);
		say_ready(w, couriers[i]);
	}
	/* One is seen to end before the dispatcher, one when there is another already. */
	close(w->dispatcher);
	close(couriers[0]);
	world_go(w);
	w->dispatcher = world_join(w, ROLE_DISPATCHER);
	close(couriers[1]);
	world_go(w);
	assert_int_equal(attempts(w), 0);
	world_wait(w, CARRY_PARTNER_MS);
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	carry_one(w, "bob@example.net", CARRY_ACCEPTED, 250, "2.0.0", "ok");
	expect_rows(w, 0, 0);
	close(submitter);
}

static void a_courier_says_once_that_it_is_there(void **state)
{
	struct world *w = *state;
	struct ipc_received m;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	int courier = expect_courier(w);
	say_ready(w, courier);
	say_ready(w, courier);
	world_expect(w->ledger, IPC_LEDGER_EVENT, &m);
	ipc_received_done(&m);
	close(courier);
	close(submitter);
}

static int expect_gate(struct world *w)
{
	struct ipc_received m;
	world_expect(w->delivery, IPC_GATE, &m);
	int gate = fd_take(&((struct ipc_gate *)m.msg)->channel);
	ipc_received_done(&m);
	assert_int_equal(fd_set_nonblocking(gate, true), 0);
	world_expect(gate, IPC_DELIVER, &m);
	ipc_received_done(&m);
	return gate;
}

static void submit_local(struct world *w, int submitter)
{
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.org", 0, RCPT_OK, 9);
	say_message(w, submitter, WORLD_MESSAGE);
}

/* Delivery ends over it again and again: later and later, then it is held, with the reason; its
 * sender hears of it when it is too old, or it goes when somebody releases it. */
static void what_ends_delivery_is_held(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	uint64_t waited = 0, last = 0;
	submit_local(w, submitter);
	for (int i = 0; i < CARRY_CRASHES_MAX; i++) {
		answer_route(w, RCPT_OK, 9, "");
		close(expect_gate(w));
		world_go(w);
		uint64_t next = states_count(w->q->db, "SELECT next_at FROM recipient");
		assert_true(next - w->now > last || i == CARRY_CRASHES_MAX - 1);
		last = next - w->now;
		waited += last;
		if (i < CARRY_CRASHES_MAX - 1)
			world_wait(w, last);
	}
	assert_true(waited > 30 * MINUTE_MS);
	assert_int_equal(states_count(w->q->db, "SELECT state FROM recipient"), RECIPIENT_HELD);
	assert_int_equal(attempts(w), 0);
	assert_int_equal(states_count(w->q->db,
	                     "SELECT count(*) FROM recipient WHERE text LIKE '%ended over it'"),
	    1);
	world_wait(w, 6 * (uint64_t)DAY_MS);
	assert_int_equal(states_count(w->q->db, "SELECT count(*) FROM message WHERE origin=2"), 1);
	assert_int_equal(states_count(w->q->db, "SELECT count(*) FROM message WHERE origin<2"), 0);
	close(submitter);
}

static void delivery_that_does_not_answer_holds_nothing_up(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	submit_local(w, submitter);
	answer_route(w, RCPT_OK, 9, "");
	int gate = expect_gate(w);
	world_wait(w, CARRY_DELIVERY_MS + 1);
	carry_check(w->q);
	world_go(w);
	world_wait(w, MINUTE_MS);
	answer_route(w, RCPT_OK, 9, "");
	int again = expect_gate(w);
	struct ipc_delivered delivered = {.result = DELIVER_OK};
	say(w, again, IPC_DELIVERED, &delivered);
	expect_rows(w, 0, 0);
	close(gate);
	close(again);
	close(submitter);
}

/* --- what accounts submitted --- */

static uint64_t messages_hour(struct world *w)
{
	struct queue_rate rate = {0};
	assert_int_equal(queue_db_rate(w->q->db, WORLD_ACCOUNT, w->now, &rate), 0);
	assert_int_equal(rate.recipients_hour, rate.messages_hour);
	return rate.messages_hour;
}

static void rates_outlive_an_orderly_end_and_a_clock_set_back(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	submit_one(w, submitter, "bob@example.net", 0);
	assert_int_equal(messages_hour(w), 2);
	close(submitter);
	world_stop(w);
	world_start(w);
	assert_int_equal(messages_hour(w), 2);
	/* Two days back: what is written of the future counts for nothing, and is forgotten. */
	w->now -= 2 * (uint64_t)DAY_MS;
	clock_simulate(w->now);
	assert_int_equal(messages_hour(w), 0);
	struct queue_rate rate = {0};
	assert_int_equal(queue_db_rate(w->q->db, WORLD_ACCOUNT, w->now, &rate), 0);
	assert_int_equal(rate.recipients_day, 0);
	assert_int_equal(queue_db_begin(w->q->db, true), 0);
	assert_int_equal(queue_db_rate_add(w->q->db, WORLD_ACCOUNT, w->now, 1), 0);
	assert_int_equal(queue_db_flush_rates(w->q->db), 0);
	assert_int_equal(queue_db_commit(w->q->db), 0);
	assert_int_equal(states_count(w->q->db, "SELECT count(*) FROM rate"), 1);
}

static void counts_are_right_after_a_transaction_that_failed(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	uint64_t id = submit_one(w, submitter, "bob@example.net", 0);
	carry_one(w, "bob@example.net", CARRY_LATER, 450, "4.7.1", "greylisted");
	assert_int_equal(count_of(w), 1);
	assert_int_equal(queue_db_begin(w->q->db, true), 0);
	assert_int_equal(queue_db_remove(w->q->db, id), 0);
	assert_int_equal(count_of(w), 0);
	queue_db_rollback(w->q->db);
	assert_int_equal(count_of(w), 1);
	close(submitter);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(it_is_one_row),
	    TEST(what_is_put_off_becomes_what_waits),
	    TEST(its_destination_is_not_forgotten),
	    TEST(what_is_due_for_nothing_holds_nobody_up),
	    TEST(recipients_part_ways),
	    TEST(a_kill_loses_nothing_and_no_number_comes_again),
	    TEST(what_takes_long_is_filed),
	    TEST(others_take_the_ordinary_way),
	    TEST(a_courier_that_never_was_is_no_attempt),
	    TEST(a_courier_that_ends_over_a_message_is_one),
	    TEST(couriers_that_die_with_their_dispatcher_are_none),
	    TEST(a_courier_says_once_that_it_is_there),
	    TEST(what_ends_delivery_is_held),
	    TEST(delivery_that_does_not_answer_holds_nothing_up),
	    TEST(rates_outlive_an_orderly_end_and_a_clock_set_back),
	    TEST(counts_are_right_after_a_transaction_that_failed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
