#include "courier/dispatcher.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "ipc/loop.h"
#include "ipc/messages.h"
#include "sandbox/sandbox.h"

struct dispatcher {
	struct loop *loop;
	struct loop_entry *supervisor;
	struct loop_entry *queue, *ledger; /* NULL: not there now */
};

static void on_peer_closed(struct loop_entry *from, int error UNUSED, void *ctx)
{
	struct dispatcher *d = ctx;

	if (d->ledger == from)
		d->ledger = NULL;
	if (d->queue == from)
		d->queue = NULL;
}

static const struct ipc_receivers peer_receivers = {NULL, 0, on_peer_closed};

static int on_peer(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct dispatcher *d = ctx;
	struct ipc_peer *peer = msg;

	if (peer->role != ROLE_LEDGER && peer->role != ROLE_QUEUE)
		return -EPROTO;
	struct loop_entry **place = peer->role == ROLE_LEDGER ? &d->ledger : &d->queue;
	if (*place != NULL)
		loop_remove(*place);
	*place = loop_add_channel(d->loop, peer->channel, &peer_receivers, d);
	if (*place != NULL)
		peer->channel = -1;
	return 0;
}

static int on_drain(struct loop_entry *from UNUSED, void *msg UNUSED, void *ctx)
{
	loop_stop(((struct dispatcher *)ctx)->loop);
	return 0;
}

static void on_supervisor_closed(struct loop_entry *from UNUSED, int error UNUSED, void *ctx)
{
	loop_stop(((struct dispatcher *)ctx)->loop);
}

static const struct ipc_receiver supervisor_messages[] = {
    {IPC_PEER, on_peer}, {IPC_DRAIN, on_drain}};
static const struct ipc_receivers supervisor_receivers = {
    supervisor_messages, ARRAY_LEN(supervisor_messages), on_supervisor_closed};

int dispatcher_main(struct role_start *start)
{
	struct dispatcher d = {0};
	int r = loop_new(&d.loop);

	if (r == 0) {
		d.supervisor =
		    loop_add_channel(d.loop, start->supervisor, &supervisor_receivers, &d);
		r = d.supervisor != NULL ? 0 : -ENOSPC;
	}
	if (r == 0) {
		sandbox_enter(start);
		r = role_ready(start);
	}
	if (r == 0)
		r = loop_run(d.loop);
	if (r < 0)
		log_event(LOG_ERROR, "dispatcher.failed", "error=%s", strerror(-r));
	loop_free(d.loop);
	return r < 0 ? 1 : 0;
}
