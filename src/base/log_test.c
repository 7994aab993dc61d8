#include "base/log.h"

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

static void assert_quoted(struct str s, const char *want)
{
	assert_string_equal(log_quote(s).text, want);
}

static void log_quote_makes_values_printable(void **state)
{
	(void)state;
	assert_quoted(STR("192.0.2.1"), "192.0.2.1");
	assert_quoted(STR("<a-b_c@x.test:25/+=>"), "<a-b_c@x.test:25/+=>");
	assert_quoted(STR(""), "\"\"");
	assert_quoted(STR("two words"), "\"two words\"");
	assert_quoted(STR("a\"b\\c"), "\"a\\x22b\\x5cc\"");
	assert_quoted(STR("x\r\nfake line"), "\"x\\x0d\\x0afake line\"");
	assert_quoted(STR("\0\x7f\x1b\xff"), "\"\\x00\\x7f\\x1b\\xff\"");
}

static void log_quote_is_bounded(void **state)
{
	(void)state;
	char many[3 * LOG_QUOTE_MAX];

	for (size_t len = 0; len <= sizeof(many); len++) {
		static const char fills[] = {'a', ' ', '\n'};
		for (size_t f = 0; f < sizeof(fills); f++) {
			memset(many, fills[f], sizeof(many));
			struct log_quoted q = log_quote(str_of(many, len));
			size_t text_len = strlen(q.text);
			assert_true(text_len <= LOG_QUOTE_MAX);
			bool cut = strstr(q.text, "\xe2\x80\xa6") != NULL;
			if (len >= LOG_QUOTE_MAX)
				assert_true(cut);
			if (len < 50)
				assert_false(cut);
		}
	}
}

/* What `write_lines` puts on standard error. */
static size_t captured(void (*write_lines)(void), char *to, size_t room)
{
	int pipe_ends[2], kept = dup(STDERR_FILENO);

	assert_int_equal(pipe(pipe_ends), 0);
	assert_true(dup2(pipe_ends[1], STDERR_FILENO) >= 0);
	write_lines();
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	close(kept);
	close(pipe_ends[1]);
	size_t len = 0;
	ssize_t got;
	while (len + 1 < room && (got = read(pipe_ends[0], to + len, room - 1 - len)) > 0)
		len += (size_t)got;
	close(pipe_ends[0]);
	to[len] = '\0';
	return len;
}

static void write_two_lines(void)
{
	clock_simulate(1763902226123);
	log_event(LOG_INFO, "smtp.accepted", "peer=%s size=%zu", "192.0.2.1", (size_t)4120);
	log_event(LOG_ALARM, "gate.crashed", "%s", "");
	clock_simulate(0);
}

static void log_writes_one_line_per_event(void **state)
{
	(void)state;
	char got[4096], want[512];

	log_open("gate-smtp", LOG_INFO);
	captured(write_two_lines, got, sizeof(got));
	snprintf(want, sizeof(want),
	    "2025-11-23T12:50:26.123Z info smtp.accepted role=gate-smtp pid=%d peer=192.0.2.1 "
	    "size=4120\n2025-11-23T12:50:26.123Z ALARM gate.crashed role=gate-smtp pid=%d\n",
	    (int)getpid(), (int)getpid());
	assert_string_equal(got, want);
}

static void write_each_level(void)
{
	log_event(LOG_DEBUG, "d", "x=1");
	log_event(LOG_INFO, "i", "x=1");
	log_event(LOG_WARNING, "w", "x=1");
	log_event(LOG_ERROR, "e", "x=1");
}

static void log_leaves_out_lower_levels(void **state)
{
	(void)state;
	char got[4096];

	log_open("t", LOG_WARNING);
	captured(write_each_level, got, sizeof(got));
	log_open("t", LOG_INFO);
	assert_null(strstr(got, " debug d "));
	assert_null(strstr(got, " info i "));
	assert_non_null(strstr(got, " warning w role=t "));
	assert_non_null(strstr(got, " error e role=t "));
}

static void write_too_much(void)
{
	char *many = malloc(2 * LOG_LINE_MAX + 1);
	if (many == NULL)
		abort();
	memset(many, 'x', 2 * LOG_LINE_MAX);
	many[2 * LOG_LINE_MAX] = '\0';
	log_event(LOG_ERROR, "long.line", "value=%s", many);
	log_event(LOG_ERROR, "next.line", "%s", "");
	free(many);
}

static void log_cuts_a_line_at_its_maximum(void **state)
{
	(void)state;
	char got[3 * LOG_LINE_MAX];
	size_t len = captured(write_too_much, got, sizeof(got));
	const char *end = strchr(got, '\n');

	assert_non_null(end);
	assert_int_equal(end + 1 - got, LOG_LINE_MAX);
	assert_non_null(strstr(end, "next.line"));
	assert_int_equal(got[len - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(log_quote_makes_values_printable),
	    cmocka_unit_test(log_quote_is_bounded),
	    cmocka_unit_test(log_writes_one_line_per_event),
	    cmocka_unit_test(log_leaves_out_lower_levels),
	    cmocka_unit_test(log_cuts_a_line_at_its_maximum),
	};
	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
