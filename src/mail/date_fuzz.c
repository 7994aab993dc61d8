/* Any bytes as a date: one that parses is written and read back the same. */
#include <assert.h>
#include <stdint.h>

#include "mail/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(struct date date)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(64), internal CLEANUP(buf_done) = BUF_MAX(64);
	struct date again;
	int32_t day;

	assert(date_format(date, &text) && date_format_internal(date, &internal));
	assert(internal.len == 26);
	/* A zone can carry a day out of the years that can be written. */
	int32_t shown = date_day(date);
	if (shown <= -719162 || shown >= 2932896)
		return;
	assert(date_parse(buf_str(&text), &again));
	assert(again.epoch_s == date.epoch_s && again.zone_minutes == date.zone_minutes);
	assert(date_parse_internal(buf_str(&internal), &again));
	assert(again.epoch_s == date.epoch_s && again.zone_minutes == date.zone_minutes);
	struct str imap_day = str_trim(str_first(buf_str(&internal), 11));
	assert(date_parse_day(imap_day, &day) && day == shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = str_of(data, len);
	struct date date;
	int32_t day;

	if (date_parse(text, &date))
		check(date);
	if (date_parse_internal(text, &date))
		check(date);
	if (date_parse_day(text, &day))
		assert(day >= -719162 && day <= 2932896);
	return 0;
}
