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

void smtp_message_begin(struct smtp_message *m, uint64_t size_max, int gatekeeper)
{
	*m = (struct smtp_message){.fd = -1, .size_max = size_max, .gatekeeper = gatekeeper};
	m->fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (m->fd < 0)
		m->fault = SMTP_REPLY(452, 3, 1, "No memory for a message now");
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

void smtp_message_add(struct smtp_message *m, struct iovec *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		m->len += v[i].iov_len;
	if (m->fault.code != 0 || n == 0)
		return;
	if (m->len > m->size_max)
		m->fault = SMTP_REPLY(552, 3, 4, "The message is too large");
	else if (!has_room(m, m->len) || write_all(m->fd, v, n) < 0)
		m->fault = SMTP_REPLY(452, 3, 1, "No memory for this message now");
}

static struct smtp_reply judge(struct str message, bool check_lines)
{
	struct str header, body;
	header_split(message, &header, &body);
	if (header.len > HEADER_LEN_MAX)
		return SMTP_REPLY(552, 3, 4, "The header of the message is too large");
	if (received_count(header) > SMTP_HOPS_MAX)
		return SMTP_REPLY(554, 4, 6, "Too many hops: this message goes round in circles");
	switch (check_lines ? smtp_text_check(message) : SMTP_DATA_MORE) {
	case SMTP_DATA_BARE:
		return SMTP_REPLY(550, 6, 0, "The message has CR or LF alone; lines end with CRLF");
	case SMTP_DATA_LONG_LINE:
		return SMTP_REPLY(550, 6, 0, "The message has a line of more than 998 characters");
	default:
		return (struct smtp_reply){.code = 0};
	}
}

struct smtp_reply smtp_message_end(struct smtp_message *m, bool check_lines)
{
	if (m->fault.code != 0)
		return m->fault;
	if (fd_seal(m->fd) < 0)
		return SMTP_REPLY(451, 3, 0, "Cannot take a message now");
	if (m->len == 0)
		return judge(STR(""), check_lines);
	void *p = mmap(NULL, m->len, PROT_READ, MAP_PRIVATE, m->fd, 0);
	if (p == MAP_FAILED)
		return SMTP_REPLY(452, 3, 1, "No memory for this message now");
	struct smtp_reply reply = judge(str_of(p, m->len), check_lines);
	munmap(p, m->len);
	return reply;
}

void smtp_message_done(struct smtp_message *m)
{
	fd_close(&m->fd);
	if (m->budget > 0)
		(void)!ask_budget(m, 0);
	m->budget = 0;
	m->len = 0;
}
