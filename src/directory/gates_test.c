/* Gates that sign in more than once. */
#include "directory/test_sign_in.h"

/* A connection may sign in again and again (RFC 8437), but not try again and again. */
static void tries_of_a_connection_are_limited(void **state)
{
	enum { TRIES_MAX = 20 };
	struct fixture *f = *state;
	int channel CLEANUP(fd_close) = gate(f->imap_gatekeeper, "192.0.2.1");
	for (int i = 0; i < TRIES_MAX + 5; i++) {
		ask_auth(channel, STR("anna"), STR(PASSWORD));
		answer_open(f, 0);
		expect_auth(f, channel, AUTH_OK);
	}
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < TRIES_MAX - 1; i++) {
			ask_auth(channel, STR("anna"), STR("incorrect horse"));
			expect_auth(f, channel, AUTH_WRONG);
		}
		ask_auth(channel, STR("anna"), STR(PASSWORD));
		answer_open(f, 0);
		expect_auth(f, channel, AUTH_OK);
	}
	for (int i = 0; i < TRIES_MAX; i++) {
		ask_auth(channel, STR("anna"), STR("incorrect horse"));
		expect_auth(f, channel, AUTH_WRONG);
	}
	struct ipc_received m;
	ask_auth(channel, STR("anna"), STR(PASSWORD));
	assert_int_equal(await(f, channel, &m), -ENODATA); /* the channel is ended */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(tries_of_a_connection_are_limited, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
