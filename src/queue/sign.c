#include "queue/sign.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "mail/address.h"

enum {
	SIGNATURE_LINE_LEN = 72,
	SIGNATURE_TEXT_MAX = 2048,
	SIGNED_FIELDS_MAX = 64 << 10,
	ARENA_LEN_MAX = 128 << 10,
	MESSAGE_LEN_MAX = CONFIG_MESSAGE_SIZE_MAX + (1 << 20),
};

struct signing {
	struct queue *q;
	struct arena arena;
	uint64_t id;
	uint8_t body;
	int message;               /* borrowed */
	struct loop_entry *scribe; /* NULL: not there (any more) */
	bool is_examined;
	struct str domain;
	struct ipc_strs selectors;
	struct ipc_u64s algorithms;
	struct str fields[OUTGOING_SIGNATURES_MAX]; /* without signature */
	struct str hashes[OUTGOING_SIGNATURES_MAX];
	size_t n, n_signed;
	struct buf signed_fields;
	int finished; /* sealed memfd */
	size_t finished_len;
	sign_done done;
	void *ctx;
};

void sign_free(struct signing *s)
{
	if (!s)
		return;
	queue_forget(s->q, s);
	loop_forget(s->q->loop, s);
	if (s->scribe)
		loop_remove(s->scribe);
	fd_close(&s->finished);
	buf_done(&s->signed_fields);
	arena_done(&s->arena);
	free(s);
}

static void finish(struct signing *s, int error, int message)
{
	sign_done done = s->done;
	void *ctx = s->ctx;
	if (s->scribe)
		loop_remove(s->scribe);
	s->scribe = NULL;
	loop_forget(s->q->loop, s);
	done(ctx, error, message); /* which frees it */
}

static void go_unsigned(struct signing *s, const char *why)
{
	log_event(LOG_WARNING, "queue.unsigned", "message=%" PRIu64 " domain=%s reason=%s", s->id,
	    log_quote(s->domain).text, log_quote(str_of_cstr(why)).text);
	finish(s, 0, -1);
}

/* --- the end --- */

bool sign_add_field(struct buf *out, struct str field, struct str signature)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(SIGNATURE_TEXT_MAX);
	if (!base64_encode(signature, &text))
		return false;
	buf_add(out, field);
	for (struct str rest = buf_str(&text); rest.len > 0;) {
		buf_add(out, STR("\r\n\t"));
		buf_add(out, str_first(rest, SIGNATURE_LINE_LEN));
		rest = str_from(rest, SIGNATURE_LINE_LEN);
	}
	buf_add(out, STR("\r\n"));
	return !buf_failed(out);
}

/* The signatures, and the message behind them. */
static int join(struct signing *s, int *ret_fd)
{
	size_t len = s->finished_len;
	int fd CLEANUP(fd_close) = memfd_create("notice", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	void *p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, s->finished, 0);
	if (p == MAP_FAILED)
		return -errno;
	int error = fd_write_all(fd, buf_str(&s->signed_fields));
	if (!error)
		error = fd_write_all(fd, str_of(p, len));
	munmap(p, len);
	if (!error)
		error = fd_seal(fd);
	if (!error)
		*ret_fd = fd_take(&fd);
	return error;
}

static void sign_next(struct signing *s);

static void on_signed(const void *answer, void *ctx)
{
	struct signing *s = ctx;
	const struct ipc_dkim_signed *m = answer;
	if (!m || !m->ok ||
	    !sign_add_field(&s->signed_fields, s->fields[s->n_signed], m->signature)) {
		finish(s, -EAGAIN, -1);
		return;
	}
	s->n_signed++;
	sign_next(s);
}

static void sign_next(struct signing *s)
{
	if (s->n_signed == s->n) {
		int fd = -1;
		int error = join(s, &fd);
		finish(s, error, fd);
		return;
	}
	struct ipc_dkim_sign ask = {.request = queue_request(s->q),
	    .domain = s->domain,
	    .selector = s->selectors.v[s->n_signed],
	    .hash = s->hashes[s->n_signed]};
	if (queue_ask(s->q, s->q->keyholder, IPC_DKIM_SIGN, &ask, ask.request, IPC_DKIM_SIGNED,
	        on_signed, s))
		finish(s, -EAGAIN, -1);
}

/* --- the scribe --- */

static int on_examined(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct signing *s = ctx;
	const struct ipc_examined *m = msg;
	if (s->is_examined)
		return -EPROTO;
	s->is_examined = true;
	if (m->result != EXAMINED_OK) {
		go_unsigned(s, "the scribe refuses what it quotes");
		return 0;
	}
	struct ipc_finish finish = {.domain = s->domain,
	    .selectors = s->selectors,
	    .algorithms = s->algorithms,
	    .at = clock_wall_ms(),
	    .name = str_of_cstr(s->q->config->hostname)};
	if (loop_send(s->scribe, IPC_FINISH, &finish))
		go_unsigned(s, "the scribe is gone");
	return 0;
}

static int on_finished(struct loop_entry *from, void *msg, void *ctx)
{
	struct signing *s = ctx;
	struct ipc_finished *m = msg;
	if (!s->is_examined || m->fields.n != m->hashes.n || m->fields.n != s->selectors.n)
		return -EPROTO;
	/* One that it could still change would be another than is signed. */
	if (fd_check_sealed(m->message, &s->finished_len) || s->finished_len == 0 ||
	    s->finished_len > MESSAGE_LEN_MAX)
		return -EPROTO;
	for (size_t i = 0; i < m->fields.n; i++)
		if (m->hashes.v[i].len != OUTGOING_SHA256_LEN ||
		    !arena_dup(&s->arena, m->fields.v[i], &s->fields[i]) ||
		    !arena_dup(&s->arena, m->hashes.v[i], &s->hashes[i]))
			return -EPROTO;
	s->n = m->fields.n;
	s->finished = fd_take(&m->message);
	s->scribe = NULL;
	loop_remove(from);
	loop_forget(s->q->loop, s);
	sign_next(s);
	return 0;
}

static void on_scribe_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct signing *s = ctx;
	s->scribe = NULL;
	if (error == -EBADMSG || error == -EPROTO)
		queue_alarm(s->q, LEDGER_ALARM_BAD_MESSAGE, "",
		    "a scribe sent the queue what it may not send");
	go_unsigned(s, "the scribe ended too early");
}

static void on_timeout(void *ctx)
{
	go_unsigned(ctx, "the scribe took too long");
}

static const struct ipc_receiver scribe_messages[] = {
    {IPC_EXAMINED, on_examined}, {IPC_FINISHED, on_finished}};
static const struct ipc_receivers scribe_receivers = {
    scribe_messages, ARRAY_LEN(scribe_messages), on_scribe_closed};

/* One of its own, for this message alone: it quotes what strangers wrote. */
static int begin_scribe(struct signing *s)
{
	int ends[2];
	int error = s->q->scribes ? ipc_pair(ends) : -EPIPE;
	if (error)
		return error;
	struct ipc_scribe m = {.channel = ends[1], .messages = 1};
	error = loop_send(s->q->scribes, IPC_SCRIBE, &m);
	close(ends[1]);
	if (!error) {
		s->scribe = loop_add_channel(s->q->loop, ends[0], &scribe_receivers, s);
		error = s->scribe ? 0 : -EMFILE;
	}
	if (error)
		close(ends[0]);
	return error;
}

static int ask_scribe(struct signing *s)
{
	struct ipc_prepare m = {.message = s->message, .complete = 1, .body = s->body};
	int error = begin_scribe(s);
	if (!error)
		error = loop_send(s->scribe, IPC_PREPARE, &m);
	if (!error)
		error = loop_after(s->q->loop, SIGN_TIMEOUT_MS, on_timeout, s);
	return error;
}

/* --- who signs --- */

static bool keep_signers(struct signing *s, const struct ipc_signers_answer *m)
{
	struct str *selectors = ARENA_NEW_ARRAY(&s->arena, struct str, OUTGOING_SIGNATURES_MAX);
	uint64_t *algorithms = ARENA_NEW_ARRAY(&s->arena, uint64_t, OUTGOING_SIGNATURES_MAX);
	if (!selectors || !algorithms)
		return false;
	for (size_t i = 0; i < m->selectors.n; i++) {
		if (!arena_dup(&s->arena, m->selectors.v[i], &selectors[i]))
			return false;
		algorithms[i] = m->algorithms.v[i];
	}
	s->selectors = (struct ipc_strs){selectors, m->selectors.n};
	s->algorithms = (struct ipc_u64s){algorithms, m->selectors.n};
	return true;
}

static void on_signers(const void *answer, void *ctx)
{
	struct signing *s = ctx;
	const struct ipc_signers_answer *m = answer;
	if (!m || m->selectors.n != m->algorithms.n || !keep_signers(s, m))
		finish(s, -EAGAIN, -1);
	else if (m->selectors.n == 0)
		finish(s, 0, -1);
	else if (ask_scribe(s))
		finish(s, -EAGAIN, -1);
}

struct signing *sign_begin(
    struct queue *q, const struct queued_message *m, int message, sign_done done, void *ctx)
{
	struct signing *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	*s = (struct signing){.q = q,
	    .arena = ARENA_MAX(ARENA_LEN_MAX),
	    .id = m->id,
	    .body = m->mail.body,
	    .message = message,
	    .signed_fields = BUF_MAX(SIGNED_FIELDS_MAX),
	    .finished = -1,
	    .done = done,
	    .ctx = ctx};
	/* Those of before this was kept are the server's. */
	if ((m->user.len == 0 || !queue_domain_of(m->user, &s->arena, &s->domain)) &&
	    !arena_dup(&s->arena, str_of_cstr(q->config->hostname), &s->domain))
		abort();
	struct ipc_signers ask = {.request = queue_request(q), .domain = s->domain};
	if (!queue_ask(
	        q, q->directory, IPC_SIGNERS, &ask, ask.request, IPC_SIGNERS_ANSWER, on_signers, s))
		return s;
	sign_free(s);
	return NULL;
}
