/* IMAP before sign-in. */
#include "gate/sign_in.h"
#include "gate/test_world.h"
#include "ipc/give_back.h"

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

static struct world begin_anew(uint64_t sign_in_anew, uint64_t sign_in_timeout)
{
	return begin_as(gate_imap, true, sign_in_timeout, sign_in_anew);
}

/* What the session does for UNAUTHENTICATE; `rest` is what it has not used. */
static void give_back(struct world *w, const char *rest)
{
	char byte;

	assert_int_equal(give_back_send(w->session, 1000), 0);
	assert_int_equal(read(w->session, &byte, 1), 0);
	assert_int_equal(fd_write_all(w->session, str_of_cstr(rest)), 0);
	fd_close(&w->session);
}

/* RFC 8437: TLS stays, the next sign-in is asked of the directory, what was sent ahead counts. */
static void test_unauthenticate(void **state)
{
	struct world w = begin_anew(1, 60);

	(void)state;
	expect(&w, "* OK", "");
	say(&w, "a LOGIN joe pw\r\n");
	answer_auth(&w, AUTH_OK);
	expect(&w, "a OK [CAPABILITY ", " UNAUTHENTICATE ");
	say(&w, "b UNAUTHENTICATE\r\nc LOGIN ann other\r\n");
	expect_session_hears(&w, "b UNAUTHENTICATE\r\nc LOGIN ann other\r\n");
	assert_int_equal(fd_write_all(w.session, STR("b OK Signed out\r\n")), 0);
	give_back(&w, "c LOGIN ann other\r\n");
	expect(&w, "b OK Signed out", "");
	answer_auth(&w, AUTH_OK);
	assert_string_equal(w.user, "ann");
	assert_string_equal(w.password, "other");
	expect(&w, "c OK [CAPABILITY ", "");
	give_back(&w, "");
	say(&w, "d SELECT INBOX\r\ne CAPABILITY\r\nf STARTTLS\r\n");
	expect(&w, "d BAD", "Sign in first");
	expect(&w, "* CAPABILITY ", "AUTH=PLAIN");
	expect(&w, "e OK", "");
	expect(&w, "f BAD TLS is on", "");
	for (int i = 0; i < GATE_FAILURES_MAX; i++) {
		say(&w, "g LOGIN joe pw\r\n");
		answer_auth(&w, AUTH_TEMPORARY);
		expect(&w, "g NO [UNAVAILABLE]", "");
	}
	expect(&w, "* BYE Too many failures", "");
	expect_end(&w);
	finish(&w);
}

/* What failed before a sign-in counts behind it too. */
static void test_failures_are_remembered(void **state)
{
	struct world w = begin_anew(1, 60);

	(void)state;
	expect(&w, "* OK", "");
	for (int i = 1; i < GATE_FAILURES_MAX; i++) {
		say(&w, "a LOGIN joe pw\r\n");
		answer_auth(&w, AUTH_TEMPORARY);
		expect(&w, "a NO", "");
		say(&w, "b LOGIN joe pw\r\n");
		answer_auth(&w, AUTH_OK);
		expect(&w, "b OK", "");
		give_back(&w, "");
	}
	say(&w, "c LOGIN joe pw\r\n");
	answer_auth(&w, AUTH_SLOW_DOWN);
	expect(&w, "c NO [LIMIT]", "");
	expect(&w, "* BYE Too many failures", "");
	expect_end(&w);
	finish(&w);
}

/* The time without a sign-in begins anew, and ends. */
static void test_time_after_unauthenticate(void **state)
{
	struct world w = begin_anew(1, 2);

	(void)state;
	expect(&w, "* OK", "");
	say(&w, "a LOGIN joe pw\r\n");
	answer_auth(&w, AUTH_OK);
	expect(&w, "a OK", "");
	usleep(2200000); /* signed in there is none */
	uint64_t began = clock_ms();
	give_back(&w, "");
	expect(&w, "* BYE Autologout", "");
	assert_in_range(clock_ms() - began, 1900, 10000);
	expect_end(&w);
	finish(&w);
}

/* Switched off (RFC 8437 §8): not announced, the directory is out of reach, a session cannot. */
static void test_no_unauthenticate(void **state)
{
	struct world w = begin_anew(0, 60);
	char byte;

	(void)state;
	expect(&w, "* OK", "");
	say(&w, "a LOGIN joe pw\r\n");
	answer_auth(&w, AUTH_OK);
	expect(&w, "a OK [CAPABILITY ", " APPENDLIMIT=1000");
	assert_int_equal(read(w.directory, &byte, 1), 0);
	assert_int_equal(give_back_send(w.session, 1000), 0);
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
	    cmocka_unit_test(test_unauthenticate),
	    cmocka_unit_test(test_failures_are_remembered),
	    cmocka_unit_test(test_time_after_unauthenticate),
	    cmocka_unit_test(test_no_unauthenticate),
	    cmocka_unit_test(test_errors),
	};

	signal(SIGPIPE, SIG_IGN);
	log_open("test", LOG_ALARM);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
