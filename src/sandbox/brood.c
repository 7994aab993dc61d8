#include "sandbox/brood.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { DETAIL_LEN = 96 };

struct brood_child {
	pid_t pid; /* 0: none */
	uint64_t overdue_at;
	void *task;
};

struct loop_entry *brood_partner(const struct brood *b, enum role role)
{
	for (size_t i = 0; i < b->n_partners; i++)
		if (b->partners[i].role == role)
			return b->partners[i].entry;
	return NULL;
}

void brood_alarm(struct brood *b, enum ledger_kind kind, const char *detail)
{
	struct ipc_ledger_event event = {.kind = (uint8_t)kind, .detail = str_of_cstr(detail)};
	struct loop_entry *ledger = brood_partner(b, ROLE_LEDGER);

	log_event(LOG_ALARM, "role.alarm", "detail=%s", log_quote(event.detail).text);
	if (ledger == NULL || loop_send(ledger, IPC_LEDGER_EVENT, &event) < 0)
		log_event(LOG_ERROR, "role.ledger_unreachable", "children=%zu", b->n_children);
}

void brood_end_when_empty(struct brood *b)
{
	bool is_busy = b->kind->is_busy != NULL && b->kind->is_busy(b->ctx);

	if (b->is_ending && b->n_children == 0 && !is_busy)
		loop_stop(b->loop);
}

/* --- children --- */

bool brood_is_full(const struct brood *b)
{
	return b->n_children == b->max;
}

int brood_fork(struct brood *b, void *task)
{
	struct brood_child *child = b->children;

	if (b->is_ending || brood_is_full(b))
		return -EUSERS;
	while (child->pid != 0)
		child++;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		return 0;
	*child = (struct brood_child){
	    .pid = pid, .overdue_at = clock_ms() + b->kind->lasts_ms, .task = task};
	b->n_children++;
	return pid;
}

static void replace(struct brood *b)
{
	static const struct ipc_replace_me message = {0};

	if (b->is_ending)
		return;
	b->is_ending = true;
	if (b->supervisor != NULL)
		(void)loop_send(b->supervisor, IPC_REPLACE_ME, &message);
}

static void child_ended(struct brood *b, struct brood_child *child, int status)
{
	void *task = child->task;
	char detail[DETAIL_LEN];

	*child = (struct brood_child){0};
	b->n_children--;
	if (WIFSIGNALED(status))
		snprintf(detail, sizeof(detail), "%s ended by signal %d (SIG%s)", b->kind->child,
		    WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(detail, sizeof(detail), "%s ended with status %d", b->kind->child,
		    WEXITSTATUS(status));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		brood_alarm(b, b->kind->crash, detail);
		replace(b);
	}
	if (b->kind->ended != NULL)
		b->kind->ended(task, b->ctx);
}

static void on_child(struct loop_entry *e, void *ctx)
{
	struct brood *b = ctx;
	struct signalfd_siginfo info;
	pid_t pid;
	int status;

	while (read(loop_entry_fd(e), &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < b->max; i++)
			if (b->children[i].pid == pid)
				child_ended(b, &b->children[i], status);
	if (b->kind->has_room != NULL)
		b->kind->has_room(b->ctx);
	brood_end_when_empty(b);
}

static void look_for_overdue(void *ctx)
{
	struct brood *b = ctx;
	uint64_t now = clock_ms();

	for (size_t i = 0; i < b->max; i++) {
		struct brood_child *child = &b->children[i];
		struct ipc_overdue message = {.pid = (uint32_t)child->pid};
		if (child->pid == 0 || child->overdue_at > now)
			continue;
		child->overdue_at = now + b->kind->lasts_ms;
		log_event(LOG_WARNING, "role.child_overdue", "child=%s its_pid=%d", b->kind->child,
		    (int)child->pid);
		if (b->supervisor != NULL)
			(void)loop_send(b->supervisor, IPC_OVERDUE, &message);
	}
	if (loop_after(b->loop, BROOD_LOOK_MS, look_for_overdue, b) < 0)
		loop_stop(b->loop);
}

/* --- partners --- */

static void on_partner_closed(struct loop_entry *from, int error, void *ctx)
{
	struct brood *b = ctx;

	if (error == -EBADMSG || error == -EPROTO)
		brood_alarm(
		    b, LEDGER_ALARM_BAD_MESSAGE, "a role sent a message that is not allowed");
	for (size_t i = 0; i < b->n_partners; i++)
		if (b->partners[i].entry == from)
			b->partners[i].entry = NULL;
}

static int on_peer(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct brood *b = ctx;
	struct ipc_peer *peer = msg;
	size_t i = 0;

	while (i < b->n_partners && b->partners[i].role != peer->role)
		i++;
	if (i == b->n_partners)
		return -EPROTO;
	struct loop_entry *entry = loop_add_channel(b->loop, peer->channel, &b->receivers[i], b);
	if (entry == NULL)
		return 0;
	peer->channel = -1;
	if (b->partners[i].entry != NULL)
		loop_remove(b->partners[i].entry);
	b->partners[i].entry = entry;
	return 0;
}

/* --- the supervisor --- */

static void on_drain_over(void *ctx)
{
	loop_stop(((struct brood *)ctx)->loop);
}

static int on_drain(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct brood *b = ctx;

	b->is_ending = true;
	if (b->kind->drains != NULL)
		b->kind->drains(b->ctx);
	if (b->kind->stops_at_once ||
	    loop_after(b->loop, ((struct ipc_drain *)msg)->ms, on_drain_over, b) < 0)
		loop_stop(b->loop);
	brood_end_when_empty(b);
	return 0;
}

static void on_supervisor_closed(struct loop_entry *from UNUSED, int error UNUSED, void *ctx)
{
	struct brood *b = ctx;

	b->supervisor = NULL;
	loop_stop(b->loop);
}

static const struct ipc_receiver supervisor_messages[] = {
    {IPC_PEER, on_peer}, {IPC_DRAIN, on_drain}};
static const struct ipc_receivers supervisor_receivers = {
    supervisor_messages, ARRAY_LEN(supervisor_messages), on_supervisor_closed};

/* --- its life --- */

static int watch_children(struct brood *b)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	return loop_add_fd(b->loop, fd, on_child, b) != NULL ? 0 : -ENOSPC;
}

int brood_open(struct brood *b, const struct brood_kind *kind, size_t max, int supervisor,
    struct brood_partner *partners, size_t n_partners, void *ctx)
{
	assert(n_partners <= BROOD_PARTNERS_MAX);
	*b = (struct brood){
	    .kind = kind, .ctx = ctx, .partners = partners, .n_partners = n_partners, .max = max};
	for (size_t i = 0; i < n_partners; i++)
		b->receivers[i] = (struct ipc_receivers){
		    partners[i].messages, partners[i].n_messages, on_partner_closed};
	b->children = calloc(max, sizeof(*b->children));
	if (b->children == NULL)
		return -ENOMEM;
	int r = loop_new(&b->loop);
	if (r == 0)
		r = watch_children(b);
	if (r == 0)
		r = loop_after(b->loop, BROOD_LOOK_MS, look_for_overdue, b);
	if (r < 0)
		return r;
	b->supervisor = loop_add_channel(b->loop, supervisor, &supervisor_receivers, b);
	return b->supervisor != NULL ? 0 : -ENOSPC;
}

int brood_run(struct brood *b)
{
	return loop_run(b->loop);
}

void brood_close(struct brood *b)
{
	loop_free(b->loop);
	free(b->children);
	*b = (struct brood){0};
}
