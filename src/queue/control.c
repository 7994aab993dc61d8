#include "queue/control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "queue/age.h"
#include "queue/carry.h"
#include "queue/check.h"
#include "queue/fresh.h"
#include "queue/reason.h"
#include "queue/route.h"

enum {
	COLUMNS_MAX = 10,
	CELL_MAX = 1000,
	TEXTS_MAX = 1 << 20,
	AT_ONCE = 64,
	DETAIL_MAX = 384,
	DAMAGES_NOTED_MAX = 20, /* of one look; the ledger is not there for floods */
	NEXT_PIECE_MS = 1,
};

struct connection {
	struct connection *next, **at;
	struct queue *q;
	struct loop_entry *entry;
	/* A command under way on many messages, or a list of few among them. */
	bool is_busy;
	uint8_t verb;
	uint64_t after, n_done, n_busy;
	uint64_t account;
	char domain[DNS_NAME_MAX + 1], user[IPC_ADDRESS_MAX + 1];
	/* A look at every byte under way. */
	struct queue_check *check;
	unsigned n_noted;
};

/* --- rows --- */

struct row {
	struct str names[COLUMNS_MAX], values[COLUMNS_MAX];
	char text[COLUMNS_MAX][CELL_MAX];
	size_t n;
};

static void add_text(struct row *row, const char *name, struct str value)
{
	char *to = row->text[row->n];
	size_t len = num_min(value.len, CELL_MAX);
	if (len > 0)
		memcpy(to, value.p, len);
	row->names[row->n] = str_of_cstr(name);
	row->values[row->n++] = str_of(to, len);
}

static void add_number(struct row *row, const char *name, uint64_t value)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRIu64, value);
	add_text(row, name, str_of(text, (size_t)len));
}

static void add_time(struct row *row, const char *name, uint64_t ms)
{
	char text[32] = "";
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	size_t len = 0;
	if (ms > 0 && gmtime_r(&t, &tm))
		len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	add_text(row, name, str_of(text, len));
}

static void send_row(struct connection *c, const struct row *row)
{
	struct ipc_control_row m = {{row->names, row->n}, {row->values, row->n}};
	int sent = loop_send(c->entry, IPC_CONTROL_ROW, &m);
	(void)sent; /* one that is gone has its `closed` called */
}

static void send_done(struct connection *c, int error, const char *reason)
{
	struct ipc_control_done m = {.error = (uint32_t)-error, .reason = str_of_cstr(reason)};
	int sent = loop_send(c->entry, IPC_CONTROL_DONE, &m);
	(void)sent;
}

static void send_error(struct connection *c, int error)
{
	if (error == -ENOENT) {
		send_done(c, error,
		    "there is no such message in the queue (any more); `gatepost queue "
		    "list` shows what is there");
		return;
	}
	queue_report(c->q, "a command cannot be carried out", error);
	send_done(c, error, "the queue's database cannot be read or written; its log says why");
}

/* --- list and show --- */

/* The recipient that says most about why the message is still here: the first that is not over. */
static int first_open(struct queue *q, uint64_t message, struct arena *a,
    struct queued_recipient *ret_r, uint64_t *ret_n_open)
{
	struct queued_recipient v[AT_ONCE];
	uint64_t after = 0, n_open = 0;
	size_t n = 1;
	int error = 0;
	while (n > 0 && !error) {
		error = queue_db_recipients(q->db, message, after, a, v, AT_ONCE, &n);
		for (size_t i = 0; i < n && !error; i++) {
			after = v[i].id;
			if (v[i].state < RECIPIENT_DELIVERED && n_open++ == 0)
				*ret_r = v[i];
		}
	}
	*ret_n_open = n_open;
	return error;
}

static void add_reason(struct queue *q, struct row *row, const struct queued_message *m,
    const struct queued_recipient *r, struct arena *a)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(REASON_LEN_MAX);
	struct queued_destination d;
	int error = queue_db_destination(q->db, r->destination, a, &d);
	reason_write(m, r, error ? NULL : &d, clock_wall_ms(), &text);
	add_text(row, "reason", buf_str(&text));
}

static int list_one(struct connection *c, uint64_t id)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(TEXTS_MAX);
	struct queued_message m;
	struct queued_recipient r = {0};
	struct row *row = calloc(1, sizeof(*row));
	char to[IPC_ADDRESS_MAX + 32];
	uint64_t n_open = 0;
	if (!row)
		abort();
	int error = queue_db_get(c->q->db, id, &a, &m);
	if (!error)
		error = first_open(c->q, id, &a, &r, &n_open);
	if (!error && n_open > 0) {
		int len = n_open == 1 ? snprintf(to, sizeof(to), "%.*s", STR_FMT(r.address))
		                      : snprintf(to, sizeof(to), "%.*s and %" PRIu64 " more",
		                            STR_FMT(r.address), n_open - 1);
		add_number(row, "message", id);
		add_text(
		    row, "from", m.mail.reverse_path.len > 0 ? m.mail.reverse_path : STR("<>"));
		add_text(row, "to", str_of(to, num_min((size_t)len, sizeof(to) - 1)));
		add_number(row, "size", m.size);
		add_time(row, "received", m.received_at);
		add_text(row, "state", str_of_cstr(reason_state(&m, &r, clock_wall_ms())));
		add_reason(c->q, row, &m, &r, &a);
		send_row(c, row);
	}
	free(row);
	return error;
}

static struct queue_db_filter filter_of(const struct connection *c)
{
	return (struct queue_db_filter){
	    .domain = str_of_cstr(c->domain), .account = c->account, .user = str_of_cstr(c->user)};
}

static int set_filter(struct connection *c, const struct ipc_queue_ask *m)
{
	struct str user = m->account;
	c->account = 0;
	if (user.len > 0 && num_parse(user, UINT64_MAX, &c->account))
		user = STR("");
	if (str_to_cstr(m->domain, c->domain, sizeof(c->domain)) < 0 ||
	    str_to_cstr(user, c->user, sizeof(c->user)) < 0)
		return -EPROTO;
	return 0;
}

/* Rows of one piece. */
static int list_piece(struct connection *c, size_t *ret_n, bool *ret_is_last)
{
	uint64_t ids[CONTROL_ROWS_MAX];
	struct queue_db_filter filter = filter_of(c);
	int error =
	    queue_db_list(c->q->db, &filter, &c->after, ids, CONTROL_ROWS_MAX, ret_n, ret_is_last);
	for (size_t i = 0; i < *ret_n && !error; i++)
		error = list_one(c, ids[i]);
	return error;
}

/* Where no index helps, others have their turn between two pieces. */
static void list_on(void *ctx)
{
	struct connection *c = ctx;
	size_t n = 0;
	bool is_last = true;
	int error = list_piece(c, &n, &is_last);
	if (!error && n == 0 && !is_last && loop_after(c->q->loop, 1, list_on, c) == 0)
		return;
	c->is_busy = false;
	if (error)
		send_error(c, error);
	else
		send_done(c, 0, "");
}

static int begin_list(struct connection *c, const struct ipc_queue_ask *m)
{
	int error = set_filter(c, m);
	if (error)
		return error;
	c->is_busy = true;
	c->after = m->after;
	list_on(c);
	return 0;
}

static const char *origin_name(uint8_t origin)
{
	return origin == ORIGIN_SUBMITTED   ? "submitted"
	       : origin == ORIGIN_FORWARDED ? "forwarded"
	                                    : "notice of this server";
}

static int show(struct connection *c, uint64_t id)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(TEXTS_MAX);
	struct queued_message m;
	int error = queue_db_get(c->q->db, id, &a, &m);
	if (error)
		return error;
	struct row *row = calloc(1, sizeof(*row));
	if (!row)
		abort();
	add_number(row, "message", id);
	add_text(row, "from", m.mail.reverse_path.len > 0 ? m.mail.reverse_path : STR("<>"));
	add_text(row, "submitter",
	    m.user.len > 0 && m.origin != ORIGIN_NOTICE ? m.user
	                                                : str_of_cstr(origin_name(m.origin)));
	add_text(row, "peer", m.peer);
	add_number(row, "size", m.size);
	add_time(row, "received", m.received_at);
	add_time(row, "held-until", m.hold_until);
	add_time(row, "expires", m.expires_at);
	send_row(c, row);
	free(row);
	return 0;
}

static void add_route(struct queue *q, struct row *row, struct str destination)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(CELL_MAX);
	route_describe(q->config, destination, &text);
	add_text(row, "route", buf_str(&text));
}

static void show_recipient(struct connection *c, const struct queued_message *m,
    const struct queued_recipient *r, struct arena *a)
{
	struct row *row = calloc(1, sizeof(*row));
	if (!row)
		abort();
	add_number(row, "number", r->id);
	add_text(row, "recipient", r->address);
	add_text(row, "destination", r->domain);
	add_route(c->q, row, r->domain);
	add_text(row, "state", str_of_cstr(reason_state(m, r, clock_wall_ms())));
	add_number(row, "attempts", r->attempts);
	add_time(row, "last-try", r->tried_at);
	add_text(row, "status", r->status);
	add_reason(c->q, row, m, r, a);
	send_row(c, row);
	free(row);
}

static int show_recipients(struct connection *c, uint64_t id, uint64_t after)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(TEXTS_MAX);
	struct queued_recipient v[CONTROL_ROWS_MAX];
	struct queued_message m;
	size_t n = 0;
	int error = queue_db_get(c->q->db, id, &a, &m);
	if (!error)
		error = queue_db_recipients(c->q->db, id, after, &a, v, CONTROL_ROWS_MAX, &n);
	for (size_t i = 0; i < n && !error; i++)
		show_recipient(c, &m, &v[i], &a);
	return error;
}

/* --- acting --- */

static bool change(
    struct queued_recipient *r, const struct queued_message *m, uint8_t verb, uint64_t now)
{
	switch (verb) {
	case QUEUE_RETRY:
		if (r->state != RECIPIENT_WAITING || m->hold_until > now)
			return false;
		r->next_at = now;
		return true;
	case QUEUE_HOLD:
		if (r->state != RECIPIENT_WAITING)
			return false;
		r->state = RECIPIENT_HELD;
		return true;
	default: /* QUEUE_RELEASE */
		if (r->state != RECIPIENT_HELD &&
		    !(r->state == RECIPIENT_WAITING && m->hold_until > now))
			return false;
		r->state = RECIPIENT_WAITING;
		r->crashes = 0;
		r->next_at = now;
		return true;
	}
}

static int change_recipient(
    struct queue *q, struct queued_recipient *r, uint8_t verb, struct arena *a)
{
	struct queued_destination d;
	int error = queue_db_set_recipient(q->db, r);
	if (!error)
		error = queue_db_settle(q->db, r->destination);
	/* Now means now, also where a destination is left alone. */
	if (!error && verb == QUEUE_RETRY &&
	    queue_db_destination(q->db, r->destination, a, &d) == 0) {
		d.blocked_until = 0;
		error = queue_db_set_destination(q->db, &d);
	}
	return error;
}

static int change_all(struct queue *q, struct queued_message *m, uint8_t verb, uint64_t now)
{
	struct queued_recipient v[AT_ONCE];
	uint64_t after = 0;
	size_t n = 1;
	int error = 0;
	while (n > 0 && !error) {
		struct arena a CLEANUP(arena_done) = ARENA_MAX(TEXTS_MAX);
		error = queue_db_recipients(q->db, m->id, after, &a, v, AT_ONCE, &n);
		for (size_t i = 0; i < n && !error; i++) {
			after = v[i].id;
			if (change(&v[i], m, verb, now))
				error = change_recipient(q, &v[i], verb, &a);
		}
	}
	return error;
}

static int act(struct queue *q, uint64_t id, uint8_t verb)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(TEXTS_MAX);
	struct queued_message m;
	uint64_t now = clock_wall_ms();
	if (verb == QUEUE_REMOVE)
		return carry_remove(q, id);
	int error = queue_db_get(q->db, id, &a, &m);
	if (!error)
		error = change_all(q, &m, verb, now);
	if (!error && verb == QUEUE_RELEASE) {
		/* Its life begins now: it did not grow old while it was held. */
		m.hold_until = 0;
		age_begin(q, &m, now);
		error = queue_db_set_look(q->db, &m);
	}
	return error;
}

static const char *const verb_names[N_QUEUE_VERBS] = {[QUEUE_RETRY] = "retry",
    [QUEUE_HOLD] = "hold",
    [QUEUE_RELEASE] = "release",
    [QUEUE_REMOVE] = "remove"};

static int act_on_one(struct connection *c, uint64_t id, uint8_t verb)
{
	struct queue_db *db = c->q->db;
	int error = queue_db_begin(db, true);
	if (error)
		return error;
	error = act(c->q, id, verb);
	if (error) {
		queue_db_rollback(db);
		return error;
	}
	log_event(LOG_INFO, "queue.command", "verb=%s message=%" PRIu64, verb_names[verb], id);
	c->q->due_at = 0;
	return queue_db_commit(db);
}

static int act_on_piece(struct connection *c, bool *ret_is_last)
{
	uint64_t ids[CONTROL_PIECE];
	struct queue_db *db = c->q->db;
	struct queue_db_filter filter = filter_of(c);
	size_t n = 0;
	int error = queue_db_begin(db, true);
	if (error)
		return error;
	error = queue_db_list(db, &filter, &c->after, ids, CONTROL_PIECE, &n, ret_is_last);
	for (size_t i = 0; i < n && !error; i++) {
		error = act(c->q, ids[i], c->verb);
		if (error == -EBUSY)
			c->n_busy++;
		else
			c->n_done++;
		if (error == -EBUSY || error == -ENOENT)
			error = 0;
	}
	if (error) {
		queue_db_rollback(db);
		return error;
	}
	c->q->due_at = 0;
	return queue_db_commit(db);
}

static void go_on(void *ctx)
{
	struct connection *c = ctx;
	bool is_last = true;
	int error = act_on_piece(c, &is_last);
	if (!error && !is_last && loop_after(c->q->loop, 1, go_on, c) == 0)
		return;
	c->is_busy = false;
	log_event(LOG_INFO, "queue.command", "verb=%s messages=%" PRIu64 " busy=%" PRIu64,
	    verb_names[c->verb], c->n_done, c->n_busy);
	if (error)
		send_error(c, error);
	else if (c->n_busy > 0)
		send_done(c, -EBUSY, "some messages are being sent right now and stay; try again");
	else
		send_done(c, 0, "");
}

static int begin_many(struct connection *c, const struct ipc_queue_ask *m)
{
	const struct ipc_queue_ask domain = {.domain = m->domain};
	if (set_filter(c, &domain))
		return -EPROTO;
	c->is_busy = true;
	c->verb = m->verb;
	c->after = c->n_done = c->n_busy = 0;
	go_on(c);
	return 0;
}

/* --- looking at every byte --- */

static void on_finding(void *ctx, const struct queue_finding *f)
{
	struct connection *c = ctx;
	char detail[DETAIL_MAX];
	struct row *row = calloc(1, sizeof(*row));
	if (!row)
		abort();
	add_text(row, "file", str_of_cstr(f->file));
	add_text(row, "state", f->is_damage ? STR("damaged") : STR("left"));
	add_number(row, "offset", f->offset);
	add_text(row, "problem", str_of_cstr(f->what));
	send_row(c, row);
	free(row);
	snprintf(detail, sizeof(detail), "%s at %" PRIu64 ": %s", f->file, f->offset, f->what);
	if (f->is_damage && c->n_noted++ < DAMAGES_NOTED_MAX)
		queue_alarm(c->q, LEDGER_ALARM_DAMAGE, "", detail);
}

static void look_on(void *ctx)
{
	struct connection *c = ctx;
	int more = queue_check_step(c->check);
	if (more > 0 && loop_after(c->q->loop, NEXT_PIECE_MS, look_on, c) == 0)
		return;
	queue_check_free(c->check);
	c->check = NULL;
	c->is_busy = false;
	if (more != 0)
		send_error(c, more < 0 ? more : -EAGAIN);
	else
		send_done(c, 0, "");
}

static int begin_look(struct connection *c)
{
	c->is_busy = true;
	c->n_noted = 0;
	c->check = queue_check_new(c->q->db, (struct queue_check_watch){on_finding, c});
	look_on(c);
	return 0;
}

/* --- the channel --- */

static int on_ask(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct connection *c = ctx;
	const struct ipc_queue_ask *m = msg;
	int error;
	if (c->is_busy)
		return -EPROTO;
	if (m->verb == QUEUE_VERIFY)
		return begin_look(c);
	fresh_file(c->q, UINT64_MAX);
	if (m->verb >= QUEUE_RETRY && m->message == 0)
		return begin_many(c, m);
	if (m->verb == QUEUE_LIST)
		return begin_list(c, m);
	if (m->verb == QUEUE_SHOW)
		error = show(c, m->message);
	else if (m->verb == QUEUE_RECIPIENTS)
		error = show_recipients(c, m->message, m->after);
	else
		error = act_on_one(c, m->message, m->verb);
	if (error == -EBUSY)
		send_done(c, error, "it is being sent right now; try again");
	else if (error)
		send_error(c, error);
	else
		send_done(c, 0, "");
	return 0;
}

static void forget(struct connection *c)
{
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	loop_forget(c->q->loop, c);
	queue_check_free(c->check);
	c->q->n_connections--;
	free(c);
}

static void on_closed(struct loop_entry *from UNUSED, int error UNUSED, void *ctx)
{
	forget(ctx);
}

void control_free(struct queue *q)
{
	while (q->connections)
		forget(q->connections);
}

static const struct ipc_receiver messages[] = {{IPC_QUEUE_ASK, on_ask}};
static const struct ipc_receivers receivers = {messages, ARRAY_LEN(messages), on_closed};

int control_on_connection(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct queue *q = ctx;
	struct ipc_queue_control *m = msg;
	if (q->n_connections == CONTROL_CONNECTIONS_MAX)
		return 0;
	struct connection *c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->q = q;
	c->entry = loop_add_channel(q->loop, m->channel, &receivers, c);
	if (!c->entry) {
		free(c);
		return 0;
	}
	m->channel = -1;
	c->at = &q->connections;
	c->next = q->connections;
	if (c->next)
		c->next->at = &c->next;
	q->connections = c;
	q->n_connections++;
	return 0;
}
