/* The channels that a gate asks for when it needs them. */
#include "gate/gate.h"

#include <errno.h>

#include "base/fd.h"
#include "base/num.h"
#include "ipc/channel.h"
#include "ipc/messages.h"

static int channel_in(struct ipc_received *answer, int *ret_channel)
{
	if (answer->type == IPC_INTRODUCED) {
		*ret_channel = fd_take(&((struct ipc_introduced *)answer->msg)->channel);
		return 0;
	}
	if (answer->type != IPC_NOT_INTRODUCED)
		return -EBADMSG;
	const struct ipc_not_introduced *refusal = answer->msg;
	return refusal->reason == INTRODUCE_BUSY ? -EAGAIN : -ENOTCONN;
}

static int ask(struct gate *g, enum role role, size_t index, int *ret_channel)
{
	struct ipc_introduce question = {.role = (uint8_t)role, .index = (uint16_t)index};
	struct ipc_received answer;
	if (g->channels.gatekeeper < 0)
		return -EBADF;
	int r =
	    ipc_exchange(g->channels.gatekeeper, IPC_INTRODUCE, &question, GATE_CALL_MS, &answer);
	if (r < 0)
		return r == -EAGAIN ? -EIO : r;
	r = channel_in(&answer, ret_channel);
	ipc_received_done(&answer);
	return r;
}

int gate_reach_keyholder(struct gate *g)
{
	return g->channels.keyholder >= 0 ? 0 : ask(g, ROLE_KEYHOLDER, 0, &g->channels.keyholder);
}

int gate_reach_queue(struct gate *g)
{
	return g->channels.queue >= 0 ? 0 : ask(g, ROLE_QUEUE, 0, &g->channels.queue);
}

int gate_reach_delivery(struct gate *g, uint64_t account, int *ret_channel)
{
	size_t n = num_min(num_max(g->config->delivery_workers, 1), GATE_DELIVERY_MAX);
	int r = -ENOTCONN;
	for (size_t i = 0; i < n && r == -ENOTCONN; i++) {
		size_t index = (account % n + i) % n;
		int *channel = &g->channels.delivery[index];
		r = *channel >= 0 ? 0 : ask(g, ROLE_DELIVERY, index, channel);
		if (r == 0)
			*ret_channel = *channel;
	}
	return r;
}
