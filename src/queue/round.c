/* A round: what the loop brought is one transaction, and is answered when that is on the disk. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "mail/address.h"
#include "queue/age.h"
#include "queue/carry.h"
#include "queue/database_memory.h"
#include "queue/fresh.h"

enum {
	DOMAIN_MAX = 512,
	WAIT_MAX_MS = 60000,
	LOOK_EACH_MS = 15000,
	GATHER_ACCEPTED_MS = 3,
	GATHER_FINISHED_MS = 5,
};

bool queue_domain_of(struct str address, struct arena *a, struct str *ret_domain)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(DOMAIN_MAX);
	struct str local, domain;
	if (!address_split(address, &local, &domain) || domain.len == 0)
		return false;
	if (domain.p[0] == '[') {
		for (size_t i = 0; i < domain.len; i++)
			buf_add_c(&text, ascii_lower(domain.p[i]));
	} else if (!address_domain_canonical(domain, &text)) {
		return false;
	}
	return !buf_failed(&text) && arena_dup(a, buf_str(&text), ret_domain);
}

/* --- taking in --- */

bool queue_accept(struct queue *q, struct accept *a)
{
	if (q->n_accepts == QUEUE_ACCEPTS_MAX || q->is_draining)
		return false;
	a->next = NULL;
	*q->last_accept = a;
	q->last_accept = &a->next;
	q->n_accepts++;
	return true;
}

void queue_cancel_accept(struct queue *q, struct accept *a)
{
	struct accept **at = &q->accepts;
	while (*at && *at != a)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = a->next;
	if (!*at)
		q->last_accept = at;
	q->n_accepts--;
}

static int add(struct queue *q, struct accept *a, uint64_t now)
{
	struct queued_message *m = &a->m;
	age_begin(q, m, m->hold_until > now ? m->hold_until : now);
	int result = fresh_take(q, a, now);
	if (result != 0)
		return result < 0 ? result : 0;
	int error = queue_db_add(q->db, m, a->parts, a->n_parts, &m->id);
	for (size_t i = 0; i < a->n_recipients && !error; i++) {
		struct queued_recipient r = a->recipients[i];
		r.message = m->id;
		error = queue_db_add_recipient(q->db, &r, r.domain);
	}
	return error;
}

static void count_rate(struct queue *q, const struct accept *a, uint64_t now)
{
	int error =
	    a->m.account > 0 ? queue_db_rate_add(q->db, a->m.account, now, a->n_recipients) : 0;
	if (error)
		queue_report(q, "what was submitted cannot be counted", error);
}

static void answer(struct queue *q, int error, uint64_t now)
{
	struct accept *a = q->accepts;
	q->accepts = NULL;
	q->last_accept = &q->accepts;
	q->n_accepts = 0;
	while (a) {
		struct accept *next = a->next;
		if (!error)
			count_rate(q, a, now);
		a->done(error, error ? 0 : a->m.id, a->ctx);
		a = next;
	}
}

/* --- the transaction --- */

static int write_all(struct queue *q, uint64_t now, size_t *ret_looked_at)
{
	bool looks = now >= q->look_after;
	/* That something is under way may be forgotten: it is tried again then. */
	int error = queue_db_begin(q->db, q->accepts || carry_has_finished(q) || looks);
	if (error)
		return error;
	for (struct accept *a = q->accepts; a && !error; a = a->next)
		error = add(q, a, now);
	if (!error)
		error = carry_record(q, now);
	if (!error && looks)
		error = queue_db_flush_rates(q->db);
	if (!error && looks)
		error = age_look(q, now, ret_looked_at);
	if (!error && !q->is_draining)
		error = carry_claim(q, now);
	if (error) {
		queue_db_rollback(q->db);
		return error;
	}
	return queue_db_commit(q->db);
}

/* When something will be due without anything happening before. */
static void plan(struct queue *q, uint64_t now, size_t looked_at)
{
	uint64_t next = 0;
	int error = queue_db_next_due(q->db, &next);
	if (error || next == 0)
		next = now + WAIT_MAX_MS;
	/* What is due already and was not claimed waits for something that ends: that is a round.
	 */
	q->due_at = next > now ? next : now + QUEUE_TICK_MS;
	if (looked_at > 0 || now >= q->look_after)
		q->look_after = looked_at == AGE_MESSAGES_MAX ? now : now + LOOK_EACH_MS;
}

/*
 * What came may wait a moment, so that what comes next shares its sync: a message for others that
 * are being submitted at the same time, what became of one for whatever is written next. Who
 * submits alone never waits.
 */
static uint64_t gathered_at(const struct queue *q)
{
	bool is_most = q->accepts && 2 * q->n_accepts >= q->n_submitters;
	if (!q->gathers || q->is_draining || is_most)
		return q->brought_at;
	return q->brought_at + (q->accepts ? GATHER_ACCEPTED_MS : GATHER_FINISHED_MS);
}

static bool has_brought(const struct queue *q)
{
	return q->accepts || carry_has_finished(q);
}

void queue_round(struct queue *q)
{
	uint64_t now = clock_wall_ms();
	size_t looked_at = 0;
	if (has_brought(q) && q->brought_at == 0)
		q->brought_at = clock_ms();
	bool brought = has_brought(q) && clock_ms() >= gathered_at(q);
	if (!brought && now < q->due_at && now < q->look_after)
		return;
	if (!q->accepts && clock_ms() < q->write_after)
		return;
	q->brought_at = 0;
	if (now >= q->look_after)
		fresh_file(q, now - FRESH_MS);
	int error = write_all(q, now, &looked_at);
	if (error) {
		queue_report(q, "the queue cannot be written", error);
		q->write_after = clock_ms() + QUEUE_RETRY_WRITE_MS;
	}
	answer(q, error, now);
	carry_after(q, error == 0);
	if (!error)
		plan(q, now, looked_at);
}

/* Somebody waits for an answer, or something is under way that may take too long. */
static bool is_busy(const struct queue *q)
{
	return q->n_questions > 0 || q->n_submitters > 0 || carry_under_way(q) > 0 || q->lookups ||
	       q->n_connections > 0;
}

/* Until the next report may be due. */
static uint64_t report_wait_ms(const struct queue *q)
{
	uint64_t now = clock_ms();
	if (q->forget_at == 0)
		return WAIT_MAX_MS;
	return q->forget_at > now ? q->forget_at - now : 0;
}

int queue_wait_ms(const struct queue *q)
{
	uint64_t now = clock_wall_ms();
	uint64_t at = q->due_at < q->look_after ? q->due_at : q->look_after;
	uint64_t ms = at > now ? at - now : 0;
	if (has_brought(q)) {
		uint64_t from = q->brought_at != 0 ? gathered_at(q) : 0;
		if (from < q->write_after)
			from = q->write_after;
		ms = from > clock_ms() ? from - clock_ms() : 0;
	}
	if (ms > QUEUE_TICK_MS && is_busy(q))
		ms = QUEUE_TICK_MS;
	ms = num_min(ms, report_wait_ms(q));
	return (int)(ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS);
}
