#include "queue/age.h"

#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "queue/schedule.h"

enum { AT_ONCE = 64, TEXTS_MAX = 1 << 20, BUSY_MS = 60000 };

static struct schedule_age age_of(const struct queue *q, const struct queued_message *m)
{
	uint64_t lifetime = q->config->outbound_lifetime * SCHEDULE_SECOND;
	uint64_t begins = m->expires_at > lifetime ? m->expires_at - lifetime : 0;
	return (struct schedule_age){.begins_at = begins,
	    .lifetime_ms = m->expires_at - begins,
	    .delay_notice_ms = q->config->outbound_delay_notice * SCHEDULE_SECOND,
	    .deliver_by = m->mail.by_mode != BY_NONE ? m->mail.deliver_by : 0,
	    .by_return = m->mail.by_mode == BY_RETURN,
	    .delay_told = m->delay_told,
	    .by_told = m->by_told};
}

void age_begin(const struct queue *q, struct queued_message *m, uint64_t begins_at)
{
	m->expires_at = begins_at + q->config->outbound_lifetime * SCHEDULE_SECOND;
	struct schedule_age age = age_of(q, m);
	m->look_at = schedule_look_at(&age);
}

int age_tell_over(
    struct queue *q, const struct queued_message *m, const struct notice *v, size_t n, uint64_t now)
{
	struct notice failed[AT_ONCE], others[AT_ONCE];
	int error = 0;
	for (size_t from = 0; from < n && !error; from += AT_ONCE) {
		size_t n_failed = 0, n_others = 0;
		for (size_t i = from; i < n && i < from + AT_ONCE; i++) {
			if (v[i].action == DSN_FAILED)
				failed[n_failed++] = v[i];
			else
				others[n_others++] = v[i];
		}
		error = notices_add(q, m, failed, n_failed, now);
		if (!error)
			error = notices_add(q, m, others, n_others, now);
	}
	return error;
}

int age_end_if_over(struct queue *q, uint64_t message)
{
	int open = queue_db_is_open(q->db, message);
	if (open != 0)
		return open < 0 ? open : 0;
	log_event(LOG_INFO, "queue.over", "message=%" PRIu64, message);
	int error = queue_db_remove(q->db, message);
	return error == -ENOENT ? 0 : error;
}

/* --- one message --- */

static bool concerns(const struct queued_recipient *r, enum schedule_due due)
{
	bool is_set_aside = r->state == RECIPIENT_HELD && r->crashes > 0; /* by nobody's wish */
	return r->state == RECIPIENT_WAITING || is_set_aside ||
	       (r->state == RECIPIENT_ACTIVE &&
	           (due == SCHEDULE_TELL_BY || due == SCHEDULE_TELL_DELAY));
}

/* RFC 2852 §4.1.3, §4.2: what could not be delivered by then. */
static int end_recipient(struct queue *q, struct queued_recipient *r, enum schedule_due due)
{
	r->state = RECIPIENT_FAILED;
	if (due == SCHEDULE_RETURN_BY) {
		r->status = STR("5.4.7");
		r->code = 0;
		r->text = STR("it could not be delivered by the time that its sender asked for");
	} else if (r->text.len == 0) {
		r->status = STR("4.4.7");
		r->text = STR("it could not be delivered in the time that messages are kept");
	}
	int error = queue_db_set_recipient(q->db, r);
	return error ? error : queue_db_settle(q->db, r->destination);
}

/* The last thing that was heard of a destination that is left alone is news for each of them. */
static void add_reason(struct queue *q, struct queued_recipient *r, struct arena *a)
{
	struct queued_destination d;
	if (r->text.len > 0 || queue_db_destination(q->db, r->destination, a, &d))
		return;
	if (d.reason.len > 0)
		r->text = d.reason;
	else
		r->text = STR("it was not tried yet");
	if (r->status.len == 0)
		r->status = STR("4.4.1");
}

static int look_at_some(struct queue *q, struct queued_message *m, enum schedule_due due,
    uint64_t *after, size_t *ret_n, uint64_t now)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(TEXTS_MAX);
	struct queued_recipient v[AT_ONCE];
	struct notice notices[AT_ONCE];
	size_t n_notices = 0;
	bool ends = due == SCHEDULE_EXPIRE || due == SCHEDULE_RETURN_BY;
	int error = queue_db_recipients(q->db, m->id, *after, &a, v, AT_ONCE, ret_n);
	for (size_t i = 0; i < *ret_n && !error; i++) {
		*after = v[i].id;
		if (!concerns(&v[i], due))
			continue;
		add_reason(q, &v[i], &a);
		if (ends)
			error = end_recipient(q, &v[i], due);
		notices[n_notices++] = (struct notice){&v[i], ends ? DSN_FAILED : DSN_DELAYED};
	}
	return error ? error : notices_add(q, m, notices, n_notices, now);
}

static int act(struct queue *q, struct queued_message *m, enum schedule_due due, uint64_t now)
{
	int error = 0;
	size_t n = 1;
	if (due == SCHEDULE_NOTHING)
		return 0;
	for (uint64_t after = 0; n > 0 && !error;)
		error = look_at_some(q, m, due, &after, &n, now);
	if (due == SCHEDULE_TELL_DELAY)
		m->delay_told = true;
	if (due == SCHEDULE_TELL_BY)
		m->by_told = true;
	return error;
}

static int look_at(struct queue *q, uint64_t id, uint64_t now)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(TEXTS_MAX);
	struct queued_message m;
	int error = queue_db_get(q->db, id, &a, &m);
	if (error)
		return error;
	struct schedule_age age = age_of(q, &m);
	enum schedule_due due = schedule_due(&age, now);
	error = act(q, &m, due, now);
	age = age_of(q, &m);
	m.look_at = schedule_look_at(&age);
	/* What is under way or held stays: it is looked at again. */
	if (m.look_at <= now)
		m.look_at = now + BUSY_MS;
	if (!error)
		error = queue_db_set_look(q->db, &m);
	return error ? error : age_end_if_over(q, id);
}

/* A message that is damaged is in nobody's way: it is said again now and then. */
static int put_off(struct queue *q, uint64_t id, uint64_t now)
{
	struct queued_message m = {
	    .id = id, .look_at = now + SCHEDULE_HOUR, .expires_at = now + SCHEDULE_HOUR};
	queue_report(q, "a message cannot be read", -EBADMSG);
	return queue_db_set_look(q->db, &m);
}

int age_look(struct queue *q, uint64_t now, size_t *ret_n)
{
	uint64_t ids[AGE_MESSAGES_MAX];
	int error = queue_db_to_look_at(q->db, now, ids, AGE_MESSAGES_MAX, ret_n);
	for (size_t i = 0; i < *ret_n && !error; i++) {
		error = look_at(q, ids[i], now);
		if (error == -EBADMSG)
			error = put_off(q, ids[i], now);
	}
	return error;
}
