#include "session/heard.h"

#include <errno.h>

#include "ipc/channel.h"
#include "ipc/messages.h"

bool session_hear(int registry, struct heard *heard)
{
	struct ipc_received m;
	int r;

	while ((r = ipc_recv(registry, &m)) == 0) {
		heard->changed = heard->changed || m.type == IPC_CHANGED;
		heard->drain = heard->drain || m.type == IPC_DRAIN;
		ipc_received_done(&m);
	}
	return r == -EAGAIN;
}
