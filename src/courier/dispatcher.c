#include "courier/dispatcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/heap.h"
#include "base/log.h"
#include "courier/courier.h"
#include "ipc/loop.h"
#include "ipc/outgoing.h"
#include "mail/address.h"
#include "mail/charset.h"
#include "sandbox/sandbox.h"
#include "tls/client.h"

enum {
	OVERDUE_LOOK_MS = 15 * 1000,
	/* A courier ends itself: it takes its last message then, and that one has so long. */
	COURIER_LASTS_MS = COURIER_TAKES_MS + COURIER_MESSAGE_MS + 10 * 60 * 1000,
};

struct child {
	pid_t pid; /* 0: none */
	uint64_t overdue_at_ms;
};

struct dispatcher {
	struct loop *loop;
	const struct config *config;
	struct tls_client *tls;
	struct sandbox_child *sandbox;
	struct loop_entry *supervisor;
	struct loop_entry *queue, *resolver, *ledger; /* NULL: not there now */
	struct child *children;                       /* config->outbound_couriers */
	size_t n_children;
	int drain[2]; /* the couriers inherit the end that is read; the other is never written to */
	bool ends_with_last_child;
};

static void raise_alarm(struct dispatcher *d, enum ledger_kind kind, const char *detail)
{
	struct ipc_ledger_event event = {.kind = (uint8_t)kind, .detail = str_of_cstr(detail)};

	log_event(LOG_ALARM, "dispatcher.alarm", "detail=%s", log_quote(event.detail).text);
	if (d->ledger == NULL || loop_send(d->ledger, IPC_LEDGER_EVENT, &event) < 0)
		log_event(
		    LOG_ERROR, "dispatcher.ledger_unreachable", "couriers=%zu", d->n_children);
}

static void end_when_empty(struct dispatcher *d)
{
	if (d->ends_with_last_child && d->n_children == 0)
		loop_stop(d->loop);
}

/* --- couriers end --- */

/* A server that made a courier crash may try again: not here. A dispatcher with another memory
 * layout takes over. */
static void replace(struct dispatcher *d)
{
	static const struct ipc_replace_me message = {0};

	if (d->ends_with_last_child)
		return;
	d->ends_with_last_child = true;
	if (d->supervisor != NULL)
		(void)loop_send(d->supervisor, IPC_REPLACE_ME, &message);
}

static void child_ended(struct dispatcher *d, struct child *child, int status)
{
	char detail[64];

	child->pid = 0;
	d->n_children--;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFSIGNALED(status))
		snprintf(detail, sizeof(detail), "courier ended by signal %d (SIG%s)",
		    WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(
		    detail, sizeof(detail), "courier ended with status %d", WEXITSTATUS(status));
	raise_alarm(d, LEDGER_ALARM_GATE_CRASH, detail);
	replace(d);
}

static void on_child(struct loop_entry *e, void *ctx)
{
	struct dispatcher *d = ctx;
	struct signalfd_siginfo info;
	pid_t pid;
	int status;

	while (read(loop_entry_fd(e), &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < d->config->outbound_couriers; i++)
			if (d->children[i].pid == pid)
				child_ended(d, &d->children[i], status);
	end_when_empty(d);
}

static void look_for_overdue(void *ctx)
{
	struct dispatcher *d = ctx;
	uint64_t now = clock_ms();

	for (size_t i = 0; i < d->config->outbound_couriers; i++) {
		struct child *child = &d->children[i];
		struct ipc_overdue message = {.pid = (uint32_t)child->pid};
		if (child->pid == 0 || child->overdue_at_ms > now)
			continue;
		child->overdue_at_ms = now + COURIER_LASTS_MS;
		log_event(LOG_WARNING, "dispatcher.courier_overdue", "its_pid=%d", (int)child->pid);
		if (d->supervisor != NULL)
			(void)loop_send(d->supervisor, IPC_OVERDUE, &message);
	}
	if (loop_after(d->loop, OVERDUE_LOOK_MS, look_for_overdue, d) < 0)
		loop_stop(d->loop);
}

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
	int ends[2];

	if (d->resolver == NULL)
		return -ENOTCONN;
	int r = ipc_pair(ends);
	if (r < 0)
		return r;
	int near CLEANUP(fd_close) = ends[0], far CLEANUP(fd_close) = ends[1];
	const struct ipc_asker message = {.channel = far};
	r = loop_offer(d->resolver, IPC_ASKER, &message);
	if (r == 0)
		*ret_channel = fd_take(&near);
	return r;
}

static int fork_courier(struct dispatcher *d, int queue)
{
	int resolver CLEANUP(fd_close) = -1;
	struct child *child = d->children;

	if (d->n_children >= d->config->outbound_couriers || d->ends_with_last_child)
		return -EUSERS;
	int r = introduce(d, &resolver);
	if (r < 0)
		return r;
	/* A channel that came through a loop does not block; a courier's does. */
	if ((r = fd_set_nonblocking(queue, false)) < 0)
		return r;
	while (child->pid != 0)
		child++;
	pid_t pid = fork();
	if (pid == 0)
		be_courier(d, queue, resolver);
	if (pid < 0)
		return -errno;
	*child = (struct child){.pid = pid, .overdue_at_ms = clock_ms() + COURIER_LASTS_MS};
	d->n_children++;
	return 0;
}

static int on_courier(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct dispatcher *d = ctx;
	const struct ipc_courier *m = msg;
	int r = fork_courier(d, m->channel);

	/* The queue sees its channel end. */
	if (r < 0)
		log_event(LOG_WARNING, "dispatcher.no_courier", "couriers=%zu error=%s",
		    d->n_children,
		    r == -EUSERS     ? "outbound.couriers are there already"
		    : r == -ENOTCONN ? "the resolver is being started"
		                     : strerror(-r));
	return 0;
}

/* --- partners --- */

static void on_peer_closed(struct loop_entry *from, int error, void *ctx)
{
	struct dispatcher *d = ctx;
	struct loop_entry **const places[] = {&d->queue, &d->resolver, &d->ledger};

	if (error == -EBADMSG || error == -EPROTO)
		raise_alarm(
		    d, LEDGER_ALARM_BAD_MESSAGE, "a role sent a message that is not allowed");
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (*places[i] == from)
			*places[i] = NULL;
}

static const struct ipc_receiver queue_messages[] = {{IPC_COURIER, on_courier}};
static const struct ipc_receivers queue_receivers = {
    queue_messages, ARRAY_LEN(queue_messages), on_peer_closed};
static const struct ipc_receivers peer_receivers = {NULL, 0, on_peer_closed};

static struct loop_entry **place_of(struct dispatcher *d, const struct ipc_peer *peer)
{
	switch (peer->role) {
	case ROLE_QUEUE:
		return &d->queue;
	case ROLE_RESOLVER:
		return &d->resolver;
	case ROLE_LEDGER:
		return &d->ledger;
	default:
		return NULL;
	}
}

static int on_peer(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct dispatcher *d = ctx;
	struct ipc_peer *peer = msg;
	struct loop_entry **place = place_of(d, peer);

	if (place == NULL)
		return -EPROTO;
	if (*place != NULL)
		loop_remove(*place);
	*place = loop_add_channel(d->loop, peer->channel,
	    peer->role == ROLE_QUEUE ? &queue_receivers : &peer_receivers, d);
	if (*place != NULL)
		peer->channel = -1;
	return 0;
}

static void on_drain_over(void *ctx)
{
	loop_stop(((struct dispatcher *)ctx)->loop);
}

static int on_drain(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct dispatcher *d = ctx;

	d->ends_with_last_child = true;
	fd_close(&d->drain[1]);
	if (loop_after(d->loop, ((struct ipc_drain *)msg)->ms, on_drain_over, d) < 0)
		loop_stop(d->loop);
	end_when_empty(d);
	return 0;
}

static void on_supervisor_closed(struct loop_entry *from UNUSED, int error UNUSED, void *ctx)
{
	struct dispatcher *d = ctx;

	d->supervisor = NULL;
	loop_stop(d->loop);
}

static const struct ipc_receiver supervisor_messages[] = {
    {IPC_PEER, on_peer}, {IPC_DRAIN, on_drain}};
static const struct ipc_receivers supervisor_receivers = {
    supervisor_messages, ARRAY_LEN(supervisor_messages), on_supervisor_closed};

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

static int watch_children(struct dispatcher *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	return loop_add_fd(d->loop, fd, on_child, d) != NULL ? 0 : -ENOSPC;
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
	d->config = start->config;
	d->children = calloc(d->config->outbound_couriers, sizeof(*d->children));
	if (d->children == NULL)
		return -ENOMEM;
	int r = load_roots(d, start);
	if (r == 0 && pipe2(d->drain, O_CLOEXEC) < 0)
		r = -errno;
	if (r == 0)
		r = loop_new(&d->loop);
	if (r == 0)
		r = watch_children(d);
	if (r < 0)
		return r;
	warm_up();
	d->supervisor = loop_add_channel(d->loop, start->supervisor, &supervisor_receivers, d);
	return d->supervisor != NULL ? 0 : -ENOSPC;
}

int dispatcher_main(struct role_start *start)
{
	struct dispatcher d = {.drain = {-1, -1}};
	int r = prepare(&d, start);

	if (r == 0) {
		d.sandbox = sandbox_prepare_child(start, ROLE_COURIER);
		heap_fill_holes();
		sandbox_enter(start);
		r = role_ready(start);
	}
	if (r == 0)
		r = loop_after(d.loop, OVERDUE_LOOK_MS, look_for_overdue, &d);
	if (r == 0)
		r = loop_run(d.loop);
	if (r < 0)
		log_event(LOG_ERROR, "dispatcher.failed", "error=%s", strerror(-r));
	loop_free(d.loop);
	tls_client_free(d.tls);
	free(d.children);
	return r < 0 ? 1 : 0;
}
