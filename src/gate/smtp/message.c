#include "gate/smtp/message.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "mail/header.h"
#include "mail/received.h"
#include "smtp/data.h"

enum {
	PAGE_LEN = 4096,
	/* Of the message mapped at once: more than any header, much more than any line. */
	WINDOW_LEN = 4 * 1024 * 1024,
};

_Static_assert(
    (int)WINDOW_LEN > (int)SMTP_HEADER_MAX, "a header that is too large must be seen to be");

void smtp_message_begin(struct smtp_message *m, uint64_t size_max, int gatekeeper)
{
	*m = (struct smtp_message){.fd = -1,
	    .text = BUF_MAX(IPC_SHORT_MAX),
	    .size_max = size_max,
	    .gatekeeper = gatekeeper};
}

/* Asks the gatekeeper whether this gate may hold `bytes` in all. */
static bool ask_budget(struct smtp_message *m, uint64_t bytes)
{
	struct ipc_received answer;
	struct ipc_budget question = {.bytes = bytes};
	if (m->gatekeeper < 0 || ipc_call(m->gatekeeper, IPC_BUDGET, &question, IPC_BUDGET_ANSWER,
	                             SMTP_BUDGET_MS, &answer) < 0)
		return false;
	bool granted = ((struct ipc_budget_answer *)answer.msg)->granted == 1;
	ipc_received_done(&answer);
	if (granted)
		m->budget = bytes;
	return granted;
}

static bool has_room(struct smtp_message *m, uint64_t len)
{
	if (len <= SMTP_MESSAGE_FREE || len <= m->budget)
		return true;
	uint64_t steps = (len + SMTP_MESSAGE_STEP - 1) / SMTP_MESSAGE_STEP;
	return ask_budget(m, steps * SMTP_MESSAGE_STEP);
}

static int write_all(int fd, struct iovec *v, size_t n)
{
	while (n > 0) {
		ssize_t written = writev(fd, v, (int)n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		size_t left = (size_t)written;
		while (n > 0 && left >= v->iov_len) {
			left -= v->iov_len;
			v++;
			n--;
		}
		if (n > 0) {
			v->iov_base = (char *)v->iov_base + left;
			v->iov_len -= left;
		}
	}
	return 0;
}

/* What came so far goes into a memory file, and so does what is to come. */
static int make_file(struct smtp_message *m)
{
	struct iovec v = {.iov_base = m->text.p, .iov_len = m->text.len};
	if (m->fd >= 0)
		return 0;
	m->fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = m->fd < 0 ? -errno : v.iov_len > 0 ? write_all(m->fd, &v, 1) : 0;
	buf_done(&m->text);
	return r;
}

static int keep(struct smtp_message *m, struct iovec *v, size_t n)
{
	if (m->fd < 0 && m->len <= IPC_SHORT_MAX) {
		for (size_t i = 0; i < n; i++)
			buf_add(&m->text, str_of(v[i].iov_base, v[i].iov_len));
		return 0;
	}
	int r = make_file(m);
	return r < 0 ? r : write_all(m->fd, v, n);
}

int smtp_message_to_file(struct smtp_message *m)
{
	if (m->fd >= 0)
		return 0;
	int r = make_file(m);
	return r < 0 ? r : fd_seal(m->fd);
}

void smtp_message_add(struct smtp_message *m, struct iovec *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		m->len += v[i].iov_len;
	if (m->fault.code != 0 || n == 0)
		return;
	if (m->len > m->size_max)
		m->fault = SMTP_REPLY(552, 3, 4, "The message is too large");
	else if (!has_room(m, m->len) || keep(m, v, n) < 0)
		m->fault = SMTP_REPLY(452, 3, 1, "No memory for this message now");
}

static const struct smtp_reply no_memory = {.code = 452,
    .subject = 3,
    .detail = 1,
    .enhanced = true,
    .text = STR_INIT("No memory for this message now")};

static struct smtp_reply judge_header(struct str begin)
{
	struct str header, body;
	header_split(begin, &header, &body);
	if (header.len > SMTP_HEADER_MAX)
		return SMTP_REPLY(552, 3, 4, "The header of the message is too large");
	if (received_count(header) > SMTP_HOPS_MAX)
		return SMTP_REPLY(554, 4, 6, "Too many hops: this message goes round in circles");
	return (struct smtp_reply){.code = 0};
}

static struct smtp_reply judge_lines(enum smtp_data result)
{
	switch (result) {
	case SMTP_DATA_BARE:
		return SMTP_REPLY(550, 6, 0, "The message has CR or LF alone; lines end with CRLF");
	case SMTP_DATA_LONG_LINE:
		return SMTP_REPLY(550, 6, 0, "The message has a line of more than 998 characters");
	default:
		return (struct smtp_reply){.code = 0};
	}
}

/* A piece of the message, mapped where it is in a file. `at` need not be at the start of a page. */
struct window {
	char *map; /* NULL: nothing is mapped */
	size_t map_len;
	struct str text;
};

static void window_done(struct window *w)
{
	if (w->map)
		munmap(w->map, w->map_len);
	w->map = NULL;
}

static bool window_open(const struct smtp_message *m, uint64_t at, struct window *ret_window)
{
	if (m->fd < 0) {
		*ret_window = (struct window){.text = str_from(buf_str(&m->text), (size_t)at)};
		return true;
	}
	size_t skip = (size_t)(at % PAGE_LEN);
	size_t len = (size_t)num_min(m->len - at, WINDOW_LEN) + skip;
	char *map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, m->fd, (off_t)(at - skip));
	if (map == MAP_FAILED)
		return false;
	*ret_window = (struct window){map, len, str_of(map + skip, len - skip)};
	return true;
}

static struct smtp_reply check_all_lines(const struct smtp_message *m)
{
	uint64_t at = 0;
	while (at < m->len) {
		struct window w CLEANUP(window_done) = {.map = NULL};
		if (!window_open(m, at, &w))
			return no_memory;
		struct str rest = w.text;
		enum smtp_data result = smtp_text_check(&rest);
		uint64_t next = at + (w.text.len - rest.len);
		bool is_last = at + w.text.len == m->len;
		if (is_last && rest.len > 0 && rest.p[rest.len - 1] == '\r')
			result = SMTP_DATA_BARE;
		if (result != SMTP_DATA_MORE || is_last)
			return judge_lines(result);
		at = next;
	}
	return (struct smtp_reply){.code = 0};
}

struct smtp_reply smtp_message_end(struct smtp_message *m, bool check_lines)
{
	struct window begin CLEANUP(window_done) = {.map = NULL};
	if (m->fault.code != 0)
		return m->fault;
	if (m->fd >= 0 && fd_seal(m->fd) < 0)
		return SMTP_REPLY(451, 3, 0, "Cannot take a message now");
	if (m->len > 0 && !window_open(m, 0, &begin))
		return no_memory;
	struct smtp_reply reply = judge_header(begin.text);
	if (reply.code == 0 && check_lines)
		reply = check_all_lines(m);
	return reply;
}

void smtp_message_done(struct smtp_message *m)
{
	fd_close(&m->fd);
	buf_done(&m->text);
	if (m->budget > 0)
		(void)!ask_budget(m, 0);
	m->budget = 0;
	m->len = 0;
}
