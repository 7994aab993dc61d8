#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/reason.h"
#include "queue/schedule.h"

enum { NOW_S = 1800000000 };
#define NOW ((uint64_t)NOW_S * 1000)

static void check(const struct queued_message *m, const struct queued_recipient *r,
    const struct queued_destination *d, const char *expected)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(REASON_LEN_MAX);
	reason_write(m, r, d, NOW, &text);
	assert_true(buf_add_c(&text, '\0'));
	assert_string_equal(text.p, expected);
}

static void reasons(void **state UNUSED)
{
	struct queued_message m = {.hold_until = 0};
	struct queued_recipient r = {.next_at = NOW, .domain = STR("example.net")};
	struct queued_destination d = {.name = STR("example.net")};
	check(&m, &r, NULL, "not tried yet, next try as soon as there is room");
	r.attempts = 3;
	r.code = 451;
	r.mta = STR("mx1.example.net");
	r.text = STR("4.7.1 greylisted,\r\ncome again");
	r.next_at = NOW + 14 * SCHEDULE_MINUTE;
	check(&m, &r, &d,
	    "mx1.example.net answered 451 4.7.1 greylisted,  come again, tried three times, next "
	    "try "
	    "in 14 minutes");
	d.failures = 2;
	d.reason = STR("mx1.example.net refused the connection");
	d.blocked_until = NOW + 90 * SCHEDULE_MINUTE;
	check(&m, &r, &d,
	    "mx1.example.net refused the connection, tried twice, next try in 90 minutes");
	d.failures = 12;
	check(&m, &r, &d,
	    "mx1.example.net refused the connection, tried 12 times, next try in 90 minutes");
	m.hold_until = NOW + 50 * (uint64_t)SCHEDULE_HOUR;
	check(&m, &r, &d, "its sender wants it to go in 2 days");
	assert_string_equal(reason_state(&m, &r, NOW), "scheduled");
	r.state = RECIPIENT_HELD;
	check(&m, &r, &d, "kept back until it is released");
	assert_string_equal(reason_state(&m, &r, NOW), "held");
	r.state = RECIPIENT_ACTIVE;
	check(&m, &r, &d, "being sent now");
	r.state = RECIPIENT_EXPANDED;
	check(&m, &r, &d, "an alias: its targets stand beside it");
}

static void durations(void **state UNUSED)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {{0, "0 seconds"}, {1000, "1 second"}, {119000, "119 seconds"},
	    {120000, "2 minutes"}, {5400000, "90 minutes"}, {7200000, "2 hours"},
	    {172800000, "2 days"}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text CLEANUP(buf_done) = BUF_MAX(100);
		reason_duration(cases[i].ms, &text);
		assert_true(str_eq(buf_str(&text), str_of_cstr(cases[i].text)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(reasons), cmocka_unit_test(durations)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
