#include "queue/carry.h"
#include "queue/sign.h"
#include "queue/test_courier.h"
#include "queue/test_submit.h"

/* A notice that leaves the house: the directory has just said that. The scribe's end is given back.
 */
static int begin_notice(struct world *w, int submitter)
{
	struct ipc_received m;
	submit_one(w, submitter, "bob@example.net", 0);
	carry_one(w, "bob@example.net", CARRY_NEVER, 550, "5.1.1", "no such user");
	answer_route(w, RCPT_NOT_LOCAL, 0, "");
	world_expect(w->directory, IPC_SIGNERS, &m);
	const struct ipc_signers *ask = m.msg;
	assert_true(str_eq(ask->domain, STR("example.org")));
	struct str selector = STR("s1");
	uint64_t algorithm = DKIM_ED25519_SHA256;
	struct ipc_signers_answer answer = {
	    .request = ask->request, .selectors = {&selector, 1}, .algorithms = {&algorithm, 1}};
	ipc_received_done(&m);
	say(w, w->directory, IPC_SIGNERS_ANSWER, &answer);
	world_expect_nothing(w->dispatcher);
	int scribe = world_scribe(w, 1);
	world_expect(scribe, IPC_PREPARE, &m);
	struct ipc_prepare *prepare = m.msg;
	char *text;
	read_text(prepare->message, &text);
	assert_non_null(strstr(text, "Action: failed"));
	assert_int_equal(prepare->complete, 1);
	free(text);
	ipc_received_done(&m);
	return scribe;
}

static void expect_notice(struct world *w, const char *begins)
{
	struct carried c;
	expect_carry(expect_courier(w), &c);
	assert_int_equal(((struct ipc_carry *)c.carry.msg)->mail.reverse_path.len, 0);
	assert_true(str_starts(str_of_cstr(c.text), str_of_cstr(begins)));
	say_carried_rcpt(c.channel, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
	say_carried(w, c.channel, false);
	close(c.channel);
	carried_done(&c);
	world_go(w);
	assert_int_equal(world_count(w), 0);
}

static void a_notice_that_leaves_is_signed(void **state)
{
	struct world *w = *state;
	struct ipc_received m;
	int submitter = world_submitter(w);
	int scribe = begin_notice(w, submitter);
	struct ipc_examined examined = {.header_len = 20};
	say(w, scribe, IPC_EXAMINED, &examined);
	world_expect(scribe, IPC_FINISH, &m);
	const struct ipc_finish *finish = m.msg;
	assert_true(str_eq(finish->domain, STR("example.org")));
	assert_int_equal(finish->trace.len, 0);
	assert_int_equal(finish->sender.len, 0);
	ipc_received_done(&m);
	struct str field = STR("DKIM-Signature: v=1; b=");
	struct str hash = STR("0123456789abcdef0123456789abcdef");
	struct ipc_finished finished = {.fields = {&field, 1},
	    .hashes = {&hash, 1},
	    .message = world_memfd(STR("From: the scribe's\r\n\r\n"))};
	say(w, scribe, IPC_FINISHED, &finished);
	close(finished.message);
	close(scribe);
	say_signed(w);
	expect_notice(w, "DKIM-Signature: v=1; b=\r\n\tc2lnbmF0dXJl\r\nFrom: the scribe's\r\n");
	close(submitter);
}

/* A notice without a signature is better than none. */
static void a_scribe_that_fails_costs_the_signature_alone(void **state)
{
	enum { REFUSES, DIES, DIES_LATER, LIES, SLEEPS, N_WAYS };
	struct world *w = *state;
	struct ipc_received m;
	int submitter = world_submitter(w);
	for (int way = 0; way < N_WAYS; way++) {
		int scribe = begin_notice(w, submitter);
		struct ipc_examined examined = {
		    .result = way == REFUSES ? EXAMINED_MALFORMED : EXAMINED_OK};
		struct ipc_finished early = {.message = world_memfd(STR("x\r\n"))};
		if (way == REFUSES || way == DIES_LATER || way == SLEEPS)
			say(w, scribe, IPC_EXAMINED, &examined);
		if (way == LIES)
			say(w, scribe, IPC_FINISHED, &early);
		close(early.message);
		if (way == SLEEPS)
			world_wait(w, SIGN_TIMEOUT_MS + 1);
		if (way == DIES_LATER) {
			world_expect(scribe, IPC_FINISH, &m);
			ipc_received_done(&m);
		}
		close(scribe);
		world_go(w);
		expect_notice(w, "Date: ");
	}
	close(submitter);
}

/* While a partner is being started, it waits, and that is no attempt. */
static void without_a_partner_it_waits(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	carry_one(w, "bob@example.net", CARRY_NEVER, 550, "5.1.1", "no such user");
	fd_close(&w->scribes);
	answer_route(w, RCPT_NOT_LOCAL, 0, "");
	answer_signers(w, "s1");
	world_expect_nothing(w->dispatcher);
	assert_int_equal(world_count(w), 1);
	fd_close(&w->directory);
	world_wait(w, CARRY_PARTNER_MS + 1);
	world_expect_nothing(w->dispatcher);
	w->directory = world_join(w, ROLE_DIRECTORY);
	world_wait(w, CARRY_PARTNER_MS + 1);
	answer_signers(w, "");
	expect_notice(w, "Date: ");
	close(submitter);
}

/* The process ends while one is being signed: it goes the next time. */
static void an_end_in_between_loses_nothing(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w);
	int scribe = begin_notice(w, submitter);
	close(submitter);
	world_stop(w);
	close(scribe);
	world_start(w);
	answer_signers(w, "");
	expect_notice(w, "Date: ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(a_notice_that_leaves_is_signed),
	    TEST(a_scribe_that_fails_costs_the_signature_alone), TEST(without_a_partner_it_waits),
	    TEST(an_end_in_between_loses_nothing)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
