#include "queue/reason.h"

#include <inttypes.h>

#include "queue/schedule.h"

void reason_duration(uint64_t ms, struct buf *out)
{
	static const struct {
		uint64_t ms;
		const char *name;
	} units[] = {{24 * (uint64_t)SCHEDULE_HOUR, "day"}, {SCHEDULE_HOUR, "hour"},
	    {SCHEDULE_MINUTE, "minute"}, {SCHEDULE_SECOND, "second"}};
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		/* 90 minutes say more than an hour. */
		if (ms < 2 * units[i].ms && i + 1 < ARRAY_LEN(units))
			continue;
		uint64_t n = ms / units[i].ms;
		buf_printf(out, "%" PRIu64 " %s%s", n, units[i].name, n == 1 ? "" : "s");
		return;
	}
}

static void write_times(uint64_t n, struct buf *out)
{
	static const char *const words[] = {"not", "once", "twice", "three times", "four times",
	    "five times", "six times", "seven times", "eight times", "nine times", "ten times"};
	if (n < ARRAY_LEN(words))
		buf_printf(out, "%s", words[n]);
	else
		buf_printf(out, "%" PRIu64 " times", n);
}

static void write_next(uint64_t at, uint64_t now, struct buf *out)
{
	if (at <= now) {
		buf_add(out, STR("next try as soon as there is room"));
		return;
	}
	buf_add(out, STR("next try in "));
	reason_duration(at - now, out);
}

/* Replies may hold anything printable; lines and control characters go. */
static void write_clean(struct str text, struct buf *out)
{
	text = str_first(str_trim(text), REASON_LEN_MAX / 2);
	for (size_t i = 0; i < text.len; i++)
		buf_add_c(out, (unsigned char)text.p[i] < 32 || text.p[i] == 127 ? ' ' : text.p[i]);
}

static void write_last(const struct queued_recipient *r, struct buf *out)
{
	if (r->code > 0) {
		write_clean(r->mta.len > 0 ? r->mta : r->domain, out);
		buf_printf(out, " answered %" PRIu64 " ", r->code);
	}
	write_clean(r->text, out);
	buf_add(out, STR(", tried "));
	write_times(r->attempts, out);
}

static void write_waiting(const struct queued_message *m, const struct queued_recipient *r,
    const struct queued_destination *d, uint64_t now, struct buf *out)
{
	uint64_t blocked = d ? d->blocked_until : 0;
	uint64_t at = r->next_at > blocked ? r->next_at : blocked;
	if (m->hold_until > now) {
		buf_add(out, STR("its sender wants it to go in "));
		reason_duration(m->hold_until - now, out);
		return;
	}
	if (d && d->failures > 0 && d->reason.len > 0) {
		write_clean(d->reason, out);
		buf_add(out, STR(", tried "));
		write_times(d->failures, out);
	} else if (r->attempts > 0 && r->text.len > 0) {
		write_last(r, out);
	} else if (r->crashes > 0) {
		write_clean(r->text, out);
		buf_add(out, STR(", tried "));
		write_times(r->crashes, out);
	} else {
		buf_add(out, STR("not tried yet"));
	}
	buf_add(out, STR(", "));
	write_next(at, now, out);
}

void reason_write(const struct queued_message *m, const struct queued_recipient *r,
    const struct queued_destination *d, uint64_t now, struct buf *out)
{
	switch (r->state) {
	case RECIPIENT_WAITING:
		write_waiting(m, r, d, now, out);
		break;
	case RECIPIENT_ACTIVE:
		buf_add(out, STR("being sent now"));
		break;
	case RECIPIENT_HELD:
		buf_add(out, STR("kept back until it is released"));
		if (r->crashes > 0) {
			buf_add(out, STR(": "));
			write_clean(r->text, out);
		}
		break;
	case RECIPIENT_EXPANDED:
		buf_add(out, STR("an alias: its targets stand beside it"));
		break;
	default:
		write_last(r, out);
		break;
	}
}

const char *reason_state(
    const struct queued_message *m, const struct queued_recipient *r, uint64_t now)
{
	static const char *const names[N_RECIPIENT_STATES] = {[RECIPIENT_WAITING] = "waiting",
	    [RECIPIENT_ACTIVE] = "sending",
	    [RECIPIENT_HELD] = "held",
	    [RECIPIENT_DELIVERED] = "delivered",
	    [RECIPIENT_RELAYED] = "relayed",
	    [RECIPIENT_EXPANDED] = "expanded",
	    [RECIPIENT_FAILED] = "failed"};
	if (r->state == RECIPIENT_WAITING && m->hold_until > now)
		return "scheduled";
	return r->state < N_RECIPIENT_STATES ? names[r->state] : "unknown";
}
