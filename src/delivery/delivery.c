#include "delivery/delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "config/config.h"
#include "delivery/batch.h"
#include "ipc/loop.h"
#include "sandbox/sandbox.h"
#include "store/store.h"

enum { PEER_TEXT_MAX = 64, CHANGED_MAX = 4096, REQUEST_ARENA_MAX = 1 << 20 };

/* Return-Path: and the trace stand on top of a message; whoever signs in must be able to read all.
 */
_Static_assert(CONFIG_MESSAGE_SIZE_MAX + IPC_MESSAGE_MAX <= STORE_MESSAGE_LEN_MAX,
    "what is accepted can be read again");

struct worker {
	struct loop *loop;
	struct accounts accounts;
	struct loop_entry *registry; /* NULL while it is started anew */
	struct loop_entry *ledger;
	struct delivery *first, **last; /* waiting, in the order of arrival */
	size_t n_gates;
	bool is_draining;
	bool is_over;
	bool will_forget; /* a timer is set for the sender */
};

struct gate {
	struct worker *worker;
	struct loop_entry *entry;
	uint64_t connection;
	char peer[PEER_TEXT_MAX + 1];
	struct delivery *waiting; /* its message under way, or NULL */
};

static void tell_ledger(
    struct worker *w, enum ledger_kind kind, uint64_t account, const char *peer, const char *detail)
{
	struct ipc_ledger_event event = {.kind = (uint8_t)kind,
	    .account = account,
	    .peer = str_of_cstr(peer),
	    .detail = str_of_cstr(detail)};
	log_event(LOG_ALARM, "delivery.alarm", "account=%" PRIu64 " peer=%s detail=%s", account,
	    log_quote(event.peer).text, log_quote(event.detail).text);
	if (w->ledger && loop_send(w->ledger, IPC_LEDGER_EVENT, &event))
		log_event(LOG_ERROR, "delivery.ledger-unreachable", "gates=%zu", w->n_gates);
}

static void end_when_drained(struct worker *w)
{
	if (w->is_draining && w->n_gates == 0)
		w->is_over = true;
}

/* --- a message waiting --- */

static void free_delivery(struct delivery *d)
{
	if (d->is_mapped && d->message.len > 0)
		munmap((void *)(uintptr_t)d->message.p, d->message.len);
	arena_done(&d->arena);
	free(d);
}

/* The bytes of a sealed memory file; nobody can change or shorten them any more. */
static int map_message(int fd, struct str *ret_message)
{
	size_t len = 0;
	int error = fd_check_sealed(fd, &len);
	if (error)
		return error;
	if (len > CONFIG_MESSAGE_SIZE_MAX)
		return -EFBIG;
	void *p = len > 0 ? mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	if (p == MAP_FAILED)
		return -errno;
	*ret_message = str_of(p, len);
	return 0;
}

/* Keeps each account once, with the first address that led to it, in the order of ids. */
static void keep_recipients(struct delivery *d, const struct ipc_envelope *m)
{
	uint64_t *ids = ARENA_NEW_ARRAY(&d->arena, uint64_t, m->accounts.n);
	struct str *addresses = ARENA_NEW_ARRAY(&d->arena, struct str, m->accounts.n);
	if (!ids || !addresses)
		abort();
	for (size_t i = 0; i < m->accounts.n; i++) {
		size_t at = d->n_accounts;
		while (at > 0 && ids[at - 1] > m->accounts.v[i])
			at--;
		if (at > 0 && ids[at - 1] == m->accounts.v[i])
			continue;
		memmove(ids + at + 1, ids + at, (d->n_accounts - at) * sizeof(*ids));
		memmove(
		    addresses + at + 1, addresses + at, (d->n_accounts - at) * sizeof(*addresses));
		ids[at] = m->accounts.v[i];
		if (!arena_dup(&d->arena, m->recipients.v[i], &addresses[at]))
			abort();
		d->n_accounts++;
	}
	d->accounts = ids;
	d->recipients = addresses;
}

/* The reverse path goes into a header field. */
static bool is_one_line(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return false;
	}
	return true;
}

static bool is_sound(const struct ipc_envelope *m)
{
	return m->accounts.n > 0 && m->accounts.n == m->recipients.n &&
	       is_one_line(m->reverse_path) &&
	       (m->trace.len == 0 || str_ends(m->trace, STR("\r\n")));
}

/* --- gates --- */

static struct delivery *new_delivery(struct gate *gate, const struct ipc_envelope *m)
{
	struct delivery *d = calloc(1, sizeof(*d));
	if (!d)
		abort();
	*d = (struct delivery){.ctx = gate,
	    .arena = ARENA_MAX(REQUEST_ARENA_MAX),
	    .body_type = m->body,
	    .smtputf8 = m->smtputf8 != 0};
	keep_recipients(d, m);
	if (!arena_dup(&d->arena, m->reverse_path, &d->reverse_path) ||
	    !arena_dup(&d->arena, m->trace, &d->trace) ||
	    !arena_dup(&d->arena, m->envelope_id, &d->envelope_id))
		abort();
	return d;
}

static void enqueue(struct gate *gate, struct delivery *d)
{
	struct worker *w = gate->worker;
	gate->waiting = d;
	*w->last = d;
	w->last = &d->next;
}

static int on_deliver(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct gate *gate = ctx;
	const struct ipc_deliver *m = msg;
	if (gate->waiting || !is_sound(&m->envelope))
		return -EPROTO;
	struct str message;
	int error = map_message(m->message, &message);
	if (error)
		return error == -ENOMEM ? error : -EPROTO;
	struct delivery *d = new_delivery(gate, &m->envelope);
	d->message = message;
	d->is_mapped = true;
	enqueue(gate, d);
	return 0;
}

static int on_deliver_short(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct gate *gate = ctx;
	const struct ipc_deliver_short *m = msg;
	if (gate->waiting || !is_sound(&m->envelope))
		return -EPROTO;
	struct delivery *d = new_delivery(gate, &m->envelope);
	if (!arena_dup(&d->arena, m->message, &d->message))
		abort();
	enqueue(gate, d);
	return 0;
}

static void on_gate_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct gate *gate = ctx;
	struct worker *w = gate->worker;
	if (error == -EBADMSG || error == -EPROTO)
		tell_ledger(w, LEDGER_ALARM_BAD_MESSAGE, 0, gate->peer,
		    "a gate sent delivery what it may not send");
	if (gate->waiting)
		gate->waiting->ctx = NULL;
	free(gate);
	w->n_gates--;
	end_when_drained(w);
}

static const struct ipc_receiver gate_messages[] = {
    {IPC_DELIVER, on_deliver}, {IPC_DELIVER_SHORT, on_deliver_short}};
static const struct ipc_receivers gate_receivers = {
    gate_messages, ARRAY_LEN(gate_messages), on_gate_closed};

/* --- the gatekeeper --- */

static int on_gate(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct worker *w = ctx;
	struct ipc_gate *m = msg;
	struct gate *gate = calloc(1, sizeof(*gate));
	if (!gate)
		abort();
	gate->worker = w;
	gate->connection = m->connection;
	if (str_to_cstr(m->peer, gate->peer, sizeof(gate->peer)) < 0) {
		free(gate);
		return -EPROTO;
	}
	gate->entry = loop_add_channel(w->loop, m->channel, &gate_receivers, gate);
	if (!gate->entry) {
		/* Full: the gate sees its channel end and says 421. */
		log_event(LOG_WARNING, "delivery.full", "gates=%zu", w->n_gates);
		free(gate);
		return 0;
	}
	m->channel = -1;
	w->n_gates++;
	return 0;
}

static void on_gatekeeper_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	if (error == -EBADMSG || error == -EPROTO)
		tell_ledger(ctx, LEDGER_ALARM_BAD_MESSAGE, 0, "",
		    "a gatekeeper sent delivery what it may not send");
}

static const struct ipc_receiver gatekeeper_messages[] = {{IPC_GATE, on_gate}};
static const struct ipc_receivers gatekeeper_receivers = {
    gatekeeper_messages, ARRAY_LEN(gatekeeper_messages), on_gatekeeper_closed};

/* --- registry, ledger, supervisor --- */

static void on_partner_closed(struct loop_entry *from, int error UNUSED, void *ctx)
{
	struct worker *w = ctx;
	if (w->registry == from)
		w->registry = NULL;
	if (w->ledger == from)
		w->ledger = NULL;
}

static const struct ipc_receivers partner_receivers = {NULL, 0, on_partner_closed};

static int on_peer(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct worker *w = ctx;
	struct ipc_peer *peer = msg;
	const struct ipc_receivers *receivers = &partner_receivers;
	/* The queue brings what it delivers over channels that it makes as a gatekeeper does. */
	if (peer->role == ROLE_GATEKEEPER_SMTP || peer->role == ROLE_QUEUE)
		receivers = &gatekeeper_receivers;
	else if (peer->role != ROLE_REGISTRY && peer->role != ROLE_LEDGER)
		return -EPROTO;
	struct loop_entry *entry = loop_add_channel(w->loop, peer->channel, receivers, w);
	if (!entry)
		return 0;
	peer->channel = -1;
	if (peer->role == ROLE_REGISTRY)
		w->registry = entry;
	else if (peer->role == ROLE_LEDGER)
		w->ledger = entry;
	return 0;
}

static void on_drain_over(void *ctx)
{
	((struct worker *)ctx)->is_over = true;
}

static int on_drain(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct worker *w = ctx;
	w->is_draining = true;
	if (loop_after(w->loop, ((struct ipc_drain *)msg)->ms, on_drain_over, w))
		w->is_over = true;
	end_when_drained(w);
	return 0;
}

static void on_supervisor_closed(struct loop_entry *from UNUSED, int error UNUSED, void *ctx)
{
	((struct worker *)ctx)->is_over = true;
}

static const struct ipc_receiver supervisor_messages[] = {
    {IPC_PEER, on_peer}, {IPC_DRAIN, on_drain}};
static const struct ipc_receivers supervisor_receivers = {
    supervisor_messages, ARRAY_LEN(supervisor_messages), on_supervisor_closed};

/* --- the work --- */

static void answer(struct worker *w, struct delivery *d)
{
	struct gate *gate = d->ctx;
	if (d->result == DELIVER_TEMPORARY && d->error == -EBADMSG)
		tell_ledger(w, LEDGER_ALARM_DAMAGE, d->at_account, "", d->detail);
	if (d->result != DELIVER_OK)
		log_event(LOG_WARNING, "delivery.failed",
		    "connection=%" PRIu64 " account=%" PRIu64 " result=%d errno=%d detail=%s",
		    gate ? gate->connection : 0, d->at_account, (int)d->result, -d->error,
		    log_quote(str_of_cstr(d->detail)).text);
	if (!gate)
		return;
	gate->waiting = NULL;
	struct ipc_delivered m = {.result = (uint8_t)d->result,
	    .account = d->at_account,
	    .detail = str_of_cstr(d->detail)};
	/* A gate that is gone has its `closed` called by the loop. */
	if (loop_send(gate->entry, IPC_DELIVERED, &m))
		log_event(
		    LOG_WARNING, "delivery.gate-gone", "connection=%" PRIu64, gate->connection);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void send_changed(struct worker *w, uint64_t *ids, size_t n)
{
	if (n == 0 || !w->registry)
		return;
	qsort(ids, n, sizeof(*ids), by_number);
	size_t n_distinct = 1;
	for (size_t i = 1; i < n; i++) {
		if (ids[i] != ids[n_distinct - 1])
			ids[n_distinct++] = ids[i];
	}
	struct ipc_changed m = {{ids, n_distinct}};
	if (loop_send(w->registry, IPC_CHANGED, &m))
		log_event(LOG_WARNING, "delivery.registry-unreachable", "accounts=%zu", n_distinct);
}

/* Tells the registry which accounts have new mail, in as many messages as it takes. */
static void tell_registry(struct worker *w, struct delivery *first, const struct delivery *rest)
{
	uint64_t ids[CHANGED_MAX];
	size_t n = 0;
	for (struct delivery *d = first; d != rest; d = d->next) {
		if (d->result != DELIVER_OK)
			continue;
		if (n + d->n_accounts > CHANGED_MAX) {
			send_changed(w, ids, n);
			n = 0;
		}
		memcpy(ids + n, d->accounts, d->n_accounts * sizeof(*ids));
		n += d->n_accounts;
	}
	send_changed(w, ids, n);
}

/* Nobody waits for the answer of a gate that died: its client got none, and comes again. */
static void drop_orphans(struct worker *w)
{
	struct delivery **at = &w->first;
	while (*at) {
		struct delivery *d = *at;
		if (d->ctx) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		free_delivery(d);
	}
	w->last = at;
}

static void forget_sender(void *ctx)
{
	struct worker *w = ctx;
	w->will_forget = false;
	accounts_forget_sender(&w->accounts);
}

/* Not before the batch is over, and not much later than promised where no other one comes. */
static void forget_sender_soon(struct worker *w)
{
	if (w->will_forget || !w->accounts.has_sender)
		return;
	w->will_forget = loop_after(w->loop, ACCOUNTS_SENDER_MS, forget_sender, w) == 0;
	if (!w->will_forget)
		forget_sender(w);
}

static void deliver_waiting(struct worker *w)
{
	drop_orphans(w);
	while (w->first) {
		struct delivery *rest;
		batch_run(&w->accounts, w->first, &rest);
		forget_sender_soon(w);
		for (struct delivery *d = w->first; d != rest; d = d->next)
			answer(w, d);
		tell_registry(w, w->first, rest);
		while (w->first != rest) {
			struct delivery *d = w->first;
			w->first = d->next;
			free_delivery(d);
		}
		if (!w->first)
			w->last = &w->first;
	}
}

int delivery_main(struct role_start *start)
{
	struct worker w = {0};
	int folder CLEANUP(fd_close) = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w.last = &w.first;
	w.accounts.folder_fd = folder;
	if (folder < 0 || loop_new(&w.loop)) {
		log_event(LOG_ERROR, "delivery.no-accounts-folder", "errno=%d", errno);
		return 1;
	}
	if (!loop_add_channel(w.loop, start->supervisor, &supervisor_receivers, &w))
		return 1;
	cipher_init();
	sandbox_enter(start);
	int error = role_ready(start);
	while (!error && !w.is_over) {
		error = loop_once(w.loop, -1);
		deliver_waiting(&w);
	}
	if (error)
		log_event(LOG_ERROR, "delivery.loop-failed", "errno=%d", -error);
	accounts_done(&w.accounts);
	loop_free(w.loop);
	return error ? 1 : 0;
}
