/* Recipients of this server: directory says which accounts they are, delivery takes the message. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "queue/carriage.h"

enum {
	ENVELOPE_EACH = 16, /* of an account in IPC_DELIVER, beside its address */
	ENVELOPE_LEN_MAX = IPC_MESSAGE_MAX - 2048,
};

struct route_ask {
	struct carriage *c;
	size_t index;
};

static struct outcome *settle(
    struct carriage *c, size_t i, uint8_t result, const char *status, const char *text)
{
	c->outcomes[i] = (struct outcome){.is_known = true,
	    .result = result,
	    .is_local = true,
	    .status = str_of_cstr(status),
	    .text = str_of_cstr(text),
	    .outside = c->outcomes[i].outside,
	    .sender = c->outcomes[i].sender};
	return &c->outcomes[i];
}

/* --- gates: channels to delivery, each with one message under way --- */

static void remove_gate(struct local_gate *gate)
{
	struct local_gate **at = &gate->q->carriages->gates;
	while (*at != gate)
		at = &(*at)->next;
	*at = gate->next;
	free(gate);
}

static int on_delivered(struct loop_entry *from, void *msg, void *ctx);

static void on_gate_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct local_gate *gate = ctx;
	struct carriage *c = gate->carriage;
	if (error == -EBADMSG || error == -EPROTO)
		queue_alarm(gate->q, LEDGER_ALARM_BAD_MESSAGE, "",
		    "delivery sent the queue what it may not send");
	remove_gate(gate);
	if (c)
		carriage_fail(c, c->q->is_draining ? CAUSE_PARTNER : CAUSE_CRASH, "4.3.0",
		    "the process that writes into mailboxes ended over it");
}

static const struct ipc_receiver gate_messages[] = {{IPC_DELIVERED, on_delivered}};
static const struct ipc_receivers gate_receivers = {
    gate_messages, ARRAY_LEN(gate_messages), on_gate_closed};

static struct local_gate *new_gate(struct queue *q, uint16_t worker)
{
	int ends[2];
	if (ipc_pair(ends))
		return NULL;
	struct local_gate *gate = calloc(1, sizeof(*gate));
	if (!gate)
		abort();
	gate->q = q;
	gate->worker = worker;
	struct ipc_gate m = {.connection = ++q->carriages->next_connection, .channel = ends[1]};
	int error = loop_send(q->delivery[worker], IPC_GATE, &m);
	close(ends[1]);
	if (!error)
		gate->entry = loop_add_channel(q->loop, ends[0], &gate_receivers, gate);
	if (!gate->entry) {
		close(ends[0]);
		free(gate);
		return NULL;
	}
	gate->next = q->carriages->gates;
	q->carriages->gates = gate;
	return gate;
}

/* A free gate of the worker; NULL: all are busy. */
static struct local_gate *gate_of(struct queue *q, uint16_t worker)
{
	size_t n = 0;
	for (struct local_gate *g = q->carriages->gates; g; g = g->next) {
		if (g->worker != worker)
			continue;
		if (!g->carriage)
			return g;
		n++;
	}
	return n < CARRY_GATES_EACH ? new_gate(q, worker) : NULL;
}

/* All mail of an account goes to one worker, so that the workers do not wait for each other at its
 * letterbox; to the next where that one is being started anew. -1: there is none. */
static int worker_for(const struct queue *q, uint64_t account)
{
	uint64_t n = q->config->delivery_workers;
	for (uint64_t i = 0; i < n; i++)
		if (q->delivery[(account + i) % n])
			return (int)((account + i) % n);
	return -1;
}

/* --- delivering --- */

/* False: no room, in number or in the bytes of one message between processes. */
static bool add_accounts(struct ipc_envelope *e, size_t *len, uint64_t *ids, struct str *addresses,
    struct ipc_u64s accounts, struct str address)
{
	size_t more = accounts.n * (address.len + ENVELOPE_EACH);
	if (e->accounts.n + accounts.n > IPC_RECIPIENTS_MAX || *len + more > ENVELOPE_LEN_MAX)
		return false;
	*len += more;
	for (size_t i = 0; i < accounts.n; i++) {
		ids[e->accounts.n] = accounts.v[i];
		addresses[e->accounts.n++] = address;
	}
	e->recipients.n = e->accounts.n;
	return true;
}

/* The recipients that are not delivered yet, as many as fit. */
static void gather(struct carriage *c, struct ipc_envelope *e, uint64_t *ids, struct str *addresses)
{
	size_t len = 0;
	for (size_t i = 0; i < c->n; i++) {
		c->in_group[i] = false;
		if (c->outcomes[i].is_known)
			continue;
		/* One that leads to very many goes with as much of its address as there is room. */
		size_t most = ENVELOPE_LEN_MAX / num_max(c->accounts[i].n, 1) - ENVELOPE_EACH;
		struct str address = str_first(c->v[i].address, most);
		c->in_group[i] = add_accounts(e, &len, ids, addresses, c->accounts[i], address);
	}
}

static void wait_for_gate(struct carriage *c)
{
	c->next = c->q->carriages->local_waiting;
	c->q->carriages->local_waiting = c;
}

static void deliver_next(struct carriage *c)
{
	uint64_t ids[IPC_RECIPIENTS_MAX];
	struct str addresses[IPC_RECIPIENTS_MAX];
	struct ipc_envelope e = {.accounts = {ids, 0},
	    .recipients = {addresses, 0},
	    .reverse_path = c->m.mail.reverse_path,
	    .envelope_id = c->m.mail.envelope_id,
	    .body = c->m.mail.body,
	    .smtputf8 = c->m.mail.smtputf8};
	gather(c, &e, ids, addresses);
	if (e.accounts.n == 0) {
		carriage_finished(c);
		return;
	}
	int worker = worker_for(c->q, ids[0]);
	if (worker < 0) {
		carriage_fail(
		    c, CAUSE_PARTNER, "4.3.0", "no process is there that writes into mailboxes");
		return;
	}
	struct local_gate *gate = gate_of(c->q, (uint16_t)worker);
	if (!gate) {
		wait_for_gate(c);
		return;
	}
	struct ipc_deliver m = {.envelope = e, .message = c->message};
	gate->carriage = c;
	gate->until = clock_ms() + CARRY_DELIVERY_MS;
	/* When it fails, the gate's end is on its way; but not where it cannot be said to it. */
	if (loop_send(gate->entry, IPC_DELIVER, &m) != -EMSGSIZE)
		return;
	gate->carriage = NULL;
	carriage_fail(c, CAUSE_ATTEMPT, "5.1.3", "an address in it is too long");
}

static bool leads_to(struct ipc_u64s accounts, uint64_t account)
{
	for (size_t i = 0; i < accounts.n; i++)
		if (accounts.v[i] == account)
			return true;
	return false;
}

/* All of a group got it or none. A full mailbox holds only its own up. */
static void take_result(struct carriage *c, const struct ipc_delivered *m)
{
	for (size_t i = 0; i < c->n; i++) {
		if (!c->in_group[i])
			continue;
		if (m->result == DELIVER_OK)
			settle(c, i, CARRY_ACCEPTED, "2.0.0", "");
		else if (m->result == DELIVER_QUOTA && leads_to(c->accounts[i], m->account))
			settle(c, i, CARRY_LATER, "4.2.2", "the mailbox is full");
		else if (m->result == DELIVER_FULL)
			settle(c, i, CARRY_LATER, "4.3.1", "the server's disk is full");
		else if (m->result != DELIVER_QUOTA)
			settle(c, i, CARRY_LATER, "4.3.0", "the mailbox cannot be written");
	}
}

static bool is_anyones(const struct carriage *c, uint64_t account)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->in_group[i] && leads_to(c->accounts[i], account))
			return true;
	return false;
}

static int on_delivered(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct local_gate *gate = ctx;
	struct carriage *c = gate->carriage;
	const struct ipc_delivered *m = msg;
	if (!c || (m->result == DELIVER_QUOTA && !is_anyones(c, m->account)))
		return -EPROTO;
	gate->carriage = NULL;
	take_result(c, m);
	deliver_next(c);
	local_continue(gate->q);
	return 0;
}

void local_continue(struct queue *q)
{
	struct carriage *c = q->carriages->local_waiting;
	q->carriages->local_waiting = NULL;
	while (c) {
		struct carriage *next = c->next;
		deliver_next(c);
		c = next;
	}
}

/* Those that wait may do so for want of a descriptor, where no gate's end will wake them. */
void local_check(struct queue *q)
{
	uint64_t now = clock_ms();
	struct local_gate *next;
	for (struct local_gate *gate = q->carriages->gates; gate; gate = next) {
		struct carriage *c = gate->carriage;
		next = gate->next;
		if (!c || now < gate->until)
			continue;
		loop_remove(gate->entry);
		remove_gate(gate);
		carriage_fail(c, CAUSE_CRASH, "4.3.0",
		    "the process that writes into mailboxes did not answer");
	}
	local_continue(q);
}

void local_free(struct queue *q)
{
	while (q->carriages->gates)
		remove_gate(q->carriages->gates);
}

void carry_delivery_changed(struct queue *q, uint16_t index)
{
	struct local_gate *next;
	for (struct local_gate *gate = q->carriages->gates; gate; gate = next) {
		next = gate->next;
		if (gate->worker == index && !gate->carriage) {
			loop_remove(gate->entry);
			remove_gate(gate);
		}
	}
	local_continue(q);
}

/* --- where they are --- */

static bool keep(struct carriage *c, size_t i, const struct ipc_route_answer *m)
{
	uint64_t *accounts = ARENA_NEW_ARRAY(&c->arena, uint64_t, m->accounts.n + 1);
	struct str *outside = ARENA_NEW_ARRAY(&c->arena, struct str, m->outside.n + 1);
	if (!accounts || !outside)
		return false;
	for (size_t k = 0; k < m->accounts.n; k++)
		accounts[k] = m->accounts.v[k];
	for (size_t k = 0; k < m->outside.n; k++)
		if (!arena_dup(&c->arena, m->outside.v[k], &outside[k]))
			return false;
	c->accounts[i] = (struct ipc_u64s){accounts, m->accounts.n};
	c->outcomes[i].outside = (struct ipc_strs){outside, m->outside.n};
	return arena_dup(&c->arena, m->reverse_path, &c->outcomes[i].sender);
}

static void take_route(struct carriage *c, size_t i, const struct ipc_route_answer *m)
{
	if (!m || m->result == RCPT_TEMPORARY) {
		settle(c, i, CARRY_LATER, "4.3.0", "the directory did not answer")->cause =
		    CAUSE_PARTNER;
	} else if (m->result == RCPT_UNKNOWN) {
		settle(c, i, CARRY_NEVER, "5.1.1", "there is no such mailbox here");
	} else if (!keep(c, i, m)) {
		settle(c, i, CARRY_LATER, "4.3.0", "the address leads to too many");
	} else if (m->result == RCPT_NOT_LOCAL) {
		/* The domain was ours when the message came. */
		c->outcomes[i].outside = (struct ipc_strs){&c->v[i].address, 1};
		settle(c, i, CARRY_ACCEPTED, "2.0.0", "")->expanded = true;
	} else if (m->accounts.n == 0) {
		settle(c, i, CARRY_ACCEPTED, "2.0.0", "")->expanded = true;
	}
}

static void on_route(const void *answer, void *ctx)
{
	struct route_ask *ask = ctx;
	struct carriage *c = ask->c;
	take_route(c, ask->index, answer);
	if (--c->n_asked == 0)
		deliver_next(c);
}

void local_start(struct carriage *c)
{
	struct queue *q = c->q;
	c->accounts = ARENA_NEW_ARRAY(&c->arena, struct ipc_u64s, c->n);
	c->in_group = ARENA_NEW_ARRAY(&c->arena, bool, c->n);
	c->asks = ARENA_NEW_ARRAY(&c->arena, struct route_ask, c->n);
	assert(c->accounts && c->in_group && c->asks);
	for (size_t i = 0; i < c->n; i++) {
		struct ipc_route m = {.request = queue_request(q),
		    .address = c->v[i].address,
		    .reverse_path = c->m.mail.reverse_path};
		c->asks[i] = (struct route_ask){c, i};
		if (queue_ask(q, q->directory, IPC_ROUTE, &m, m.request, IPC_ROUTE_ANSWER, on_route,
		        &c->asks[i]))
			take_route(c, i, NULL);
		else
			c->n_asked++;
	}
	if (c->n_asked == 0)
		deliver_next(c);
}
