/* What became of a carriage, written: recipients, their destination, notices, the end of a message.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "mail/address.h"
#include "queue/age.h"
#include "queue/carriage.h"
#include "queue/fresh.h"
#include "queue/notices.h"
#include "queue/route.h"
#include "queue/schedule.h"
#include "seal/cipher.h"

static uint64_t chance(void)
{
	uint64_t n;
	cipher_nonce(&n, sizeof(n));
	return n;
}

/* --- one recipient --- */

static void set_texts(struct queued_recipient *r, const struct outcome *o, uint64_t now)
{
	r->tried_at = now;
	r->code = o->code;
	r->status = o->status;
	r->mta = o->mta;
	r->text = str_first(o->text, QUEUE_TEXT_MAX);
}

static void later(
    struct carriage *c, struct queued_recipient *r, const struct outcome *o, uint64_t now)
{
	r->state = RECIPIENT_WAITING;
	if (o->cause == CAUSE_PARTNER) {
		r->next_at = now + CARRY_PARTNER_MS;
		return;
	}
	set_texts(r, o, now);
	if (o->cause == CAUSE_CRASH) {
		r->next_at = schedule_next_at(
		    now, schedule_crash_ms(++r->crashes, chance()), c->m.expires_at);
		if (r->crashes >= CARRY_CRASHES_MAX)
			r->state = RECIPIENT_HELD;
		return;
	}
	r->crashes = 0;
	r->attempts++;
	if (now >= c->m.expires_at) {
		r->state = RECIPIENT_FAILED;
		return;
	}
	r->next_at =
	    schedule_next_at(now, schedule_retry_ms(r->attempts, chance()), c->m.expires_at);
}

/* RFC 3461 §5.2.2: who hands it to a server without DSN says so, where delivery was asked about. */
static void over(struct queued_recipient *r, const struct outcome *o, uint64_t now)
{
	set_texts(r, o, now);
	r->attempts++;
	if (o->result == CARRY_NEVER)
		r->state = RECIPIENT_FAILED;
	else if (o->expanded)
		r->state = RECIPIENT_EXPANDED;
	else
		r->state = o->relayed ? RECIPIENT_RELAYED : RECIPIENT_DELIVERED;
}

/* The sender hears that the alias failed, for one of those whom it leads to; who that is, is the
 * alias' affair. */
static int tell_not_expanded(struct carriage *c, const struct queued_recipient *r, uint64_t now)
{
	bool is_loop = r->hops >= CARRY_HOPS_MAX;
	struct queued_recipient failed = *r;
	log_event(LOG_WARNING, "queue.not-expanded", "message=%" PRIu64 " hops=%" PRIu64, c->m.id,
	    r->hops);
	failed.state = RECIPIENT_FAILED;
	failed.code = 0;
	failed.mta = STR("");
	failed.status = is_loop ? STR("5.4.6") : STR("5.1.3");
	failed.text = is_loop ? STR("aliases lead from one to the next without end")
	                      : STR("it leads to an address to which no mail can be sent");
	const struct notice notice = {&failed, DSN_FAILED};
	return age_tell_over(c->q, &c->m, &notice, 1, now);
}

/* When what the alias passes on may leave: nobody makes a flood of another's mail by an alias. */
static uint64_t forward_at(struct carriage *c, struct str alias, uint64_t now)
{
	struct pace *p = &c->q->carriages->forwards;
	const struct config *config = c->q->config;
	struct str local, domain;
	if (!address_split(alias, &local, &domain))
		return now;
	uint64_t at = pace_take(p, alias, now, config->forward_alias_hour);
	uint64_t of_domain = pace_take(
	    p, str_from(alias, alias.len - domain.len - 1), now, config->forward_domain_hour);
	return at > of_domain ? at : of_domain;
}

/* What an alias leads to outside: each once in a message, and not without end. */
static int expand(
    struct carriage *c, const struct queued_recipient *r, const struct outcome *o, uint64_t now)
{
	enum { TEXTS_MAX = 64 << 10 };
	struct arena a CLEANUP(arena_done) = ARENA_MAX(TEXTS_MAX);
	struct queue_db *db = c->q->db;
	for (size_t i = 0; i < o->outside.n; i++) {
		struct str address = o->outside.v[i], destination;
		bool is_itself = str_eq(address, r->address);
		int there = is_itself ? 0 : queue_db_has_recipient(db, c->m.id, address);
		if (there < 0)
			return there;
		struct queued_recipient new = {.message = c->m.id,
		    .address = address,
		    .original = r->original,
		    .via = is_itself ? r->via : r->address,
		    .sender = o->sender,
		    .hops = r->hops + 1,
		    .notify = r->notify,
		    .next_at = now};
		if (there > 0)
			continue;
		bool has_way = r->hops < CARRY_HOPS_MAX && address.len <= IPC_ADDRESS_MAX &&
		               route_destination(c->q->config, &c->m, &new, &a, &destination);
		if (has_way && !is_itself)
			new.next_at = forward_at(c, r->address, now);
		int error = has_way ? queue_db_add_recipient(db, &new, destination)
		                    : tell_not_expanded(c, r, now);
		if (error)
			return error;
	}
	return 0;
}

/* --- the destination --- */

static void describe_trouble(struct carriage *c, struct buf *reason)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->outcomes[i].text.len == 0)
			continue;
		buf_add(reason, str_first(c->outcomes[i].text, QUEUE_TEXT_MAX));
		return;
	}
}

static bool is_refused_as_a_whole(const struct carriage *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->outcomes[i].result != CARRY_LATER || c->outcomes[i].cause != CAUSE_ATTEMPT)
			return false;
	return c->n > 0;
}

static void set_in_trouble(struct carriage *c, bool on)
{
	struct place *p = c->place;
	struct carriages *all = c->q->carriages;
	if (p->in_trouble == on)
		return;
	p->in_trouble = on;
	if (on)
		all->n_troubled += p->here;
	else
		all->n_troubled -= p->here;
}

/* `changed`: recipients in the database did. */
static int judge_place(struct carriage *c, uint64_t now, bool changed)
{
	struct place *p = c->place;
	struct queued_destination d = {.id = p->id};
	struct buf reason CLEANUP(buf_done) = BUF_MAX(QUEUE_TEXT_MAX);
	if (p->is_local)
		return changed ? queue_db_settle(c->q->db, p->id) : 0;
	if (c->unreachable) {
		/* Others that were under way already when that was seen say nothing new. */
		if (p->failures == 0 || c->began_at > p->failed_at) {
			p->failures++;
			p->failed_at = now;
		}
		set_in_trouble(c, true);
		p->window = 1;
		describe_trouble(c, &reason);
		d.failures = p->failures;
		d.blocked_until = now + schedule_back_off_ms(d.failures, chance());
		d.reason = buf_str(&reason);
		log_event(LOG_INFO, "queue.unreachable",
		    "destination=%s failures=%" PRIu64 " again_in_s=%" PRIu64,
		    log_quote(p->name).text, d.failures, (d.blocked_until - now) / SCHEDULE_SECOND);
		return queue_db_set_destination(c->q->db, &d);
	}
	bool was_in_trouble = p->in_trouble;
	if (is_refused_as_a_whole(c))
		p->window = schedule_window_halve(p->window);
	else
		p->window = schedule_window_up(
		    p->window, c->q->config->outbound_connections_per_destination);
	p->failures = 0;
	set_in_trouble(c, false);
	if (was_in_trouble)
		return queue_db_set_destination(c->q->db, &d);
	return changed ? queue_db_settle(c->q->db, p->id) : 0;
}

/* --- all --- */

static enum dsn_action action_of(const struct queued_recipient *r)
{
	switch (r->state) {
	case RECIPIENT_DELIVERED:
		return DSN_DELIVERED;
	case RECIPIENT_RELAYED:
		return DSN_RELAYED;
	case RECIPIENT_EXPANDED:
		return DSN_EXPANDED;
	default:
		return DSN_FAILED;
	}
}

/* To a server that sends DSNs itself (not `relayed`) it is left to say that it was delivered. */
static bool is_told_by_others(const struct queued_recipient *r, const struct outcome *o)
{
	return r->state == RECIPIENT_DELIVERED && !o->is_local;
}

static int write_recipient(struct carriage *c, size_t i, uint64_t now)
{
	struct queued_recipient *r = &c->v[i];
	const struct outcome *o = &c->outcomes[i];
	if (o->result == CARRY_LATER)
		later(c, r, o, now);
	else
		over(r, o, now);
	int error = queue_db_set_recipient(c->q->db, r);
	return error ? error : expand(c, r, o, now);
}

int outcome_write(struct carriage *c, uint64_t now)
{
	struct notice notices[CARRY_RECIPIENTS_MAX];
	struct queued_recipient v[CARRY_RECIPIENTS_MAX];
	size_t n = 0;
	int error = 0;
	/* Written anew when the transaction fails: what came from the database stays as it was. */
	struct carriage once = *c;
	for (size_t i = 0; i < c->n; i++)
		v[i] = c->v[i];
	once.v = v;
	if (c->is_fresh) {
		int result = fresh_end(c, v);
		if (result != 0)
			return result < 0 ? result : judge_place(c, now, false);
	}
	for (size_t i = 0; i < c->n && !error; i++) {
		error = write_recipient(&once, i, now);
		if (v[i].state >= RECIPIENT_DELIVERED && !is_told_by_others(&v[i], &c->outcomes[i]))
			notices[n++] = (struct notice){&v[i], action_of(&v[i])};
	}
	if (!error)
		error = judge_place(c, now, true);
	if (!error)
		error = age_tell_over(c->q, &c->m, notices, n, now);
	return error ? error : age_end_if_over(c->q, c->m.id);
}
