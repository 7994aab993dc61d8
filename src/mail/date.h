/*
 * mail/date.h: the dates of mail: RFC 5322 date-time, IMAP date-time and date (RFC 9051 §9).
 *
 * Days are of the proleptic Gregorian calendar, years 1 to 9999. Leap seconds (:60) count as the
 * next second. It knows no time zones but those of RFC 5322, and never asks for the current time.
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { DATE_ZONE_MINUTES_MAX = 99 * 60 + 59 };

struct date {
	int64_t epoch_s;  /* seconds since 1970-01-01 UTC; negative before */
	int zone_minutes; /* east of UTC, as written; only for display and date_day */
};

/*
 * RFC 5322 §3.3 and §4.3: day of week optional, comments and folds anywhere, years of two and three
 * digits, zone names (UT GMT EST … Z; others mean +0000), seconds or zone missing. False when there
 * is no such date.
 */
MUST_USE bool date_parse(struct str value, struct date *ret_date);

/* IMAP: "17-Jul-1996 02:44:25 -0700", the day with two digits or a space before one. Strict. */
MUST_USE bool date_parse_internal(struct str text, struct date *ret_date);

/* IMAP: "1-Feb-1994" or "01-Feb-1994", without quotes. The result is what `date_day` gives. */
MUST_USE bool date_parse_day(struct str text, int32_t *ret_day);

/*
 * The day that the date's own zone shows, as days since 1970-01-01: what IMAP's SINCE and SENTON
 * compare ("disregarding time and timezone", RFC 9051 §6.4.4).
 */
int32_t date_day(struct date date);

/* "Mon, 23 Nov 2026 13:05:04 +0000"; false when it does not fit. */
bool date_format(struct date date, struct buf *out);
/* "23-Nov-2026 13:05:04 +0000", without quotes, always 26 bytes: the day is padded with a space. */
bool date_format_internal(struct date date, struct buf *out);

#endif
