#include "ipc/give_back.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/str.h"

/* A stream carries no descriptor without a byte. */
static const char carrier = '.';

static int send_with(int stream, int fd)
{
	char byte = carrier;
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	union {
		struct cmsghdr aligned;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr m = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(stream, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int give_back_send(int stream, int ms)
{
	int fd CLEANUP(fd_close) = -1;
	int r = fd_sealed_memfd("given-back", STR(""), &fd);

	while (r == 0) {
		int sent = send_with(stream, fd);
		if (sent != -EAGAIN && sent != -EINTR)
			return sent;
		struct pollfd p = {.fd = stream, .events = POLLOUT};
		int n = poll(&p, 1, ms);
		if (n == 0)
			r = -ETIMEDOUT;
		else if (n < 0 && errno != EINTR)
			r = -errno;
	}
	return r;
}

enum { DESCRIPTORS_MAX = 4 }; /* more are closed by the kernel, which says that some were */

/* Closes what came. 1: one descriptor, 0: none, -EBADMSG: more, or something else. */
static int take_descriptors(struct msghdr *m)
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			return -EBADMSG;
		size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			fd_close(&fd);
		}
		n += here;
	}
	if (n > 1 || (m->msg_flags & MSG_CTRUNC) != 0)
		return -EBADMSG;
	return (int)n;
}

/* The kernel ends a read of a stream behind a byte that came with descriptors. */
ssize_t give_back_recv(int stream, char *to, size_t len, bool *ret_given_back)
{
	struct iovec part = {.iov_base = to, .iov_len = len};
	union {
		struct cmsghdr aligned;
		char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
	} control;
	struct msghdr m = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(stream, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return -errno;
	int descriptors = take_descriptors(&m);
	if (descriptors < 0)
		return descriptors;
	*ret_given_back = descriptors == 1;
	if (descriptors == 0)
		return n;
	return n > 0 && to[n - 1] == carrier ? n - 1 : -EBADMSG;
}
