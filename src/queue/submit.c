#include "queue/submit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "queue/carry.h"
#include "queue/database_memory.h"
#include "queue/forward.h"
#include "queue/route.h"
#include "queue/submit_private.h"

enum {
	HOUR_MS = 3600000,
	DETAIL_MAX = IPC_TEXT_MAX,
	INCOMING_ARENA_MAX = 2 << 20,
	ASKED_ARENA_MAX = 16 << 10
};

/* --- answers --- */

static void send_answer(
    struct submitter *s, enum submit_result result, uint64_t message, struct str detail)
{
	struct ipc_submit_answer answer = {
	    .result = (uint8_t)result, .message = message, .detail = str_first(detail, DETAIL_MAX)};
	/* One that is gone has its `closed` called by the loop. */
	if (s->entry && loop_send(s->entry, IPC_SUBMIT_ANSWER, &answer))
		log_event(
		    LOG_WARNING, "queue.submitter-gone", "connection=%" PRIu64, s->connection);
}

void submit_answer(struct submitter *s, enum submit_result result, uint64_t message,
    const char *detail, enum submit_step next)
{
	s->step = next;
	send_answer(s, result, message, str_of_cstr(detail));
}

void submit_forget(struct submitter *s)
{
	struct incoming *in = &s->in;
	queue_forget(s->q, s);
	forward_release(s);
	if (s->scribe.is_at_work)
		submit_drop_scribe(s);
	fd_close(&in->message);
	fd_close(&in->finished);
	if (in->map)
		munmap(in->map, in->map_len);
	buf_done(&in->signed_fields);
	arena_clear(&in->arena);
	*in = (struct incoming){.arena = in->arena, .message = -1, .finished = -1};
}

static void free_submitter(struct submitter *s)
{
	submit_forget(s);
	submit_drop_scribe(s);
	arena_done(&s->in.arena);
	arena_done(&s->asked);
	*s->at = s->next;
	if (s->next)
		s->next->at = s->at;
	s->q->n_submitters--;
	free(s);
}

void submit_fail(struct submitter *s, enum submit_result result, struct str detail)
{
	log_event(LOG_INFO, "queue.refused",
	    "connection=%" PRIu64 " account=%" PRIu64 " result=%d step=%d", s->connection,
	    s->account, (int)result, (int)s->step);
	send_answer(s, result, 0, detail);
	submit_forget(s);
	s->step = STEP_IDLE;
}

static void fail_text(struct submitter *s, enum submit_result result, const char *detail)
{
	submit_fail(s, result, str_of_cstr(detail));
}

/* What a gate hands on goes into commands to other servers and into notices. A gate lets no control
 * characters in, so one that sends them is broken, and would give commands of its own. */
static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

/* original-recipient-address = addr-type ";" xtext (RFC 3461 §4.2): the address leaves as xtext
 * whatever is in it, its type as it is. */
static bool is_original(struct str s)
{
	struct str type = str_cut(&s, ';');
	return is_plain(type) && str_index(type, ' ') == type.len;
}

/* --- MAIL --- */

static bool dup_mail(struct arena *a, const struct ipc_outgoing *mail, struct ipc_outgoing *to)
{
	*to = *mail;
	return arena_dup(a, mail->reverse_path, &to->reverse_path) &&
	       arena_dup(a, mail->envelope_id, &to->envelope_id);
}

/* The first thing that stands in the way of one more message of this account, or SUBMIT_OK. */
static enum submit_result check_limits(struct submitter *s, char detail[static DETAIL_MAX])
{
	const struct config *c = s->q->config;
	uint64_t now = clock_wall_ms(), n = 0;
	struct queue_rate rate = {0};
	detail[0] = '\0';
	if (s->forwards)
		return SUBMIT_OK;
	int error = queue_db_rate(s->q->db, s->account, now, &rate);
	if (!error)
		error = queue_db_count(s->q->db, s->account, &n);
	if (error) {
		queue_report(s->q, "limits cannot be read", error);
		return SUBMIT_TEMPORARY;
	}
	uint64_t minutes = (HOUR_MS - now % HOUR_MS) / 60000 + 1;
	if (n >= c->submit_queue) {
		snprintf(detail, DETAIL_MAX, "%" PRIu64 " messages of yours wait already", n);
		return SUBMIT_RATE;
	}
	if (rate.messages_hour >= c->submit_messages_hour ||
	    rate.recipients_hour >= c->submit_recipients_hour) {
		snprintf(detail, DETAIL_MAX,
		    "the limit of an hour is reached, again in %" PRIu64 " minutes", minutes);
		return SUBMIT_RATE;
	}
	if (rate.recipients_day >= c->submit_recipients_day) {
		snprintf(detail, DETAIL_MAX, "the limit of a day is reached");
		return SUBMIT_RATE;
	}
	return SUBMIT_OK;
}

static void on_may_send_reverse_path(const void *answer, void *ctx)
{
	struct submitter *s = ctx;
	const struct ipc_may_send_answer *m = answer;
	if (!m || m->result == MAY_SEND_TEMPORARY)
		fail_text(s, SUBMIT_TEMPORARY, "");
	else if (m->result == MAY_NOT_SEND)
		submit_fail(s, SUBMIT_NOT_YOURS, m->address);
	else {
		if (str_to_cstr(s->in.accept.m.mail.reverse_path, s->path, sizeof(s->path)) < 0)
			s->path[0] = '\0';
		submit_answer(s, SUBMIT_OK, 0, "", STEP_READY);
	}
}

/* Mail from <> is a notice of the user's program; its author is checked like any other. One under
 * which the same submitter has sent is checked with the authors. */
static void check_reverse_path(struct submitter *s)
{
	struct str path = s->in.accept.m.mail.reverse_path;
	s->in.path_is_assumed = path.len > 0 && str_eq(path, str_of_cstr(s->path));
	if (s->forwards || path.len == 0 || s->in.path_is_assumed) {
		submit_answer(s, SUBMIT_OK, 0, "", STEP_READY);
		return;
	}
	struct ipc_may_send ask = {
	    .request = queue_request(s->q), .account = s->account, .authors = {&path, 1}};
	s->step = STEP_MAIL;
	if (queue_ask(s->q, s->q->directory, IPC_MAY_SEND, &ask, ask.request, IPC_MAY_SEND_ANSWER,
	        on_may_send_reverse_path, s))
		fail_text(s, SUBMIT_TEMPORARY, "");
}

static int on_mail(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct submitter *s = ctx;
	const struct ipc_submit_mail *m = msg;
	char detail[DETAIL_MAX];
	if ((s->step != STEP_IDLE && s->step != STEP_READY) || !is_plain(m->mail.reverse_path))
		return -EPROTO;
	submit_forget(s);
	struct queued_message *q = &s->in.accept.m;
	uint64_t now = clock_wall_ms();
	uint64_t longest = s->q->config->submit_hold * 1000;
	enum submit_result result = check_limits(s, detail);
	q->user = s->user;
	s->in.recipients =
	    ARENA_NEW_ARRAY(&s->in.arena, struct queued_recipient, SUBMIT_RECIPIENTS_MAX);
	if (!s->in.recipients || !dup_mail(&s->in.arena, &m->mail, &q->mail))
		abort();
	if (result == SUBMIT_OK && m->hold_until > now + longest) {
		result = SUBMIT_REFUSED;
		snprintf(detail, sizeof(detail), "it can be held for %" PRIu64 " hours at most",
		    longest / HOUR_MS);
	}
	if (result != SUBMIT_OK) {
		fail_text(s, result, detail);
		return 0;
	}
	q->hold_until = m->hold_until > now ? m->hold_until : 0;
	check_reverse_path(s);
	return 0;
}

/* --- RCPT --- */

/* RFC 5321 §4.1.1.3: a route or an address is one recipient however often it is named. */
static bool is_named(const struct submitter *s, struct str address)
{
	for (size_t i = 0; i < s->in.n_recipients; i++)
		if (str_eq(s->in.recipients[i].address, address))
			return true;
	return false;
}

/* The first alias that leads out of the house seals what it forwards. */
static void note_alias(struct submitter *s, struct str address)
{
	if (s->in.domain.len == 0 && !queue_domain_of(address, &s->in.arena, &s->in.domain))
		s->in.domain = STR("");
}

/* Only what is taken has a place in the message's memory, however many were refused. */
static bool keep_recipient(struct submitter *s, struct queued_recipient *r)
{
	struct arena *a = &s->in.arena;
	if (is_named(s, r->address))
		return true;
	if (!arena_dup(a, r->address, &r->address) || !arena_dup(a, r->original, &r->original) ||
	    !arena_dup(a, r->domain, &r->domain))
		return false;
	s->in.n_recipients++;
	return true;
}

static void on_route(const void *answer, void *ctx)
{
	struct submitter *s = ctx;
	const struct ipc_route_answer *m = answer;
	struct queued_recipient *r = &s->in.recipients[s->in.n_recipients];
	enum submit_result result = SUBMIT_OK;
	if (!m || m->result == RCPT_TEMPORARY)
		result = SUBMIT_TEMPORARY;
	else if (m->result == RCPT_UNKNOWN)
		result = SUBMIT_UNKNOWN;
	else if (m->result == RCPT_NOT_LOCAL && s->forwards)
		result = SUBMIT_RELAY;
	else if (m->result == RCPT_OK)
		r->domain = STR(QUEUE_LOCAL);
	else if (!route_destination(s->q->config, &s->in.accept.m, r, &s->asked, &r->domain))
		result = SUBMIT_UNKNOWN;
	if (result == SUBMIT_OK && !keep_recipient(s, r))
		result = SUBMIT_TOO_MANY;
	if (s->forwards && result == SUBMIT_OK && m->outside.n > 0)
		note_alias(s, r->address);
	submit_answer(s, result, 0, "", STEP_READY);
}

enum submit_result submit_check_rate(struct submitter *s)
{
	const struct config *c = s->q->config;
	struct queue_rate rate = {0};
	uint64_t n = 0;
	if (s->forwards)
		return SUBMIT_OK;
	int error = queue_db_rate(s->q->db, s->account, clock_wall_ms(), &rate);
	if (!error)
		error = queue_db_count(s->q->db, s->account, &n);
	if (error)
		return SUBMIT_TEMPORARY;
	for (const struct accept *a = s->q->accepts; a; a = a->next) {
		if (a->m.account != s->account)
			continue;
		n++;
		rate.messages_hour++;
		rate.recipients_hour += a->n_recipients;
		rate.recipients_day += a->n_recipients;
	}
	bool has_room = n < c->submit_queue && rate.messages_hour < c->submit_messages_hour &&
	                rate.recipients_hour + s->in.n_recipients <= c->submit_recipients_hour &&
	                rate.recipients_day + s->in.n_recipients <= c->submit_recipients_day;
	return has_room ? SUBMIT_OK : SUBMIT_RATE;
}

static enum submit_result check_room_for_recipient(struct submitter *s)
{
	const struct config *c = s->q->config;
	struct queue_rate rate = {0};
	if (s->in.n_recipients >= c->recipients || s->in.n_recipients >= SUBMIT_RECIPIENTS_MAX - 1)
		return SUBMIT_TOO_MANY;
	if (s->forwards)
		return SUBMIT_OK;
	if (queue_db_rate(s->q->db, s->account, clock_wall_ms(), &rate))
		return SUBMIT_TEMPORARY;
	if (rate.recipients_hour + s->in.n_recipients >= c->submit_recipients_hour ||
	    rate.recipients_day + s->in.n_recipients >= c->submit_recipients_day)
		return SUBMIT_RATE;
	return SUBMIT_OK;
}

static int on_rcpt(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct submitter *s = ctx;
	const struct ipc_submit_rcpt *m = msg;
	if (s->step != STEP_READY || !is_plain(m->recipient) || !is_original(m->original_recipient))
		return -EPROTO;
	enum submit_result result = check_room_for_recipient(s);
	if (result != SUBMIT_OK) {
		submit_answer(s, result, 0, "", STEP_READY);
		return 0;
	}
	struct queued_recipient *r = &s->in.recipients[s->in.n_recipients];
	*r = (struct queued_recipient){.notify = m->notify};
	arena_clear(&s->asked);
	if (!arena_dup(&s->asked, m->recipient, &r->address) ||
	    !arena_dup(&s->asked, m->original_recipient, &r->original)) {
		submit_answer(s, SUBMIT_TOO_MANY, 0, "", STEP_READY);
		return 0;
	}
	struct ipc_route ask = {.request = queue_request(s->q), .address = r->address};
	s->step = STEP_RCPT;
	if (queue_ask(
	        s->q, s->q->directory, IPC_ROUTE, &ask, ask.request, IPC_ROUTE_ANSWER, on_route, s))
		submit_answer(s, SUBMIT_TEMPORARY, 0, "", STEP_READY);
	return 0;
}

static int on_data(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct submitter *s = ctx;
	if (s->step != STEP_READY || s->in.n_recipients == 0)
		return -EPROTO;
	return submit_begin_message(s, msg);
}

/* --- CANCEL (RFC 4865 leaves taking back to the server) --- */

static int cancel(struct queue *q, uint64_t account, uint64_t id)
{
	enum { TEXTS_MAX = 16 << 10 };
	struct arena a CLEANUP(arena_done) = ARENA_MAX(TEXTS_MAX);
	struct queued_message m;
	int error = queue_db_begin(q->db, true);
	if (error)
		return error;
	error = queue_db_get(q->db, id, &a, &m);
	if (!error && (m.account != account || m.hold_until <= clock_wall_ms()))
		error = -ENOENT;
	if (!error)
		error = carry_remove(q, id);
	if (error) {
		queue_db_rollback(q->db);
		return error;
	}
	return queue_db_commit(q->db);
}

static int on_cancel(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct submitter *s = ctx;
	const struct ipc_submit_cancel *m = msg;
	if (s->forwards || (s->step != STEP_IDLE && s->step != STEP_READY))
		return -EPROTO;
	int error = cancel(s->q, s->account, m->message);
	if (error && error != -ENOENT && error != -EBUSY)
		queue_report(s->q, "a message cannot be taken back", error);
	if (!error)
		log_event(LOG_INFO, "queue.cancelled", "message=%" PRIu64 " account=%" PRIu64,
		    m->message, s->account);
	enum submit_result result = error == 0                            ? SUBMIT_OK
	                            : error == -ENOENT || error == -EBUSY ? SUBMIT_GONE
	                                                                  : SUBMIT_TEMPORARY;
	submit_answer(s, result, m->message, "", s->step);
	return 0;
}

/* --- channels --- */

static void on_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct submitter *s = ctx;
	if (error == -EBADMSG || error == -EPROTO)
		queue_alarm(s->q, LEDGER_ALARM_BAD_MESSAGE, s->peer,
		    "a gate sent the queue what it may not send");
	s->entry = NULL;
	/* What is being written is the client's to send again: it never heard of it. */
	if (s->step == STEP_COMMIT)
		queue_cancel_accept(s->q, &s->in.accept);
	free_submitter(s);
}

static const struct ipc_receiver messages[] = {{IPC_SUBMIT_MAIL, on_mail},
    {IPC_SUBMIT_RCPT, on_rcpt}, {IPC_SUBMIT_DATA, on_data}, {IPC_SUBMIT_CANCEL, on_cancel}};
static const struct ipc_receivers receivers = {messages, ARRAY_LEN(messages), on_closed};

static int add_submitter(struct queue *q, struct submitter *s, int *channel, struct str peer)
{
	s->q = q;
	s->user = str_of_cstr(s->user_text);
	s->asked = ARENA_MAX(ASKED_ARENA_MAX);
	s->in = (struct incoming){
	    .arena = ARENA_MAX(INCOMING_ARENA_MAX), .message = -1, .finished = -1};
	if (str_to_cstr(peer, s->peer, sizeof(s->peer)) < 0) {
		free(s);
		return -EPROTO;
	}
	s->entry = loop_add_channel(q->loop, *channel, &receivers, s);
	if (!s->entry) {
		/* Full: the gate sees its channel end and says 421. */
		log_event(LOG_WARNING, "queue.full", "submitters=%zu", q->n_submitters);
		free(s);
		return 0;
	}
	*channel = -1;
	s->next = q->submitters;
	s->at = &q->submitters;
	if (s->next)
		s->next->at = &s->next;
	q->submitters = s;
	q->n_submitters++;
	return 0;
}

int submit_on_submitter(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct ipc_submitter *m = msg;
	struct submitter *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->account = m->account;
	s->connection = m->connection;
	if (m->account == 0 || str_to_cstr(m->user, s->user_text, sizeof(s->user_text)) < 0) {
		free(s);
		return -EPROTO;
	}
	return add_submitter(ctx, s, &m->channel, m->peer);
}

int submit_on_gate(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct ipc_gate *m = msg;
	struct submitter *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->connection = m->connection;
	s->forwards = true;
	return add_submitter(ctx, s, &m->channel, m->peer);
}

void submit_check(struct queue *q)
{
	uint64_t now = clock_ms();
	for (struct submitter *s = q->submitters; s; s = s->next) {
		forward_check(s);
		if (s->step >= STEP_EXAMINE && s->step <= STEP_FINISH && now >= s->until)
			fail_text(s, SUBMIT_TEMPORARY, "");
		if (s->scribe.entry && !s->scribe.is_at_work && now >= s->scribe.idle_until)
			submit_drop_scribe(s);
	}
}

void submit_free(struct queue *q)
{
	while (q->submitters)
		free_submitter(q->submitters);
}
