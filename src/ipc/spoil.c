#include "ipc/spoil.h"

#ifdef GATEPOST_DRILL

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "ipc/channel.h"
#include "ipc/messages.h"

/* The run looks for it: a message that was never sent proves nothing. */
static const char said[] = "drill.spoiled\n";

/* Sends what ipc_send_bytes would not: any length. */
static void send_raw(int channel, const char *bytes, size_t len)
{
	ssize_t ignored UNUSED = send(channel, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_changed(
    int channel, struct str variant, struct str bytes, const int *fds, size_t n)
{
	static char copy[IPC_MESSAGE_MAX + 1];
	static const struct ipc_ready ready;
	int more[IPC_FDS_MAX] = {STDERR_FILENO, STDERR_FILENO, STDERR_FILENO, STDERR_FILENO};
	int r = 0;

	memset(copy, 0, sizeof(copy));
	memcpy(copy, bytes.p, num_min(bytes.len, IPC_MESSAGE_MAX));
	if (str_eq(variant, STR("truncated")))
		r = ipc_send_bytes(channel, str_of(copy, bytes.len - 1), fds, n);
	else if (str_eq(variant, STR("longer")))
		r = ipc_send_bytes(channel, str_of(copy, bytes.len + 1), fds, n);
	else if (str_eq(variant, STR("unknown")))
		send_raw(channel, "\xf0\xff", 2);
	else if (str_eq(variant, STR("oversize")))
		send_raw(channel, copy, sizeof(copy));
	else if (str_eq(variant, STR("out-of-turn")))
		r = ipc_send(channel, IPC_READY, &ready);
	else if (str_eq(variant, STR("descriptors")))
		r = ipc_send_bytes(channel, bytes, more, num_min(n + 1, IPC_FDS_MAX));
	/* A peer that is gone or full is none of the drill's business. */
	(void)r;
}

void ipc_spoil(int channel, uint16_t type, struct str bytes, const int *fds, size_t n_fds)
{
	static bool done;
	struct str rest = str_of_cstr(getenv("GATEPOST_DRILL_MESSAGES"));
	uint64_t until;

	if (done || rest.len == 0)
		return;
	const struct ipc_message *m = ipc_message_of(type);
	struct str name = str_cut(&rest, ' '), variant = str_cut(&rest, ' ');
	if (m == NULL || !str_eq(name, str_of_cstr(m->name)) ||
	    !num_parse(rest, UINT64_MAX, &until) || clock_wall_ms() > until)
		return;
	done = true;
	ssize_t ignored UNUSED = write(STDERR_FILENO, said, sizeof(said) - 1);
	send_changed(channel, variant, bytes, fds, n_fds);
}

#endif
