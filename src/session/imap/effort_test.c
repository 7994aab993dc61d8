/* A command that takes too long is ended, and the client hears of one that takes long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "session/imap/imap_session.h"

enum { START_MS = 1000 * 1000, STEPS = EFFORT_LOOK / EFFORT_MESSAGE };

static struct imap_session s;
static int pair[2];

static int begin(void **state UNUSED)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	clock_simulate(START_MS);
	imap_session_init(&s, NULL, pair[0], -1, 1000);
	imap_effort_begin(&s, STR("A\"1"));
	return 0;
}

static int end(void **state UNUSED)
{
	imap_session_done(&s);
	clock_simulate(0);
	close(pair[0]);
	close(pair[1]);
	return 0;
}

/* Steps until the clock is looked at. */
static int until_look(void)
{
	for (unsigned i = 1; i < STEPS; i++)
		assert_int_equal(imap_effort_step(&s, EFFORT_MESSAGE), 0);
	return imap_effort_step(&s, EFFORT_MESSAGE);
}

static void test_ends(void **state UNUSED)
{
	clock_simulate(START_MS + EFFORT_CPU_MS);
	assert_int_equal(until_look(), 0);
	clock_simulate(START_MS + EFFORT_CPU_MS + 1);
	assert_int_equal(until_look(), -ETIME);
	/* What is sent earns it more. */
	s.out.sent += 2 * EFFORT_BYTES_PER_MS;
	assert_int_equal(until_look(), 0);
	clock_simulate(START_MS + EFFORT_CPU_MS + 3);
	assert_int_equal(until_look(), -ETIME);
	/* The next command has its own. */
	imap_effort_begin(&s, STR("A2"));
	assert_int_equal(until_look(), 0);
}

static void expect_told(const char *line)
{
	char told[200];
	ssize_t n = recv(pair[1], told, sizeof(told), MSG_DONTWAIT);

	if (line == NULL) {
		assert_true(n < 0);
		return;
	}
	assert_true(n > 0);
	assert_int_equal((size_t)n, str_of_cstr(line).len);
	assert_memory_equal(told, line, (size_t)n);
}

static void test_tells(void **state UNUSED)
{
	clock_simulate(START_MS + EFFORT_TELL_MS - 1);
	assert_int_equal(until_look(), 0);
	expect_told(NULL);
	clock_simulate(START_MS + EFFORT_TELL_MS);
	assert_int_equal(until_look(), 0);
	expect_told("* OK [INPROGRESS (\"A\\\"1\" NIL NIL)] Still working on it\r\n");
	assert_int_equal(until_look(), 0);
	expect_told(NULL);
	imap_effort_goal(&s, 1000);
	clock_simulate(START_MS + 2 * EFFORT_TELL_MS);
	assert_int_equal(until_look(), 0);
	expect_told("* OK [INPROGRESS (\"A\\\"1\" 16 1000)] Still working on it\r\n");
	/* The goal is never said to be reached, and a tag that would end the code is not told. */
	imap_effort_begin(&s, STR("A]1"));
	imap_effort_goal(&s, 1);
	clock_simulate(START_MS + 4 * EFFORT_TELL_MS);
	assert_int_equal(until_look(), 0);
	expect_told("* OK [INPROGRESS (NIL 0 1)] Still working on it\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_ends, begin, end),
	    cmocka_unit_test_setup_teardown(test_tells, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
