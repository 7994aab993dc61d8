#include "queue/policy.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "dns/rdata.h"
#include "mail/mta_sts.h"
#include "queue/database.h"
#include "queue/database_memory.h"

enum { LOOKUP_ARENA_MAX = 256 << 10, TXT_MAX = 4096 };

struct waiting {
	struct waiting *next;
	policy_done done;
	void *ctx;
};

/* One domain being asked about, for all that wait for it. */
struct lookup {
	struct lookup *next;
	struct queue *q;
	struct arena arena;
	struct str domain, host; /* host: mta-sts.DOMAIN */
	struct str id;           /* in DNS now */
	struct str addresses[OUTGOING_RECORDS_MAX];
	size_t n_addresses;
	bool is_ipv6_asked;
	bool is_known; /* there is one from before */
	struct queued_policy known;
	struct waiting *waiting;
	uint64_t until; /* clock_ms */
};

static const struct ipc_strs no_mx;

/* --- the end of a lookup --- */

static void unlink_lookup(struct lookup *l)
{
	struct lookup **at = &l->q->lookups;
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
}

static void free_lookup(struct lookup *l)
{
	queue_forget(l->q, l);
	while (l->waiting) {
		struct waiting *w = l->waiting;
		l->waiting = w->next;
		free(w);
	}
	arena_done(&l->arena);
	free(l);
}

static void finish(struct lookup *l, uint8_t mode, struct ipc_strs mx)
{
	unlink_lookup(l);
	while (l->waiting) {
		struct waiting *w = l->waiting;
		l->waiting = w->next;
		if (w->done)
			w->done(w->ctx, mode, mx);
		free(w);
	}
	free_lookup(l);
}

static void keep(struct lookup *l, const struct queued_policy *policy)
{
	struct queue_db *db = l->q->db;
	int error = queue_db_begin(db, false);
	if (!error) {
		error = queue_db_set_policy(db, l->domain, policy);
		if (error)
			queue_db_rollback(db);
		else
			error = queue_db_commit(db);
	}
	if (error)
		queue_report(l->q, "a policy cannot be kept", error);
}

static bool is_valid(const struct lookup *l)
{
	return l->is_known && l->known.expires_at > clock_wall_ms();
}

/* Nothing new: what was known before holds, and is asked about again in a while. */
static void finish_with_known(struct lookup *l)
{
	uint64_t now = clock_wall_ms();
	struct queued_policy p = {
	    .mode = STS_NONE, .fetched_at = now, .expires_at = now + POLICY_FRESH_MS};
	if (is_valid(l)) {
		p = l->known;
		p.fetched_at = now;
	}
	keep(l, &p);
	finish(l, p.mode, p.mx);
}

/* --- the policy --- */

static void on_policy(const void *answer, void *ctx)
{
	struct lookup *l = ctx;
	const struct ipc_policy *m = answer;
	uint64_t now = clock_wall_ms();
	if (!m || m->result != FETCHED_OK) {
		log_event(LOG_WARNING, "queue.no-policy", "domain=%s detail=%s",
		    log_quote(l->domain).text, log_quote(m ? m->detail : STR("no answer")).text);
		finish_with_known(l);
		return;
	}
	uint64_t age = m->max_age < POLICY_AGE_MAX_S ? m->max_age : POLICY_AGE_MAX_S;
	struct queued_policy p = {.txt = l->id,
	    .mode = m->mode,
	    .mx = m->mx,
	    .fetched_at = now,
	    .expires_at = now + age * 1000};
	keep(l, &p);
	finish(l, p.mode, p.mx);
}

static void fetch(struct lookup *l)
{
	struct ipc_fetch_policy m = {.request = queue_request(l->q),
	    .domain = l->domain,
	    .addresses = {l->addresses, l->n_addresses}};
	if (l->n_addresses == 0 || queue_ask(l->q, l->q->fetcher, IPC_FETCH_POLICY, &m, m.request,
	                               IPC_POLICY, on_policy, l))
		finish_with_known(l);
}

static void ask_dns(struct lookup *l, struct str name, uint16_t type,
    void (*answered)(const void *answer, void *ctx))
{
	struct ipc_dns m = {.request = queue_request(l->q), .name = name, .type = type};
	if (queue_ask(l->q, l->q->resolver, IPC_DNS, &m, m.request, IPC_DNS_ANSWER, answered, l))
		finish_with_known(l);
}

static void on_address(const void *answer, void *ctx)
{
	struct lookup *l = ctx;
	const struct ipc_dns_answer *m = answer;
	enum dns_type type = l->is_ipv6_asked ? DNS_AAAA : DNS_A;
	for (size_t i = 0; m && m->result == DNS_FOUND && i < m->records.n; i++) {
		char text[DNS_ADDRESS_TEXT_MAX];
		if (l->n_addresses < OUTGOING_RECORDS_MAX &&
		    dns_address_parse(m->records.v[i], type, text) &&
		    arena_dup(&l->arena, str_of_cstr(text), &l->addresses[l->n_addresses]))
			l->n_addresses++;
	}
	if (l->is_ipv6_asked) {
		fetch(l);
		return;
	}
	l->is_ipv6_asked = true;
	ask_dns(l, l->host, DNS_AAAA, on_address);
}

static bool find_id(struct lookup *l, const struct ipc_dns_answer *m)
{
	struct str texts[OUTGOING_RECORDS_MAX], id;
	size_t n = 0;
	for (size_t i = 0; i < m->records.n; i++) {
		struct buf text CLEANUP(buf_done) = BUF_MAX(TXT_MAX);
		if (dns_txt_parse(m->records.v[i], &text) &&
		    arena_dup(&l->arena, buf_str(&text), &texts[n]))
			n++;
	}
	return mta_sts_id(texts, n, &id) && arena_dup(&l->arena, id, &l->id);
}

/* A policy whose time is nearly over is fetched anew though its id is the same: who can keep others
 * from the web server at the moment when it ends would end it for good (RFC 8461 §10.2). */
static bool ends_soon(const struct lookup *l)
{
	return l->known.expires_at - clock_wall_ms() < POLICY_RENEW_MS;
}

static void on_txt(const void *answer, void *ctx)
{
	struct lookup *l = ctx;
	const struct ipc_dns_answer *m = answer;
	if (!m || m->result != DNS_FOUND || !find_id(l, m) ||
	    (is_valid(l) && str_eq(l->id, l->known.txt) && !ends_soon(l)))
		finish_with_known(l);
	else
		ask_dns(l, l->host, DNS_A, on_address);
}

/* --- asking --- */

static bool make_name(struct lookup *l, struct str prefix, struct str *ret_name)
{
	struct buf name CLEANUP(buf_done) = BUF_MAX(DNS_NAME_MAX);
	buf_add(&name, prefix);
	buf_add(&name, l->domain);
	return !buf_failed(&name) && arena_dup(&l->arena, buf_str(&name), ret_name);
}

static void add_waiting(struct lookup *l, policy_done done, void *ctx)
{
	struct waiting *w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	*w = (struct waiting){l->waiting, done, ctx};
	l->waiting = w;
}

static struct lookup *new_lookup(struct queue *q, struct str domain)
{
	struct lookup *l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	*l = (struct lookup){.next = q->lookups,
	    .q = q,
	    .arena = ARENA_MAX(LOOKUP_ARENA_MAX),
	    .until = clock_ms() + POLICY_WAIT_MS};
	q->lookups = l;
	if (!arena_dup(&l->arena, domain, &l->domain))
		abort();
	int error = queue_db_policy(q->db, domain, &l->arena, &l->known);
	l->is_known = error == 0;
	if (error && error != -ENOENT)
		queue_report(q, "a policy cannot be read", error);
	return l;
}

void policy_ask(struct queue *q, struct str domain, policy_done done, void *ctx)
{
	struct str name;
	for (struct lookup *l = q->lookups; l; l = l->next)
		if (str_eq(l->domain, domain)) {
			add_waiting(l, done, ctx);
			return;
		}
	if (str_starts(domain, STR("["))) {
		done(ctx, STS_NONE, no_mx);
		return;
	}
	struct lookup *l = new_lookup(q, domain);
	add_waiting(l, done, ctx);
	bool is_fresh = is_valid(l) && clock_wall_ms() - l->known.fetched_at < POLICY_FRESH_MS;
	if (is_fresh || !q->resolver || !q->fetcher)
		finish(
		    l, is_valid(l) ? l->known.mode : STS_NONE, is_valid(l) ? l->known.mx : no_mx);
	else if (!make_name(l, STR(MTA_STS_RECORD_PREFIX), &name) ||
	         !make_name(l, STR(MTA_STS_HOST_PREFIX), &l->host))
		finish_with_known(l);
	else
		ask_dns(l, name, DNS_TXT, on_txt);
}

void policy_forget(struct queue *q, const void *ctx)
{
	for (struct lookup *l = q->lookups; l; l = l->next)
		for (struct waiting *w = l->waiting; w; w = w->next)
			if (w->ctx == ctx)
				w->done = NULL;
}

void policy_check(struct queue *q)
{
	uint64_t now = clock_ms();
	struct lookup *l = q->lookups;
	while (l) {
		struct lookup *next = l->next;
		if (now >= l->until)
			finish_with_known(l);
		l = next;
	}
}

void policy_free(struct queue *q)
{
	while (q->lookups) {
		struct lookup *l = q->lookups;
		q->lookups = l->next;
		free_lookup(l);
	}
}

/* --- reports --- */

void policy_tls_result(struct queue *q, struct str domain, const struct ipc_tls_result *result)
{
	struct queue_db *db = q->db;
	int error = queue_db_begin(db, false);
	if (!error) {
		error = queue_db_tls_add(db, clock_wall_ms(), domain, result);
		if (error)
			queue_db_rollback(db);
		else
			error = queue_db_commit(db);
	}
	if (error)
		queue_report(q, "a result of TLS cannot be kept", error);
}
