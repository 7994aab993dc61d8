#include "queue/schedule.h"

#include "base/attr.h"

/* Greylisting is over after five minutes, a restart after ten; then a machine is down, or full. */
static const uint64_t retries_ms[] = {5 * SCHEDULE_MINUTE, 10 * SCHEDULE_MINUTE,
    20 * SCHEDULE_MINUTE, 30 * SCHEDULE_MINUTE, SCHEDULE_HOUR, 2 * SCHEDULE_HOUR,
    4 * SCHEDULE_HOUR};
static const uint64_t crashes_ms[] = {10 * SCHEDULE_SECOND, 30 * SCHEDULE_SECOND,
    2 * SCHEDULE_MINUTE, 10 * SCHEDULE_MINUTE, 30 * SCHEDULE_MINUTE, SCHEDULE_HOUR};
static const uint64_t back_offs_ms[] = {SCHEDULE_MINUTE, 2 * SCHEDULE_MINUTE, 5 * SCHEDULE_MINUTE,
    15 * SCHEDULE_MINUTE, 30 * SCHEDULE_MINUTE, SCHEDULE_HOUR};

/* Up to a fifth more or less, so that what failed together does not come back together. */
static uint64_t spread(uint64_t ms, uint64_t chance)
{
	uint64_t fifth = ms / 5;
	return ms - fifth + chance % (2 * fifth + 1);
}

static uint64_t step(const uint64_t *v, uint64_t n, uint64_t count, uint64_t chance)
{
	uint64_t i = count > 0 ? count - 1 : 0;
	return spread(v[i < n ? i : n - 1], chance);
}

uint64_t schedule_retry_ms(uint64_t attempts, uint64_t chance)
{
	return step(retries_ms, ARRAY_LEN(retries_ms), attempts, chance);
}

uint64_t schedule_crash_ms(uint64_t crashes, uint64_t chance)
{
	return step(crashes_ms, ARRAY_LEN(crashes_ms), crashes, chance);
}

uint64_t schedule_back_off_ms(uint64_t failures, uint64_t chance)
{
	return step(back_offs_ms, ARRAY_LEN(back_offs_ms), failures, chance);
}

uint64_t schedule_next_at(uint64_t now, uint64_t delay_ms, uint64_t expires_at)
{
	uint64_t at = now + delay_ms;
	return now < expires_at && at > expires_at ? expires_at : at;
}

uint64_t schedule_window_up(uint64_t window, uint64_t most)
{
	return window < most ? window + 1 : most;
}

uint64_t schedule_window_halve(uint64_t window)
{
	return window > 1 ? window / 2 : 1;
}

bool schedule_may_start(const struct schedule_load *load)
{
	if (load->couriers >= load->couriers_max || load->here >= load->window)
		return false;
	if (load->in_trouble && (load->here > 0 || load->troubled * 2 >= load->couriers_max))
		return load->here == 0 && load->couriers_max == 1;
	return load->here < load->couriers_max - load->couriers;
}

static uint64_t expires_at(const struct schedule_age *age)
{
	return age->begins_at + age->lifetime_ms;
}

/* RFC 2852 §4: what may not be delivered any more is returned, however young it is. */
enum schedule_due schedule_due(const struct schedule_age *age, uint64_t now)
{
	bool by = age->deliver_by > 0 && now >= age->deliver_by;
	if (now >= expires_at(age))
		return SCHEDULE_EXPIRE;
	if (by && age->by_return)
		return SCHEDULE_RETURN_BY;
	if (by && !age->by_told)
		return SCHEDULE_TELL_BY;
	if (age->delay_notice_ms > 0 && !age->delay_told &&
	    now >= age->begins_at + age->delay_notice_ms)
		return SCHEDULE_TELL_DELAY;
	return SCHEDULE_NOTHING;
}

uint64_t schedule_look_at(const struct schedule_age *age)
{
	uint64_t at = expires_at(age);
	uint64_t delay = age->begins_at + age->delay_notice_ms;
	bool by = age->deliver_by > 0 && (age->by_return || !age->by_told);
	if (age->delay_notice_ms > 0 && !age->delay_told && delay < at)
		at = delay;
	return by && age->deliver_by < at ? age->deliver_by : at;
}
