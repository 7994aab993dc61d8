/*
 * UNAUTHENTICATE (RFC 8437): the session ends, the connection does not. Nothing of this process
 * outlives it, so no state can: what was enabled, selected, saved or asked to be told goes with it.
 * The gate gets back what the client sent behind the command (ipc/give_back.h), and goes on
 * when this process has closed the mailbox and ended.
 */
#include "session/imap/commands.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/give_back.h"

static int wait_for_input(int fd, uint64_t until_ms)
{
	uint64_t now = clock_ms();
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int r = now >= until_ms ? 0 : poll(&p, 1, (int)(until_ms - now));

	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	return r == 0 ? -ETIMEDOUT : 0;
}

/* §4.1: the client's compression ends behind the command, and what follows is plain. */
static int end_of_compressed(struct imap_session *s)
{
	uint64_t until_ms = clock_ms() + IMAP_GIVE_BACK_MS;
	struct str rest;
	int r;

	if (s->input_start < s->input_end)
		return -EPROTO;
	while ((r = imap_compression_end(s->compression, s->stream, &rest)) == -EAGAIN) {
		r = wait_for_input(s->stream, until_ms);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	_Static_assert(
	    (int)COMPRESSION_INPUT_LEN <= (int)IMAP_INPUT_LEN, "what was read can be handed over");
	if (rest.len > 0)
		memcpy(s->input, rest.p, rest.len);
	s->input_start = 0;
	s->input_end = rest.len;
	return 0;
}

struct imap_result imap_cmd_unauthenticate(struct imap_session *s, const struct imap_command *c)
{
	(void)c;
	if (!s->may_unauthenticate)
		return IMAP_RESULT_BAD("UNAUTHENTICATE is switched off here");
	s->ending = true;
	/* NO is not allowed, BYE is (§3). */
	if (s->compression != NULL && end_of_compressed(s) < 0) {
		buf_add(&s->out.buf,
		    STR("* BYE What is behind UNAUTHENTICATE may not be compressed\r\n"));
		return IMAP_RESULT_OK("");
	}
	s->gives_back = true;
	imap_unselect(s, false);
	return IMAP_RESULT_OK("Signed out");
}

/* What comes until the gate says that it was all. */
static int return_input(struct imap_session *s)
{
	uint64_t until_ms = clock_ms() + IMAP_GIVE_BACK_MS;
	char piece[IMAP_INPUT_LEN];

	for (;;) {
		ssize_t n = read(s->stream, piece, sizeof(piece));
		if (n == 0)
			return 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		int r = n < 0 ? wait_for_input(s->stream, until_ms) : 0;
		if (n > 0) {
			buf_add(&s->out.buf, str_of(piece, (size_t)n));
			r = imap_output_flush(&s->out);
		}
		if (r < 0)
			return r;
	}
}

int imap_give_back(struct imap_session *s)
{
	s->out.compression = NULL;
	int r = give_back_send(s->stream, IMAP_GIVE_BACK_MS);
	if (r < 0)
		return r;
	buf_add(&s->out.buf, str_of(s->input + s->input_start, s->input_end - s->input_start));
	r = imap_output_flush(&s->out);
	return r < 0 ? r : return_input(s);
}
