#include "session/imap/output.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"

void imap_output_init(struct imap_output *o, int fd)
{
	*o = (struct imap_output){.buf = BUF_MAX(IMAP_OUTPUT_MAX), .fd = fd};
}

void imap_output_init_to(
    struct imap_output *o, int (*take)(void *context, struct str bytes), void *context)
{
	imap_output_init(o, -1);
	o->take = take;
	o->context = context;
}

void imap_output_done(struct imap_output *o)
{
	buf_done(&o->buf);
}

void imap_output_release(struct imap_output *o)
{
	if (o->buf.len == 0)
		buf_done(&o->buf);
	if (o->compression != NULL)
		imap_compression_release(o->compression);
}

static int wait_for_room(int fd, uint64_t until_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	uint64_t now = clock_ms();
	int r = now >= until_ms ? 0 : poll(&p, 1, (int)(until_ms - now));

	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	return r == 0 ? -ETIMEDOUT : 0;
}

static int write_all(int fd, struct str s)
{
	uint64_t until_ms = 0;

	while (s.len > 0) {
		ssize_t n = write(fd, s.p, s.len);
		if (n >= 0) {
			s = str_from(s, (size_t)n);
			until_ms = 0;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		if (until_ms == 0)
			until_ms = clock_ms() + IMAP_SEND_MS;
		int r = wait_for_room(fd, until_ms);
		if (r < 0)
			return r;
	}
	return 0;
}

static int send(struct imap_output *o, struct str s)
{
	if (o->take != NULL)
		return o->take(o->context, s);
	if (o->compression == NULL)
		return write_all(o->fd, s);
	return imap_compression_write(o->compression, o->fd, s, write_all);
}

int imap_output_flush(struct imap_output *o)
{
	if (o->error == 0 && buf_failed(&o->buf))
		o->error = -ENOBUFS;
	if (o->store != NULL)
		store_let_go(o->store);
	if (o->error == 0 && o->buf.len > 0)
		o->error = send(o, buf_str(&o->buf));
	o->sent += o->buf.len;
	if (o->buf.cap > 4 * IMAP_OUTPUT_LEN)
		buf_done(&o->buf);
	buf_clear(&o->buf);
	return o->error;
}

bool imap_output_take_back(struct imap_output *o, uint64_t mark)
{
	if (mark < o->sent)
		return false;
	o->buf.len = mark - o->sent;
	return true;
}
