/* IMAP before sign-in. */
#include "gate/test_world.h"

static void test_before_tls(void **state)
{
	struct world w = begin(gate_imap, false);

	(void)state;
	expect(&w, "* OK [CAPABILITY IMAP4rev1 ", "STARTTLS LOGINDISABLED");
	say(&w, "a CAPABILITY\r\n");
	expect(&w, "* CAPABILITY ", "APPENDLIMIT=1000");
	expect(&w, "a OK", "");
	say(&w, "a LOGIN joe pw\r\nb AUTHENTICATE PLAIN AGpvZQBwdw==\r\n");
	expect(&w, "a NO [PRIVACYREQUIRED]", "");
	expect(&w, "b NO [PRIVACYREQUIRED]", "");
	say(&w, "a SELECT INBOX\r\n");
	expect(&w, "a BAD", "Sign in first");
	say(&w, "a LOGIN {5000}\r\n");
	expect(&w, "a BAD", "too big");
	say(&w, "a ID (\"x\" NIL)\r\na NOOP\r\n");
	expect(&w, "* ID", "Gatepost");
	expect(&w, "a OK ID", "");
	expect(&w, "a OK NOOP", "");
	say(&w, "a LOGOUT\r\n");
	expect(&w, "* BYE", "");
	expect(&w, "a OK", "");
	expect_end(&w);
	finish(&w);
}

/* What is sent behind STARTTLS in the clear is never obeyed (RFC 9051 §6.2.1). */
static void test_starttls(void **state)
{
	struct world w = begin(gate_imap, false);

	(void)state;
	expect(&w, "* OK", "");
	say(&w, "a STARTTLS\r\nb NOOP\r\n");
	expect(&w, "a OK", "");
	start_tls(&w);
	say(&w, "c CAPABILITY\r\n");
	expect(&w, "* CAPABILITY", "AUTH=PLAIN");
	expect(&w, "c OK", "");
	say(&w, "d STARTTLS\r\n");
	expect(&w, "d BAD", "");
	finish(&w);
}

static void test_login(void **state)
{
	struct world w = begin(gate_imap, true);

	(void)state;
	expect(&w, "* OK [CAPABILITY", "AUTH=PLAIN");
	say(&w, "a LOGIN joe {2}\r\n");
	expect(&w, "+ ", "");
	/* What comes in the same breath is the session's. */
	say(&w, "pw\r\nb SELECT INBOX\r\n");
	answer_auth(&w, AUTH_OK);
	assert_string_equal(w.user, "joe");
	assert_string_equal(w.password, "pw");
	expect(&w, "a OK [CAPABILITY ", "UIDPLUS");
	expect_session_hears(&w, "b SELECT INBOX\r\n");
	assert_int_equal(fd_write_all(w.session, STR("b OK done\r\n")), 0);
	expect(&w, "b OK done", "");
	say(&w, "c NOOP\r\n");
	expect_session_hears(&w, "c NOOP\r\n");
	fd_close(&w.session);
	expect_end(&w);
	finish(&w);
}

static void test_authenticate(void **state)
{
	struct world w = begin(gate_imap, true);

	(void)state;
	expect(&w, "* OK", "");
	say(&w, "a AUTHENTICATE CRAM-MD5\r\n");
	expect(&w, "a NO", "");
	say(&w, "a AUTHENTICATE PLAIN\r\n");
	expect(&w, "+ ", "");
	say(&w, "*\r\n");
	expect(&w, "a BAD", "");
	say(&w, "a AUTHENTICATE PLAIN =\r\n");
	expect(&w, "a BAD", "");
	say(&w, "a AUTHENTICATE PLAIN YQBqb2UAcHc=\r\n"); /* as "a" */
	expect(&w, "a NO [AUTHORIZATIONFAILED]", "");
	say(&w, "long-tag-1 AUTHENTICATE PLAIN\r\n");
	expect(&w, "+ ", "");
	say(&w, "AGpvZQBwdw==\r\n");
	answer_auth(&w, AUTH_OK);
	assert_string_equal(w.user, "joe");
	expect(&w, "long-tag-1 OK [CAPABILITY", "");
	finish(&w);
}

static void test_failures(void **state)
{
	struct world w = begin(gate_imap, true);
	uint64_t start;

	(void)state;
	expect(&w, "* OK", "");
	say(&w, "a LOGIN joe wrong\r\n");
	start = clock_ms();
	answer_auth(&w, AUTH_WRONG);
	expect(&w, "a NO [AUTHENTICATIONFAILED]", "");
	assert_true(clock_ms() - start >= 400);
	say(&w, "b LOGIN joe wrong\r\n");
	answer_auth(&w, AUTH_SLOW_DOWN);
	expect(&w, "b NO [LIMIT]", "");
	say(&w, "c LOGIN joe pw\r\n");
	answer_auth(&w, AUTH_TEMPORARY);
	expect(&w, "c NO [UNAVAILABLE]", "");
	say(&w, "d LOGIN joe pw\r\n");
	answer_auth(&w, AUTH_TEMPORARY);
	expect(&w, "d NO [UNAVAILABLE]", "");
	say(&w, "e LOGIN joe pw\r\n");
	answer_auth(&w, AUTH_TEMPORARY);
	expect(&w, "e NO [UNAVAILABLE]", "");
	expect(&w, "* BYE Too many", "");
	expect_end(&w);
	finish(&w);
}

/* The directory goes away: told, not hung; and nothing is asked of it again. */
static void test_no_directory(void **state)
{
	struct world w = begin(gate_imap, true);

	(void)state;
	expect(&w, "* OK", "");
	fd_close(&w.directory);
	say(&w, "a LOGIN joe pw\r\nb LOGIN joe pw\r\n");
	expect(&w, "a NO [UNAVAILABLE]", "");
	expect(&w, "* BYE Sign-in", "");
	expect_end(&w);
	finish(&w);
}

static void test_errors(void **state)
{
	struct world w = begin(gate_imap, false);

	(void)state;
	expect(&w, "* OK", "");
	for (int i = 0; i < 19; i++) {
		say(&w, "x FOO\r\n");
		expect(&w, "x BAD", "");
	}
	say(&w, "GET / HTTP/1.1\r\n");
	expect(&w, "GET BAD", "");
	expect(&w, "* BYE", "");
	expect_end(&w);
	finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_before_tls),
	    cmocka_unit_test(test_starttls),
	    cmocka_unit_test(test_login),
	    cmocka_unit_test(test_authenticate),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_no_directory),
	    cmocka_unit_test(test_errors),
	};

	signal(SIGPIPE, SIG_IGN);
	log_open("test", LOG_ALARM);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
