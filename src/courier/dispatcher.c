#include "courier/dispatcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/heap.h"
#include "base/log.h"
#include "courier/courier.h"
#include "sandbox/brood.h"
#include "ipc/outgoing.h"
#include "mail/address.h"
#include "mail/charset.h"
#include "sandbox/sandbox.h"
#include "tls/client.h"

enum {
	/* A courier ends itself: it takes its last message then, and that one has so long. */
	COURIER_LASTS_MS = COURIER_TAKES_MS + COURIER_MESSAGE_MS + 10 * 60 * 1000,
};

struct dispatcher {
	struct brood brood;
	const struct config *config;
	struct tls_client *tls;
	struct sandbox_child *sandbox;
	int drain[2]; /* the couriers inherit the end that is read; the other is never written to */
};

/* --- couriers begin --- */

static _Noreturn void be_courier(const struct dispatcher *d, int queue, int resolver)
{
	const struct courier_start start = {.config = d->config,
	    .tls = d->tls,
	    .times = &courier_times,
	    .queue = queue,
	    .resolver = resolver,
	    .drain = d->drain[0]};
	const int keep[] = {queue, resolver, d->drain[0]};

	log_open("courier", LOG_INFO);
	sandbox_enter_child(d->sandbox, keep, ARRAY_LEN(keep));
	int r = courier_run(&start);
	if (r < 0)
		log_event(LOG_ERROR, "courier.failed", "error=%s", strerror(-r));
	_exit(r < 0 ? 1 : 0);
}

/* A channel whose far end goes to the resolver. */
static int introduce(struct dispatcher *d, int *ret_channel)
{
	struct loop_entry *to = brood_partner(&d->brood, ROLE_RESOLVER);
	int ends[2];

	if (to == NULL)
		return -ENOTCONN;
	int r = ipc_pair(ends);
	if (r < 0)
		return r;
	int near CLEANUP(fd_close) = ends[0], far CLEANUP(fd_close) = ends[1];
	const struct ipc_asker message = {.channel = far};
	r = loop_offer(to, IPC_ASKER, &message);
	if (r == 0)
		*ret_channel = fd_take(&near);
	return r;
}

static int fork_courier(struct dispatcher *d, int queue)
{
	int resolver CLEANUP(fd_close) = -1;

	if (brood_is_full(&d->brood) || d->brood.is_ending)
		return -EUSERS;
	int r = introduce(d, &resolver);
	if (r < 0)
		return r;
	/* A channel that came through a loop does not block; a courier's does. */
	if ((r = fd_set_nonblocking(queue, false)) < 0)
		return r;
	r = brood_fork(&d->brood, NULL);
	if (r == 0)
		be_courier(d, queue, resolver);
	return r < 0 ? r : 0;
}

static int on_courier(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct brood *b = ctx;
	const struct ipc_courier *m = msg;
	int r = fork_courier(b->ctx, m->channel);

	/* The queue sees its channel end. */
	if (r < 0)
		log_event(LOG_WARNING, "dispatcher.no_courier", "couriers=%zu error=%s",
		    b->n_children,
		    r == -EUSERS     ? "outbound.couriers are there already"
		    : r == -ENOTCONN ? "the resolver is being started"
		                     : strerror(-r));
	return 0;
}

/* Those that are at work take nothing more, and end. */
static void hang_up(void *ctx)
{
	fd_close(&((struct dispatcher *)ctx)->drain[1]);
}

static const struct ipc_receiver queue_messages[] = {{IPC_COURIER, on_courier}};

static const struct brood_kind kind = {
    .child = "courier",
    .crash = LEDGER_ALARM_GATE_CRASH,
    .lasts_ms = COURIER_LASTS_MS,
    .drains = hang_up,
};

/* --- start --- */

/* Without the file mail still goes out, but to nobody whose certificate must be verified by it. */
static int load_roots(struct dispatcher *d, const struct role_start *start)
{
	const char *path = start->config->outbound_ca_file;
	char reason[TLS_ERROR_MAX] = "";
	char *pem = NULL;
	size_t len = 0;
	int r = fd_read_file(start->data_fd, path, TLS_ROOTS_FILE_MAX, &pem, &len);

	if (r == 0)
		r = tls_client_new(str_of(pem, len), reason, &d->tls);
	free(pem);
	if (r < 0) {
		log_event(LOG_WARNING, "dispatcher.no_authorities", "file=%s error=%s",
		    log_quote(str_of_cstr(path)).text,
		    log_quote(str_of_cstr(reason[0] != '\0' ? reason : strerror(-r))).text);
		r = tls_client_new(STR(""), reason, &d->tls);
	}
	return r;
}

/* What libraries read at their first use, and couriers could not. */
static void warm_up(void)
{
	struct buf name CLEANUP(buf_done) = BUF_MAX(ADDRESS_DOMAIN_LEN_MAX);

	charset_init();
	if (!address_domain_canonical(STR("b\xc3\xbc"
	                                  "cher.example"),
	        &name))
		log_event(LOG_WARNING, "dispatcher.no_idna", "what=names in other scripts");
}

static int prepare(struct dispatcher *d, struct role_start *start)
{
	static struct brood_partner partners[] = {
	    {.role = ROLE_QUEUE, .messages = queue_messages, .n_messages = 1},
	    {.role = ROLE_RESOLVER},
	    {.role = ROLE_LEDGER},
	};

	d->config = start->config;
	int r = load_roots(d, start);
	if (r == 0 && pipe2(d->drain, O_CLOEXEC) < 0)
		r = -errno;
	if (r < 0)
		return r;
	warm_up();
	return brood_open(&d->brood, &kind, d->config->outbound_couriers, start->supervisor,
	    partners, ARRAY_LEN(partners), d);
}

int dispatcher_main(struct role_start *start)
{
	static struct dispatcher d = {.drain = {-1, -1}};
	int r = prepare(&d, start);

	if (r == 0) {
		d.sandbox = sandbox_prepare_child(start, ROLE_COURIER);
		heap_fill_holes();
		sandbox_enter(start);
		r = role_ready(start);
	}
	if (r == 0)
		r = brood_run(&d.brood);
	if (r < 0)
		log_event(LOG_ERROR, "dispatcher.failed", "error=%s", strerror(-r));
	brood_close(&d.brood);
	tls_client_free(d.tls);
	return r < 0 ? 1 : 0;
}
