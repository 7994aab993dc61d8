/* Which messages share a scribe, and for how long. */
#include "queue/test_submit.h"

/* MAIL to the answer of DATA, with a scribe that is there. */
static void say_next(struct world *w, int submitter, int scribe)
{
	struct ipc_prepare prepare;

	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_data_to(w, submitter, WORLD_MESSAGE, scribe, &prepare);
	assert_int_equal(prepare.complete, 1);
	say_examined(w, scribe);
	answer_may_send(w, MAY_SEND, "");
	answer_signers(w, "");
	say_finished(w, scribe, WORLD_MESSAGE, false);
	(void)expect_answer(submitter, SUBMIT_OK);
}

/* A first message, whose scribe stays. */
static int say_first(struct world *w, int submitter)
{
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	int scribe = say_data(w, submitter, WORLD_MESSAGE);
	say_examined(w, scribe);
	answer_may_send(w, MAY_SEND, "");
	answer_signers(w, "");
	say_finished(w, scribe, WORLD_MESSAGE, false);
	(void)expect_answer(submitter, SUBMIT_OK);
	return scribe;
}

static void expect_gone(struct world *w, int scribe)
{
	struct ipc_received m;

	world_go(w);
	assert_int_equal(ipc_recv(scribe, &m), -ENODATA);
	close(scribe);
}

static void a_connection_keeps_its_scribe(void **state)
{
	struct world *w = *state;
	int one = world_submitter(w), other = world_submitter(w);
	int scribe = say_first(w, one);
	int another = say_first(w, other);

	assert_int_equal(w->q->n_scribes, 2);
	say_next(w, one, scribe);
	say_next(w, other, another);
	world_expect_nothing(w->scribes);
	assert_int_equal(world_count(w), 4);
	close(one);
	expect_gone(w, scribe);
	say_next(w, other, another);
	close(other);
	expect_gone(w, another);
	assert_int_equal(w->q->n_scribes, 0);
}

/* Nothing of it is asked of the next. */
static void a_refused_message_does_not_end_it(void **state)
{
	struct world *w = *state;
	struct ipc_examined malformed = {
	    .result = EXAMINED_MALFORMED, .detail = STR("it has no From")};
	int submitter = world_submitter(w);

	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	int scribe = say_data(w, submitter, WORLD_MESSAGE);
	say(w, scribe, IPC_EXAMINED, &malformed);
	(void)expect_answer(submitter, SUBMIT_MALFORMED);
	say_next(w, submitter, scribe);
	/* one that waits for IPC_FINISH is of no use to another message */
	struct ipc_prepare prepare;
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_data_to(w, submitter, WORLD_MESSAGE, scribe, &prepare);
	say_examined(w, scribe);
	answer_may_send(w, MAY_NOT_SEND, "eve@example.org");
	(void)expect_answer(submitter, SUBMIT_AUTHOR);
	expect_gone(w, scribe);
	close(say_first(w, submitter));
	close(submitter);
}

static void it_is_used_up(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	int scribe = say_first(w, submitter);

	for (int i = 1; i < SCRIBE_MESSAGES_MAX; i++)
		say_next(w, submitter, scribe);
	expect_gone(w, scribe);
	scribe = say_first(w, submitter);
	/* however few they are, its life has an end */
	for (uint64_t ms = 0; ms < SCRIBE_LIFE_MS; ms += SCRIBE_IDLE_MS - 1000) {
		world_wait(w, SCRIBE_IDLE_MS - 1000);
		say_next(w, submitter, scribe);
	}
	expect_gone(w, scribe);
	close(submitter);
}

static void tick(struct world *w)
{
	assert_int_equal(ipc_send(w->ledger, IPC_LEDGER_EVENT, &(struct ipc_ledger_event){0}), 0);
	assert_int_equal(queue_once(w->q), 0);
}

static void it_does_not_wait_for_long(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	int scribe = say_first(w, submitter);

	world_wait(w, SCRIBE_IDLE_MS - 1);
	tick(w);
	assert_int_equal(w->q->n_scribes, 1);
	world_wait(w, QUEUE_TICK_MS);
	w->ledger = (close(w->ledger), world_join(w, ROLE_LEDGER));
	tick(w);
	expect_gone(w, scribe);
	assert_int_equal(w->q->n_scribes, 0);
	close(say_first(w, submitter));
	close(submitter);
}

/* Its death between two messages is nobody's loss; over a message it is that message's. */
static void one_that_died_is_replaced(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	struct ipc_prepare prepare;

	close(say_first(w, submitter)); /* seen when the next is sent */
	int scribe = say_first(w, submitter);
	close(scribe);
	world_go(w); /* seen before that */
	assert_int_equal(w->q->n_scribes, 0);
	scribe = say_first(w, submitter);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_data_to(w, submitter, WORLD_MESSAGE, scribe, &prepare);
	close(scribe);
	world_go(w);
	(void)expect_answer(submitter, SUBMIT_TEMPORARY);
	close(say_first(w, submitter));
	assert_int_equal(world_count(w), 4);
	close(submitter);
}

/* Between two messages it has nothing to say. */
static void an_idle_one_that_speaks_is_ended(void **state)
{
	struct world *w = *state;
	struct ipc_received m;
	int submitter = world_submitter(w);
	int scribe = say_first(w, submitter);

	say_examined(w, scribe);
	expect_gone(w, scribe);
	world_expect(w->ledger, IPC_LEDGER_EVENT, &m);
	assert_int_equal(((struct ipc_ledger_event *)m.msg)->kind, LEDGER_ALARM_BAD_MESSAGE);
	ipc_received_done(&m);
	close(say_first(w, submitter));
	close(submitter);
}

static void few_are_kept(void **state)
{
	struct world *w = *state;
	int submitters[SCRIBES_KEPT_MAX + 1], scribes[SCRIBES_KEPT_MAX + 1];

	for (size_t i = 0; i <= SCRIBES_KEPT_MAX; i++) {
		submitters[i] = world_submitter(w);
		scribes[i] = say_first(w, submitters[i]);
	}
	assert_int_equal(w->q->n_scribes, SCRIBES_KEPT_MAX);
	expect_gone(w, scribes[SCRIBES_KEPT_MAX]);
	say_next(w, submitters[0], scribes[0]);
	close(submitters[1]);
	expect_gone(w, scribes[1]);
	scribes[1] = say_first(w, submitters[SCRIBES_KEPT_MAX]);
	say_next(w, submitters[SCRIBES_KEPT_MAX], scribes[1]);
	submitters[1] = submitters[SCRIBES_KEPT_MAX];
	for (size_t i = 0; i < SCRIBES_KEPT_MAX; i++) {
		close(submitters[i]);
		close(scribes[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_connection_keeps_its_scribe),
	    TEST(a_refused_message_does_not_end_it),
	    TEST(it_is_used_up),
	    TEST(it_does_not_wait_for_long),
	    TEST(one_that_died_is_replaced),
	    TEST(an_idle_one_that_speaks_is_ended),
	    TEST(few_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
