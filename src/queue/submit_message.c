#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "mail/address.h"
#include "queue/forward.h"
#include "queue/schedule.h"
#include "queue/sign.h"
#include "store/room.h"

enum {
	BODY_BINARY = 2, /* of ipc_outgoing */
	SIGNED_FIELDS_MAX = 64 << 10,
	TRACE_LINE_MAX = 998,                                   /* RFC 5322 §2.1.1 */
	FINISHED_LEN_MAX = CONFIG_MESSAGE_SIZE_MAX + (1 << 20), /* a scribe adds some fields */
};

static void fail(struct submitter *s, enum submit_result result)
{
	submit_fail(s, result, STR(""));
}

/* --- the end: durable --- */

static void on_committed(int error, uint64_t id, void *ctx)
{
	struct submitter *s = ctx;
	if (error) {
		fail(s, error == -ENOSPC || error == -EDQUOT ? SUBMIT_FULL : SUBMIT_TEMPORARY);
		return;
	}
	log_event(LOG_INFO, "queue.accepted",
	    "message=%" PRIu64 " connection=%" PRIu64 " account=%" PRIu64
	    " size=%zu recipients=%zu signatures=%zu sealed=%d",
	    id, s->connection, s->account, s->in.signed_fields.len + s->in.map_len,
	    s->in.n_recipients, s->in.n_signatures, s->in.forward.n_sealed > 0);
	submit_forget(s);
	submit_answer(s, SUBMIT_OK, id, "", STEP_IDLE);
}

/* The whole message: signatures, then what the scribe made. */
static int map_finished(struct incoming *in)
{
	in->map = mmap(NULL, in->map_len, PROT_READ, MAP_PRIVATE, in->finished, 0);
	if (in->map == MAP_FAILED) {
		in->map = NULL;
		return -errno;
	}
	return 0;
}

static void commit(struct submitter *s)
{
	struct incoming *in = &s->in;
	struct accept *a = &in->accept;
	struct queued_message *m = &a->m;
	uint64_t now = clock_wall_ms();
	enum submit_result rate = submit_check_rate(s);
	if (rate != SUBMIT_OK) {
		fail(s, rate);
		return;
	}
	int error = map_finished(in);
	if (error) {
		queue_report(s->q, "what a scribe made cannot be read", error);
		fail(s, SUBMIT_TEMPORARY);
		return;
	}
	m->account = s->account;
	m->origin = s->forwards ? ORIGIN_FORWARDED : ORIGIN_SUBMITTED;
	m->connection = s->connection;
	m->peer = str_of_cstr(s->peer);
	m->user = s->user;
	m->received_at = now;
	m->tls_optional = in->examined.tls_optional != 0;
	/* What the content needs: one that was only declared binary can go to any server. */
	if (in->examined.body > m->mail.body || m->mail.body == BODY_BINARY)
		m->mail.body = in->examined.body;
	if (in->examined.smtputf8)
		m->mail.smtputf8 = 1;
	for (size_t i = 0; i < in->n_recipients; i++)
		in->recipients[i].next_at = m->hold_until > 0 ? m->hold_until : now;
	a->recipients = in->recipients;
	a->n_recipients = in->n_recipients;
	a->parts[0] = buf_str(&in->signed_fields);
	a->parts[1] = str_of(in->map, in->map_len);
	a->n_parts = 2;
	a->done = on_committed;
	a->ctx = s;
	s->step = STEP_COMMIT;
	if (!queue_accept(s->q, a))
		fail(s, SUBMIT_TEMPORARY);
}

/* --- signatures --- */

/* In the order of the fields, whichever came first. */
static void put_together(struct submitter *s)
{
	struct incoming *in = &s->in;
	for (size_t i = 0; i < in->n_signatures; i++)
		if (!sign_add_field(&in->signed_fields, in->fields[i], in->signatures[i])) {
			fail(s, SUBMIT_TEMPORARY);
			return;
		}
	commit(s);
}

static void on_signed(const void *answer, void *ctx)
{
	struct submitter *s = ctx;
	struct incoming *in = &s->in;
	const struct ipc_dkim_signed *m = answer;
	size_t i = 0;
	while (m && i < in->n_signatures && in->requests[i] != m->request)
		i++;
	if (!m || !m->ok || i == in->n_signatures ||
	    !arena_dup(&in->arena, m->signature, &in->signatures[i])) {
		fail(s, SUBMIT_TEMPORARY);
		return;
	}
	in->requests[i] = 0;
	if (++in->n_signed == in->n_signatures)
		put_together(s);
}

/* All are asked for at once. */
static void ask_for_signatures(struct submitter *s)
{
	struct incoming *in = &s->in;
	int error = 0;
	s->step = STEP_SIGN;
	for (size_t i = 0; i < in->n_signatures && !error; i++) {
		struct ipc_dkim_sign ask = {.request = queue_request(s->q),
		    .domain = in->domain,
		    .selector = in->selectors.v[i],
		    .hash = in->hashes[i]};
		in->requests[i] = ask.request;
		error = queue_ask(s->q, s->q->keyholder, IPC_DKIM_SIGN, &ask, ask.request,
		    IPC_DKIM_SIGNED, on_signed, s);
	}
	if (error)
		fail(s, SUBMIT_TEMPORARY);
	else if (in->n_signatures == 0)
		commit(s);
}

/* --- the scribe's life --- */

void submit_drop_scribe(struct submitter *s)
{
	if (!s->scribe.entry)
		return;
	loop_remove(s->scribe.entry);
	s->scribe = (struct submit_scribe){0};
	s->q->n_scribes--;
}

/* It may wait for the next message of the same submitter; what comes from outside shares none. */
static void keep_or_drop(struct submitter *s)
{
	struct submit_scribe *scribe = &s->scribe;
	uint64_t now = clock_ms();
	scribe->is_at_work = false;
	scribe->idle_until = now + SCRIBE_IDLE_MS;
	if (s->forwards || scribe->n_messages >= SCRIBE_MESSAGES_MAX ||
	    now >= scribe->began + SCRIBE_LIFE_MS || s->q->n_scribes > SCRIBES_KEPT_MAX)
		submit_drop_scribe(s);
}

/* --- its second part --- */

static int on_finished(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct submitter *s = ctx;
	struct incoming *in = &s->in;
	struct ipc_finished *m = msg;
	size_t n = s->forwards ? 0 : in->selectors.n;
	if (s->step != STEP_FINISH || m->fields.n != m->hashes.n || m->fields.n != n ||
	    forward_is_sealing(s))
		return -EPROTO;
	/* One that it could still change, or make shorter, would be another than is signed. */
	if (fd_check_sealed(m->message, &in->map_len) || in->map_len == 0 ||
	    in->map_len > FINISHED_LEN_MAX)
		return -EPROTO;
	for (size_t i = 0; i < m->fields.n; i++) {
		if (m->hashes.v[i].len != OUTGOING_SHA256_LEN ||
		    !arena_dup(&in->arena, m->fields.v[i], &in->fields[i]) ||
		    !arena_dup(&in->arena, m->hashes.v[i], &in->hashes[i]))
			return -EPROTO;
	}
	in->n_signatures = m->fields.n;
	in->finished = fd_take(&m->message);
	in->signed_fields = BUF_MAX(SIGNED_FIELDS_MAX);
	keep_or_drop(s);
	ask_for_signatures(s);
	forward_release(s);
	return 0;
}

static void finish(struct submitter *s)
{
	struct incoming *in = &s->in;
	struct ipc_finish m = {.trace = in->trace,
	    .sender = in->sender,
	    .domain = in->selectors.n > 0 ? in->domain : STR(""),
	    .selectors = in->selectors,
	    .algorithms = in->algorithms,
	    .at = clock_wall_ms(),
	    .name = str_of_cstr(s->q->config->hostname),
	    .peer = s->forwards ? str_of_cstr(s->peer) : STR("")};
	s->step = STEP_FINISH;
	if (!s->scribe.entry || loop_send(s->scribe.entry, IPC_FINISH, &m))
		fail(s, SUBMIT_TEMPORARY);
}

bool submit_dup_strs(struct arena *a, struct ipc_strs from, struct ipc_strs *to)
{
	struct str *v = ARENA_NEW_ARRAY(a, struct str, from.n + 1);
	if (!v)
		return false;
	for (size_t i = 0; i < from.n; i++)
		if (!arena_dup(a, from.v[i], &v[i]))
			return false;
	*to = (struct ipc_strs){v, from.n};
	return true;
}

/* Of the keys that sign, one seals: RSA, which all who check chains know (RFC 8617 §4.1.3). */
static void keep_sealer(struct incoming *in)
{
	struct ipc_strs selectors = in->selectors;
	struct ipc_u64s algorithms = in->algorithms;
	in->selectors.n = in->algorithms.n = 0;
	for (size_t i = 0; i < selectors.n && in->selectors.n == 0; i++) {
		if (algorithms.v[i] != DKIM_RSA_SHA256)
			continue;
		in->selectors = (struct ipc_strs){selectors.v + i, 1};
		in->algorithms = (struct ipc_u64s){algorithms.v + i, 1};
	}
}

static bool keep_signers(
    struct incoming *in, struct ipc_strs selectors, struct ipc_u64s from_algorithms)
{
	uint64_t *algorithms = ARENA_NEW_ARRAY(&in->arena, uint64_t, OUTGOING_SIGNATURES_MAX);
	if (selectors.n != from_algorithms.n || !algorithms ||
	    !submit_dup_strs(&in->arena, selectors, &in->selectors))
		return false;
	for (size_t i = 0; i < from_algorithms.n; i++)
		algorithms[i] = from_algorithms.v[i];
	in->algorithms = (struct ipc_u64s){algorithms, from_algorithms.n};
	return true;
}

static void on_signers(const void *answer, void *ctx)
{
	struct submitter *s = ctx;
	const struct ipc_signers_answer *m = answer;
	if (!m || !keep_signers(&s->in, m->selectors, m->algorithms)) {
		fail(s, SUBMIT_TEMPORARY);
		return;
	}
	keep_sealer(&s->in);
	finish(s);
}

/* What is only passed on is sealed by the domain of the alias. */
void submit_ask_signers(struct submitter *s)
{
	struct incoming *in = &s->in;
	if (in->domain.len == 0) {
		finish(s);
		return;
	}
	struct ipc_signers ask = {.request = queue_request(s->q), .domain = in->domain};
	s->step = STEP_SIGNERS;
	if (queue_ask(s->q, s->q->directory, IPC_SIGNERS, &ask, ask.request, IPC_SIGNERS_ANSWER,
	        on_signers, s))
		fail(s, SUBMIT_TEMPORARY);
}

/* --- is it theirs? --- */

static void ask_may_send(struct submitter *s);

static void on_may_send(const void *answer, void *ctx)
{
	struct submitter *s = ctx;
	const struct ipc_may_send_answer *m = answer;
	if (!m || m->result == MAY_SEND_TEMPORARY) {
		fail(s, SUBMIT_TEMPORARY);
	} else if (m->result == MAY_NOT_SEND) {
		submit_fail(s, SUBMIT_AUTHOR, m->address);
	} else if (m->result == MAY_SEND_ON_BEHALF &&
	           !arena_dup(&s->in.arena, m->address, &s->in.sender)) {
		fail(s, SUBMIT_TEMPORARY);
	} else if (!keep_signers(&s->in, m->selectors, m->algorithms)) {
		fail(s, SUBMIT_TEMPORARY);
	} else {
		finish(s);
	}
}

static void on_may_send_path(const void *answer, void *ctx)
{
	struct submitter *s = ctx;
	const struct ipc_may_send_answer *m = answer;
	if (!m || m->result == MAY_SEND_TEMPORARY) {
		fail(s, SUBMIT_TEMPORARY);
	} else if (m->result == MAY_NOT_SEND) {
		s->path[0] = '\0';
		submit_fail(s, SUBMIT_NOT_YOURS, m->address);
	} else {
		s->in.path_is_assumed = false;
		ask_may_send(s);
	}
}

static bool is_author(const struct incoming *in, struct str address)
{
	for (size_t i = 0; i < in->examined.authors.n; i++)
		if (str_eq(in->examined.authors.v[i], address))
			return true;
	return false;
}

/* The domain of the first author signs (DMARC compares with that). Who may send as the authors may
 * send as a reverse-path that is one of them. */
static void ask_may_send(struct submitter *s)
{
	struct incoming *in = &s->in;
	struct str path = in->accept.m.mail.reverse_path;
	struct ipc_may_send ask = {.account = s->account};
	if (s->forwards) {
		s->step = STEP_KEYS; /* the scribe names them next */
		return;
	}
	bool asks_path = in->path_is_assumed && !is_author(in, path);
	if (asks_path) {
		ask.authors = (struct ipc_strs){&path, 1};
	} else {
		ask.authors = in->examined.authors;
		ask.sender = in->examined.sender;
		if (in->examined.authors.n > 0 &&
		    queue_domain_of(in->examined.authors.v[0], &in->arena, &in->domain))
			ask.domain = in->domain;
	}
	ask.request = queue_request(s->q);
	s->step = STEP_MAY_SEND;
	if (queue_ask(s->q, s->q->directory, IPC_MAY_SEND, &ask, ask.request, IPC_MAY_SEND_ANSWER,
	        asks_path ? on_may_send_path : on_may_send, s))
		fail(s, SUBMIT_TEMPORARY);
}

/* --- its first part --- */

/* What the directory takes and answers with. */
static bool are_addresses(struct ipc_strs v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.v[i].len == 0 || v.v[i].len > IPC_ADDRESS_MAX)
			return false;
	return true;
}

static int on_examined(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct submitter *s = ctx;
	struct incoming *in = &s->in;
	const struct ipc_examined *m = msg;
	if (s->step != STEP_EXAMINE || !are_addresses(m->authors))
		return -EPROTO;
	if (m->result != EXAMINED_OK) {
		enum submit_result result =
		    m->result == EXAMINED_LOOP ? SUBMIT_LOOP : SUBMIT_MALFORMED;
		keep_or_drop(s);
		submit_fail(s, result, m->detail);
		return 0;
	}
	in->examined = *m;
	in->examined.detail = STR("");
	if (!submit_dup_strs(&in->arena, m->authors, &in->examined.authors) ||
	    !arena_dup(&in->arena, m->sender, &in->examined.sender))
		fail(s, SUBMIT_TEMPORARY);
	else
		ask_may_send(s);
	return 0;
}

static void on_scribe_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct submitter *s = ctx;
	bool was_at_work = s->scribe.is_at_work;
	s->scribe = (struct submit_scribe){0};
	s->q->n_scribes--;
	if (error == -EBADMSG || error == -EPROTO)
		queue_alarm(s->q, LEDGER_ALARM_BAD_MESSAGE, s->peer,
		    "a scribe sent the queue what it may not send");
	/* It died over this message; while the directory answers, too. */
	if (was_at_work && s->step >= STEP_EXAMINE && s->step <= STEP_FINISH)
		fail(s, SUBMIT_TEMPORARY);
}

static const struct ipc_receiver scribe_messages[] = {{IPC_EXAMINED, on_examined},
    {IPC_KEYS_WANTED, forward_on_keys_wanted}, {IPC_SEAL, forward_on_seal},
    {IPC_FINISHED, on_finished}};
static const struct ipc_receivers scribe_receivers = {
    scribe_messages, ARRAY_LEN(scribe_messages), on_scribe_closed};

static int begin_scribe(struct submitter *s)
{
	int ends[2];
	int error = s->q->scribes ? ipc_pair(ends) : -EPIPE;
	if (error)
		return error;
	struct ipc_scribe m = {
	    .channel = ends[1], .messages = s->forwards ? 1 : SCRIBE_MESSAGES_MAX};
	error = loop_send(s->q->scribes, IPC_SCRIBE, &m);
	close(ends[1]);
	if (!error) {
		s->scribe = (struct submit_scribe){.began = clock_ms(),
		    .entry = loop_add_channel(s->q->loop, ends[0], &scribe_receivers, s)};
		error = s->scribe.entry ? 0 : -EMFILE;
	}
	if (error)
		close(ends[0]);
	else
		s->q->n_scribes++;
	return error;
}

/* The one that is there, or where it has gone in the meantime a new one. */
static int ask_scribe(struct submitter *s)
{
	struct ipc_prepare m = {.message = s->in.message,
	    .complete = s->forwards ? 0 : 1,
	    .body = s->in.accept.m.mail.body};
	int error = s->scribe.entry ? loop_send(s->scribe.entry, IPC_PREPARE, &m) : -EPIPE;
	if (error) {
		submit_drop_scribe(s);
		error = begin_scribe(s);
		if (!error)
			error = loop_send(s->scribe.entry, IPC_PREPARE, &m);
	}
	s->scribe.is_at_work = error == 0;
	s->scribe.n_messages++;
	return error;
}

void submit_start_scribe(struct submitter *s)
{
	if (forward_may_start(s) && ask_scribe(s))
		fail(s, SUBMIT_TEMPORARY);
}

/* No line of it is anything but the one field, or goes on with it: a second field would stand in
 * the message unread by the scribe, and a CR or LF alone is a line's end to some servers. */
static bool is_trace(struct str trace)
{
	struct str rest = trace;

	if (!str_starts_nocase(trace, STR("Received:")) || !str_ends(trace, STR("\r\n")))
		return false;
	for (bool first = true; rest.len > 0; first = false) {
		size_t len = str_find(rest, STR("\r\n"));
		struct str line = str_first(rest, len);
		rest = str_from(rest, len + 2);
		if (len > TRACE_LINE_MAX || (!first && str_trim(line).len == 0) ||
		    (!first && line.p[0] != ' ' && line.p[0] != '\t'))
			return false;
		for (size_t i = 0; i < line.len; i++) {
			unsigned char c = (unsigned char)line.p[i];
			if ((c < ' ' && c != '\t') || c == 0x7f)
				return false;
		}
	}
	return true;
}

int submit_begin_message(struct submitter *s, struct ipc_submit_data *m)
{
	struct incoming *in = &s->in;
	size_t len = 0;
	int error = fd_check_sealed(m->message, &len);
	if (error || len > CONFIG_MESSAGE_SIZE_MAX || (m->trace.len > 0 && !is_trace(m->trace)))
		return -EPROTO;
	if (!arena_dup(&in->arena, m->trace, &in->trace))
		return -EPROTO;
	in->message = fd_take(&m->message);
	s->step = STEP_EXAMINE;
	error = room_check(queue_db_folder(s->q->db), len);
	if (error) {
		fail(s, error == -ENOSPC ? SUBMIT_FULL : SUBMIT_TEMPORARY);
		return 0;
	}
	s->until = clock_ms() + SUBMIT_STEP_TIMEOUT_MS;
	submit_start_scribe(s);
	return 0;
}
