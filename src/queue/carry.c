#include "queue/carry.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "queue/carriage.h"
#include "queue/policy.h"
#include "queue/route.h"
#include "queue/schedule.h"
#include "queue/sign.h"

enum { CANDIDATES_MAX = 256, REMOVE_DESTINATIONS_MAX = 1024 };

/* --- places --- */

static struct place **place_bucket(struct queue *q, uint64_t id)
{
	return &q->carriages->places[id % PLACE_BUCKETS];
}

static struct place *find_place(struct queue *q, uint64_t id)
{
	struct place *p = *place_bucket(q, id);
	while (p && p->id != id)
		p = p->next;
	return p;
}

static struct place *get_place(struct queue *q, const struct queued_destination *d)
{
	struct place *p = find_place(q, d->id);
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	struct place **bucket = place_bucket(q, d->id);
	*p = (struct place){.next = *bucket,
	    .id = d->id,
	    .is_local = str_eq(d->name, STR(QUEUE_LOCAL)),
	    .relay = config_relay_by_label(q->config, d->name),
	    .failures = d->failures,
	    .in_trouble = d->failures > 0};
	p->window = p->is_local ? CARRY_LOCAL_MAX : SCHEDULE_WINDOW_FIRST;
	if (str_to_cstr(d->name, p->text, sizeof(p->text)) < 0)
		p->text[0] = '\0';
	p->name = str_of_cstr(p->text);
	*bucket = p;
	return p;
}

/* Forgets it when nothing is under way there. */
static void leave_place(struct queue *q, struct place *p)
{
	struct place **at = place_bucket(q, p->id);
	if (p->here > 0 || p->n_idle > 0)
		return;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	free(p);
}

/* --- carriages --- */

static void count(struct carriage *c, bool on)
{
	struct carriages *all = c->q->carriages;
	uint64_t one = on ? 1 : (uint64_t)-1;
	c->place->here += one;
	all->n_under_way += one;
	all->bytes += on ? c->m.size : -c->m.size;
	if (c->place->is_local)
		all->n_local += one;
	else
		all->n_couriers += one;
	if (!c->place->is_local && c->place->in_trouble)
		all->n_troubled += one;
}

void carriage_free(struct carriage *c)
{
	struct place *p = c->place;
	*c->at = c->next_of_all;
	if (c->next_of_all)
		c->next_of_all->at = c->at;
	queue_forget(c->q, c);
	policy_forget(c->q, c);
	sign_free(c->signing);
	if (p) {
		count(c, false);
		leave_place(c->q, p);
	}
	fd_close(&c->message);
	arena_done(&c->arena);
	free(c);
}

void carriage_finished(struct carriage *c)
{
	struct carriages *all = c->q->carriages;
	queue_forget(c->q, c);
	fd_close(&c->message);
	c->next = NULL;
	*all->last_finished = c;
	all->last_finished = &c->next;
}

void carriage_fail(struct carriage *c, enum cause cause, const char *status, const char *text)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->outcomes[i].is_known)
			continue;
		c->outcomes[i] = (struct outcome){.is_known = true,
		    .result = CARRY_LATER,
		    .cause = cause,
		    .status = str_of_cstr(status),
		    .text = str_of_cstr(text)};
	}
	carriage_finished(c);
}

/* --- couriers --- */

static void remove_courier(struct courier *courier)
{
	struct queue *q = courier->q;
	struct courier **at = &q->carriages->couriers;
	while (*at != courier)
		at = &(*at)->next;
	*at = courier->next;
	if (courier->place) {
		courier->place->n_idle--;
		leave_place(q, courier->place);
	}
	free(courier);
}

/* It waits for another message for the same destination, or ends. */
static void set_free(struct courier *courier, bool reusable)
{
	struct place *p = courier->carriage->place;
	courier->carriage = NULL;
	if (!reusable || courier->n_carried >= CARRY_REUSES_MAX || courier->q->is_draining) {
		loop_remove(courier->entry);
		remove_courier(courier);
		return;
	}
	courier->place = p;
	p->n_idle++;
	courier->until = clock_ms() + CARRY_IDLE_MS;
}

static int on_carried_rcpt(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct courier *courier = ctx;
	struct carriage *c = courier->carriage;
	const struct ipc_carried_rcpt *m = msg;
	if (!c || m->index >= c->n || c->outcomes[m->index].is_known)
		return -EPROTO;
	struct outcome *o = &c->outcomes[m->index];
	*o = (struct outcome){
	    .is_known = true, .result = m->outcome, .relayed = m->relayed != 0, .code = m->code};
	if (!arena_dup(&c->arena, m->status, &o->status) ||
	    !arena_dup(&c->arena, m->mta, &o->mta) || !arena_dup(&c->arena, m->text, &o->text))
		o->status = o->mta = o->text = STR("");
	return 0;
}

static int on_carried(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct courier *courier = ctx;
	struct carriage *c = courier->carriage;
	const struct ipc_carried *m = msg;
	if (!c)
		return -EPROTO;
	c->unreachable = m->unreachable != 0;
	if (!arena_dup(&c->arena, m->mta, &c->mta))
		c->mta = STR("");
	log_event(LOG_INFO, "queue.carried",
	    "message=%" PRIu64
	    " destination=%s route=%s recipients=%zu mta=%s tls=%s unreachable=%d",
	    c->m.id, log_quote(c->place->name).text, c->place->relay ? "relay" : "direct", c->n,
	    log_quote(m->mta).text, log_quote(m->tls).text, (int)m->unreachable);
	set_free(courier, m->reusable != 0 && !m->unreachable);
	carriage_fail(c, CAUSE_ATTEMPT, "4.3.0", "the courier said nothing of this recipient");
	return 0;
}

static int on_tls_result(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct courier *courier = ctx;
	/* A relay is nobody's MX, and in nobody's report. */
	if (!courier->carriage || courier->carriage->place->relay)
		return -EPROTO;
	policy_tls_result(courier->q, courier->carriage->place->name, msg);
	return 0;
}

static int on_ready(struct loop_entry *from UNUSED, void *msg UNUSED, void *ctx)
{
	struct courier *courier = ctx;
	if (courier->is_ready)
		return -EPROTO;
	courier->is_ready = true;
	return 0;
}

/* Couriers die with their dispatcher, whose channel has hung up by then. */
static bool is_dispatcher_gone(const struct courier *courier)
{
	const struct queue *q = courier->q;
	if (!q->dispatcher || q->n_dispatchers != courier->dispatcher)
		return true;
	struct pollfd p = {.fd = loop_entry_fd(q->dispatcher)};
	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* What could not be started, or was stopped together with all others, is no attempt. */
static enum cause cause_of_end(const struct courier *courier)
{
	if (courier->q->is_draining || !courier->is_ready || is_dispatcher_gone(courier))
		return CAUSE_PARTNER;
	return CAUSE_ATTEMPT;
}

static void on_courier_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct courier *courier = ctx;
	struct carriage *c = courier->carriage;
	if (error == -EBADMSG || error == -EPROTO)
		queue_alarm(courier->q, LEDGER_ALARM_BAD_MESSAGE, "",
		    "a courier sent the queue what it may not send");
	enum cause cause = cause_of_end(courier);
	remove_courier(courier);
	if (c)
		carriage_fail(c, cause, "4.3.0", "the courier ended before the message was sent");
}

static const struct ipc_receiver courier_messages[] = {{IPC_COURIER_READY, on_ready},
    {IPC_CARRIED_RCPT, on_carried_rcpt}, {IPC_CARRIED, on_carried},
    {IPC_TLS_RESULT, on_tls_result}};
static const struct ipc_receivers courier_receivers = {
    courier_messages, ARRAY_LEN(courier_messages), on_courier_closed};

static struct courier *idle_courier(struct queue *q, const struct place *p)
{
	if (p->n_idle == 0)
		return NULL;
	struct courier *courier = q->carriages->couriers;
	while (courier && (courier->carriage || courier->place != p))
		courier = courier->next;
	return courier;
}

static struct courier *new_courier(struct queue *q)
{
	int ends[2];
	if (!q->dispatcher || ipc_pair(ends))
		return NULL;
	struct courier *courier = calloc(1, sizeof(*courier));
	if (!courier)
		abort();
	struct ipc_courier m = {.channel = ends[1]};
	int error = loop_send(q->dispatcher, IPC_COURIER, &m);
	close(ends[1]);
	courier->q = q;
	courier->dispatcher = q->n_dispatchers;
	if (!error)
		courier->entry = loop_add_channel(q->loop, ends[0], &courier_receivers, courier);
	if (!courier->entry) {
		close(ends[0]);
		free(courier);
		return NULL;
	}
	courier->next = q->carriages->couriers;
	q->carriages->couriers = courier;
	return courier;
}

bool carry_can_reach(struct str domain)
{
	return domain.len > 0 && domain.len <= DNS_NAME_MAX && !str_eq(domain, STR(QUEUE_LOCAL));
}

static int send_carriage(struct courier *courier, struct carriage *c)
{
	struct ipc_carry carry = {.mail = c->m.mail,
	    .tls_optional = c->m.tls_optional,
	    .sts_mode = c->sts_mode,
	    .sts_mx = c->sts_mx,
	    .eight_bit = c->m.mail.body > 0 || c->m.mail.smtputf8};
	if (c->v[0].sender.len > 0)
		carry.mail.reverse_path = c->v[0].sender;
	carriage_set_route(c, &carry);
	int error = loop_send(courier->entry, IPC_CARRY, &carry);
	for (size_t i = 0; !error && i < c->n; i++) {
		struct ipc_carry_rcpt rcpt = {.recipient = c->v[i].address,
		    .original_recipient = c->v[i].original,
		    .notify = c->v[i].notify};
		error = loop_send(courier->entry, IPC_CARRY_RCPT, &rcpt);
	}
	struct ipc_carry_message m = {.n_recipients = (uint16_t)c->n, .message = c->message};
	return error ? error : loop_send(courier->entry, IPC_CARRY_MESSAGE, &m);
}

static void start_courier(struct carriage *c)
{
	struct queue *q = c->q;
	struct courier *courier = idle_courier(q, c->place);
	if (courier) {
		c->place->n_idle--;
		courier->place = NULL;
	} else {
		courier = new_courier(q);
	}
	if (!courier) {
		carriage_fail(c, CAUSE_PARTNER, "4.3.0", "no process could be started to send it");
		return;
	}
	courier->carriage = c;
	courier->until = clock_ms() + CARRY_TIMEOUT_MS;
	courier->n_carried++;
	/* When it fails, the courier's end is on its way; but not where it cannot be said to it. */
	int error = send_carriage(courier, c);
	fd_close(&c->message);
	if (error != -EMSGSIZE)
		return;
	loop_remove(courier->entry);
	remove_courier(courier);
	carriage_fail(c, CAUSE_ATTEMPT, "5.1.3", "an address or a name in it is too long");
}

static void on_policy(void *ctx, uint8_t mode, struct ipc_strs mx)
{
	struct carriage *c = ctx;
	struct str *v = ARENA_NEW_ARRAY(&c->arena, struct str, mx.n + 1);
	c->sts_mode = mode;
	if (!v)
		abort();
	for (size_t i = 0; i < mx.n; i++)
		if (!arena_dup(&c->arena, mx.v[i], &v[i]))
			abort();
	c->sts_mx = (struct ipc_strs){v, mx.n};
	start_courier(c);
}

static void depart(struct carriage *c)
{
	if (c->place->relay)
		start_courier(c);
	else
		policy_ask(c->q, c->place->name, on_policy, c);
}

static void on_signed(void *ctx, int error, int message)
{
	struct carriage *c = ctx;
	sign_free(c->signing);
	c->signing = NULL;
	if (error) {
		carriage_fail(c, CAUSE_PARTNER, "4.3.0", "it cannot be signed now");
		return;
	}
	if (message >= 0) {
		fd_close(&c->message);
		c->message = message;
	}
	depart(c);
}

static void start(struct carriage *c)
{
	struct queue *q = c->q;
	int error = c->is_fresh ? 0 : queue_db_content(q->db, &c->m, &c->message);
	if (error) {
		queue_report(q, "a message cannot be read", error);
		carriage_fail(c, error == -EBADMSG ? CAUSE_ATTEMPT : CAUSE_PARTNER, "5.3.0",
		    "the message is damaged on this server");
		return;
	}
	if (c->place->is_local)
		local_start(c);
	else if (c->m.origin != ORIGIN_NOTICE)
		depart(c);
	else if (!(c->signing = sign_begin(q, &c->m, c->message, on_signed, c)))
		carriage_fail(
		    c, CAUSE_PARTNER, "4.3.0", "a process that signs it is being started");
}

/* --- claiming --- */

struct candidates {
	struct queue *q;
	struct place *v[CANDIDATES_MAX];
	size_t n;
};

static bool may_start(struct queue *q, const struct place *p)
{
	struct carriages *all = q->carriages;
	if (all->n_under_way > 0 && all->bytes >= q->config->message_memory)
		return false;
	if (p->is_local)
		return all->n_local < CARRY_LOCAL_MAX;
	struct schedule_load load = {.couriers_max = q->config->outbound_couriers,
	    .couriers = all->n_couriers,
	    .troubled = all->n_troubled,
	    .here = p->here,
	    .window = p->in_trouble ? 1 : p->window,
	    .in_trouble = p->in_trouble};
	return schedule_may_start(&load);
}

static int consider(const struct queued_destination *d, void *ctx)
{
	struct candidates *found = ctx;
	struct place *p = get_place(found->q, d);
	if (!may_start(found->q, p)) {
		leave_place(found->q, p);
		return 0;
	}
	found->v[found->n++] = p;
	return found->n == CANDIDATES_MAX;
}

/* Without couriers only what is local is looked for. */
static int find_candidates(struct queue *q, uint64_t now, struct candidates *found)
{
	struct carriages *all = q->carriages;
	if (q->dispatcher && all->n_couriers < q->config->outbound_couriers)
		return queue_db_each_due(q->db, now, consider, found);
	struct queued_destination d = {.name = STR(QUEUE_LOCAL)};
	int error = queue_db_destination_by_name(q->db, d.name, &d.id);
	if (!error)
		(void)consider(&d, found);
	return error == -ENOENT ? 0 : error;
}

/* With another configuration than when it came, a recipient may have another way to go: it waits
 * there from now on. What stays is left in the carriage. */
static int send_other_ways(struct carriage *c, const struct place *p)
{
	const struct config *config = c->q->config;
	size_t n = c->n;
	int error = 0;
	bool has_relays = config->n_relays > 1 || config_relay_of(config, STR("")) != NULL;
	if (p->is_local || (!has_relays && !route_is_relay(p->name)))
		return 0;
	c->n = 0;
	for (size_t i = 0; i < n && !error; i++) {
		struct str name;
		if (!route_destination(config, &c->m, &c->v[i], &c->arena, &name) ||
		    str_eq(name, p->name))
			c->v[c->n++] = c->v[i];
		else
			error = queue_db_move_recipient(c->q->db, &c->v[i], name);
	}
	return error;
}

struct place *carriage_place(struct queue *q, const struct queued_destination *d)
{
	struct place *p = get_place(q, d);
	if (may_start(q, p))
		return p;
	leave_place(q, p);
	return NULL;
}

struct carriage *carriage_new(struct queue *q)
{
	struct carriage *c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	*c = (struct carriage){.q = q, .arena = ARENA_MAX(CARRIAGE_ARENA_MAX), .message = -1};
	c->at = &q->carriages->all;
	c->next_of_all = q->carriages->all;
	if (c->next_of_all)
		c->next_of_all->at = &c->next_of_all;
	q->carriages->all = c;
	return c;
}

void carriage_claimed(struct carriage *c, struct place *p, uint64_t now)
{
	c->began_at = now;
	c->place = p;
	count(c, true);
	c->next = c->q->carriages->claimed;
	c->q->carriages->claimed = c;
}

/* Its row is damaged: it holds no other up, and shows why it is here. */
static int set_aside(struct carriage *c)
{
	int error = 0;
	for (size_t i = 0; i < c->n && !error; i++) {
		struct queued_recipient *r = &c->v[i];
		r->state = RECIPIENT_HELD;
		r->crashes = CARRY_CRASHES_MAX;
		r->status = STR("5.3.0");
		r->text = STR("the message is damaged on this server");
		error = queue_db_set_recipient(c->q->db, r);
	}
	return error;
}

/* One more carriage to `p`: 1, 0 when nothing is due there, -errno. */
static int claim_one(struct queue *q, struct place *p, uint64_t now)
{
	struct carriage *c = carriage_new(q);
	c->v = ARENA_NEW_ARRAY(&c->arena, struct queued_recipient, CARRY_RECIPIENTS_MAX);
	c->outcomes = ARENA_NEW_ARRAY(&c->arena, struct outcome, CARRY_RECIPIENTS_MAX);
	assert(c->v && c->outcomes);
	int error = queue_db_claim(q->db, p->id, now, &c->arena, c->v, CARRY_RECIPIENTS_MAX, &c->n);
	if (!error && c->n > 0)
		error = queue_db_get(q->db, c->v[0].message, &c->arena, &c->m);
	if (error == -EBADMSG && c->n > 0) {
		queue_report(q, "a message cannot be read", error);
		error = set_aside(c);
		carriage_free(c);
		return error ? error : 1;
	}
	bool is_due = c->n > 0;
	if (!error && is_due)
		error = send_other_ways(c, p);
	if (error || c->n == 0) {
		carriage_free(c);
		return error ? error : is_due;
	}
	carriage_claimed(c, p, now);
	return 1;
}

int carry_claim(struct queue *q, uint64_t now)
{
	struct candidates found = {.q = q};
	int result = find_candidates(q, now, &found);
	/* In turns: each gets one, then each another. */
	for (size_t n_left = found.n; result >= 0 && n_left > 0;) {
		n_left = 0;
		for (size_t i = 0; i < found.n && result >= 0; i++) {
			if (!found.v[i] || !may_start(q, found.v[i]))
				continue;
			result = claim_one(q, found.v[i], now);
			if (result > 0)
				n_left++;
			if (result == 0) {
				leave_place(q, found.v[i]);
				found.v[i] = NULL;
			}
		}
	}
	for (size_t i = 0; i < found.n; i++)
		if (found.v[i])
			leave_place(q, found.v[i]);
	return result < 0 ? result : 0;
}

/* --- rounds --- */

bool carry_has_finished(const struct queue *q)
{
	return q->carriages->finished != NULL;
}

size_t carry_under_way(const struct queue *q)
{
	return q->carriages->n_under_way;
}

int carry_record(struct queue *q, uint64_t now)
{
	int error = 0;
	for (struct carriage *c = q->carriages->finished; c && !error; c = c->next)
		error = outcome_write(c, now);
	return error;
}

void carry_after(struct queue *q, bool committed)
{
	struct carriages *all = q->carriages;
	struct carriage *claimed = all->claimed;
	all->claimed = NULL;
	while (committed && all->finished) {
		struct carriage *c = all->finished;
		all->finished = c->next;
		carriage_free(c);
	}
	if (committed)
		all->last_finished = &all->finished;
	while (claimed) {
		struct carriage *c = claimed;
		claimed = c->next;
		if (committed)
			start(c);
		else
			carriage_free(c);
	}
}

int carry_remove(struct queue *q, uint64_t message)
{
	enum { AT_ONCE = 64, TEXTS_MAX = 1 << 20 };
	struct arena a CLEANUP(arena_done) = ARENA_MAX(TEXTS_MAX);
	struct queued_recipient v[AT_ONCE];
	uint64_t destinations[REMOVE_DESTINATIONS_MAX];
	size_t n_destinations = 0, n = 1;
	int error = 0;
	for (uint64_t after = 0; !error && n > 0; arena_clear(&a)) {
		error = queue_db_recipients(q->db, message, after, &a, v, AT_ONCE, &n);
		for (size_t i = 0; !error && i < n; i++) {
			after = v[i].id;
			if (v[i].state == RECIPIENT_ACTIVE)
				error = -EBUSY;
			if (n_destinations < REMOVE_DESTINATIONS_MAX)
				destinations[n_destinations++] = v[i].destination;
		}
	}
	if (!error)
		error = queue_db_remove(q->db, message);
	for (size_t i = 0; !error && i < n_destinations; i++)
		error = queue_db_settle(q->db, destinations[i]);
	return error;
}

static bool is_late(const struct courier *courier, uint64_t now)
{
	return now >= courier->until;
}

void carry_check(struct queue *q)
{
	uint64_t now = clock_ms();
	struct courier *next;
	for (struct courier *courier = q->carriages->couriers; courier; courier = next) {
		next = courier->next;
		if (!is_late(courier, now))
			continue;
		struct carriage *c = courier->carriage;
		loop_remove(courier->entry);
		remove_courier(courier);
		if (c)
			carriage_fail(c, CAUSE_ATTEMPT, "4.4.2", "it took too long");
	}
	local_check(q);
}

void carry_init(struct queue *q)
{
	q->carriages = calloc(1, sizeof(*q->carriages));
	if (!q->carriages)
		abort();
	q->carriages->last_finished = &q->carriages->finished;
}

bool carry_set_relay_password(struct queue *q, size_t relay, struct str password)
{
	char *to = q->carriages->relay_passwords[relay];
	return str_to_cstr(password, to, sizeof(q->carriages->relay_passwords[relay])) >= 0;
}

void carry_free(struct queue *q)
{
	struct carriages *all = q->carriages;
	if (!all)
		return;
	while (all->all)
		carriage_free(all->all);
	while (all->couriers)
		remove_courier(all->couriers);
	local_free(q);
	explicit_bzero(all, sizeof(*all));
	free(all);
	q->carriages = NULL;
}
