#include <assert.h>
#include <stdint.h>

#include "ipc/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The first byte says how many descriptors come along; the rest is the message. What decodes must
 * encode to the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const int fds[] = {100, 101, 102, 103};
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf again CLEANUP(buf_done) = BUF_MAX(IPC_MESSAGE_MAX);
	int out_fds[IPC_FDS_MAX];
	size_t n_fds, n_out;
	uint16_t type;
	void *msg;

	if (len == 0)
		return 0;
	n_fds = data[0] % (IPC_FDS_MAX + 1);
	struct str bytes = str_of(data + 1, len - 1);
	if (ipc_decode(bytes, fds, n_fds, &a, &type, &msg) < 0)
		return 0;
	assert(ipc_encode(type, msg, &again, out_fds, &n_out));
	assert(str_eq(buf_str(&again), bytes));
	assert(n_out == n_fds);
	return 0;
}
