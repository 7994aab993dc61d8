#include "ipc/channel.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "ipc/spoil.h"

enum {
	/* Decoded lists of the largest message (32,768 empty strings) and its bytes. */
	IPC_ARENA_MAX = IPC_MESSAGE_MAX / 2 * (int)sizeof(struct str) + 2 * IPC_MESSAGE_MAX,
};

/*
 * Where a message arrives before it is copied to exactly its length. Static, so that receiving
 * costs neither an allocation of the maximum nor its zeroing; only the pages that messages reach
 * are ever touched. It holds nothing between two calls: secrets are wiped at once.
 */
static char landing[IPC_MESSAGE_MAX];

int ipc_pair(int ret_ends[static 2])
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	ret_ends[0] = ends[0];
	ret_ends[1] = ends[1];
	return 0;
}

/* Room for the descriptors of one message; a message with more is cut by the kernel, which then
 * closes what did not fit. */
union control {
	char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	struct cmsghdr align;
};

int ipc_send_bytes(int channel, struct str bytes, const int *fds, size_t n_fds)
{
	union control control = {.bytes = {0}};
	struct iovec iov = {.iov_base = (char *)(uintptr_t)bytes.p, .iov_len = bytes.len};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	assert(n_fds <= IPC_FDS_MAX);
	if (n_fds > 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		assert(c != NULL);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	for (;;) {
		if (sendmsg(channel, &header, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == ECONNRESET)
			return -EPIPE;
		if (errno != EINTR)
			return -errno;
	}
}

void ipc_wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->len);
}

int ipc_send(int channel, uint16_t type, const void *msg)
{
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(IPC_MESSAGE_MAX);
	bool secret = ipc_has_secret(type);
	int fds[IPC_FDS_MAX];
	size_t n_fds;

	/* A buffer that grows leaves copies behind; one with a secret is made large at once. */
	if (secret)
		buf_reserve(&bytes, IPC_MESSAGE_MAX);
	bool ok = ipc_encode(type, msg, &bytes, fds, &n_fds);
	assert(ok);
	int r = ipc_send_bytes(channel, buf_str(&bytes), fds, n_fds);
	ipc_spoil(channel, type, buf_str(&bytes), fds, n_fds);
	if (secret)
		ipc_wipe(&bytes);
	return r;
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

/* Copies the descriptors that came with a message to `fds`. The kernel adds at most one SCM_RIGHTS
 * to a message; the loop is for what another kernel might do. */
static size_t descriptors_of(struct msghdr *header, int fds[static IPC_FDS_MAX])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (n < IPC_FDS_MAX)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

static int decode_received(struct ipc_received *m, const int *fds, size_t n_fds)
{
	m->bytes = arena_alloc(&m->arena, m->len);
	if (m->bytes == NULL)
		return -EBADMSG;
	memcpy(m->bytes, landing, m->len);
	return ipc_decode(str_of(m->bytes, m->len), fds, n_fds, &m->arena, &m->type, &m->msg);
}

int ipc_recv(int channel, struct ipc_received *ret_m)
{
	union control control;
	struct iovec iov = {.iov_base = landing, .iov_len = sizeof(landing)};
	struct msghdr header = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes)};
	struct ipc_received m = {.arena = ARENA_MAX(IPC_ARENA_MAX)};
	int fds[IPC_FDS_MAX];
	ssize_t len;

	do
		len = recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return errno == ECONNRESET ? -ENODATA : -errno;
	size_t n_fds = descriptors_of(&header, fds);
	if (len == 0 && n_fds == 0 && (header.msg_flags & MSG_CTRUNC) == 0)
		return -ENODATA;
	m.len = (size_t)len;
	int r = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0
	            ? -EBADMSG
	            : decode_received(&m, fds, n_fds);
	if (r < 0 || ipc_has_secret(m.type))
		explicit_bzero(landing, (size_t)len);
	if (r < 0) {
		close_all(fds, n_fds);
		if (m.bytes != NULL)
			explicit_bzero(m.bytes, m.len);
		arena_done(&m.arena);
		return r;
	}
	*ret_m = m;
	return 0;
}

void ipc_received_done(struct ipc_received *m)
{
	const struct ipc_message *decl = ipc_message_of(m->type);

	if (m->msg == NULL || decl == NULL)
		return;
	for (size_t i = 0; i < decl->n_fields; i++)
		if (decl->fields[i].kind == IPC_FD)
			fd_close((int *)(void *)((char *)m->msg + decl->fields[i].offset));
	if (ipc_has_secret(m->type))
		explicit_bzero(m->bytes, m->len);
	arena_done(&m->arena);
	m->msg = NULL;
	m->bytes = NULL;
}

/* Waits until `channel` can be read, or until `deadline` (clock_ms). */
static int wait_readable(int channel, uint64_t deadline)
{
	for (;;) {
		uint64_t now = clock_ms();
		if (now >= deadline)
			return -ETIMEDOUT;
		struct pollfd p = {.fd = channel, .events = POLLIN};
		int n = poll(&p, 1, (int)num_min(deadline - now, INT32_MAX));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

int ipc_wait(int channel, int timeout_ms, struct ipc_received *ret_m)
{
	int r = wait_readable(channel, clock_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0));

	return r == 0 ? ipc_recv(channel, ret_m) : r;
}

int ipc_exchange(
    int channel, uint16_t type, const void *msg, int timeout_ms, struct ipc_received *ret_m)
{
	uint64_t deadline = clock_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0);
	int r = ipc_send(channel, type, msg);

	if (r == 0)
		r = wait_readable(channel, deadline);
	return r == 0 ? ipc_recv(channel, ret_m) : r;
}

int ipc_call(int channel, uint16_t type, const void *msg, uint16_t answer, int timeout_ms,
    struct ipc_received *ret_m)
{
	struct ipc_received m = {0};
	int r = ipc_exchange(channel, type, msg, timeout_ms, &m);

	if (r < 0)
		return r;
	if (m.type != answer) {
		ipc_received_done(&m);
		return -EBADMSG;
	}
	*ret_m = m;
	return 0;
}
