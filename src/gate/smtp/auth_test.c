/*
 * Signing in to submit, over real TLS: the test is the client, the directory and, over the channel
 * that came with the credential, the queue.
 */
#include "gate/test_world.h"

#include "ipc/outgoing.h"
#include "smtp/command.h"

/* base64 of NUL alice@example.test NUL secret, and of the two alone */
#define PLAIN_ALICE "AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ="
#define ALICE       "YWxpY2VAZXhhbXBsZS50ZXN0"
#define SECRET      "c2VjcmV0"

/* In the gate's process, with what this dialogue needs beside what the world sets. */
static int dialogue(struct gate *g)
{
	struct config config = *g->config;

	config.smtp_duration = 600;
	config.smtp_timeout = 60;
	config.smtp_errors = config.recipients = 100;
	config.submit_hold = 3600;
	g->config = &config;
	return gate_submission(g);
}

static struct world begin_submission(bool implicit_tls)
{
	struct world w = begin(dialogue, implicit_tls);
	expect(&w, "220 mail.example.test", "");
	return w;
}

static void expect_offer(struct world *w, const char *const *lines, size_t n)
{
	say(w, "EHLO client.example\r\n");
	expect(w, "250-mail.example.test", "");
	for (size_t i = 0; i < n; i++)
		expect(w, lines[i], "");
}

static const char *const offered_in_tls[] = {"250-PIPELINING", "250-8BITMIME", "250-SMTPUTF8",
    "250-CHUNKING", "250-BINARYMIME", "250-DSN", "250-ENHANCEDSTATUSCODES", "250-REQUIRETLS",
    "250-DELIVERBY", "250-FUTURERELEASE 3600 ", "250-AUTH PLAIN LOGIN", "250-SIZE 1000",
    "250-LIMITS RCPTMAX=100", "250 HELP"};
static const char *const offered_in_the_clear[] = {"250-PIPELINING", "250-8BITMIME", "250-SMTPUTF8",
    "250-CHUNKING", "250-BINARYMIME", "250-DSN", "250-ENHANCEDSTATUSCODES", "250-STARTTLS",
    "250-DELIVERBY", "250-FUTURERELEASE 3600 ", "250-SIZE 1000", "250-LIMITS RCPTMAX=100",
    "250 HELP"};

static void expect_credential(struct world *w)
{
	assert_string_equal(w->user, "alice@example.test");
	assert_string_equal(w->password, "secret");
}

/* Mail goes to whoever holds the other end of what came with the credential. */
static void submit(struct world *w)
{
	struct ipc_received m;
	static const struct ipc_submit_answer ok = {.result = SUBMIT_OK};

	say(w, "MAIL FROM:<alice@example.test> REQUIRETLS AUTH=<>\r\n");
	assert_int_equal(ipc_recv(w->session, &m), 0);
	assert_int_equal(m.type, IPC_SUBMIT_MAIL);
	const struct ipc_submit_mail *mail = m.msg;
	assert_int_equal(mail->mail.require_tls, 1);
	ipc_received_done(&m);
	assert_int_equal(ipc_send(w->session, IPC_SUBMIT_ANSWER, &ok), 0);
	expect(w, "250 2.1.0 ", "");
}

static void plain_with_an_initial_response(void **state UNUSED)
{
	struct world w = begin_submission(true);

	expect_offer(&w, offered_in_tls, ARRAY_LEN(offered_in_tls));
	say(&w, "MAIL FROM:<alice@example.test>\r\n");
	expect(&w, "530 5.7.0 Sign in first", "");
	say(&w, "AUTH plain " PLAIN_ALICE "\r\n");
	answer_auth(&w, AUTH_OK);
	expect_credential(&w);
	expect(&w, "235 2.7.0 ", "");
	say(&w, "AUTH PLAIN " PLAIN_ALICE "\r\n");
	expect(&w, "503 5.5.1 ", "signed in already");
	submit(&w);
	say(&w, "QUIT\r\n");
	expect(&w, "221 ", "");
	expect_end(&w);
	finish(&w);
}

static void plain_with_a_challenge(void **state UNUSED)
{
	struct world w = begin_submission(true);

	expect_offer(&w, offered_in_tls, ARRAY_LEN(offered_in_tls));
	say(&w, "AUTH PLAIN\r\n");
	expect(&w, "334 ", "");
	say(&w, "*\r\n");
	expect(&w, "501 5.7.0 ", "");
	say(&w, "AUTH PLAIN\r\n");
	expect(&w, "334 ", "");
	say(&w, PLAIN_ALICE "\r\n");
	answer_auth(&w, AUTH_OK);
	expect_credential(&w);
	expect(&w, "235 2.7.0 ", "");
	submit(&w);
	finish(&w);
}

static void login_with_and_without_an_initial_response(void **state UNUSED)
{
	for (int initial = 0; initial < 2; initial++) {
		struct world w = begin_submission(true);
		expect_offer(&w, offered_in_tls, ARRAY_LEN(offered_in_tls));
		say(&w, initial ? "AUTH LOGIN " ALICE "\r\n" : "AUTH login\r\n");
		if (!initial) {
			expect(&w, "334 VXNlcm5hbWU6", "");
			say(&w, ALICE "\r\n");
		}
		expect(&w, "334 UGFzc3dvcmQ6", "");
		say(&w, SECRET "\r\n");
		answer_auth(&w, AUTH_OK);
		expect_credential(&w);
		expect(&w, "235 2.7.0 ", "");
		submit(&w);
		finish(&w);
	}
}

static void starttls_first(void **state UNUSED)
{
	struct world w = begin_submission(false);

	expect_offer(&w, offered_in_the_clear, ARRAY_LEN(offered_in_the_clear));
	say(&w, "AUTH PLAIN " PLAIN_ALICE "\r\n");
	expect(&w, "538 5.7.11 ", "");
	say(&w, "STARTTLS\r\n");
	expect(&w, "220 2.0.0 ", "");
	start_tls(&w);
	say(&w, "AUTH PLAIN " PLAIN_ALICE "\r\n");
	expect(&w, "503 5.5.1 ", "EHLO");
	expect_offer(&w, offered_in_tls, ARRAY_LEN(offered_in_tls));
	say(&w, "AUTH PLAIN " PLAIN_ALICE "\r\n");
	answer_auth(&w, AUTH_OK);
	expect(&w, "235 2.7.0 ", "");
	submit(&w);
	finish(&w);
}

static void what_is_no_credential(void **state UNUSED)
{
	static const struct {
		const char *say, *code;
	} cases[] = {
	    {"AUTH\r\n", "504 5.5.4 "},
	    {"AUTH CRAM-MD5\r\n", "504 5.5.4 "},
	    {"AUTH PLAIN =\r\n", "501 5.5.2 "},
	    {"AUTH PLAIN x\r\n", "501 5.5.2 "},
	    {"AUTH PLAIN c2VjcmV0\r\n", "501 5.5.2 "},
	    {"AUTH PLAIN " PLAIN_ALICE " x\r\n", "501 5.5.2 "},
	    /* bob NUL alice@example.test NUL secret */
	    {"AUTH PLAIN Ym9iAGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=\r\n", "535 5.7.8 "},
	    {"AUTH LOGIN =\r\n", "501 5.5.2 "},
	    {"AUTH LOGIN x\r\n", "501 5.5.2 "},
	};
	struct world w = begin_submission(true);

	expect_offer(&w, offered_in_tls, ARRAY_LEN(offered_in_tls));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		say(&w, cases[i].say);
		expect(&w, cases[i].code, "");
	}
	static const char *const passwords[] = {"\r\n", "=\r\n", "x\r\n", "*\r\n"};
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		say(&w, "AUTH LOGIN " ALICE "\r\n");
		expect(&w, "334 UGFzc3dvcmQ6", "");
		say(&w, passwords[i]);
		expect(&w, "501 5.", "");
	}
	finish(&w);
}

/* RFC 4954 §4: 12288 bytes. */
static void lines_have_a_limit(void **state UNUSED)
{
	static char line[SMTP_AUTH_LINE_MAX + 3];
	struct world w = begin_submission(true);

	expect_offer(&w, offered_in_tls, ARRAY_LEN(offered_in_tls));
	for (size_t len = SMTP_AUTH_LINE_MAX - 1; len <= SMTP_AUTH_LINE_MAX; len++) {
		memset(line, 'A', len);
		memcpy(line + len - 1, "\r\n", 3);
		say(&w, "AUTH PLAIN\r\n");
		expect(&w, "334 ", "");
		say(&w, line);
		expect(&w, len + 1 <= SMTP_AUTH_LINE_MAX ? "501 5.5.2 " : "500 5.5.6 ", "");
	}
	finish(&w);
}

static void failures_are_told_apart_and_counted(void **state UNUSED)
{
	struct world w = begin_submission(true);

	expect_offer(&w, offered_in_tls, ARRAY_LEN(offered_in_tls));
	say(&w, "AUTH PLAIN " PLAIN_ALICE "\r\n");
	answer_auth(&w, AUTH_TEMPORARY);
	expect(&w, "454 4.7.0 Sign-in does not work", "");
	say(&w, "AUTH PLAIN " PLAIN_ALICE "\r\n");
	answer_auth(&w, AUTH_SLOW_DOWN);
	expect(&w, "454 4.7.0 Too many failures", "");
	say(&w, "AUTH PLAIN " PLAIN_ALICE "\r\n");
	answer_auth(&w, AUTH_WRONG);
	expect(&w, "535 5.7.8 ", "");
	say(&w, "MAIL FROM:<alice@example.test>\r\n");
	expect(&w, "530 5.7.0 ", "");
	say(&w, "AUTH PLAIN " PLAIN_ALICE "\r\n");
	answer_auth(&w, AUTH_TEMPORARY);
	expect(&w, "454 4.7.0 ", "");
	say(&w, "AUTH PLAIN " PLAIN_ALICE "\r\n");
	answer_auth(&w, AUTH_TEMPORARY);
	expect(&w, "454 4.7.0 ", "");
	expect(&w, "421 4.7.0 Too many failures", "");
	expect_end(&w);
	finish(&w);
}

static void without_a_directory_it_is_over(void **state UNUSED)
{
	struct world w = begin_submission(true);

	expect_offer(&w, offered_in_tls, ARRAY_LEN(offered_in_tls));
	fd_close(&w.directory);
	say(&w, "AUTH PLAIN " PLAIN_ALICE "\r\n");
	expect(&w, "454 4.7.0 ", "");
	expect(&w, "421 4.3.0 ", "");
	expect_end(&w);
	finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_with_an_initial_response),
	    cmocka_unit_test(plain_with_a_challenge),
	    cmocka_unit_test(login_with_and_without_an_initial_response),
	    cmocka_unit_test(starttls_first),
	    cmocka_unit_test(what_is_no_credential),
	    cmocka_unit_test(lines_have_a_limit),
	    cmocka_unit_test(failures_are_told_apart_and_counted),
	    cmocka_unit_test(without_a_directory_it_is_over),
	};

	log_open("test", LOG_ALARM);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
