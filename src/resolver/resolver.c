#include "resolver/resolver.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "dns/rdata.h"
#include "ipc/loop.h"
#include "resolver/lookup.h"
#include "sandbox/sandbox.h"

struct resolver {
	struct loop *loop;
	struct lookup *lookup;
	struct loop_entry *ledger;     /* NULL while it is started anew */
	struct question *first, *last; /* not answered yet, the oldest first */
	size_t n_questions;            /* that libunbound works on, answered by us or not */
};

struct asker {
	struct resolver *resolver;
	struct loop_entry *channel;
	bool is_queue;
	size_t n_questions; /* not answered yet */
};

struct question {
	struct resolver *resolver;
	struct asker *asker; /* NULL: it left, or was told that there is no answer in time */
	uint64_t request;
	uint64_t until; /* clock_ms */
	struct question *next, *before;
};

static void raise_alarm(struct resolver *r, const char *detail)
{
	struct ipc_ledger_event event = {
	    .kind = LEDGER_ALARM_BAD_MESSAGE, .detail = str_of_cstr(detail)};

	log_event(LOG_ALARM, "resolver.bad_message", "detail=%s", log_quote(event.detail).text);
	if (r->ledger != NULL)
		(void)loop_send(r->ledger, IPC_LEDGER_EVENT, &event);
}

/* --- questions --- */

static struct question *add_question(struct asker *asker, uint64_t request)
{
	struct resolver *r = asker->resolver;
	struct question *q = calloc(1, sizeof(*q));

	assert(q != NULL);
	*q = (struct question){.resolver = r,
	    .asker = asker,
	    .request = request,
	    .until = clock_ms() + RESOLVER_SECONDS * 1000,
	    .before = r->last};
	if (r->last != NULL)
		r->last->next = q;
	else
		r->first = q;
	r->last = q;
	asker->n_questions++;
	r->n_questions++;
	return q;
}

/* Takes it off the list of those that an answer is owed for. */
static void settle(struct question *q)
{
	struct resolver *r = q->resolver;

	if (q->asker == NULL)
		return;
	*(q->before != NULL ? &q->before->next : &r->first) = q->next;
	*(q->next != NULL ? &q->next->before : &r->last) = q->before;
	q->asker->n_questions--;
	q->asker = NULL;
}

static void answered(void *ctx, const struct ipc_dns_answer *answer)
{
	struct question *q = ctx;
	struct ipc_dns_answer ours = *answer;

	ours.request = q->request;
	if (q->asker != NULL)
		(void)loop_send(q->asker->channel, IPC_DNS_ANSWER, &ours);
	settle(q);
	q->resolver->n_questions--;
	free(q);
}

static void refuse(struct asker *asker, uint64_t request, enum dns_result result, struct str why)
{
	struct ipc_dns_answer answer = {
	    .request = request, .result = (uint8_t)result, .detail = why};

	(void)loop_send(asker->channel, IPC_DNS_ANSWER, &answer);
}

static void end_late_ones(void *ctx)
{
	struct resolver *r = ctx;
	uint64_t now = clock_ms();

	while (r->first != NULL && r->first->until <= now) {
		struct question *q = r->first;
		refuse(q->asker, q->request, DNS_FAILED, STR("no name server of it answers"));
		settle(q); /* libunbound goes on; its answer is for the next who asks */
	}
	if (loop_after(r->loop, 1000, end_late_ones, r) < 0)
		loop_stop(r->loop);
}

static bool is_type_known(uint16_t type)
{
	static const uint16_t types[] = {
	    DNS_A, DNS_CNAME, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_TLSA};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i] == type)
			return true;
	return false;
}

static int on_dns(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct asker *asker = ctx;
	struct resolver *r = asker->resolver;
	const struct ipc_dns *dns = msg;
	struct dns_name name;

	if (!is_type_known(dns->type) ||
	    (!asker->is_queue && asker->n_questions >= RESOLVER_ASKER_MAX))
		return -EPROTO;
	if (asker->n_questions >= RESOLVER_QUEUE_MAX || r->n_questions >= RESOLVER_QUESTIONS_MAX)
		refuse(asker, dns->request, DNS_FAILED, STR("too many questions at once"));
	else if (!dns_name_parse(dns->name, &name))
		refuse(asker, dns->request, DNS_NO_NAME, STR("this can be no name in the DNS"));
	else
		lookup_ask(
		    r->lookup, &name, dns->type, answered, add_question(asker, dns->request));
	return 0;
}

/* --- askers --- */

static void on_asker_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct asker *asker = ctx;
	struct resolver *r = asker->resolver;
	struct question *next;

	if (error == -EBADMSG || error == -EPROTO)
		raise_alarm(r, asker->is_queue ? "the queue sent a message that is not allowed"
		                               : "a courier asked for what it may not ask");
	for (struct question *q = r->first; q != NULL; q = next) {
		next = q->next;
		if (q->asker == asker)
			settle(q);
	}
	free(asker);
}

static const struct ipc_receiver asker_messages[] = {{IPC_DNS, on_dns}};
static const struct ipc_receivers asker_receivers = {
    asker_messages, ARRAY_LEN(asker_messages), on_asker_closed};

/* `*channel` is taken unless the loop is full: then it ends, and the other side sees that. */
static void add_asker(struct resolver *r, int *channel, bool is_queue)
{
	struct asker *asker = calloc(1, sizeof(*asker));

	assert(asker != NULL);
	*asker = (struct asker){.resolver = r, .is_queue = is_queue};
	asker->channel = loop_add_channel(r->loop, *channel, &asker_receivers, asker);
	if (asker->channel == NULL) {
		log_event(LOG_WARNING, "resolver.full", "questions=%zu", r->n_questions);
		free(asker);
		return;
	}
	*channel = -1;
}

static int on_asker(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	add_asker(ctx, &((struct ipc_asker *)msg)->channel, false);
	return 0;
}

static void on_dispatcher_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	if (error == -EBADMSG || error == -EPROTO)
		raise_alarm(ctx, "the dispatcher sent a message that is not allowed");
}

static const struct ipc_receiver dispatcher_messages[] = {{IPC_ASKER, on_asker}};
static const struct ipc_receivers dispatcher_receivers = {
    dispatcher_messages, ARRAY_LEN(dispatcher_messages), on_dispatcher_closed};

/* --- ledger and supervisor --- */

static void on_ledger_closed(struct loop_entry *from, int error UNUSED, void *ctx)
{
	struct resolver *r = ctx;

	if (r->ledger == from)
		r->ledger = NULL;
}

static const struct ipc_receivers ledger_receivers = {NULL, 0, on_ledger_closed};

static int on_peer(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct resolver *r = ctx;
	struct ipc_peer *peer = msg;
	struct loop_entry *entry = NULL;

	switch (peer->role) {
	case ROLE_QUEUE:
		add_asker(r, &peer->channel, true);
		return 0;
	case ROLE_DISPATCHER:
		entry = loop_add_channel(r->loop, peer->channel, &dispatcher_receivers, r);
		break;
	case ROLE_LEDGER:
		entry = loop_add_channel(r->loop, peer->channel, &ledger_receivers, r);
		r->ledger = entry;
		break;
	default:
		return -EPROTO;
	}
	if (entry != NULL)
		peer->channel = -1;
	return 0;
}

/* Nothing is lost: who is not answered asks again, after the next start. */
static int on_drain(struct loop_entry *from UNUSED, void *msg UNUSED, void *ctx)
{
	loop_stop(((struct resolver *)ctx)->loop);
	return 0;
}

static void on_supervisor_closed(struct loop_entry *from UNUSED, int error UNUSED, void *ctx)
{
	loop_stop(((struct resolver *)ctx)->loop);
}

static const struct ipc_receiver supervisor_messages[] = {
    {IPC_PEER, on_peer}, {IPC_DRAIN, on_drain}};
static const struct ipc_receivers supervisor_receivers = {
    supervisor_messages, ARRAY_LEN(supervisor_messages), on_supervisor_closed};

int resolver_main(struct role_start *start)
{
	struct resolver r = {0};

	if (loop_new(&r.loop) < 0 || lookup_new(start, r.loop, &r.lookup) < 0)
		return 1;
	if (loop_add_channel(r.loop, start->supervisor, &supervisor_receivers, &r) == NULL)
		return 1;
	sandbox_enter(start);
	int error = role_ready(start);
	if (error == 0)
		end_late_ones(&r);
	if (error == 0)
		error = loop_run(r.loop);
	if (error < 0)
		log_event(LOG_ERROR, "resolver.loop_failed", "errno=%d", -error);
	/* What is under way is given up with the process. */
	return error < 0 ? 1 : 0;
}
