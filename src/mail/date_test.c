#include "mail/date.h"

#include "mail/expect.h"

static void expect_date(struct str text, int64_t epoch_s, int zone_minutes)
{
	struct date date;

	assert_true(date_parse(text, &date));
	assert_int_equal(date.epoch_s, epoch_s);
	assert_int_equal(date.zone_minutes, zone_minutes);
}

static void date_reads_rfc5322(void **state)
{
	(void)state;
	expect_date(STR("Fri, 21 Nov 1997 09:55:06 -0600"), 880127706, -360);
	expect_date(STR("21 Nov 1997 09:55:06 -0600"), 880127706, -360);
	expect_date(STR("Thu,  1 Jan 1970 00:00 +0000"), 0, 0);
	expect_date(STR("Thu, 13\r\n  Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)"),
	    -27723480, -210);
	expect_date(STR("29 Feb 2000 12:00:00 +1400"), 951775200, 840);
	expect_date(STR("31 Dec 2016 23:59:60 +0000"), 1483228800, 0);
}

static void date_reads_obsolete_forms(void **state)
{
	(void)state;
	expect_date(STR("21 Nov 97 09:55:06 GMT"), 880106106, 0);
	expect_date(STR("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600"), 880127706, -360);
	expect_date(STR("1 Jan 03 00:00 EST"), 1041397200, -300);
	expect_date(STR("1 Jan 103 00:00 UT"), 1041379200, 0);
	expect_date(STR("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777, 0);
	expect_date(STR("1 January 2021 1:2:3 Z"), 1609462923, 0);
	expect_date(STR("1 Jan 2021 00:00:00"), 1609459200, 0);
	expect_date(STR("1 Jan 2021"), 1609459200, 0);
}

static void date_refuses_what_is_none(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "x", "31 Feb 2021 00:00 +0000",
	    "29 Feb 1900 00:00 +0000", "0 Jan 2021 00:00 +0000", "1 Jan 0 00:00 +0000",
	    "1 Jan 0000 00:00 +0000", "1 Jan 2021 24:00 +0000", "1 Jan 2021 00:60 +0000",
	    "1 Jan 2021 00:00:61 +0000", "1 Foo 2021 00:00 +0000", "1 Jan 12345 00:00 +0000",
	    "1 Jan 2021 1", "(1 Jan 2021 00:00 +0000"};
	struct date date = {.epoch_s = 7};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_false(date_parse(str_of_cstr(texts[i]), &date));
	assert_int_equal(date.epoch_s, 7);
}

static void date_reads_imap_date_times(void **state)
{
	(void)state;
	struct date date;

	assert_true(date_parse_internal(STR("17-Jul-1996 02:44:25 -0700"), &date));
	assert_int_equal(date.epoch_s, 837596665);
	assert_int_equal(date.zone_minutes, -420);
	assert_true(date_parse_internal(STR(" 7-jul-1996 02:44:25 +0000"), &date));
	assert_int_equal(date_day(date), 9684);
	static const char *const bad[] = {"", "7-Jul-1996 02:44:25 -0700",
	    " 17-Jul-1996 02:44:25 -0700", "17-July-1996 02:44:25 -0700",
	    "17-Jul-96 02:44:25 -0700", "17-Jul-1996 2:44:25 -0700", "17-Jul-1996 02:44:25 GMT",
	    "17-Jul-1996 02:44:25 -0700 ", "17-Jul-1996 02:44:25 -0760",
	    "31-Jun-1996 02:44:25 -0700"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(date_parse_internal(str_of_cstr(bad[i]), &date));
}

static void date_reads_imap_days(void **state)
{
	(void)state;
	int32_t day;

	assert_true(date_parse_day(STR("1-Feb-1994"), &day));
	assert_int_equal(day, 8797);
	assert_true(date_parse_day(STR("01-FEB-1994"), &day));
	assert_int_equal(day, 8797);
	assert_true(date_parse_day(STR("31-Dec-1969"), &day));
	assert_int_equal(day, -1);
	assert_false(date_parse_day(STR("29-Feb-1994"), &day));
	assert_false(date_parse_day(STR("1-Feb-94"), &day));
	assert_false(date_parse_day(STR("1-Feb-1994 "), &day));
}

static void date_days_are_of_their_own_zone(void **state)
{
	(void)state;
	struct date date;

	assert_true(date_parse(STR("1 Feb 1994 23:30 -0800"), &date));
	assert_int_equal(date_day(date), 8797);
	assert_true(date_parse(STR("1 Feb 1994 00:30 +1200"), &date));
	assert_int_equal(date_day(date), 8797);
}

static void date_is_written(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(100);
	struct date date = {.epoch_s = 1795439104, .zone_minutes = -210};

	assert_true(date_format(date, &out));
	expect_buf(out, "Mon, 23 Nov 2026 09:35:04 -0330");
	buf_clear(&out);
	assert_true(date_format_internal((struct date){.epoch_s = -1}, &out));
	expect_buf(out, "31-Dec-1969 23:59:59 +0000");
	buf_clear(&out);
	assert_true(date_format_internal((struct date){.epoch_s = 86400 * 3}, &out));
	expect_buf(out, " 4-Jan-1970 00:00:00 +0000");
	struct buf small CLEANUP(buf_done) = BUF_MAX(10);
	assert_false(date_format(date, &small));
}

static void date_stays_within_its_years(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(100);

	assert_true(date_format_internal((struct date){.epoch_s = INT64_MAX}, &out));
	expect_buf(out, "31-Dec-9999 23:59:59 +0000");
	buf_clear(&out);
	assert_true(date_format_internal((struct date){.epoch_s = INT64_MIN}, &out));
	expect_buf(out, " 1-Jan-0001 00:00:00 +0000");
}

static void date_every_day_comes_back(void **state)
{
	(void)state;
	for (int64_t day = -719162; day <= 2932896; day += 97) {
		struct buf out CLEANUP(buf_done) = BUF_MAX(100);
		struct date date = {.epoch_s = day * 86400 + 3723}, again;
		assert_true(date_format(date, &out));
		assert_true(date_parse(buf_str(&out), &again));
		assert_int_equal(again.epoch_s, date.epoch_s);
		assert_int_equal(date_day(again), day);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(date_reads_rfc5322),
	    cmocka_unit_test(date_reads_obsolete_forms),
	    cmocka_unit_test(date_refuses_what_is_none),
	    cmocka_unit_test(date_reads_imap_date_times),
	    cmocka_unit_test(date_reads_imap_days),
	    cmocka_unit_test(date_days_are_of_their_own_zone),
	    cmocka_unit_test(date_is_written),
	    cmocka_unit_test(date_stays_within_its_years),
	    cmocka_unit_test(date_every_day_comes_back),
	};
	return cmocka_run_group_tests_name("mail/date", tests, NULL, NULL);
}
