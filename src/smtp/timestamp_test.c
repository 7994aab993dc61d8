/* The moments of RFC 3339 that HOLDUNTIL has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtp/timestamp.h"

static void moments_are_read(void **state)
{
	static const struct {
		struct str text;
		uint64_t epoch_s;
	} cases[] = {
	    {STR_INIT("1970-01-01T00:00:00Z"), 0},
	    {STR_INIT("1972-03-01T00:00:00Z"), 68256000},
	    {STR_INIT("2000-02-29T23:59:59Z"), 951868799},
	    {STR_INIT("2026-11-23T13:05:04Z"), 1795439104},
	    {STR_INIT("2026-11-23t14:05:04+01:00"), 1795439104},
	    {STR_INIT("2026-11-23T07:35:04.999-05:30"), 1795439104},
	    {STR_INIT("2016-12-31T23:59:60z"), 1483228800},
	    {STR_INIT("2100-03-01T00:00:00Z"), 4107542400},
	    {STR_INIT("9999-12-31T23:59:59Z"), 253402300799},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t at = 1;
		if (!smtp_timestamp_parse(cases[i].text, &at) || at != cases[i].epoch_s)
			fail_msg("%.*s is %llu", STR_FMT(cases[i].text), (unsigned long long)at);
	}
}

static void what_is_no_moment_is_refused(void **state)
{
	static const char *const cases[] = {"", "2026-11-23", "2026-11-23T13:05Z",
	    "2026-11-23T13:05:04", "2026-11-23 13:05:04Z", "2026-02-29T00:00:00Z",
	    "2100-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
	    "2026-04-31T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T13:60:00Z",
	    "2026-11-23T13:05:61Z", "2026-11-23T13:05:04.Z", "2026-11-23T13:05:04+0100",
	    "2026-11-23T13:05:04+24:00", "2026-11-23T13:05:04Zx", "1969-12-31T23:59:59Z",
	    "1970-01-01T00:00:00+00:01", "26-11-23T13:05:04Z", "+026-11-23T13:05:04Z",
	    "2026-11-23T13:05:04+01:00:00"};
	uint64_t at = 42;
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (smtp_timestamp_parse(str_of_cstr(cases[i]), &at))
			fail_msg("%s was taken", cases[i]);
	assert_int_equal(at, 42);
}

static void what_is_written_reads_the_same(void **state)
{
	(void)state;
	for (uint64_t at = 0; at < 253402300800; at += 86400 * 97 + 12345) {
		struct buf text CLEANUP(buf_done) = BUF_MAX(SMTP_TIMESTAMP_LEN);
		uint64_t again = at + 1;
		assert_true(smtp_timestamp_format(at, &text));
		assert_int_equal(text.len, SMTP_TIMESTAMP_LEN);
		assert_true(smtp_timestamp_parse(buf_str(&text), &again));
		assert_int_equal(again, at);
	}
	struct buf text CLEANUP(buf_done) = BUF_MAX(64);
	assert_true(smtp_timestamp_format(1795439104, &text));
	assert_true(str_eq(buf_str(&text), STR("2026-11-23T13:05:04Z")));
	assert_true(smtp_timestamp_format(253402300799, &text));
	assert_false(smtp_timestamp_format(253402300800, &text));
	assert_false(smtp_timestamp_format(UINT64_MAX, &text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(moments_are_read),
	    cmocka_unit_test(what_is_no_moment_is_refused),
	    cmocka_unit_test(what_is_written_reads_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
