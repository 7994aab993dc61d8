#include "session/imap/effort.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/num.h"
#include "mail/imap_string.h"
#include "session/imap/imap_session.h"

void imap_effort_begin(struct imap_session *s, struct str tag)
{
	s->effort = (struct imap_effort){.tag = tag,
	    .cpu_from_ms = clock_cpu_ms(),
	    .bytes_from = imap_output_mark(&s->out),
	    .tell_at_ms = clock_ms() + EFFORT_TELL_MS,
	    .pause_at_ms = clock_ms() + EFFORT_PAUSE_EVERY_MS};
}

void imap_effort_goal(struct imap_session *s, uint64_t steps)
{
	s->effort.done = 0;
	s->effort.goal = steps;
}

/* "* OK [INPROGRESS (tag done goal)]" */
static void tell(struct imap_session *s, uint64_t now)
{
	struct imap_effort *e = &s->effort;
	struct buf *out = &s->out.buf;

	e->tell_at_ms = now + EFFORT_TELL_MS;
	if (e->tag.len == 0)
		return;
	buf_add(out, STR("* OK [INPROGRESS ("));
	/* A ']' would end the response code for many a client. */
	if (str_index(e->tag, ']') < e->tag.len)
		buf_add(out, STR("NIL"));
	else
		imap_string_write(e->tag, out);
	if (e->goal > 0)
		buf_printf(out, " %llu %llu", (unsigned long long)num_min(e->done, e->goal - 1),
		    (unsigned long long)e->goal);
	else
		buf_add(out, STR(" NIL NIL"));
	buf_add(out, STR(")] Still working on it\r\n"));
	(void)imap_output_flush(&s->out); /* what fails is seen at the command's end */
}

int imap_effort_spend(struct imap_session *s, unsigned cost)
{
	struct imap_effort *e = &s->effort;

	e->since_look += cost;
	if (e->since_look < EFFORT_LOOK)
		return 0;
	e->since_look = 0;
	uint64_t now = clock_ms();
	if (now >= e->tell_at_ms)
		tell(s, now);
	uint64_t earned = (imap_output_mark(&s->out) - e->bytes_from) / EFFORT_BYTES_PER_MS;
	return clock_cpu_ms() - e->cpu_from_ms > EFFORT_CPU_MS + earned ? -ETIME : 0;
}

int imap_effort_pause(struct imap_session *s)
{
	const struct timespec pause = {.tv_nsec = EFFORT_PAUSE_MS * 1000000L};

	if (clock_ms() >= s->effort.pause_at_ms) {
		nanosleep(&pause, NULL);
		s->effort.pause_at_ms = clock_ms() + EFFORT_PAUSE_EVERY_MS;
	}
	return imap_effort_spend(s, EFFORT_LOOK);
}

int imap_effort_step(struct imap_session *s, unsigned cost)
{
	s->effort.done++;
	return imap_effort_spend(s, cost);
}
