#include "smtp/timestamp.h"

#include "base/num.h"

enum { DAY_S = 86400, HOUR_S = 3600, MINUTE_S = 60, YEAR_FIRST = 1970, YEAR_LAST = 9999 };

static bool is_leap(uint64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint64_t days_of_month(uint64_t year, uint64_t month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

/* Days from 1 January 1970 to the first of January of `year`. */
static uint64_t days_before(uint64_t year)
{
	uint64_t y = year - 1;
	return 365 * (year - YEAR_FIRST) + (y / 4 - y / 100 + y / 400) - 477;
}

/* Exactly `len` digits that make a number from `least` to `most`, then `separator` (0: none). */
static bool cut_number(struct str *rest, size_t len, uint64_t least, uint64_t most, char separator,
    uint64_t *ret_number)
{
	struct str digits = str_first(*rest, len);
	if (digits.len != len || !num_parse(digits, most, ret_number) || *ret_number < least)
		return false;
	*rest = str_from(*rest, len);
	return separator == '\0' || str_skip_nocase(rest, str_of(&separator, 1));
}

/*   full-date = date-fullyear "-" date-month "-" date-mday */
static bool cut_date(struct str *rest, uint64_t *ret_days)
{
	uint64_t year, month, day;
	if (!cut_number(rest, 4, YEAR_FIRST, YEAR_LAST, '-', &year) ||
	    !cut_number(rest, 2, 1, 12, '-', &month) ||
	    !cut_number(rest, 2, 1, days_of_month(year, month), 'T', &day))
		return false;
	uint64_t days = days_before(year) + day - 1;
	for (uint64_t m = 1; m < month; m++)
		days += days_of_month(year, m);
	*ret_days = days;
	return true;
}

/*
 *   partial-time = time-hour ":" time-minute ":" time-second [time-secfrac]
 *   time-secfrac = "." 1*DIGIT
 */
static bool cut_time(struct str *rest, uint64_t *ret_seconds)
{
	uint64_t hour, minute, second;
	if (!cut_number(rest, 2, 0, 23, ':', &hour) || !cut_number(rest, 2, 0, 59, ':', &minute) ||
	    !cut_number(rest, 2, 0, 60, '\0', &second))
		return false;
	if (str_skip(rest, STR("."))) {
		size_t before = rest->len;
		while (rest->len > 0 && ascii_is_digit(rest->p[0]))
			*rest = str_from(*rest, 1);
		if (rest->len == before)
			return false;
	}
	*ret_seconds = hour * HOUR_S + minute * MINUTE_S + second;
	return true;
}

/*   time-offset = "Z" / ("+" / "-") time-hour ":" time-minute */
static bool read_offset(struct str rest, bool *ret_east, uint64_t *ret_seconds)
{
	uint64_t hour, minute;
	*ret_east = false;
	*ret_seconds = 0;
	if (str_eq_nocase(rest, STR("Z")))
		return true;
	*ret_east = str_skip(&rest, STR("+"));
	if (!*ret_east && !str_skip(&rest, STR("-")))
		return false;
	if (!cut_number(&rest, 2, 0, 23, ':', &hour) || !cut_number(&rest, 2, 0, 59, '\0', &minute))
		return false;
	*ret_seconds = hour * HOUR_S + minute * MINUTE_S;
	return rest.len == 0;
}

bool smtp_timestamp_parse(struct str s, uint64_t *ret_epoch_s)
{
	uint64_t days, seconds, offset;
	bool east;
	if (!cut_date(&s, &days) || !cut_time(&s, &seconds) || !read_offset(s, &east, &offset))
		return false;
	uint64_t local = days * DAY_S + seconds;
	if (east && local < offset)
		return false;
	*ret_epoch_s = east ? local - offset : local + offset;
	return true;
}

bool smtp_timestamp_format(uint64_t epoch_s, struct buf *out)
{
	uint64_t days = epoch_s / DAY_S, year = YEAR_FIRST, month = 1;
	unsigned rest = (unsigned)(epoch_s % DAY_S);
	if (days >= days_before(YEAR_LAST + 1))
		return false;
	year += days / 366;
	while (days_before(year + 1) <= days)
		year++;
	days -= days_before(year);
	while (days >= days_of_month(year, month))
		days -= days_of_month(year, month++);
	return buf_printf(out, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)year, (unsigned)month,
	    (unsigned)days + 1, rest / HOUR_S, rest / MINUTE_S % 60, rest % MINUTE_S);
}
