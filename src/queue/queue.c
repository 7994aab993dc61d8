#include "queue/queue.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "mail/charset.h"
#include "queue/key.h"
#include "queue/state.h"
#include "sandbox/sandbox.h"
#include "seal/cipher.h"

void queue_alarm(struct queue *q, enum ledger_kind kind, const char *peer, const char *detail)
{
	struct ipc_ledger_event event = {
	    .kind = (uint8_t)kind, .peer = str_of_cstr(peer), .detail = str_of_cstr(detail)};
	log_event(LOG_ALARM, "queue.alarm", "peer=%s detail=%s", log_quote(event.peer).text,
	    log_quote(event.detail).text);
	if (!q->ledger || loop_send(q->ledger, IPC_LEDGER_EVENT, &event))
		log_event(LOG_ERROR, "queue.ledger-unreachable", "kind=%d", (int)kind);
}

/* --- partners --- */

static void on_partner_closed(struct loop_entry *from, int error UNUSED, void *ctx)
{
	struct queue *q = ctx;
	if (q->ledger == from)
		q->ledger = NULL;
}

static const struct ipc_receivers ledger_receivers = {NULL, 0, on_partner_closed};

static int on_peer(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct queue *q = ctx;
	struct ipc_peer *peer = msg;
	struct loop_entry *entry = loop_add_channel(q->loop, peer->channel, &ledger_receivers, q);
	if (!entry)
		return -EPROTO;
	peer->channel = -1;
	if (peer->role == ROLE_LEDGER)
		q->ledger = entry;
	return 0;
}

static void on_drain_over(void *ctx)
{
	((struct queue *)ctx)->is_over = true;
}

static int on_drain(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct queue *q = ctx;
	q->is_draining = true;
	q->is_over = true;
	if (loop_after(q->loop, ((struct ipc_drain *)msg)->ms, on_drain_over, q))
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

/* --- start --- */

static int prepare(struct queue *q, struct role_start *start)
{
	cipher_init();
	charset_init();
	q->config = start->config;
	int error = queue_db_open(&q->db);
	if (error) {
		log_event(LOG_ERROR, "queue.no-database", "file=%s error=%s",
		    error == -ENOKEY ? "queue/" QUEUE_KEY_FILE : "queue/" QUEUE_DATABASE_FILE,
		    log_quote(str_of_cstr(strerror(-error))).text);
		return error;
	}
	return loop_new(&q->loop);
}

int queue_main(struct role_start *start)
{
	static struct queue q;
	if (prepare(&q, start) ||
	    !loop_add_channel(q.loop, start->supervisor, &supervisor_receivers, &q))
		return 1;
	sandbox_enter(start);
	int error = role_ready(start);
	while (!error && !q.is_over)
		error = loop_once(q.loop, -1);
	if (error)
		log_event(LOG_ERROR, "queue.loop-failed", "errno=%d", -error);
	queue_db_close(q.db);
	loop_free(q.loop);
	return error ? 1 : 0;
}
