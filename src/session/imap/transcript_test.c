/* The transcripts beside this file (transcripts/NAME.txt; session/test_replay.h). */
#include "session/test_replay.h"

static void test_transcripts(void **state)
{
	const struct test_replay replay = {
	    "src/session/imap/transcripts", {SESSION_IMAP, SESSION_IMAP, SESSION_IMAP}};

	(void)state;
	assert_true(test_replay_all(&replay) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_transcripts)};

	signal(SIGPIPE, SIG_IGN);
	session_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
