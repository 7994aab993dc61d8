#include "queue/report.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "dns/rdata.h"
#include "mail/tls_report.h"
#include "queue/age.h"
#include "queue/database_memory.h"
#include "queue/schedule.h"
#include "seal/cipher.h"

_Static_assert((int)N_TLS_RESULTS == (int)N_TLS_REPORT_RESULTS, "the same results");
_Static_assert((int)N_TLS_POLICIES == (int)N_TLS_REPORT_POLICY_TYPES, "the same policies");

enum {
	ARENA_LEN_MAX = 8 << 20,
	RANDOM_LEN = 12,
	TEXT_MAX = 1024,
	TXT_MAX = 8192,
	MAIL_MAX = 2 * TLS_REPORT_LEN_MAX
};

struct reporting {
	struct queue *q;
	struct arena arena;
	uint64_t day;
	struct str domain;
	struct tls_report_target targets[TLS_REPORT_TARGETS_MAX];
	size_t n_targets, at;
	struct str submitter; /* who reports: the domain of this server that signs it */
	struct buf gzip;
	struct tls_report report;
	struct str addresses[OUTGOING_RECORDS_MAX];
	size_t n_addresses;
	struct str host;
	bool is_ipv6_asked;
};

static void free_reporting(struct reporting *r)
{
	r->q->reporting = NULL;
	queue_forget(r->q, r);
	buf_done(&r->gzip);
	arena_done(&r->arena);
	free(r);
}

/* It is tried again when the others had their turn. */
static void put_off(struct reporting *r)
{
	struct queue *q = r->q;
	q->put_off_day = r->day;
	if (str_to_cstr(r->domain, q->put_off_domain, sizeof(q->put_off_domain)) < 0)
		q->put_off_domain[0] = '\0';
	free_reporting(r);
	q->forget_at = clock_ms() + SCHEDULE_SECOND;
}

static void finish(struct reporting *r)
{
	struct queue *q = r->q;
	int error = queue_db_begin(q->db, false);
	if (!error) {
		error = queue_db_tls_forget(q->db, r->day, r->domain);
		if (error)
			queue_db_rollback(q->db);
		else
			error = queue_db_commit(q->db);
	}
	if (error)
		queue_report(q, "results of TLS cannot be forgotten", error);
	free_reporting(r);
	/* The next one soon, not within this. */
	q->forget_at = error ? q->forget_at : clock_ms() + SCHEDULE_SECOND;
}

/* --- the report --- */

static struct str printed(struct arena *a, const struct buf *text)
{
	struct str copy = STR("");
	return !buf_failed(text) && arena_dup(a, buf_str(text), &copy) ? copy : STR("");
}

static struct str unique_id(struct reporting *r, struct str host)
{
	uint8_t random[RANDOM_LEN];
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
	cipher_random(random, sizeof(random));
	hex_encode(str_of(random, sizeof(random)), &text);
	buf_add_c(&text, '@');
	buf_add(&text, host);
	return printed(&r->arena, &text);
}

static bool same_policy(const struct queued_tls *a, const struct queued_tls *b)
{
	if (a->policy != b->policy || a->policy_strings.n != b->policy_strings.n)
		return false;
	for (size_t i = 0; i < a->policy_strings.n; i++)
		if (!str_eq(a->policy_strings.v[i], b->policy_strings.v[i]))
			return false;
	return true;
}

static void add_failure(struct tls_report_policy *p, const struct queued_tls *t,
    struct tls_report_failure *failures, size_t *n)
{
	if (t->result == TLS_SUCCESS) {
		p->successes += t->sessions;
		return;
	}
	failures[*n] = (struct tls_report_failure){.result = (enum tls_report_result)t->result,
	    .sending_ip = t->sending,
	    .receiving_mx = t->mx,
	    .receiving_ip = t->receiving,
	    .reason = t->detail,
	    .sessions = t->sessions};
	if (p->n_details++ == 0)
		p->details = &failures[*n];
	p->failures += t->sessions;
	(*n)++;
}

/* RFC 8460 §4.4: the policy itself, a line each, as far as it is kept (mail/mta_sts.h). */
static bool write_policy(
    struct reporting *r, const struct queued_policy *known, struct tls_report_policy *p)
{
	static const char *const modes[N_STS_MODES] = {"none", "testing", "enforce"};
	struct str *lines = ARENA_NEW_ARRAY(&r->arena, struct str, known->mx.n + 2);
	if (!lines || known->mode >= N_STS_MODES)
		return false;
	for (size_t i = 0; i < known->mx.n + 2; i++) {
		struct buf line CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
		if (i == 0)
			buf_add(&line, STR("version: STSv1"));
		else if (i == 1)
			buf_printf(&line, "mode: %s", modes[known->mode]);
		else
			buf_printf(&line, "mx: %.*s", STR_FMT(known->mx.v[i - 2]));
		lines[i] = printed(&r->arena, &line);
	}
	p->strings = lines;
	p->n_strings = known->mx.n + 2;
	p->mx = known->mx.v;
	p->n_mx = known->mx.n;
	return true;
}

static int group(struct reporting *r, const struct queued_tls *v, size_t n)
{
	struct tls_report_policy *policies =
	    ARENA_NEW_ARRAY(&r->arena, struct tls_report_policy, n + 1);
	struct tls_report_failure *failures =
	    ARENA_NEW_ARRAY(&r->arena, struct tls_report_failure, n + 1);
	struct queued_policy known = {0};
	size_t n_failures = 0, n_policies = 0;
	if (!policies || !failures)
		return -ENOMEM;
	int error = queue_db_policy(r->q->db, r->domain, &r->arena, &known);
	if (error && error != -ENOENT)
		return error;
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || !same_policy(&v[i - 1], &v[i]))
			policies[n_policies++] = (struct tls_report_policy){
			    .type = (enum tls_report_policy_type)v[i].policy,
			    .domain = r->domain,
			    .strings = v[i].policy_strings.v,
			    .n_strings = v[i].policy_strings.n};
		struct tls_report_policy *p = &policies[n_policies - 1];
		if (v[i].policy == TLS_POLICY_STS && known.mx.n > 0 && p->n_mx == 0 &&
		    !write_policy(r, &known, p))
			return -ENOMEM;
		add_failure(p, &v[i], failures, &n_failures);
	}
	r->report.policies = policies;
	r->report.n_policies = n_policies;
	return 0;
}

static int compose(struct reporting *r)
{
	struct queued_tls *v = ARENA_NEW_ARRAY(&r->arena, struct queued_tls, REPORT_ROWS_MAX);
	struct buf json CLEANUP(buf_done) = BUF_MAX(TLS_REPORT_LEN_MAX);
	struct buf contact CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
	struct str host = r->submitter;
	uint64_t day_s = QUEUE_DAY_MS / SCHEDULE_SECOND;
	size_t n = 0;
	if (!v)
		return -ENOMEM;
	int error = queue_db_tls(r->q->db, r->day, r->domain, &r->arena, v, REPORT_ROWS_MAX, &n);
	if (!error)
		error = group(r, v, n);
	if (error)
		return error;
	buf_add(&contact, STR("postmaster@"));
	buf_add(&contact, host);
	r->report.organization = host;
	r->report.submitter = host;
	r->report.contact = printed(&r->arena, &contact);
	r->report.domain = r->domain;
	r->report.id = unique_id(r, host);
	r->report.begins_s = r->day * day_s;
	r->report.ends_s = (r->day + 1) * day_s - 1;
	r->gzip = BUF_MAX(TLS_REPORT_LEN_MAX);
	return tls_report_json(&r->report, &json) && tls_report_gzip(buf_str(&json), &r->gzip)
	           ? 0
	           : -EMSGSIZE;
}

/* --- by mail: a message of the queue's own --- */

static int add_mail(struct reporting *r, struct str to, struct str text)
{
	struct queue *q = r->q;
	uint64_t now = clock_wall_ms(), id = 0;
	struct queued_message m = {.origin = ORIGIN_NOTICE,
	    .user = r->report.contact,
	    .tls_optional = true, /* RFC 8460 §3: a report about broken TLS must arrive */
	    .received_at = now};
	age_begin(q, &m, now);
	int error = queue_db_begin(q->db, true);
	if (error)
		return error;
	error = queue_db_add(q->db, &m, &text, 1, &id);
	struct queued_recipient recipient = {
	    .message = id, .address = to, .notify = NOTIFY_NEVER, .next_at = now};
	if (!error)
		error = queue_db_add_recipient(q->db, &recipient, STR(QUEUE_LOCAL));
	if (error) {
		queue_db_rollback(q->db);
		return error;
	}
	q->due_at = 0;
	return queue_db_commit(q->db);
}

static void send_mail(struct reporting *r, struct str to)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(MAIL_MAX);
	struct tls_report_mail mail = {.report = &r->report,
	    .gzip = buf_str(&r->gzip),
	    .from = r->report.contact,
	    .to = to,
	    .message_id = unique_id(r, r->report.submitter),
	    .boundary = str_first(unique_id(r, STR("")), 2 * RANDOM_LEN),
	    .at_s = (int64_t)clock_wall()};
	if (!tls_report_mail(&mail, &text)) {
		log_event(
		    LOG_WARNING, "queue.report-refused", "domain=%s", log_quote(r->domain).text);
		return;
	}
	int error = add_mail(r, to, buf_str(&text));
	if (error)
		queue_report(r->q, "a report cannot be kept", error);
}

/* --- by HTTPS --- */

static void send_next(struct reporting *r);

static void on_posted(const void *answer, void *ctx)
{
	struct reporting *r = ctx;
	const struct ipc_posted *m = answer;
	log_event(m && m->ok ? LOG_INFO : LOG_WARNING, "queue.report-posted",
	    "domain=%s ok=%d detail=%s", log_quote(r->domain).text, m && m->ok,
	    log_quote(m ? m->detail : STR("no answer")).text);
	send_next(r);
}

static void post(struct reporting *r)
{
	int fd CLEANUP(fd_close) = -1;
	struct ipc_post_report m = {.request = queue_request(r->q),
	    .url = r->targets[r->at - 1].target,
	    .addresses = {r->addresses, r->n_addresses}};
	int error = fd_sealed_memfd("report", buf_str(&r->gzip), &fd);
	m.report = fd;
	if (!error)
		error = queue_ask(
		    r->q, r->q->fetcher, IPC_POST_REPORT, &m, m.request, IPC_POSTED, on_posted, r);
	if (error)
		send_next(r);
}

static void ask(struct reporting *r, struct str name, uint16_t type,
    void (*answered)(const void *answer, void *ctx))
{
	struct ipc_dns m = {.request = queue_request(r->q), .name = name, .type = type};
	if (queue_ask(r->q, r->q->resolver, IPC_DNS, &m, m.request, IPC_DNS_ANSWER, answered, r))
		free_reporting(r);
}

static void on_address(const void *answer, void *ctx)
{
	struct reporting *r = ctx;
	const struct ipc_dns_answer *m = answer;
	enum dns_type type = r->is_ipv6_asked ? DNS_AAAA : DNS_A;
	for (size_t i = 0; m && m->result == DNS_FOUND && i < m->records.n; i++) {
		char text[DNS_ADDRESS_TEXT_MAX];
		if (r->n_addresses < OUTGOING_RECORDS_MAX &&
		    dns_address_parse(m->records.v[i], type, text) &&
		    arena_dup(&r->arena, str_of_cstr(text), &r->addresses[r->n_addresses]))
			r->n_addresses++;
	}
	if (r->is_ipv6_asked) {
		post(r);
		return;
	}
	r->is_ipv6_asked = true;
	ask(r, r->host, DNS_AAAA, on_address);
}

/* The name in "https://name[:port]/…"; the URL was looked at before (mail/tls_report.h). */
static struct str host_of(struct str url)
{
	(void)str_skip_nocase(&url, STR("https://"));
	struct str authority = str_cut(&url, '/');
	return str_cut(&authority, ':');
}

static void send_next(struct reporting *r)
{
	while (r->at < r->n_targets) {
		const struct tls_report_target *target = &r->targets[r->at++];
		if (target->is_mail) {
			send_mail(r, target->target);
			continue;
		}
		r->host = host_of(target->target);
		r->n_addresses = 0;
		r->is_ipv6_asked = false;
		ask(r, r->host, DNS_A, on_address);
		return;
	}
	finish(r);
}

/* --- who wants it --- */

static size_t find_targets(struct reporting *r, const struct ipc_dns_answer *m)
{
	struct str texts[OUTGOING_RECORDS_MAX];
	size_t n = 0;
	for (size_t i = 0; i < m->records.n; i++) {
		struct buf text CLEANUP(buf_done) = BUF_MAX(TXT_MAX);
		if (dns_txt_parse(m->records.v[i], &text) &&
		    arena_dup(&r->arena, buf_str(&text), &texts[n]))
			n++;
	}
	return tls_report_targets(texts, n, &r->arena, r->targets);
}

static void ask_signers(struct reporting *r);

static void on_txt(const void *answer, void *ctx)
{
	struct reporting *r = ctx;
	const struct ipc_dns_answer *m = answer;
	if (!m || m->result == DNS_FAILED) {
		/* Again in a while, but not for ever. */
		if (clock_wall_ms() / QUEUE_DAY_MS > r->day + 2)
			finish(r);
		else
			put_off(r);
		return;
	}
	r->n_targets = m->result == DNS_FOUND ? find_targets(r, m) : 0;
	r->submitter = str_of_cstr(r->q->config->hostname);
	if (r->n_targets == 0)
		finish(r);
	else
		ask_signers(r);
}

/* --- who sends it --- */

static void begin_sending(struct reporting *r)
{
	int error = compose(r);
	if (error) {
		queue_report(r->q, "a TLS report cannot be written", error);
		finish(r);
		return;
	}
	log_event(LOG_INFO, "queue.report", "domain=%s day=%" PRIu64 " targets=%zu submitter=%s",
	    log_quote(r->domain).text, r->day, r->n_targets, log_quote(r->submitter).text);
	send_next(r);
}

/* The closest domain above our name that has keys: for mail.example.org, example.org. */
static void on_signers(const void *answer, void *ctx)
{
	struct reporting *r = ctx;
	const struct ipc_signers_answer *m = answer;
	struct str above = r->submitter;
	(void)str_cut(&above, '.');
	if (!m) {
		free_reporting(r); /* again in a while */
	} else if (m->selectors.n > 0) {
		begin_sending(r);
	} else if (str_index(above, '.') < above.len) {
		r->submitter = above;
		ask_signers(r);
	} else {
		r->submitter = str_of_cstr(r->q->config->hostname);
		begin_sending(r);
	}
}

static void ask_signers(struct reporting *r)
{
	struct ipc_signers m = {.request = queue_request(r->q), .domain = r->submitter};
	if (queue_ask(r->q, r->q->directory, IPC_SIGNERS, &m, m.request, IPC_SIGNERS_ANSWER,
	        on_signers, r))
		free_reporting(r);
}

static void begin(struct queue *q, uint64_t today)
{
	struct buf name CLEANUP(buf_done) = BUF_MAX(DNS_NAME_MAX);
	struct reporting *r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	*r = (struct reporting){.q = q, .arena = ARENA_MAX(ARENA_LEN_MAX)};
	q->reporting = r;
	int error = queue_db_tls_next(q->db, today, q->put_off_day, str_of_cstr(q->put_off_domain),
	    &r->arena, &r->day, &r->domain);
	if (error) {
		q->put_off_day = 0;
		q->put_off_domain[0] = '\0';
		if (error != -ENOENT)
			queue_report(q, "results of TLS cannot be read", error);
		free_reporting(r);
		return;
	}
	buf_add(&name, STR(TLS_REPORT_RECORD_PREFIX));
	buf_add(&name, r->domain);
	struct str copy;
	if (buf_failed(&name) || !arena_dup(&r->arena, buf_str(&name), &copy))
		finish(r);
	else
		ask(r, copy, DNS_TXT, on_txt);
}

/* RFC 8460 §4.1: not all at midnight. */
void report_init(struct queue *q)
{
	uint64_t chance;
	cipher_random(&chance, sizeof(chance));
	q->report_after_ms = chance % REPORT_SPREAD_MS;
}

void report_check(struct queue *q, uint64_t now)
{
	if (q->reporting || q->is_draining || !q->resolver ||
	    now % QUEUE_DAY_MS < q->report_after_ms)
		return;
	begin(q, now / QUEUE_DAY_MS);
}

void report_free(struct queue *q)
{
	if (q->reporting)
		free_reporting(q->reporting);
}
