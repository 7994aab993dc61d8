#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ledger/ledger.h"
#include "ledger/record.h"

enum { LINES = 5 };

/* A log of a few events, as the role would write it. */
static struct buf write_log(struct chain *chain)
{
	struct buf log = BUF_MAX(1 << 16);
	struct ipc_ledger_event event = {.kind = LEDGER_ALARM_GATE_CRASH,
	    .account = 7,
	    .peer = STR("2001:db8::1"),
	    .detail = STR("signal 11")};

	*chain = (struct chain){0};
	for (size_t i = 0; i < LINES; i++)
		assert_true(record_write(chain, 1000 + i, ROLE_GATEKEEPER_SMTP, &event, &log));
	assert_int_equal(chain->sequence, LINES);
	return log;
}

static struct record_check check(struct str log)
{
	struct record_check c = {0};

	while (str_index(log, '\n') < log.len)
		record_check_line(&c, str_cut(&log, '\n'));
	c.open_end = log.len > 0;
	return c;
}

static void a_line_reads_as_described(void **state UNUSED)
{
	struct chain chain = {0};
	struct buf log CLEANUP(buf_done) = BUF_MAX(4096);
	struct ipc_ledger_event event = {
	    .kind = LEDGER_ACCOUNT_ADD, .account = 42, .detail = STR("a \"b\" \\ \n \xc3\xa4")};

	assert_true(record_write(&chain, 1764000000123, ROLE_DIRECTORY, &event, &log));
	struct str expected = STR("1 1764000000123 account.add directory 42 - "
	                          "\"a \\x22b\\x22 \\x5c \\x0a \\xc3\\xa4\" ");
	assert_true(str_starts(buf_str(&log), expected));
	assert_int_equal(log.len, expected.len + 64 + 1);
}

static void a_peer_is_an_address_or_nothing(void **state UNUSED)
{
	static const struct {
		struct str peer;
		const char *written;
	} cases[] = {{STR_INIT(""), " - - \""}, {STR_INIT("192.0.2.1"), " - 192.0.2.1 \""},
	    {STR_INIT("evil peer"), " - ? \""}, {STR_INIT("1\n2"), " - ? \""}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct chain chain = {0};
		struct buf log CLEANUP(buf_done) = BUF_MAX(4096);
		struct ipc_ledger_event event = {.peer = cases[i].peer};
		assert_true(record_write(&chain, 1, ROLE_SUPERVISOR, &event, &log));
		assert_true(str_find(buf_str(&log), str_of_cstr(cases[i].written)) < log.len);
	}
}

static void an_untouched_log_is_whole(void **state UNUSED)
{
	struct chain chain;
	struct buf log CLEANUP(buf_done) = write_log(&chain);
	struct record_check c = check(buf_str(&log));

	assert_int_equal(c.lines, LINES);
	assert_int_equal(c.first_wrong, 0);
	assert_int_equal(c.torn, 0);
	assert_false(c.open_end);
	assert_memory_equal(&c.chain, &chain, sizeof(chain));
}

static void every_changed_byte_is_noticed(void **state UNUSED)
{
	struct chain chain;
	struct buf log CLEANUP(buf_done) = write_log(&chain);

	for (size_t i = 0; i < log.len; i++) {
		log.p[i] ^= 1;
		struct record_check c = check(buf_str(&log));
		if (c.first_wrong == 0 && c.torn == 0 && !c.open_end)
			fail_msg("byte %zu", i);
		/* One change is not the end: what follows is judged by itself. */
		assert_true(c.lines + c.torn >= LINES - 1);
		log.p[i] ^= 1;
	}
}

static void a_line_taken_out_or_moved_is_noticed(void **state UNUSED)
{
	struct chain chain;
	struct buf log CLEANUP(buf_done) = write_log(&chain);
	size_t first = str_index(buf_str(&log), '\n') + 1;

	assert_int_equal(check(str_from(buf_str(&log), first)).first_wrong, 1);
	struct buf moved CLEANUP(buf_done) = BUF_MAX(1 << 16);
	buf_add(&moved, str_from(buf_str(&log), first));
	buf_add(&moved, str_first(buf_str(&log), first));
	assert_int_equal(check(buf_str(&moved)).first_wrong, 1);
	assert_int_equal(check(buf_str(&moved)).lines, LINES);
}

/* A crash in the middle of an append, at every byte: the log goes on behind it. */
static void a_torn_end_is_recognised(void **state UNUSED)
{
	struct chain chain;
	struct buf log CLEANUP(buf_done) = write_log(&chain);
	size_t last = log.len;

	/* The last line begins where the one before ends. */
	for (last = log.len - 1; log.p[last - 1] != '\n'; last--)
		;
	for (size_t len = last + 1; len < log.len; len++) {
		struct record_check c = check(str_first(buf_str(&log), len));
		assert_int_equal(c.lines, LINES - 1);
		assert_int_equal(c.first_wrong, 0);
		assert_true(c.open_end);
		if (len == log.len - 1)
			continue; /* all but its LF: closing it makes it whole */
		struct buf closed CLEANUP(buf_done) = BUF_MAX(1 << 16);
		struct ipc_ledger_event event = {.kind = LEDGER_START};
		buf_add(&closed, str_first(buf_str(&log), len));
		buf_add_c(&closed, '\n');
		assert_true(record_write(&c.chain, 1, ROLE_SUPERVISOR, &event, &closed));
		c = check(buf_str(&closed));
		assert_int_equal(c.first_wrong, 0);
		assert_int_equal(c.torn, 1);
		assert_int_equal(c.lines, LINES);
	}
}

static void kinds_belong_to_roles(void **state UNUSED)
{
	for (enum role role = 0; role < N_ROLES; role++)
		for (enum ledger_kind kind = 0; kind < N_LEDGER_KINDS; kind++) {
			assert_non_null(record_kind_name(kind));
			if (role == ROLE_GATE_SMTP || role == ROLE_GATE_IMAP ||
			    role == ROLE_GATE_POP3 || role == ROLE_GATE_SUBMISSION ||
			    role == ROLE_SESSION)
				assert_false(ledger_may_raise(role, kind));
		}
	assert_true(ledger_may_raise(ROLE_DIRECTORY, LEDGER_ACCOUNT_ADD));
	assert_false(ledger_may_raise(ROLE_DELIVERY, LEDGER_ACCOUNT_ADD));
	assert_false(ledger_may_raise(ROLE_GATEKEEPER_SMTP, LEDGER_STOP));
	assert_true(ledger_may_raise(ROLE_GATEKEEPER_SMTP, LEDGER_ALARM_GATE_CRASH));
	assert_false(ledger_may_raise(N_ROLES, LEDGER_START));
	assert_false(ledger_may_raise(ROLE_SUPERVISOR, N_LEDGER_KINDS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_reads_as_described),
	    cmocka_unit_test(a_peer_is_an_address_or_nothing),
	    cmocka_unit_test(an_untouched_log_is_whole),
	    cmocka_unit_test(every_changed_byte_is_noticed),
	    cmocka_unit_test(a_line_taken_out_or_moved_is_noticed),
	    cmocka_unit_test(a_torn_end_is_recognised),
	    cmocka_unit_test(kinds_belong_to_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
