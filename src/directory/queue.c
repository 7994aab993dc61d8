/* What the directory says to the queue: who submits, who may send as whom, where mail goes. */
#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "directory/dkim.h"
#include "mail/address.h"
#include "mail/srs.h"

enum { SENDER_ARENA_LEN = 64 * 1024, SIGNERS_ARENA_LEN = 256 * 1024, DAY_S = 86400 };

int directory_introduce_submitter(struct directory *d, const struct ipc_submitter *submitter)
{
	return d->queue ? loop_offer(d->queue, IPC_SUBMITTER, submitter) : -EPIPE;
}

int directory_introduce_to_queue(struct directory *d, const struct ipc_queue_control *control)
{
	return d->queue ? loop_offer(d->queue, IPC_QUEUE_CONTROL, control) : -EPIPE;
}

/* --- whose address it is --- */

/* The account or alias that takes this address's mail: its own name, or without the tag. */
static int find_base(struct directory *d, const struct name *name, struct name *ret_base)
{
	struct name untagged;
	int in_use = database_name_in_use(d->db, name);
	if (in_use != 0) {
		*ret_base = *name;
		return in_use < 0 ? in_use : 0;
	}
	if (!name_without_tag(name, &untagged))
		return -ENOENT;
	in_use = database_name_in_use(d->db, &untagged);
	*ret_base = untagged;
	return in_use < 0 ? in_use : in_use > 0 ? 0 : -ENOENT;
}

/* Whose alone the mail for this name is; 0: nobody's alone. */
static int find_owner(struct directory *d, const struct name *base, uint64_t *ret_owner)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(NAME_LEN_MAX);
	*ret_owner = 0;
	int error = database_account_id(d->db, base, ret_owner);
	if (error != -ENOENT)
		return error;
	if (!name_format(base, &text))
		return -ENOENT;
	struct resolved r = resolver_resolve(d->resolver, buf_str(&text));
	if (r.result == RCPT_TEMPORARY)
		return r.error;
	if (r.result == RCPT_OK && r.n_accounts == 1 && r.n_outside == 0)
		*ret_owner = r.accounts[0];
	return 0;
}

static unsigned rights_of(unsigned granted)
{
	return ((granted & GRANT_SEND_AS) != 0) << RIGHT_SEND_AS |
	       ((granted & GRANT_SEND_ON_BEHALF) != 0) << RIGHT_SEND_ON_BEHALF;
}

static enum may_send judge(struct directory *d, uint64_t account, const struct name *name)
{
	struct subject subject = {SUBJECT_ACCOUNT, account};
	struct object sender = {.kind = OBJECT_SENDER};
	struct name base;
	unsigned granted = 0;
	int error = find_base(d, name, &base);
	if (!error)
		error = find_owner(d, &base, &sender.account);
	if (!error)
		error = database_granted(d->db, &base, account, &granted);
	if (error == -ENOENT)
		return MAY_NOT_SEND;
	if (error) {
		log_event(LOG_ERROR, "directory.lookup-failed",
		    "account=%" PRIu64 " file=directory/%s errno=%d", account, DATABASE_FILE,
		    -error);
		return MAY_SEND_TEMPORARY;
	}
	sender.granted = rights_of(granted);
	if (authorize(subject, RIGHT_SEND_AS, sender))
		return MAY_SEND;
	return authorize(subject, RIGHT_SEND_ON_BEHALF, sender) ? MAY_SEND_ON_BEHALF : MAY_NOT_SEND;
}

enum may_send directory_may_send(struct directory *d, uint64_t account, struct str address)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(SENDER_ARENA_LEN);
	struct name name;
	if (address.len == 0)
		return MAY_SEND;
	return name_parse(address, &a, &name) ? judge(d, account, &name) : MAY_NOT_SEND;
}

/* --- the queue's questions --- */

/* The weakest of what holds for all of them, and for whom. */
static enum may_send judge_all(
    struct directory *d, const struct ipc_may_send *m, struct str *ret_address)
{
	enum may_send weakest = MAY_SEND;
	for (size_t i = 0; i <= m->authors.n; i++) {
		struct str address = i < m->authors.n ? m->authors.v[i] : m->sender;
		enum may_send one = directory_may_send(d, m->account, address);
		/* who is named as the sender must be who it is, not somebody in whose name */
		if (i == m->authors.n && one == MAY_SEND_ON_BEHALF)
			one = MAY_NOT_SEND;
		if (one <= weakest)
			continue;
		weakest = one;
		*ret_address = address;
	}
	return weakest;
}

struct signers {
	struct arena arena;
	struct str selectors[OUTGOING_SIGNATURES_MAX];
	uint64_t algorithms[OUTGOING_SIGNATURES_MAX];
	size_t n;
};

static void signers_done(struct signers *s)
{
	arena_done(&s->arena);
}

/* The keys that mail of a domain is signed with. */
static void find_signers(struct directory *d, struct str name, struct signers *s)
{
	struct str domain;
	struct dkim_row *rows;
	size_t n = 0;
	if (name_parse_domain(name, &s->arena, &domain)) {
		int error = database_dkim_keys(d->db, domain, &s->arena, &rows, &n);
		if (error)
			log_event(LOG_ERROR, "directory.lookup-failed",
			    "file=directory/%s errno=%d", DATABASE_FILE, -error);
	}
	for (size_t i = 0; i < n && s->n < OUTGOING_SIGNATURES_MAX; i++)
		if (rows[i].state == DKIM_ACTIVE) {
			s->selectors[s->n] = rows[i].selector;
			s->algorithms[s->n++] = rows[i].algorithm;
		}
}

static int on_may_send(struct loop_entry *from, void *msg, void *ctx)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(SENDER_ARENA_LEN);
	struct buf own CLEANUP(buf_done) = BUF_MAX(IPC_ADDRESS_MAX);
	struct directory *d = ctx;
	const struct ipc_may_send *m = msg;
	struct ipc_may_send_answer answer = {.request = m->request, .address = STR("")};
	struct signers signers CLEANUP(signers_done) = {.arena = ARENA_MAX(SIGNERS_ARENA_LEN)};
	struct name name;
	answer.result = (uint8_t)judge_all(d, m, &answer.address);
	if (answer.result == MAY_SEND_ON_BEHALF) {
		int error = database_account_name(d->db, m->account, &a, &name);
		answer.address = STR("");
		if (error || !name_format(&name, &own))
			answer.result = error == -ENOENT ? MAY_NOT_SEND : MAY_SEND_TEMPORARY;
		else
			answer.address = buf_str(&own);
	}
	if (m->domain.len > 0 && answer.result <= MAY_SEND_ON_BEHALF)
		find_signers(d, m->domain, &signers);
	answer.selectors = (struct ipc_strs){signers.selectors, signers.n};
	answer.algorithms = (struct ipc_u64s){signers.algorithms, signers.n};
	return loop_send(from, IPC_MAY_SEND_ANSWER, &answer);
}

/* As SMTP has it: a local part with its quotes. */
static bool unquote(struct str address, struct buf *out)
{
	struct str local;
	struct str domain;
	if (!address_split(address, &local, &domain))
		return buf_add(out, address);
	return address_local_unquote(local, out) && buf_add_c(out, '@') && buf_add(out, domain);
}

/*
 * The reverse-path under which a message leaves for another server: one of ours, so that SPF holds
 * there. Nothing where it is one of ours anyway, or none.
 */
static void rewrite_sender(struct directory *d, const struct ipc_route *m, struct buf *out)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(SENDER_ARENA_LEN);
	struct str local;
	struct str domain;
	struct str ours;
	uint32_t day = (uint32_t)(clock_wall() / DAY_S);
	if (m->reverse_path.len == 0 || !address_split(m->address, &local, &domain) ||
	    !name_parse_domain(domain, &a, &ours))
		return;
	if (address_split(m->reverse_path, &local, &domain) &&
	    name_parse_domain(domain, &a, &domain) && !database_domain_find(d->db, domain))
		return;
	int error = srs_forward(database_srs_key(d->db), day, m->reverse_path, ours, out);
	if (error)
		log_event(LOG_WARNING, "directory.sender-not-rewritten", "errno=%d", -error);
}

static int on_route(struct loop_entry *from, void *msg, void *ctx)
{
	struct buf address CLEANUP(buf_done) = BUF_MAX(IPC_ADDRESS_MAX);
	struct buf sender CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct directory *d = ctx;
	const struct ipc_route *m = msg;
	struct ipc_route_answer answer = {.request = m->request, .result = RCPT_UNKNOWN};
	if (unquote(m->address, &address)) {
		struct resolved r = resolver_resolve(d->resolver, buf_str(&address));
		if (r.result == RCPT_TEMPORARY)
			log_event(LOG_ERROR, "directory.lookup-failed",
			    "file=directory/%s errno=%d", DATABASE_FILE, -r.error);
		answer.result = (uint8_t)r.result;
		answer.accounts = (struct ipc_u64s){r.accounts, r.n_accounts};
		answer.outside = (struct ipc_strs){r.outside, r.n_outside};
		if (r.n_outside > 0)
			rewrite_sender(d, m, &sender);
		answer.reverse_path = buf_str(&sender);
	}
	return loop_send(from, IPC_ROUTE_ANSWER, &answer);
}

static int on_signers(struct loop_entry *from, void *msg, void *ctx)
{
	const struct ipc_signers *m = msg;
	struct signers s CLEANUP(signers_done) = {.arena = ARENA_MAX(SIGNERS_ARENA_LEN)};
	find_signers(ctx, m->domain, &s);
	struct ipc_signers_answer answer = {
	    .request = m->request,
	    .selectors = {s.selectors, s.n},
	    .algorithms = {s.algorithms, s.n},
	};
	return loop_send(from, IPC_SIGNERS_ANSWER, &answer);
}

static void on_queue_closed(struct loop_entry *from, int error, void *ctx)
{
	struct directory *d = ctx;
	if (error == -EBADMSG || error == -EPROTO)
		directory_alarm(d, "", "the queue sent a message that is not allowed");
	if (d->queue == from)
		d->queue = NULL;
}

static const struct ipc_receiver messages[] = {
    {IPC_MAY_SEND, on_may_send}, {IPC_ROUTE, on_route}, {IPC_SIGNERS, on_signers}};
const struct ipc_receivers directory_queue_receivers = {
    messages, ARRAY_LEN(messages), on_queue_closed};
