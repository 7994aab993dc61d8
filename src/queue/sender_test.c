/* As whom somebody may send is judged for each message. */
#include "queue/test_submit.h"

/* The reverse-path of an earlier message is not asked about at MAIL, but it is before the message
 * is taken: with the authors, or where it is none of them by itself. */
static void a_reverse_path_is_judged_for_each_message(void **state)
{
	struct world *w = *state;
	struct str author = STR("list@example.org");
	struct ipc_examined examined = {.authors = {&author, 1}, .header_len = 20};
	int submitter = world_submitter(w);
	submit_one(w, submitter, "bob@example.net", 0);
	for (int i = 0; i < 2; i++) {
		struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("ann@example.org")}};
		say(w, submitter, IPC_SUBMIT_MAIL, &mail);
		world_expect_nothing(w->directory);
		(void)expect_answer(submitter, SUBMIT_OK);
		say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
		int scribe = say_data(w, submitter, WORLD_MESSAGE);
		say(w, scribe, IPC_EXAMINED, &examined);
		answer_may_send(w, i == 0 ? MAY_SEND : MAY_NOT_SEND, "ann@example.org");
		if (i == 0) {
			answer_may_send(w, MAY_SEND, "");
			answer_signers(w, "");
			say_finished(w, scribe, WORLD_MESSAGE, false);
			(void)expect_answer(submitter, SUBMIT_OK);
		} else {
			(void)expect_answer(submitter, SUBMIT_NOT_YOURS);
		}
		close(scribe);
		world_go(w);
	}
	/* what is not theirs any more is asked about again */
	struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("ann@example.org")}};
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	answer_may_send(w, MAY_NOT_SEND, "ann@example.org");
	(void)expect_answer(submitter, SUBMIT_NOT_YOURS);
	assert_int_equal(world_count(w), 2);
	close(submitter);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(a_reverse_path_is_judged_for_each_message)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
