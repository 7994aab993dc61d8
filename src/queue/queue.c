#include "queue/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "mail/charset.h"
#include "queue/carry.h"
#include "queue/control.h"
#include "queue/key.h"
#include "queue/policy.h"
#include "queue/report.h"
#include "queue/state.h"
#include "queue/submit.h"
#include "sandbox/sandbox.h"
#include "seal/cipher.h"

enum { FORGET_EACH_MS = 60000, REPORT_AFTER_MS = 2000, DRAIN_MS = 1000 };

void queue_alarm(struct queue *q, enum ledger_kind kind, const char *peer, const char *detail)
{
	struct ipc_ledger_event event = {
	    .kind = (uint8_t)kind, .peer = str_of_cstr(peer), .detail = str_of_cstr(detail)};
	log_event(LOG_ALARM, "queue.alarm", "peer=%s detail=%s", log_quote(event.peer).text,
	    log_quote(event.detail).text);
	if (!q->ledger || loop_send(q->ledger, IPC_LEDGER_EVENT, &event))
		log_event(LOG_ERROR, "queue.ledger-unreachable", "kind=%d", (int)kind);
}

void queue_report(struct queue *q, const char *what, int error)
{
	if (error == -EBADMSG)
		queue_alarm(q, LEDGER_ALARM_DAMAGE, "", what);
	else
		log_event(LOG_ERROR, "queue.failed", "what=%s error=%s",
		    log_quote(str_of_cstr(what)).text,
		    log_quote(str_of_cstr(strerror(-error))).text);
}

/* --- partners that answer questions --- */

#define ANSWER(name, type)                                                                         \
	static int name(struct loop_entry *from, void *msg, void *ctx)                             \
	{                                                                                          \
		return queue_take_answer(ctx, from, (type), msg);                                  \
	}
ANSWER(on_may_send_answer, IPC_MAY_SEND_ANSWER)
ANSWER(on_route_answer, IPC_ROUTE_ANSWER)
ANSWER(on_signers_answer, IPC_SIGNERS_ANSWER)
ANSWER(on_dkim_signed, IPC_DKIM_SIGNED)
ANSWER(on_dns_answer, IPC_DNS_ANSWER)
ANSWER(on_policy, IPC_POLICY)
ANSWER(on_posted, IPC_POSTED)

static void on_partner_closed(struct loop_entry *from, int error, void *ctx)
{
	struct queue *q = ctx;
	struct loop_entry **const places[] = {&q->ledger, &q->directory, &q->keyholder, &q->scribes,
	    &q->dispatcher, &q->resolver, &q->fetcher};
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (*places[i] == from)
			*places[i] = NULL;
	for (uint16_t i = 0; i < QUEUE_DELIVERY_MAX; i++)
		if (q->delivery[i] == from) {
			q->delivery[i] = NULL;
			carry_delivery_changed(q, i);
		}
	if (error == -EBADMSG || error == -EPROTO)
		queue_alarm(q, LEDGER_ALARM_BAD_MESSAGE, "",
		    "a partner sent the queue what it may not send");
	queue_fail_questions(q, from);
}

static const struct ipc_receiver directory_messages[] = {{IPC_SUBMITTER, submit_on_submitter},
    {IPC_MAY_SEND_ANSWER, on_may_send_answer}, {IPC_ROUTE_ANSWER, on_route_answer},
    {IPC_SIGNERS_ANSWER, on_signers_answer}, {IPC_QUEUE_CONTROL, control_on_connection}};
static const struct ipc_receiver keyholder_messages[] = {{IPC_DKIM_SIGNED, on_dkim_signed}};
static const struct ipc_receiver resolver_messages[] = {{IPC_DNS_ANSWER, on_dns_answer}};
static const struct ipc_receiver fetcher_messages[] = {
    {IPC_POLICY, on_policy}, {IPC_POSTED, on_posted}};
static const struct ipc_receiver gatekeeper_messages[] = {{IPC_GATE, submit_on_gate}};

static const struct ipc_receivers silent = {NULL, 0, on_partner_closed};
static const struct ipc_receivers from_directory = {
    directory_messages, ARRAY_LEN(directory_messages), on_partner_closed};
static const struct ipc_receivers from_keyholder = {
    keyholder_messages, ARRAY_LEN(keyholder_messages), on_partner_closed};
static const struct ipc_receivers from_resolver = {
    resolver_messages, ARRAY_LEN(resolver_messages), on_partner_closed};
static const struct ipc_receivers from_fetcher = {
    fetcher_messages, ARRAY_LEN(fetcher_messages), on_partner_closed};
static const struct ipc_receivers from_gatekeeper = {
    gatekeeper_messages, ARRAY_LEN(gatekeeper_messages), on_partner_closed};

struct partner {
	struct loop_entry **place; /* NULL: it is not asked, only heard */
	const struct ipc_receivers *receivers;
};

static bool find_partner(struct queue *q, const struct ipc_peer *peer, struct partner *ret)
{
	switch (peer->role) {
	case ROLE_LEDGER:
		*ret = (struct partner){&q->ledger, &silent};
		return true;
	case ROLE_DIRECTORY:
		*ret = (struct partner){&q->directory, &from_directory};
		return true;
	case ROLE_KEYHOLDER:
		*ret = (struct partner){&q->keyholder, &from_keyholder};
		return true;
	case ROLE_DELIVERY:
		if (peer->index >= QUEUE_DELIVERY_MAX)
			return false;
		*ret = (struct partner){&q->delivery[peer->index], &silent};
		return true;
	case ROLE_SCRIBES:
		*ret = (struct partner){&q->scribes, &silent};
		return true;
	case ROLE_DISPATCHER:
		*ret = (struct partner){&q->dispatcher, &silent};
		return true;
	case ROLE_RESOLVER:
		*ret = (struct partner){&q->resolver, &from_resolver};
		return true;
	case ROLE_FETCHER:
		*ret = (struct partner){&q->fetcher, &from_fetcher};
		return true;
	case ROLE_GATEKEEPER_SMTP:
		*ret = (struct partner){NULL, &from_gatekeeper};
		return true;
	default:
		return false;
	}
}

static int on_peer(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct queue *q = ctx;
	struct ipc_peer *peer = msg;
	struct partner partner;
	if (!find_partner(q, peer, &partner))
		return -EPROTO;
	struct loop_entry *entry = loop_add_channel(q->loop, peer->channel, partner.receivers, q);
	if (!entry)
		return -EPROTO;
	peer->channel = -1;
	if (partner.place)
		*partner.place = entry;
	if (peer->role == ROLE_DELIVERY)
		carry_delivery_changed(q, peer->index);
	if (peer->role == ROLE_DISPATCHER)
		q->n_dispatchers++;
	/* What waited for it can go on, reports too. */
	q->due_at = 0;
	if (peer->role == ROLE_RESOLVER)
		q->forget_at = clock_ms() + REPORT_AFTER_MS;
	return 0;
}

static void on_drain_over(void *ctx)
{
	((struct queue *)ctx)->is_over = true;
}

static int on_drain(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct queue *q = ctx;
	uint32_t ms = ((struct ipc_drain *)msg)->ms;
	q->is_draining = true;
	/* What is under way is tried again at the next start: nobody waits long for it. */
	if (loop_after(q->loop, ms < DRAIN_MS ? ms : DRAIN_MS, on_drain_over, q))
		q->is_over = true;
	return 0;
}

static void on_supervisor_closed(struct loop_entry *from UNUSED, int error UNUSED, void *ctx)
{
	((struct queue *)ctx)->is_over = true;
}

static const struct ipc_receiver supervisor_messages[] = {
    {IPC_PEER, on_peer}, {IPC_DRAIN, on_drain}};
static const struct ipc_receivers supervisor_receivers = {
    supervisor_messages, ARRAY_LEN(supervisor_messages), on_supervisor_closed};

/* --- time --- */

static void forget_destinations(struct queue *q, uint64_t now)
{
	int error = queue_db_begin(q->db, false);
	if (!error) {
		error = queue_db_forget_destinations(q->db, now, &q->forget_cursor);
		if (error)
			queue_db_rollback(q->db);
		else
			error = queue_db_commit(q->db);
	}
	if (error)
		queue_report(q, "destinations cannot be forgotten", error);
}

static void tick(struct queue *q)
{
	uint64_t now = clock_ms();
	if (now >= q->tick_at) {
		q->tick_at = now + QUEUE_TICK_MS;
		queue_check_questions(q);
		submit_check(q);
		policy_check(q);
		carry_check(q);
	}
	if (now >= q->forget_at) {
		q->forget_at = now + FORGET_EACH_MS;
		forget_destinations(q, clock_wall_ms());
		report_check(q, clock_wall_ms());
	}
}

static bool is_drained(const struct queue *q)
{
	return q->is_draining && carry_under_way(q) == 0 && !q->accepts && !carry_has_finished(q);
}

/* --- start --- */

int queue_prepare(struct queue *q, const struct config *config, int supervisor)
{
	cipher_init();
	charset_init();
	q->config = config;
	q->last_accept = &q->accepts;
	carry_init(q);
	report_init(q);
	int error = queue_db_open(&q->db);
	if (error) {
		log_event(LOG_ERROR, "queue.no-database", "file=%s error=%s",
		    error == -ENOKEY ? "queue/" QUEUE_KEY_FILE : "queue/" QUEUE_DATABASE_FILE,
		    log_quote(str_of_cstr(strerror(-error))).text);
		return error;
	}
	error = loop_new(&q->loop);
	if (!error && !loop_add_channel(q->loop, supervisor, &supervisor_receivers, q))
		error = -EMFILE;
	return error;
}

int queue_once(struct queue *q)
{
	int error = loop_once(q->loop, queue_wait_ms(q));
	if (error)
		return error;
	queue_round(q);
	tick(q);
	if (is_drained(q))
		q->is_over = true;
	return 0;
}

void queue_done(struct queue *q)
{
	submit_free(q);
	control_free(q);
	report_free(q);
	policy_free(q);
	carry_free(q);
	queue_drop_questions(q);
	loop_free(q->loop);
	queue_db_close(q->db);
}

/* The first line of its file, which the role's user must be able to read. */
static int read_relay_password(struct queue *q, int data_fd, size_t relay)
{
	const char *path = q->config->relays[relay].password_file;
	char *text = NULL;
	size_t len = 0;
	if (!config_is_given(path))
		return 0;
	int error = fd_read_file(data_fd, path, IPC_PASSWORD_MAX, &text, &len);
	if (!error) {
		struct str rest = str_of(text, len);
		error = carry_set_relay_password(q, relay, str_cut_line(&rest)) ? 0 : -EINVAL;
		explicit_bzero(text, len);
	}
	free(text);
	if (error)
		log_event(LOG_ERROR, "queue.no-relay-password", "relay=%s file=%s error=%s",
		    log_quote(str_of_cstr(q->config->relays[relay].label)).text,
		    log_quote(str_of_cstr(path)).text,
		    log_quote(str_of_cstr(strerror(-error))).text);
	return error;
}

static int read_relay_passwords(struct queue *q, int data_fd)
{
	int error = 0;
	for (size_t i = 0; i < q->config->n_relays && !error; i++)
		error = read_relay_password(q, data_fd, i);
	return error;
}

int queue_main(struct role_start *start)
{
	static struct queue q;
	if (queue_prepare(&q, start->config, start->supervisor) ||
	    read_relay_passwords(&q, start->data_fd))
		return 1;
	q.gathers = true;
	sandbox_enter(start);
	int error = role_ready(start);
	while (!error && !q.is_over)
		error = queue_once(&q);
	if (error)
		log_event(LOG_ERROR, "queue.loop-failed", "errno=%d", -error);
	queue_done(&q);
	return error ? 1 : 0;
}
