#include "queue/forward.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "dns/rdata.h"
#include "ipc/scribing.h"
#include "mail/arc_seal.h"
#include "mail/dkim_canon.h"
#include "mail/key_names.h"

enum { SEAL_TEXT_MAX = 4 << 20, SEALS_MAX = 2 };

struct key_ask {
	struct submitter *s;
	uint16_t index;
	bool is_open;
};

/* --- scribes for strangers --- */

bool forward_may_start(struct submitter *s)
{
	struct forward *f = &s->in.forward;

	if (!s->forwards || f->has_place)
		return true;
	f->waits = s->q->n_forward_scribes >= FORWARD_SCRIBES_MAX;
	if (f->waits)
		return false;
	f->has_place = true;
	s->q->n_forward_scribes++;
	return true;
}

/* Who has waited longest is given up first. */
static void start_next(struct queue *q)
{
	struct submitter *next = NULL;

	for (struct submitter *s = q->submitters; s; s = s->next)
		if (s->in.forward.waits && (!next || s->until < next->until))
			next = s;
	if (!next)
		return;
	next->in.forward.waits = false;
	submit_start_scribe(next);
}

static void forget_asks(struct submitter *s)
{
	struct forward *f = &s->in.forward;

	for (size_t i = 0; f->n_open > 0 && i < f->n_keys; i++) {
		if (!f->asks[i].is_open)
			continue;
		queue_forget(s->q, &f->asks[i]);
		f->asks[i].is_open = false;
		f->n_open--;
	}
}

void forward_release(struct submitter *s)
{
	struct forward *f = &s->in.forward;
	bool had_place = f->has_place;

	forget_asks(s);
	f->waits = f->has_place = false;
	if (!had_place)
		return;
	s->q->n_forward_scribes--;
	start_next(s->q);
}

/* --- keys --- */

static void finish_keys(struct submitter *s)
{
	forget_asks(s);
	submit_ask_signers(s);
}

static void ask_more(struct submitter *s);

static void on_key(const void *answer, void *ctx)
{
	struct key_ask *ask = ctx;
	struct submitter *s = ask->s;
	struct forward *f = &s->in.forward;
	const struct ipc_dns_answer *m = answer;
	struct ipc_key key = {.index = ask->index, .result = DNS_FAILED};

	ask->is_open = false;
	f->n_open--;
	if (!m && !s->q->resolver) {
		submit_fail(s, SUBMIT_TEMPORARY, STR(""));
		return;
	}
	if (m) {
		key.result = m->result;
		key.records = m->records;
		if (key.records.n > FORWARD_RECORDS_MAX)
			key.records.n = FORWARD_RECORDS_MAX;
	}
	if (!s->scribe.entry || loop_send(s->scribe.entry, IPC_KEY, &key)) {
		submit_fail(s, SUBMIT_TEMPORARY, STR(""));
		return;
	}
	ask_more(s);
}

static int ask_one(struct submitter *s, struct key_ask *ask)
{
	struct forward *f = &s->in.forward;
	struct ipc_dns m = {
	    .request = queue_request(s->q), .name = f->names.v[ask->index], .type = DNS_TXT};
	int error =
	    queue_ask(s->q, s->q->resolver, IPC_DNS, &m, m.request, IPC_DNS_ANSWER, on_key, ask);

	if (!error) {
		ask->is_open = true;
		f->n_open++;
	}
	return error;
}

static void ask_more(struct submitter *s)
{
	struct forward *f = &s->in.forward;

	while (f->n_asked < f->n_keys && f->n_open < FORWARD_QUESTIONS_MAX)
		if (ask_one(s, &f->asks[f->n_asked++])) {
			submit_fail(s, SUBMIT_TEMPORARY, STR(""));
			return;
		}
	if (f->n_open == 0)
		finish_keys(s);
}

/* Keys, each named once: nothing else may a scribe have looked up. */
static bool are_keys(struct ipc_strs names)
{
	for (size_t i = 0; i < names.n; i++) {
		if (!key_name_is_valid(names.v[i]))
			return false;
		for (size_t k = 0; k < i; k++)
			if (str_eq(names.v[i], names.v[k]))
				return false;
	}
	return true;
}

int forward_on_keys_wanted(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct submitter *s = ctx;
	struct incoming *in = &s->in;
	struct forward *f = &in->forward;
	const struct ipc_keys_wanted *m = msg;

	if (s->step != STEP_KEYS || f->asks || !are_keys(m->names))
		return -EPROTO;
	f->asks = ARENA_NEW_ARRAY(&in->arena, struct key_ask, m->names.n + 1);
	if (!f->asks || !submit_dup_strs(&in->arena, m->names, &f->names)) {
		submit_fail(s, SUBMIT_TEMPORARY, STR(""));
		return 0;
	}
	f->n_keys = m->names.n;
	for (size_t i = 0; i < f->n_keys; i++)
		f->asks[i] = (struct key_ask){.s = s, .index = (uint16_t)i};
	f->keys_until = clock_ms() + FORWARD_KEYS_MS;
	ask_more(s);
	return 0;
}

void forward_check(struct submitter *s)
{
	struct forward *f = &s->in.forward;

	if (s->step != STEP_KEYS || !f->asks || clock_ms() < f->keys_until)
		return;
	log_event(LOG_INFO, "queue.keys-late", "connection=%" PRIu64 " wanted=%zu missing=%zu",
	    s->connection, f->n_keys, f->n_open + f->n_keys - f->n_asked);
	finish_keys(s);
}

/* --- seals --- */

bool forward_is_sealing(const struct submitter *s)
{
	return s->in.forward.is_sealing;
}

static void on_sealed(const void *answer, void *ctx)
{
	struct submitter *s = ctx;
	struct forward *f = &s->in.forward;
	const struct ipc_dkim_signed *m = answer;

	f->is_sealing = false;
	if (!m || !m->ok || !s->scribe.entry) {
		submit_fail(s, SUBMIT_TEMPORARY, STR(""));
		return;
	}
	struct ipc_sealed sealed = {.signature = m->signature};
	f->n_sealed++;
	if (loop_send(s->scribe.entry, IPC_SEALED, &sealed))
		submit_fail(s, SUBMIT_TEMPORARY, STR(""));
}

/* The hash of what may be signed. 0, -EPROTO, -errno. */
static int hash_text(int fd, uint8_t ret_hash[static DKIM_HASH_LEN])
{
	size_t len;
	int error = fd_check_sealed(fd, &len);

	if (error || len == 0 || len > SEAL_TEXT_MAX)
		return -EPROTO;
	void *map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	struct str text = str_of(map, len);
	if (arc_seal_is_text(text))
		dkim_hash(text, ret_hash);
	else
		error = -EPROTO;
	munmap(map, len);
	return error;
}

int forward_on_seal(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct submitter *s = ctx;
	struct incoming *in = &s->in;
	struct forward *f = &in->forward;
	struct ipc_seal *m = msg;
	uint8_t hash[DKIM_HASH_LEN];

	if (!s->forwards || s->step != STEP_FINISH || f->is_sealing || in->selectors.n == 0 ||
	    f->n_sealed == SEALS_MAX)
		return -EPROTO;
	int error = hash_text(m->text, hash);
	if (error == -EPROTO)
		return error;
	struct ipc_dkim_sign ask = {.request = queue_request(s->q),
	    .domain = in->domain,
	    .selector = in->selectors.v[0],
	    .hash = str_of(hash, sizeof(hash))};
	f->is_sealing = true;
	if (error || queue_ask(s->q, s->q->keyholder, IPC_DKIM_SIGN, &ask, ask.request,
	                 IPC_DKIM_SIGNED, on_sealed, s))
		submit_fail(s, SUBMIT_TEMPORARY, STR(""));
	return 0;
}
