#include "mail/date.h"

#include <stdlib.h>

#include "base/num.h"

enum { DAY_S = 24 * 60 * 60, YEAR_MAX = 9999 };

static const char month_names[12][4] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

struct civil {
	int year, month, day; /* month from 1 */
	int hour, minute, second;
};

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month)
{
	static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01; years begin in March here, so that the leap day is a year's last. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	/* 719468 days lie between 0000-03-01 and 1970-01-01. */
	return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static void civil_of(int64_t days, struct civil *civil)
{
	enum { DAYS_PER_400_YEARS = 146097 };
	int64_t shifted = days + 719468;
	int64_t era = shifted / DAYS_PER_400_YEARS - (shifted % DAYS_PER_400_YEARS < 0);
	int64_t in_era = shifted - era * DAYS_PER_400_YEARS;
	int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (year * 365 + year / 4 - year / 100);
	int64_t month = (in_year * 5 + 2) / 153;

	civil->day = (int)(in_year - (153 * month + 2) / 5 + 1);
	civil->month = (int)(month < 10 ? month + 3 : month - 9);
	civil->year = (int)(year + era * 400 + (civil->month <= 2));
}

static bool civil_to_date(const struct civil *civil, int zone_minutes, struct date *ret_date)
{
	if (civil->year < 1 || civil->year > YEAR_MAX || civil->month < 1 || civil->month > 12 ||
	    civil->day < 1 || civil->day > month_days(civil->year, civil->month) ||
	    civil->hour > 23 || civil->minute > 59 || civil->second > 60)
		return false;
	int64_t days = days_of(civil->year, civil->month, civil->day);
	int64_t local_s = days * DAY_S + civil->hour * 3600 + civil->minute * 60 + civil->second;
	*ret_date = (struct date){
	    .epoch_s = local_s - (int64_t)zone_minutes * 60, .zone_minutes = zone_minutes};
	return true;
}

/* Skips folding white space and comments; quoted pairs inside comments hide parentheses. */
static void skip_cfws(struct str *rest)
{
	size_t depth = 0, i = 0;

	for (; i < rest->len; i++) {
		char c = rest->p[i];
		if (c == '(')
			depth++;
		else if (depth > 0 && c == ')')
			depth--;
		else if (depth > 0 && c == '\\')
			i++;
		else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
			break;
	}
	*rest = str_from(*rest, i);
}

static struct str take_alpha(struct str *rest)
{
	size_t n = 0;

	while (n < rest->len && ascii_is_alpha(rest->p[n]))
		n++;
	struct str word = str_first(*rest, n);
	*rest = str_from(*rest, n);
	return word;
}

/* Between `least` and `most` digits, not followed by another. */
static bool take_digits(struct str *rest, size_t least, size_t most, int *ret_value, size_t *ret_n)
{
	uint64_t value;
	size_t n = 0;

	while (n < rest->len && ascii_is_digit(rest->p[n]))
		n++;
	if (n < least || n > most || !num_parse(str_first(*rest, n), 99999, &value))
		return false;
	*rest = str_from(*rest, n);
	*ret_value = (int)value;
	if (ret_n != NULL)
		*ret_n = n;
	return true;
}

static bool take_month(struct str *rest, int *ret_month)
{
	struct str word = take_alpha(rest);

	for (int i = 0; i < 12 && word.len >= 3; i++) {
		if (str_eq_nocase(str_first(word, 3), str_of(month_names[i], 3))) {
			*ret_month = i + 1;
			return true;
		}
	}
	return false;
}

/* RFC 5322 §4.3: two digits from 50 on and three digits count from 1900, 00 to 49 from 2000. */
static bool take_year(struct str *rest, int *ret_year)
{
	size_t n;

	if (!take_digits(rest, 2, 4, ret_year, &n))
		return false;
	if (n == 3 || (n == 2 && *ret_year >= 50))
		*ret_year += 1900;
	else if (n == 2)
		*ret_year += 2000;
	return true;
}

/* date = day month year, with CFWS between, or the hyphens of older software. */
static bool take_date(struct str *rest, struct civil *civil)
{
	if (!take_digits(rest, 1, 2, &civil->day, NULL))
		return false;
	skip_cfws(rest);
	(void)str_skip(rest, STR("-"));
	if (!take_month(rest, &civil->month))
		return false;
	skip_cfws(rest);
	(void)(str_skip(rest, STR(".")) || str_skip(rest, STR("-")));
	skip_cfws(rest);
	return take_year(rest, &civil->year);
}

/* time-of-day = hour ":" minute [ ":" second ], CFWS around the colons. */
static bool take_time(struct str *rest, struct civil *civil)
{
	if (!take_digits(rest, 1, 2, &civil->hour, NULL))
		return false;
	skip_cfws(rest);
	if (!str_skip(rest, STR(":")))
		return false;
	skip_cfws(rest);
	if (!take_digits(rest, 1, 2, &civil->minute, NULL))
		return false;
	skip_cfws(rest);
	if (!str_skip(rest, STR(":")))
		return true;
	skip_cfws(rest);
	return take_digits(rest, 1, 2, &civil->second, NULL);
}

/* obs-zone; military letters say nothing reliable and mean -0000 (RFC 5322 §4.3). */
static int zone_of_name(struct str name)
{
	static const struct {
		struct str name;
		int minutes;
	} zones[] = {{STR_INIT("EDT"), -240}, {STR_INIT("EST"), -300}, {STR_INIT("CDT"), -300},
	    {STR_INIT("CST"), -360}, {STR_INIT("MDT"), -360}, {STR_INIT("MST"), -420},
	    {STR_INIT("PDT"), -420}, {STR_INIT("PST"), -480}};

	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		if (str_eq_nocase(name, zones[i].name))
			return zones[i].minutes;
	}
	return 0;
}

/* zone = ("+" / "-") 4DIGIT; minutes over 59 are no zone. */
static bool take_numeric_zone(struct str *rest, int *ret_minutes)
{
	bool west = str_starts(*rest, STR("-"));
	int value;

	if (!west && !str_starts(*rest, STR("+")))
		return false;
	*rest = str_from(*rest, 1);
	if (!take_digits(rest, 4, 4, &value, NULL) || value % 100 > 59)
		return false;
	int minutes = value / 100 * 60 + value % 100;
	*ret_minutes = west ? -minutes : minutes;
	return true;
}

/*
 * RFC 5322 §3.3:
 *   date-time = [ day-of-week "," ] date time [CFWS]      time = time-of-day zone
 */
bool date_parse(struct str value, struct date *ret_date)
{
	struct civil civil = {0};
	int zone = 0;

	skip_cfws(&value);
	if (take_alpha(&value).len > 0) {
		skip_cfws(&value);
		(void)(str_skip(&value, STR(",")) || str_skip(&value, STR(".")));
		skip_cfws(&value);
		(void)str_skip(&value, STR(","));
		skip_cfws(&value);
	}
	if (!take_date(&value, &civil))
		return false;
	skip_cfws(&value);
	if (value.len > 0 && !take_time(&value, &civil))
		return false;
	skip_cfws(&value);
	if (!take_numeric_zone(&value, &zone))
		zone = zone_of_name(take_alpha(&value));
	return civil_to_date(&civil, zone, ret_date);
}

/* date-text = date-day "-" date-month "-" date-year (RFC 9051 §9). */
static bool take_imap_date(struct str *rest, size_t least_digits, struct civil *civil)
{
	if (!take_digits(rest, least_digits, 2, &civil->day, NULL) || !str_skip(rest, STR("-")))
		return false;
	struct str word = str_first(*rest, str_index(*rest, '-'));
	return word.len == 3 && take_month(rest, &civil->month) && str_skip(rest, STR("-")) &&
	       take_digits(rest, 4, 4, &civil->year, NULL);
}

/* time = 2DIGIT ":" 2DIGIT ":" 2DIGIT */
static bool take_imap_time(struct str *rest, struct civil *civil)
{
	return take_digits(rest, 2, 2, &civil->hour, NULL) && str_skip(rest, STR(":")) &&
	       take_digits(rest, 2, 2, &civil->minute, NULL) && str_skip(rest, STR(":")) &&
	       take_digits(rest, 2, 2, &civil->second, NULL);
}

/* date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE */
bool date_parse_internal(struct str text, struct date *ret_date)
{
	struct civil civil = {0};
	int zone;

	bool padded = str_skip(&text, STR(" "));
	if (!take_imap_date(&text, padded ? 1 : 2, &civil) || (padded && civil.day > 9) ||
	    !str_skip(&text, STR(" ")) || !take_imap_time(&text, &civil) ||
	    !str_skip(&text, STR(" ")) || !take_numeric_zone(&text, &zone) || text.len > 0)
		return false;
	return civil_to_date(&civil, zone, ret_date);
}

bool date_parse_day(struct str text, int32_t *ret_day)
{
	struct civil civil = {0};
	struct date date;

	if (!take_imap_date(&text, 1, &civil) || text.len > 0 || !civil_to_date(&civil, 0, &date))
		return false;
	*ret_day = date_day(date);
	return true;
}

/* Seconds and zone within what can be shown: years 1 to 9999. */
static int64_t local_seconds(struct date date)
{
	int64_t least = days_of(1, 1, 1) * DAY_S,
	        most = (days_of(YEAR_MAX, 12, 31) + 1) * DAY_S - 1;
	int64_t local = date.epoch_s;

	if (local >= least && local <= most)
		local += (int64_t)date.zone_minutes * 60;
	return local < least ? least : local > most ? most : local;
}

int32_t date_day(struct date date)
{
	int64_t local = local_seconds(date);

	return (int32_t)(local / DAY_S - (local % DAY_S < 0));
}

static void civil_of_date(struct date date, struct civil *civil, int *ret_weekday)
{
	int64_t local = local_seconds(date);
	int64_t day = date_day(date);
	int64_t in_day = local - day * DAY_S;

	civil_of(day, civil);
	civil->hour = (int)(in_day / 3600);
	civil->minute = (int)(in_day / 60 % 60);
	civil->second = (int)(in_day % 60);
	/* 1970-01-01 was a Thursday. */
	*ret_weekday = (int)(((day + 4) % 7 + 7) % 7);
}

static bool add_time_and_zone(const struct civil *civil, int zone_minutes, struct buf *out)
{
	int minutes = abs(zone_minutes) % (DATE_ZONE_MINUTES_MAX + 1);

	return buf_printf(out, "%02d:%02d:%02d %c%02d%02d", civil->hour, civil->minute,
	    civil->second, zone_minutes < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

bool date_format(struct date date, struct buf *out)
{
	struct civil civil;
	int weekday;

	civil_of_date(date, &civil, &weekday);
	return buf_printf(out, "%s, %d %s %04d ", day_names[weekday], civil.day,
	           month_names[civil.month - 1], civil.year) &&
	       add_time_and_zone(&civil, date.zone_minutes, out);
}

bool date_format_internal(struct date date, struct buf *out)
{
	struct civil civil;
	int weekday;

	civil_of_date(date, &civil, &weekday);
	return buf_printf(
	           out, "%2d-%s-%04d ", civil.day, month_names[civil.month - 1], civil.year) &&
	       add_time_and_zone(&civil, date.zone_minutes, out);
}
