#include "session/pop3/pop3_session.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "session/heard.h"
#include "store/store_ingest.h"
#include "store/store_mailbox.h"
#include "store/store_space.h"

enum { NAME_ARENA_MAX = 4096 };

/* What delivery brought before the sign-in is in the maildrop. What fails here comes next time. */
static void take_in(struct pop3_session *s)
{
	const struct ipc_changed nothing_named = {{NULL, 0}};
	size_t n_taken = 0, n = 0;

	while (store_ingest(s->store, &n) == 0 && n > 0) {
		n_taken += n;
		n = 0;
	}
	if (n_taken > 0 && s->registry >= 0 &&
	    ipc_send(s->registry, IPC_CHANGED, &nothing_named) == -EPIPE)
		s->draining = true;
}

int pop3_session_open(struct pop3_session *s, struct store *store, const struct subject *subject,
    int stream, int registry)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(NAME_ARENA_MAX);
	struct store_mailbox inbox;

	*s = (struct pop3_session){.stream = stream,
	    .registry = registry,
	    .store = store,
	    .subject = *subject,
	    .timeout_ms = 10 * 60 * 1000};
	take_in(s);
	int r = store_mailbox_find(store, STR("INBOX"), &a, &inbox);
	if (r == 0)
		r = authorize_rights(store, subject, inbox.id, &s->rights);
	if (r == 0 && (s->rights & STORE_RIGHT_READ) == 0)
		r = -EACCES;
	if (r == 0)
		r = store_view_open(store, inbox.id, true, &s->view);
	if (r < 0)
		return r;
	s->marks = calloc(s->view->n + 1, 1);
	assert(s->marks != NULL);
	imap_output_init(&s->out, stream);
	return 0;
}

void pop3_session_close(struct pop3_session *s)
{
	if (s->view == NULL)
		return;
	pop3_store_seen(s);
	store_view_close(s->view);
	imap_output_done(&s->out);
	free(s->marks);
	free(s->sizes);
}

/* What the registry says: that the server stops; changes do not show in a maildrop. False at the
 * end of the channel. */
static bool hear_registry(struct pop3_session *s)
{
	struct heard heard = {0};
	bool is_there = session_hear(s->registry, &heard);

	s->draining = s->draining || heard.drain;
	return is_there;
}

/* Nothing was said for a while: an idle connection holds as little as it can. */
static void give_back_memory(struct pop3_session *s)
{
	imap_output_release(&s->out);
	store_tidy(s->store);
	store_release_memory(s->store);
	malloc_trim(0);
}

/* Waits for bytes: 0, -ETIMEDOUT, -ESHUTDOWN when the server stops. */
static int wait_for_bytes(struct pop3_session *s, uint64_t until_ms)
{
	struct pollfd fds[2] = {
	    {.fd = s->stream, .events = POLLIN}, {.fd = s->registry, .events = POLLIN}};
	bool quiet = false;

	while (!s->draining) {
		uint64_t now = clock_ms();
		if (now >= until_ms)
			return -ETIMEDOUT;
		uint64_t left = until_ms - now;
		int r = poll(fds, 2, (int)(quiet ? left : num_min(left, POP3_QUIET_MS)));
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0 && !quiet) {
			give_back_memory(s);
			quiet = true;
		}
		if (r > 0 && fds[1].revents != 0 && !hear_registry(s))
			return -ESHUTDOWN;
		if (r > 0 && fds[0].revents != 0)
			return 0;
	}
	return -ESHUTDOWN;
}

/* Reads what is there, behind what is left of a line: 0, -EAGAIN, -ENODATA at the end, -errno. */
static int read_some(struct pop3_session *s)
{
	ssize_t n = read(s->stream, s->input + s->input_len, sizeof(s->input) - s->input_len);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	s->input_len += (size_t)n;
	return n == 0 ? -ENODATA : 0;
}

/*
 * RFC 1939 §3: a connection that was silent for too long, or is lost, ends without a word, and
 * nothing is removed.
 */
static int fill(struct pop3_session *s)
{
	uint64_t until_ms = clock_ms() + s->timeout_ms;
	int r;

	while ((r = read_some(s)) == -EAGAIN) {
		r = imap_output_flush(&s->out);
		if (r == 0)
			r = wait_for_bytes(s, until_ms);
		if (r < 0)
			return r;
	}
	return r;
}

static void run_line(struct pop3_session *s, struct str line)
{
	struct pop3_command c;
	const char *error;

	if (pop3_command_parse(line, &c, &error))
		pop3_run(s, &c);
	else
		pop3_error(s, error);
	if (s->n_errors >= POP3_ERRORS_MAX) {
		buf_add(&s->out.buf, STR("-ERR Too many errors in a row\r\n"));
		s->ending = true;
	}
	if (store_damaged(s->store))
		s->ending = true;
}

/* Runs the lines that are there; what is left of one is moved to the front. */
static void run_lines(struct pop3_session *s)
{
	struct str rest = str_of(s->input, s->input_len), line;
	enum pop3_line cut = POP3_LINE_MORE;

	while (!s->ending && s->out.error == 0 &&
	       (cut = pop3_line_cut(&rest, POP3_LINE_MAX, &line)) == POP3_LINE_WHOLE) {
		run_line(s, line);
		imap_output_room(&s->out);
	}
	if (cut == POP3_LINE_TOO_LONG) {
		buf_add(&s->out.buf, STR("-ERR That line is too long\r\n"));
		s->ending = true;
	}
	memmove(s->input, rest.p, rest.len);
	s->input_len = rest.len;
}

/* Nobody waits for us any more: what was deleted gives its space back. */
static void give_space_back(struct pop3_session *s)
{
	uint64_t until_ms = clock_ms() + POP3_SPACE_MS;
	bool more = true;

	store_tidy(s->store);
	while (more && clock_ms() < until_ms) {
		if (store_space_work(s->store, POP3_SPACE_SLICE_MS, &more) < 0)
			break;
	}
}

int pop3_session_run(struct pop3_session *s)
{
	while (!s->ending && s->out.error == 0 && fill(s) == 0)
		run_lines(s);
	int r = imap_output_flush(&s->out);
	shutdown(s->stream, SHUT_WR); /* the client sees the end */
	give_space_back(s);
	return r == -EPIPE || r == -ECONNRESET ? 0 : r; /* a client may go at any time */
}
