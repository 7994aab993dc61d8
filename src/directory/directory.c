#include "directory/directory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "directory/dkim.h"
#include "directory/state.h"
#include "mail/charset.h"
#include "sandbox/sandbox.h"
#include "seal/cipher.h"

void directory_ledger(struct directory *d, enum ledger_kind kind, uint64_t account,
    const char *peer, const char *detail)
{
	struct ipc_ledger_event event = {
	    .kind = (uint8_t)kind,
	    .account = account,
	    .peer = str_of_cstr(peer),
	    .detail = str_of_cstr(detail),
	};
	if (!d->ledger || loop_send(d->ledger, IPC_LEDGER_EVENT, &event))
		log_event(LOG_ERROR, "directory.ledger-unreachable",
		    "kind=%d account=%" PRIu64 " detail=%s", (int)kind, account,
		    log_quote(event.detail).text);
}

void directory_alarm(struct directory *d, const char *peer, const char *detail)
{
	log_event(LOG_ALARM, "directory.bad-message", "peer=%s detail=%s",
	    log_quote(str_of_cstr(peer)).text, log_quote(str_of_cstr(detail)).text);
	directory_ledger(d, LEDGER_ALARM_BAD_MESSAGE, 0, peer, detail);
}

void directory_stop_when_drained(struct directory *d)
{
	if (d->is_draining && d->n_gates == 0 && d->n_controls == 0 && d->n_questions == 0)
		loop_stop(d->loop);
}

/* --- partners --- */

static void on_ledger_closed(struct loop_entry *from, int error UNUSED, void *ctx)
{
	struct directory *d = ctx;
	if (d->ledger == from)
		d->ledger = NULL;
}

static const struct ipc_receivers ledger_receivers = {NULL, 0, on_ledger_closed};

static struct loop_entry *add_peer(struct directory *d, const struct ipc_peer *peer)
{
	switch (peer->role) {
	case ROLE_GATEKEEPER_SMTP:
		return loop_add_channel(
		    d->loop, peer->channel, &directory_smtp_gatekeeper_receivers, d);
	case ROLE_GATEKEEPER_IMAP:
		return loop_add_channel(
		    d->loop, peer->channel, &directory_imap_gatekeeper_receivers, d);
	case ROLE_GATEKEEPER_POP3:
		return loop_add_channel(
		    d->loop, peer->channel, &directory_pop3_gatekeeper_receivers, d);
	case ROLE_GATEKEEPER_SUBMISSION:
		return loop_add_channel(
		    d->loop, peer->channel, &directory_submission_gatekeeper_receivers, d);
	case ROLE_REGISTRY:
		d->registry =
		    loop_add_channel(d->loop, peer->channel, &directory_registry_receivers, d);
		return d->registry;
	case ROLE_KEYHOLDER:
		d->keyholder =
		    loop_add_channel(d->loop, peer->channel, &directory_keyholder_receivers, d);
		return d->keyholder;
	case ROLE_QUEUE:
		d->queue = loop_add_channel(d->loop, peer->channel, &directory_queue_receivers, d);
		return d->queue;
	case ROLE_LEDGER:
		d->ledger = loop_add_channel(d->loop, peer->channel, &ledger_receivers, d);
		return d->ledger;
	default:
		return NULL;
	}
}

static int on_peer(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct directory *d = ctx;
	struct ipc_peer *peer = msg;
	if (!add_peer(d, peer))
		return -EPROTO;
	peer->channel = -1;
	if (peer->role == ROLE_REGISTRY) {
		d->cleaned_up = 0;
		directory_clean_up(d);
	}
	if (peer->role == ROLE_KEYHOLDER)
		dkim_work_begin(d->dkim);
	return 0;
}

static void on_drain_over(void *ctx)
{
	loop_stop(((struct directory *)ctx)->loop);
}

static int on_drain(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct directory *d = ctx;
	d->is_draining = true;
	if (loop_after(d->loop, ((struct ipc_drain *)msg)->ms, on_drain_over, d))
		loop_stop(d->loop);
	directory_stop_when_drained(d);
	return 0;
}

static void on_supervisor_closed(struct loop_entry *from UNUSED, int error UNUSED, void *ctx)
{
	loop_stop(((struct directory *)ctx)->loop);
}

static const struct ipc_receiver supervisor_messages[] = {
    {IPC_PEER, on_peer}, {IPC_DRAIN, on_drain}};
static const struct ipc_receivers supervisor_receivers = {
    supervisor_messages, ARRAY_LEN(supervisor_messages), on_supervisor_closed};

/* --- time --- */

static void on_timer(void *ctx)
{
	struct directory *d = ctx;
	key_cache_expire(d->keys);
	directory_check_questions(d);
	dkim_work_check(d->dkim);
	if (loop_after(d->loop, DIRECTORY_EXPIRE_MS, on_timer, d)) {
		/* without it keys would outstay: better to be started anew */
		log_event(LOG_ERROR, "directory.no-timer", "errno=%d", ENOSPC);
		loop_stop(d->loop);
	}
}

/* --- start --- */

static int prepare(struct directory *d, struct role_start *start)
{
	cipher_init();
	charset_init();
	d->config = start->config;
	d->dkim = dkim_work_new(d);
	d->owner = start->own_user ? 0 : getuid();
	int error = database_open(false, &d->db);
	if (error) {
		log_event(LOG_ERROR, "directory.no-database", "file=%s error=%s",
		    error == -ENOKEY ? "directory/" DATABASE_KEY : "directory/" DATABASE_FILE,
		    log_quote(str_of_cstr(strerror(-error))).text);
		return error;
	}
	error = resolver_new(d->db, &d->resolver);
	if (!error)
		error = throttle_new(start->config->sign_in_failures, &d->throttle);
	if (!error)
		error = key_cache_new(start->config->key_cache * 1000, &d->keys);
	if (!error)
		error = loop_new(&d->loop);
	if (!error)
		error = works_new(d->loop, &d->works);
	if (!error)
		error = loop_after(d->loop, DIRECTORY_EXPIRE_MS, on_timer, d);
	if (!error)
		error = fd_set_nonblocking(start->control, true);
	return error;
}

int directory_main(struct role_start *start)
{
	struct directory d = {0};
	int error = prepare(&d, start);
	if (error)
		return 1;
	if (!loop_add_channel(d.loop, start->supervisor, &supervisor_receivers, &d) ||
	    !loop_add_fd(d.loop, start->control, directory_accept_control, &d))
		return 1;
	sandbox_enter(start);
	error = role_ready(start);
	if (!error)
		error = loop_run(d.loop);
	if (error)
		log_event(LOG_ERROR, "directory.loop-failed", "errno=%d", -error);
	key_cache_free(d.keys);
	works_free(d.works);
	resolver_free(d.resolver);
	throttle_free(d.throttle);
	dkim_work_free(d.dkim);
	database_close(d.db);
	loop_free(d.loop);
	return error ? 1 : 0;
}
