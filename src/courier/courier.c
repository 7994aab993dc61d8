#include "courier/courier.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "config/config.h"
#include "courier/state.h"
#include "mail/address.h"
#include "mail/mta_sts.h"

enum { JOB_MEMORY = 1 << 20 };

const struct courier_times courier_times = {
    .connect = 30 * 1000,
    .tls = 60 * 1000,
    .greeting = 300 * 1000,
    .command = 300 * 1000,
    .data = 120 * 1000,
    .block = 180 * 1000,
    .final = 600 * 1000,
    .quit = 5 * 1000,
};

/* --- one message from the queue --- */

static void job_done(struct job *job)
{
	if (job->message.p != NULL)
		munmap((void *)(uintptr_t)job->message.p, job->message.len);
	arena_done(&job->arena);
}

static int add_recipient(struct job *job, const struct ipc_carry_rcpt *m)
{
	if (job->n == IPC_RECIPIENTS_MAX)
		return -EPROTO;
	struct recipient *r = &job->v[job->n];
	*r = (struct recipient){.notify = m->notify};
	if (!arena_dup(&job->arena, m->recipient, &r->address) ||
	    !arena_dup(&job->arena, m->original_recipient, &r->original))
		return -EPROTO;
	job->n++;
	return 0;
}

static int map_message(struct job *job, const struct ipc_carry_message *m)
{
	size_t len;

	if (m->n_recipients != job->n || job->n == 0)
		return -EPROTO;
	int r = fd_check_sealed(m->message, &len);
	if (r < 0 || len == 0)
		return r < 0 ? r : -EPROTO;
	void *p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, m->message, 0);
	if (p == MAP_FAILED)
		return -errno;
	job->message = str_of(p, len);
	return 0;
}

/* What follows on IPC_CARRY: 0 when the message is complete. */
static int take_rest(const struct courier *c, struct job *job)
{
	while (job->message.p == NULL) {
		struct ipc_received m;
		int r = ipc_recv(c->start->queue, &m);
		if (r < 0)
			return r;
		if (m.type == IPC_CARRY_RCPT)
			r = add_recipient(job, m.msg);
		else if (m.type == IPC_CARRY_MESSAGE)
			r = map_message(job, m.msg);
		else
			r = -EPROTO;
		ipc_received_done(&m);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- what is in it --- */

/* What would end a line or a path of the dialogue is no address. */
static bool is_sendable(struct str address)
{
	for (size_t i = 0; i < address.len; i++) {
		unsigned char b = (unsigned char)address.p[i];
		if (b < 32 || b == 127)
			return false;
	}
	return true;
}

static void refuse_unsendable(struct job *job)
{
	for (size_t i = 0; i < job->n; i++) {
		struct recipient *r = &job->v[i];
		if (r->address.len > 0 && is_sendable(r->address) && is_sendable(r->original))
			continue;
		fate_set(&r->fate, CARRY_NEVER, "5.1.3", "this is no address");
		r->is_decided = true;
	}
}

/* The destination as the resolver knows it: A-labels. An address literal is a host. */
static bool name_destination(const struct job *job, char *domain, char *host)
{
	const struct ipc_carry *carry = job->carry;
	struct buf canonical CLEANUP(buf_done) = BUF_MAX(DNS_NAME_MAX);
	struct str literal = carry->domain;

	domain[0] = host[0] = '\0';
	if (carry->host.len > 0)
		return str_to_cstr(carry->host, host, DNS_NAME_MAX + 1) == 0;
	if (str_skip(&literal, STR("[")) && str_ends(literal, STR("]"))) {
		(void)str_skip_nocase(&literal, STR("IPv6:"));
		return str_to_cstr(str_first(literal, literal.len - 1), host, DNS_NAME_MAX + 1) ==
		       0;
	}
	return address_domain_canonical(carry->domain, &canonical) &&
	       str_to_cstr(buf_str(&canonical), domain, DNS_NAME_MAX + 1) == 0;
}

static int find_servers(
    struct courier *c, bool relay, struct hosts *ret_hosts, struct fate *ret_fate)
{
	if (c->literal[0] == '\0')
		return hosts_find(
		    c->start->resolver, c->domain, c->start->config->hostname, ret_hosts, ret_fate);
	/* The configuration says a relay's name: nobody between could have chosen another. */
	*ret_hosts = (struct hosts){.n = 1, .v[0].secure = relay, .secure = relay};
	return str_to_cstr(
	    str_of_cstr(c->literal), ret_hosts->v[0].name, sizeof(ret_hosts->v[0].name));
}

/* --- carrying it --- */

static bool has_undecided(const struct job *job)
{
	for (size_t i = 0; i < job->n; i++)
		if (!job->v[i].is_decided)
			return true;
	return false;
}

/* Those whom no server took: for the reason that a server gave them, or the one why none was
 * spoken with. */
static void settle(struct job *job, const struct fate *none_left)
{
	for (size_t i = 0; i < job->n; i++) {
		struct recipient *r = &job->v[i];
		bool own = r->fate.text[0] != '\0' &&
		           (r->fate.outcome == CARRY_LATER || none_left->text[0] == '\0' ||
		               none_left->outcome == CARRY_NEVER);
		if (!r->is_decided && !own)
			r->fate = *none_left;
		if (r->fate.text[0] == '\0' && r->fate.status[0] == '\0')
			fate_set(&r->fate, CARRY_LATER, "4.4.0", "no server took the message");
		r->is_decided = true;
	}
}

/* Over the connection that stands from the message before, where it does. */
static void carry_on(struct courier *c, struct job *job)
{
	if (!c->is_ready)
		return;
	if (link_is_stale(&c->link)) {
		visit_end(c);
		return;
	}
	c->link.ends_at_ms = job->ends_at_ms;
	c->link.interruptible = true;
	job->spoken = true;
	if (!transaction_run(c, job)) {
		link_close(&c->link);
		c->is_ready = false;
	} else if (has_undecided(job)) {
		visit_end(c);
	}
}

static void carry_anew(struct courier *c, struct job *job)
{
	struct hosts hosts = {0};
	struct fate fate = {.outcome = CARRY_NEVER};
	size_t next = 0;

	if (find_servers(c, job->carry->relay != 0, &hosts, &fate) < 0) {
		settle(job, &fate);
		return;
	}
	while (has_undecided(job) && visit_next(c, job, &hosts, &next, &fate) == 0) {
		if (!transaction_run(c, job)) {
			link_close(&c->link);
			c->is_ready = false;
		} else if (has_undecided(job)) {
			visit_end(c);
		}
	}
	settle(job, &fate);
}

static struct demands demands_of(const struct ipc_carry *carry)
{
	return (struct demands){
	    carry->tls_must, carry->tls_optional, carry->implicit_tls, carry->sts_mode};
}

/* A message with other demands than the one before begins with a connection of its own. */
static bool fits_connection(
    const struct courier *c, const struct job *job, const char *domain, const char *host)
{
	const struct ipc_carry *carry = job->carry;
	const struct demands demands = demands_of(carry);

	/* A policy may have changed since: then it is another server that the next message is for.
	 */
	if (carry->sts_mode != STS_NONE &&
	    !mta_sts_allows(carry->sts_mx.v, carry->sts_mx.n, str_of_cstr(c->host)))
		return false;
	return memcmp(&demands, &c->demands, sizeof(demands)) == 0 &&
	       str_eq(str_of_cstr(c->domain), str_of_cstr(domain)) &&
	       str_eq(str_of_cstr(c->literal), str_of_cstr(host)) && c->port == carry->port &&
	       str_eq(str_of_cstr(c->relay_user), carry->relay_user) &&
	       str_eq(str_of_cstr(c->source), carry->source) &&
	       (!job_requires_tls(&carry->mail) || c->is_verified);
}

static void carry(struct courier *c, struct job *job)
{
	char domain[DNS_NAME_MAX + 1], host[DNS_NAME_MAX + 1];
	struct fate fate;

	refuse_unsendable(job);
	if (!name_destination(job, domain, host) || !is_sendable(job->carry->mail.reverse_path)) {
		fate_set(&fate, CARRY_NEVER, "5.1.2", "the destination is no domain");
		settle(job, &fate);
		return;
	}
	if (c->is_ready && !fits_connection(c, job, domain, host))
		visit_end(c);
	memcpy(c->domain, domain, sizeof(domain));
	memcpy(c->literal, host, sizeof(host));
	c->port = job->carry->port;
	c->demands = demands_of(job->carry);
	if (str_to_cstr(job->carry->relay_user, c->relay_user, sizeof(c->relay_user)) < 0 ||
	    str_to_cstr(job->carry->source, c->source, sizeof(c->source)) < 0) {
		fate_set(&fate, CARRY_LATER, "4.3.5",
		    "the relay's name or the source address that "
		    "is configured cannot be used");
		settle(job, &fate);
		return;
	}
	carry_on(c, job);
	if (has_undecided(job))
		carry_anew(c, job);
}

/* --- telling of it --- */

static int tell_recipient(const struct courier *c, const struct recipient *r, uint16_t index)
{
	const struct ipc_carried_rcpt message = {
	    .index = index,
	    .outcome = (uint8_t)r->fate.outcome,
	    .code = r->fate.code,
	    .status = str_of_cstr(r->fate.status),
	    .mta = str_of_cstr(r->fate.mta),
	    .text = str_of_cstr(r->fate.text),
	    .relayed = r->relayed,
	};

	return ipc_send(c->start->queue, IPC_CARRIED_RCPT, &message);
}

static bool can_take_more(const struct courier *c)
{
	uint64_t most = c->extensions.mail_max;

	return c->is_ready && c->n_messages < COURIER_MESSAGES_MAX &&
	       (most == 0 || c->n_messages < most) && clock_ms() - c->began_ms < COURIER_TAKES_MS;
}

static int tell(struct courier *c, const struct job *job)
{
	int r = 0;
	size_t accepted = 0;

	for (size_t i = 0; i < job->n && r == 0; i++) {
		r = tell_recipient(c, &job->v[i], (uint16_t)i);
		accepted += job->v[i].fate.outcome == CARRY_ACCEPTED;
	}
	c->takes_more = can_take_more(c);
	struct ipc_carried message = {.reusable = c->takes_more,
	    .unreachable = !job->spoken,
	    .mta = str_of_cstr(c->mta),
	    .tls = str_of_cstr(c->tls_text)};
	log_event(LOG_INFO, "courier.carried",
	    "domain=%s server=%s tls=%s recipients=%zu accepted=%zu bytes=%zu reason=%s",
	    log_quote(job->carry->host.len > 0 ? job->carry->host : job->carry->domain).text,
	    log_quote(message.mta).text, log_quote(message.tls).text, job->n, accepted,
	    job->message.len,
	    log_quote(accepted < job->n ? str_of_cstr(job->v[0].fate.text) : STR("")).text);
	return r == 0 ? ipc_send(c->start->queue, IPC_CARRIED, &message) : r;
}

/* --- the loop --- */

/* 0 when the queue has something to say; 1 when it is time to end. */
static int wait_for_queue(const struct courier *c)
{
	struct pollfd p[] = {
	    {.fd = c->start->queue, .events = POLLIN}, {.fd = c->start->drain, .events = POLLIN}};
	int n = poll(p, ARRAY_LEN(p), COURIER_IDLE_MS);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n == 0 || p[0].revents == 0;
}

static int serve_one(struct courier *c, struct ipc_received *m)
{
	struct job job CLEANUP(job_done) = {.carry = m->msg,
	    .arena = ARENA_MAX(JOB_MEMORY),
	    .ends_at_ms = clock_ms() + COURIER_MESSAGE_MS};

	job.v = calloc(IPC_RECIPIENTS_MAX, sizeof(*job.v));
	if (job.v == NULL)
		return -ENOMEM;
	int r = take_rest(c, &job);
	if (r == 0) {
		carry(c, &job);
		c->n_messages += c->is_ready;
		r = tell(c, &job);
	}
	free(job.v);
	return r;
}

/* The queue closed the channel, or ended: no fault of this process. */
static bool is_gone(int error)
{
	return error == -ENODATA || error == -EPIPE || error == -ECONNRESET;
}

static int take_message(struct courier *c)
{
	struct ipc_received m;
	int r = ipc_recv(c->start->queue, &m);

	if (r < 0)
		return is_gone(r) ? 1 : r;
	r = m.type == IPC_CARRY ? serve_one(c, &m) : -EPROTO;
	ipc_received_done(&m);
	if (r < 0)
		return is_gone(r) ? 1 : r;
	return c->takes_more ? 0 : 1;
}

int courier_run(const struct courier_start *start)
{
	static const struct ipc_courier_ready ready = {0};
	struct courier *c = calloc(1, sizeof(*c));
	int r = c != NULL ? 0 : -ENOMEM;

	if (c == NULL)
		return r;
	c->start = start;
	link_init(&c->link, start->drain);
	r = ipc_send(start->queue, IPC_COURIER_READY, &ready);
	while (r == 0) {
		r = wait_for_queue(c);
		if (r == 0)
			r = take_message(c);
	}
	visit_end(c);
	free(c);
	return r < 0 && !is_gone(r) ? r : 0;
}
