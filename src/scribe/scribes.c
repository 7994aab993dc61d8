#include "scribe/scribes.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "sandbox/brood.h"
#include "ipc/outgoing.h"
#include "mail/address.h"
#include "mail/dkim_key.h"
#include "sandbox/lean.h"
#include "sandbox/sandbox.h"
#include "scribe/scribe.h"

struct scribes {
	struct brood brood;
	struct sandbox_child *sandbox;
	/* a ring of those that wait for a child to end */
	struct ipc_scribe waiting[SCRIBES_WAITING_MAX];
	size_t first_waiting, n_waiting;
};

/* --- children --- */

static _Noreturn void be_scribe(const struct scribes *s, struct ipc_scribe *start)
{
	const int keep[] = {start->channel};

	sandbox_enter_child(s->sandbox, keep, ARRAY_LEN(keep));
	log_open("scribe", LOG_INFO);
	_exit(scribe_run(start));
}

static void fork_waiting(void *ctx)
{
	struct scribes *s = ctx;

	while (s->n_waiting > 0 && !brood_is_full(&s->brood)) {
		struct ipc_scribe start = s->waiting[s->first_waiting];
		s->first_waiting = (s->first_waiting + 1) % SCRIBES_WAITING_MAX;
		s->n_waiting--;
		int pid = brood_fork(&s->brood, NULL);
		if (pid == 0)
			be_scribe(s, &start);
		/* The queue sees its channel end. */
		if (pid < 0 && pid != -EUSERS)
			log_event(LOG_ERROR, "scribes.no_fork", "error=%s", strerror(-pid));
		fd_close(&start.channel);
	}
}

static bool has_waiting(void *ctx)
{
	return ((struct scribes *)ctx)->n_waiting > 0;
}

static const struct brood_kind kind = {
    .child = "scribe",
    .crash = LEDGER_ALARM_ROLE_CRASH,
    .lasts_ms = SCRIBE_OVERDUE_MS,
    .has_room = fork_waiting,
    .is_busy = has_waiting,
};

/* --- the queue --- */

static int on_scribe(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct brood *b = ctx;
	struct scribes *s = b->ctx;
	struct ipc_scribe *m = msg;
	struct ipc_scribe start = *m;

	if (m->messages == 0)
		return -EPROTO;
	/* One that is being replaced is sent nothing new by who knows; the rest is closed. */
	if (s->n_waiting == SCRIBES_WAITING_MAX || b->is_ending)
		return 0;
	m->channel = -1;
	s->waiting[(s->first_waiting + s->n_waiting++) % SCRIBES_WAITING_MAX] = start;
	fork_waiting(s);
	return 0;
}

static const struct ipc_receiver queue_messages[] = {{IPC_SCRIBE, on_scribe}};

/* --- start --- */

/* A key like those in the DNS: nothing is verified, and everything that does it is there. */
static void warm_up_key(const char *record, size_t signature_len)
{
	static const char signature[128];
	uint8_t hash[DKIM_HASH_LEN] = {0};
	struct dkim_key key;
	unsigned bits;

	if (dkim_key_parse(str_of_cstr(record), &key) == NULL)
		(void)!dkim_key_verify(&key, hash, str_of(signature, signature_len), &bits);
}

/* OpenSSL reads its configuration and fetches its digests at the first use, ICU its tables: that is
 * done here, where there are files still, and all scribes share what it left. */
static void warm_up(void)
{
	uint8_t hash[DKIM_HASH_LEN];
	struct dkim_body body;

	dkim_hash(STR(""), hash);
	dkim_body_begin(&body, DKIM_RELAXED, UINT64_MAX);
	dkim_body_add(&body, STR("warm\r\n"));
	dkim_body_end(&body, hash);
	(void)!address_domain_eq(STR("b\xc3\xbc.example"), STR("b.example"));
	warm_up_key("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", 64);
	warm_up_key("v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
	            "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"
	            "DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
	            "Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
	    128);
}

int scribes_main(struct role_start *start)
{
	static struct scribes s;
	static struct brood_partner partners[] = {
	    {.role = ROLE_QUEUE, .messages = queue_messages, .n_messages = 1},
	    {.role = ROLE_LEDGER},
	};
	int r = brood_open(
	    &s.brood, &kind, SCRIBES_MAX, start->supervisor, partners, ARRAY_LEN(partners), &s);

	if (r < 0) {
		log_event(LOG_ERROR, "scribes.cannot_start", "error=%s", strerror(-r));
		return 1;
	}
	s.sandbox = sandbox_prepare_child(start, ROLE_SCRIBE);
	warm_up();
	lean_prepare();
	sandbox_enter(start);
	r = role_ready(start);
	if (r == 0)
		r = brood_run(&s.brood);
	if (r < 0)
		log_event(LOG_ERROR, "scribes.loop_failed", "error=%s", strerror(-r));
	brood_close(&s.brood);
	while (s.n_waiting > 0)
		fd_close(
		    &s.waiting[(s.first_waiting + --s.n_waiting) % SCRIBES_WAITING_MAX].channel);
	return r < 0 ? 1 : 0;
}
