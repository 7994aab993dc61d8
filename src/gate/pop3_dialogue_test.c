/* POP3 before sign-in. */
#include "gate/test_world.h"

static void expect_capabilities(struct world *w, const char *const *names)
{
	say(w, "CAPA\r\n");
	expect(w, "+OK", "");
	for (; *names != NULL; names++)
		expect(w, *names, "");
	expect(w, ".", "");
}

static void test_before_tls(void **state)
{
	static const char *const names[] = {"TOP", "UIDL", "STLS", "RESP-CODES", "AUTH-RESP-CODE",
	    "PIPELINING", "EXPIRE NEVER", "IMPLEMENTATION Gatepost", NULL};
	struct world w = begin(gate_pop3, false);

	(void)state;
	expect(&w, "+OK mail.example.test ready", "");
	expect_capabilities(&w, names);
	say(&w, "USER joe\r\nPASS pw\r\nAUTH PLAIN AGpvZQBwdw==\r\nAUTH\r\n");
	for (int i = 0; i < 4; i++)
		expect(&w, "-ERR Use STLS first", "");
	say(&w, "STAT\r\nnoop\r\n");
	expect(&w, "-ERR Sign in first", "");
	expect(&w, "-ERR Sign in first", "");
	say(&w, "APOP joe 0123\r\nUSER\r\n");
	expect(&w, "-ERR unknown command", "");
	expect(&w, "-ERR expected a space and an argument", "");
	say(&w, "quit\r\n");
	expect(&w, "+OK Good-bye", "");
	expect_end(&w);
	finish(&w);
}

/* What is sent behind STLS in the clear is never obeyed (RFC 2595 §4). */
static void test_stls(void **state)
{
	static const char *const names[] = {"TOP", "UIDL", "USER", "SASL PLAIN LOGIN", "RESP-CODES",
	    "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER", "IMPLEMENTATION Gatepost", NULL};
	struct world w = begin(gate_pop3, false);

	(void)state;
	expect(&w, "+OK", "");
	say(&w, "STLS\r\nQUIT\r\n");
	expect(&w, "+OK Go ahead", "");
	start_tls(&w);
	expect_capabilities(&w, names);
	say(&w, "STLS\r\n");
	expect(&w, "-ERR TLS is on already", "");
	finish(&w);
}

static void test_user_pass(void **state)
{
	struct world w = begin(gate_pop3, true);

	(void)state;
	expect(&w, "+OK", "ready");
	say(&w, "PASS pw\r\n");
	expect(&w, "-ERR USER comes before PASS", "");
	/* PIPELINING: what comes in the same breath is the session's. */
	say(&w, "USER joe@example.test\r\nPASS a b \r\nSTAT\r\n");
	answer_auth(&w, AUTH_OK);
	assert_string_equal(w.user, "joe@example.test");
	assert_string_equal(w.password, "a b ");
	expect(&w, "+OK Now the password", "");
	expect(&w, "+OK Signed in", "");
	expect_session_hears(&w, "STAT\r\n");
	assert_int_equal(fd_write_all(w.session, STR("+OK 0 0\r\n")), 0);
	expect(&w, "+OK 0 0", "");
	fd_close(&w.session);
	expect_end(&w);
	finish(&w);
}

static void test_sasl_plain(void **state)
{
	struct world w = begin(gate_pop3, true);

	(void)state;
	expect(&w, "+OK", "");
	say(&w, "AUTH\r\n");
	expect(&w, "+OK", "");
	expect(&w, "PLAIN", "");
	expect(&w, "LOGIN", "");
	expect(&w, ".", "");
	say(&w, "AUTH CRAM-MD5\r\n");
	expect(&w, "-ERR Only PLAIN and LOGIN", "");
	say(&w, "AUTH PLAIN =\r\n");
	expect(&w, "-ERR expected base64", "");
	say(&w, "AUTH PLAIN YQBqb2UAcHc=\r\n"); /* as "a" */
	expect(&w, "-ERR [AUTH] Acting as another user", "");
	say(&w, "AUTH PLAIN\r\n");
	expect(&w, "+ ", "");
	say(&w, "*\r\n");
	expect(&w, "-ERR AUTH given up", "");
	say(&w, "auth plain AGpvZQBwdw==\r\n");
	answer_auth(&w, AUTH_WRONG);
	expect(&w, "-ERR [AUTH] User or password", "");
	say(&w, "AUTH PLAIN\r\n");
	expect(&w, "+ ", "");
	say(&w, "AGpvZQBwdw==\r\n");
	answer_auth(&w, AUTH_OK);
	assert_string_equal(w.user, "joe");
	assert_string_equal(w.password, "pw");
	expect(&w, "+OK Signed in", "");
	finish(&w);
}

static void test_sasl_login(void **state)
{
	struct world w = begin(gate_pop3, true);

	(void)state;
	expect(&w, "+OK", "");
	say(&w, "AUTH LOGIN !\r\n");
	expect(&w, "-ERR expected base64 of a user", "");
	say(&w, "AUTH LOGIN am9l\r\n");
	expect(&w, "+ UGFzc3dvcmQ6", "");
	say(&w, "!\r\n");
	expect(&w, "-ERR expected base64 of a password", "");
	say(&w, "AUTH LOGIN\r\n");
	expect(&w, "+ VXNlcm5hbWU6", "");
	say(&w, "am9l\r\n");
	expect(&w, "+ UGFzc3dvcmQ6", "");
	say(&w, "cHc=\r\n");
	answer_auth(&w, AUTH_OK);
	assert_string_equal(w.user, "joe");
	assert_string_equal(w.password, "pw");
	expect(&w, "+OK Signed in", "");
	finish(&w);
}

/* After a wrong password the name is to be given anew; each failure is answered later. */
static void test_failures(void **state)
{
	struct world w = begin(gate_pop3, true);
	uint64_t start;

	(void)state;
	expect(&w, "+OK", "");
	say(&w, "USER joe\r\nPASS wrong\r\nPASS pw\r\n");
	start = clock_ms();
	answer_auth(&w, AUTH_WRONG);
	expect(&w, "+OK", "");
	expect(&w, "-ERR [AUTH]", "");
	assert_true(clock_ms() - start >= 400);
	expect(&w, "-ERR USER comes before PASS", "");
	say(&w, "USER joe\r\nPASS pw\r\n");
	answer_auth(&w, AUTH_SLOW_DOWN);
	expect(&w, "+OK", "");
	expect(&w, "-ERR [SYS/TEMP] Too many failures", "");
	for (int i = 0; i < 3; i++) {
		say(&w, "AUTH PLAIN AGpvZQBwdw==\r\n");
		answer_auth(&w, AUTH_TEMPORARY);
		expect(&w, "-ERR [SYS/TEMP] Sign-in does not work now", "");
	}
	expect_end(&w);
	finish(&w);
}

/* The directory goes away: told, not hung; and nothing is asked of it again. */
static void test_no_directory(void **state)
{
	struct world w = begin(gate_pop3, true);

	(void)state;
	expect(&w, "+OK", "");
	fd_close(&w.directory);
	say(&w, "USER joe\r\nPASS pw\r\nUSER joe\r\n");
	expect(&w, "+OK", "");
	expect(&w, "-ERR [SYS/TEMP]", "");
	expect_end(&w);
	finish(&w);
}

static void test_errors(void **state)
{
	struct world w = begin(gate_pop3, false);

	(void)state;
	expect(&w, "+OK", "");
	for (int i = 0; i < 19; i++) {
		say(&w, "FOO\r\n");
		expect(&w, "-ERR unknown command", "");
	}
	say(&w, "GET / HTTP/1.1\r\n");
	expect(&w, "-ERR Too many errors", "");
	expect_end(&w);
	finish(&w);
}

static void test_commands_without_sign_in(void **state)
{
	struct world w = begin(gate_pop3, true);

	(void)state;
	expect(&w, "+OK", "");
	for (int i = 0; i < 200; i++) {
		say(&w, "USER joe\r\n");
		expect(&w, "+OK", "");
	}
	expect_end(&w);
	finish(&w);
}

static void test_long_lines(void **state)
{
	static char line[5 * 1024 + 1];
	struct world w = begin(gate_pop3, true);

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	expect(&w, "+OK", "");
	/* A user longer than any address is refused, a line longer than any command ends it. */
	memcpy(line, "USER ", 5);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	say(&w, line);
	expect(&w, "-ERR [AUTH] That is too long", "");
	memset(line, 'x', sizeof(line) - 1);
	say(&w, line);
	expect(&w, "-ERR That line is too long", "");
	expect_end(&w);
	finish(&w);
}

/* Nobody signs in: it goes without a word (RFC 1939 §3). */
static void test_timeout(void **state)
{
	struct world w = begin_within(gate_pop3, false, 1);

	(void)state;
	expect(&w, "+OK", "");
	say(&w, "USE");
	expect_end(&w);
	finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_before_tls),
	    cmocka_unit_test(test_stls),
	    cmocka_unit_test(test_user_pass),
	    cmocka_unit_test(test_sasl_plain),
	    cmocka_unit_test(test_sasl_login),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_no_directory),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_commands_without_sign_in),
	    cmocka_unit_test(test_long_lines),
	    cmocka_unit_test(test_timeout),
	};

	signal(SIGPIPE, SIG_IGN);
	log_open("test", LOG_ALARM);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
