/* Tests of dates: date, currentdate (RFC 5260 §4, §5). */
#include <errno.h>
#include <time.h>

#include "base/buf.h"
#include "base/num.h"
#include "mail/date.h"

#include "sieve/fields.h"
#include "sieve/types.h"

enum { ZONE = SIEVE_GROUP_OWN, GIVEN = 0, ORIGINAL };

static const struct sieve_tag zone_tags[] = {
    {STR_INIT("zone"), ZONE, SIEVE_EXTENSION_DATE, SIEVE_STRING, GIVEN},
    {STR_INIT("originalzone"), ZONE, SIEVE_EXTENSION_DATE, SIEVE_NOTHING, ORIGINAL},
    {{0}, 0, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, 0},
};
/* currentdate has no zone of its own */
static const struct sieve_tag current_tags[] = {
    {STR_INIT("zone"), ZONE, SIEVE_EXTENSION_DATE, SIEVE_STRING, GIVEN},
    {{0}, 0, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, 0},
};

/* --- parts (§4.2) --- */

enum { JULIAN_OF_EPOCH = 40587, DAY_S = 24 * 3600 };

static int64_t julian(int64_t local_s)
{
	return (local_s >= 0 ? local_s : local_s - DAY_S + 1) / DAY_S + JULIAN_OF_EPOCH;
}

static char sign_of(int minutes)
{
	return minutes < 0 ? '-' : '+';
}

static unsigned size_of(int minutes)
{
	return (unsigned)(minutes < 0 ? -minutes : minutes);
}

static void put_day(const struct tm *tm, struct buf *out)
{
	buf_printf(out, "%04d-%02d-%02d", tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday);
}

static void put_time(const struct tm *tm, struct buf *out)
{
	buf_printf(out, "%02d:%02d:%02d", tm->tm_hour, tm->tm_min, tm->tm_sec);
}

/* date-time of RFC 3339 §5.6 with capital letters */
static void put_iso8601(struct date date, const struct tm *tm, struct buf *out)
{
	unsigned zone = size_of(date.zone_minutes);

	put_day(tm, out);
	buf_add_c(out, 'T');
	put_time(tm, out);
	if (zone == 0)
		buf_add_c(out, 'Z');
	else
		buf_printf(out, "%c%02u:%02u", sign_of(date.zone_minutes), zone / 60, zone % 60);
}

enum part {
	YEAR,
	MONTH,
	DAY,
	DATE,
	JULIAN,
	HOUR,
	MINUTE,
	SECOND,
	TIME,
	ISO8601,
	STD11,
	ZONE_PART,
	WEEKDAY,
	N_PARTS
};

static const struct str part_names[N_PARTS] = {[YEAR] = STR_INIT("year"),
    [MONTH] = STR_INIT("month"),
    [DAY] = STR_INIT("day"),
    [DATE] = STR_INIT("date"),
    [JULIAN] = STR_INIT("julian"),
    [HOUR] = STR_INIT("hour"),
    [MINUTE] = STR_INIT("minute"),
    [SECOND] = STR_INIT("second"),
    [TIME] = STR_INIT("time"),
    [ISO8601] = STR_INIT("iso8601"),
    [STD11] = STR_INIT("std11"),
    [ZONE_PART] = STR_INIT("zone"),
    [WEEKDAY] = STR_INIT("weekday")};

static bool find_part(struct str name, enum part *ret_part)
{
	for (size_t i = 0; i < N_PARTS; i++)
		if (str_eq_nocase(name, part_names[i])) {
			*ret_part = (enum part)i;
			return true;
		}
	return false;
}

/* The numbers among the parts, each with its digits. */
static bool put_number(enum part part, const struct tm *tm, struct buf *out)
{
	switch (part) {
	case YEAR:
		return buf_printf(out, "%04d", tm->tm_year + 1900);
	case MONTH:
		return buf_printf(out, "%02d", tm->tm_mon + 1);
	case DAY:
		return buf_printf(out, "%02d", tm->tm_mday);
	case HOUR:
		return buf_printf(out, "%02d", tm->tm_hour);
	case MINUTE:
		return buf_printf(out, "%02d", tm->tm_min);
	case SECOND:
		return buf_printf(out, "%02d", tm->tm_sec);
	case WEEKDAY:
		return buf_printf(out, "%d", tm->tm_wday);
	default:
		return false;
	}
}

static void put_part(enum part part, struct date date, struct buf *out)
{
	int64_t local_s = date.epoch_s + (int64_t)date.zone_minutes * 60;
	time_t seconds = (time_t)local_s;
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL || put_number(part, &tm, out))
		return;
	unsigned zone = size_of(date.zone_minutes);
	if (part == DATE)
		put_day(&tm, out);
	else if (part == TIME)
		put_time(&tm, out);
	else if (part == JULIAN)
		buf_printf(out, "%lld", (long long)julian(local_s));
	else if (part == ISO8601)
		put_iso8601(date, &tm, out);
	else if (part == STD11)
		(void)date_format(date, out);
	else
		buf_printf(out, "%c%02u%02u", sign_of(date.zone_minutes), zone / 60, zone % 60);
}

/* --- what both tests have --- */

/* time-zone = ( "+" / "-" ) 4DIGIT */
static bool parse_zone(struct str text, int *ret_minutes)
{
	uint64_t number;

	if (text.len != 5 || (text.p[0] != '+' && text.p[0] != '-') ||
	    !num_parse(str_from(text, 1), 9999, &number) || number % 100 > 59)
		return false;
	int minutes = (int)(number / 100 * 60 + number % 100);
	*ret_minutes = text.p[0] == '-' ? -minutes : minutes;
	return true;
}

static void check_parts(
    struct sieve_checker *checker, const struct sieve_call *call, const struct sieve_text *part)
{
	const struct sieve_given_tag *zone = sieve_call_tag(call, ZONE);
	enum part known;
	int minutes;

	if (part->pieces == NULL && !find_part(part->text, &known))
		sieve_checker_tell(checker, part->place,
		    "a date has no part \"%.*s\"; it has year, month, day, date, julian, hour, "
		    "minute, "
		    "second, time, iso8601, std11, zone and weekday",
		    STR_FMT(str_first(part->text, 40)));
	if (zone != NULL && zone->texts != NULL && zone->texts->pieces == NULL &&
	    !parse_zone(zone->texts->text, &minutes))
		sieve_checker_tell(checker, zone->texts->place,
		    "\"%.*s\" is no time zone; one is written as in \"+0100\"",
		    STR_FMT(str_first(zone->texts->text, 40)));
}

/* Moves the date to the zone that the call asks for: 0 or an error. */
static int shift(struct sieve_run *run, const struct sieve_call *call, struct date *date)
{
	const struct sieve_given_tag *zone = sieve_call_tag(call, ZONE);
	struct str text;

	if (zone == NULL)
		date->zone_minutes = run->message->zone_minutes;
	if (zone == NULL || zone->texts == NULL)
		return 0;
	int result = sieve_run_text(run, zone->texts, &text);
	if (result == 0 && !parse_zone(text, &date->zone_minutes))
		result =
		    sieve_run_fail(run, "\"%.*s\" is no time zone", STR_FMT(str_first(text, 40)));
	return result;
}

static int match_date(struct sieve_run *run, const struct sieve_call *call, struct date date,
    const struct sieve_text *part_text, const struct sieve_text *keys)
{
	struct buf value CLEANUP(buf_done) = BUF_MAX(100);
	struct str name, kept;
	enum part part;

	int result = shift(run, call, &date);
	if (result == 0)
		result = sieve_run_text(run, part_text, &name);
	if (result == 0 && !find_part(name, &part))
		result = sieve_run_fail(
		    run, "a date has no part \"%.*s\"", STR_FMT(str_first(name, 40)));
	if (result < 0)
		return result;
	put_part(part, date, &value);
	if (!arena_dup(run->arena, buf_str(&value), &kept))
		return -E2BIG;
	return sieve_run_match(run, call, kept, keys);
}

/* --- date --- */

static void check_date(struct sieve_checker *checker, struct sieve_call *call)
{
	sieve_check_index(checker, call);
	check_parts(checker, call, call->arguments[1].texts);
}

/* The date that is all of a field, or stands behind its last semicolon. */
static bool date_of(const struct sieve_field *field, struct date *ret_date)
{
	struct str rest = field->raw, last = rest;

	while (rest.len > 0) {
		last = rest;
		(void)str_cut(&rest, ';');
	}
	return date_parse(last, ret_date) || date_parse(field->raw, ret_date);
}

static int run_date(struct sieve_run *run, const struct sieve_call *call)
{
	const struct sieve_text *keys = call->arguments[2].texts;
	struct sieve_walk walk;
	struct sieve_field *field;
	struct date date;

	int result = sieve_walk_begin(run, call, call->arguments[0].texts, &walk);
	if (result == 0)
		result =
		    sieve_walk_next(&walk, &field); /* the first, where no index says another */
	if (result < 0)
		return result;
	bool is_there = result == 1 && date_of(field, &date);
	if (call->counts)
		return sieve_run_count(run, call, is_there, keys);
	return is_there ? match_date(run, call, date, call->arguments[1].texts, keys) : 0;
}

const struct sieve_type sieve_date = {
    .name = STR_INIT("date"),
    .extension = SIEVE_EXTENSION_DATE,
    .is_test = true,
    .groups = SIEVE_TAKES(SIEVE_GROUP_MATCH) | SIEVE_TAKES(SIEVE_GROUP_COMPARATOR) |
              SIEVE_TAKES(SIEVE_GROUP_INDEX) | SIEVE_TAKES(SIEVE_GROUP_LAST),
    .own_tags = zone_tags,
    .parameters = {{SIEVE_STRING, "header name"}, {SIEVE_STRING, "part of a date"},
        {SIEVE_STRINGS, "key list"}},
    .check = check_date,
    .run = run_date,
};

/* --- currentdate --- */

static void check_currentdate(struct sieve_checker *checker, struct sieve_call *call)
{
	check_parts(checker, call, call->arguments[0].texts);
}

static int run_currentdate(struct sieve_run *run, const struct sieve_call *call)
{
	struct date now = {
	    .epoch_s = run->message->now_s, .zone_minutes = run->message->zone_minutes};

	if (call->counts)
		return sieve_run_count(run, call, 1, call->arguments[1].texts);
	return match_date(run, call, now, call->arguments[0].texts, call->arguments[1].texts);
}

const struct sieve_type sieve_currentdate = {
    .name = STR_INIT("currentdate"),
    .extension = SIEVE_EXTENSION_DATE,
    .is_test = true,
    .groups = SIEVE_TAKES(SIEVE_GROUP_MATCH) | SIEVE_TAKES(SIEVE_GROUP_COMPARATOR),
    .own_tags = current_tags,
    .parameters = {{SIEVE_STRING, "part of a date"}, {SIEVE_STRINGS, "key list"}},
    .check = check_currentdate,
    .run = run_currentdate,
};
