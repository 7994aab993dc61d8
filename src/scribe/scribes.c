#include "scribe/scribes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/loop.h"
#include "ipc/outgoing.h"
#include "mail/dkim_canon.h"
#include "sandbox/lean.h"
#include "sandbox/sandbox.h"
#include "scribe/scribe.h"

enum { OVERDUE_LOOK_MS = 15 * 1000 };

struct child {
	pid_t pid; /* 0: no child */
	uint64_t overdue_at;
};

struct scribes {
	struct loop *loop;
	struct sandbox_child *sandbox;
	struct loop_entry *supervisor, *queue, *ledger; /* NULL: not there now */
	struct child children[SCRIBES_MAX];
	size_t n_children;
	/* a ring of messages that wait for a child to end */
	struct ipc_prepare waiting[SCRIBES_WAITING_MAX];
	size_t first_waiting, n_waiting;
	bool ends_with_last_child;
};

static void raise_alarm(struct scribes *s, enum ledger_kind kind, const char *detail)
{
	struct ipc_ledger_event event = {.kind = (uint8_t)kind, .detail = str_of_cstr(detail)};

	log_event(LOG_ALARM, "scribes.alarm", "detail=%s", log_quote(event.detail).text);
	if (s->ledger == NULL || loop_send(s->ledger, IPC_LEDGER_EVENT, &event) < 0)
		log_event(LOG_ERROR, "scribes.ledger_unreachable", "children=%zu", s->n_children);
}

static void prepare_done(struct ipc_prepare *p)
{
	fd_close(&p->channel);
	fd_close(&p->message);
}

static void end_when_empty(struct scribes *s)
{
	if (s->ends_with_last_child && s->n_children == 0 && s->n_waiting == 0)
		loop_stop(s->loop);
}

/* --- children --- */

static _Noreturn void be_scribe(const struct scribes *s, struct ipc_prepare *prepare)
{
	const int keep[] = {prepare->channel, prepare->message};

	sandbox_enter_child(s->sandbox, keep, ARRAY_LEN(keep));
	log_open("scribe", LOG_INFO);
	_exit(scribe_run(prepare));
}

static void fork_scribe(struct scribes *s, struct ipc_prepare *prepare)
{
	struct child *child = s->children;

	while (child->pid != 0)
		child++;
	pid_t pid = fork();
	if (pid == 0)
		be_scribe(s, prepare);
	if (pid < 0)
		log_event(LOG_ERROR, "scribes.no_fork", "error=%s", strerror(errno));
	prepare_done(prepare);
	if (pid < 0)
		return;
	*child = (struct child){.pid = pid, .overdue_at = clock_ms() + SCRIBE_OVERDUE_MS};
	s->n_children++;
}

static void fork_waiting(struct scribes *s)
{
	while (s->n_waiting > 0 && s->n_children < SCRIBES_MAX) {
		struct ipc_prepare prepare = s->waiting[s->first_waiting];
		s->first_waiting = (s->first_waiting + 1) % SCRIBES_WAITING_MAX;
		s->n_waiting--;
		fork_scribe(s, &prepare);
	}
}

/* Whoever made a scribe crash may try again: not here. */
static void replace(struct scribes *s)
{
	static const struct ipc_replace_me message = {0};

	if (s->ends_with_last_child)
		return;
	s->ends_with_last_child = true;
	if (s->supervisor != NULL)
		(void)loop_send(s->supervisor, IPC_REPLACE_ME, &message);
}

static void child_ended(struct scribes *s, struct child *child, int status)
{
	child->pid = 0;
	s->n_children--;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	char detail[64];
	if (WIFSIGNALED(status))
		snprintf(detail, sizeof(detail), "scribe ended by signal %d (SIG%s)",
		    WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(
		    detail, sizeof(detail), "scribe ended with status %d", WEXITSTATUS(status));
	raise_alarm(s, LEDGER_ALARM_ROLE_CRASH, detail);
	replace(s);
}

static void on_child(struct loop_entry *e, void *ctx)
{
	struct scribes *s = ctx;
	struct signalfd_siginfo info;
	pid_t pid;
	int status;

	while (read(loop_entry_fd(e), &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < SCRIBES_MAX; i++)
			if (s->children[i].pid == pid)
				child_ended(s, &s->children[i], status);
	fork_waiting(s);
	end_when_empty(s);
}

static void look_for_overdue(void *ctx)
{
	struct scribes *s = ctx;
	uint64_t now = clock_ms();

	for (size_t i = 0; i < SCRIBES_MAX; i++) {
		struct child *child = &s->children[i];
		struct ipc_overdue message = {.pid = (uint32_t)child->pid};
		if (child->pid == 0 || child->overdue_at > now)
			continue;
		child->overdue_at = now + SCRIBE_OVERDUE_MS;
		log_event(LOG_WARNING, "scribes.scribe_overdue", "its_pid=%d", (int)child->pid);
		if (s->supervisor != NULL)
			(void)loop_send(s->supervisor, IPC_OVERDUE, &message);
	}
	if (loop_after(s->loop, OVERDUE_LOOK_MS, look_for_overdue, s) < 0)
		loop_stop(s->loop);
}

/* --- the queue --- */

static int on_prepare(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct scribes *s = ctx;
	struct ipc_prepare *m = msg;
	struct ipc_prepare prepare = *m;

	/* One that is being replaced is sent nothing new by who knows; the rest is closed. */
	if (s->n_waiting == SCRIBES_WAITING_MAX || s->ends_with_last_child)
		return 0;
	m->channel = m->message = -1;
	s->waiting[(s->first_waiting + s->n_waiting++) % SCRIBES_WAITING_MAX] = prepare;
	fork_waiting(s);
	return 0;
}

static void on_peer_closed(struct loop_entry *from, int error, void *ctx)
{
	struct scribes *s = ctx;

	if (error == -EBADMSG || error == -EPROTO)
		raise_alarm(
		    s, LEDGER_ALARM_BAD_MESSAGE, "a role sent a message that is not allowed");
	if (s->queue == from)
		s->queue = NULL;
	if (s->ledger == from)
		s->ledger = NULL;
}

static const struct ipc_receiver queue_messages[] = {{IPC_PREPARE, on_prepare}};
static const struct ipc_receivers queue_receivers = {
    queue_messages, ARRAY_LEN(queue_messages), on_peer_closed};
static const struct ipc_receivers ledger_receivers = {NULL, 0, on_peer_closed};

/* --- the supervisor --- */

static int on_peer(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct scribes *s = ctx;
	struct ipc_peer *peer = msg;
	bool is_queue = peer->role == ROLE_QUEUE;
	if (!is_queue && peer->role != ROLE_LEDGER)
		return -EPROTO;

	struct loop_entry **place = is_queue ? &s->queue : &s->ledger;
	struct loop_entry *entry = loop_add_channel(
	    s->loop, peer->channel, is_queue ? &queue_receivers : &ledger_receivers, s);
	if (entry == NULL)
		return 0;
	peer->channel = -1;
	if (*place != NULL)
		loop_remove(*place);
	*place = entry;
	return 0;
}

static void on_drain_over(void *ctx)
{
	loop_stop(((struct scribes *)ctx)->loop);
}

static int on_drain(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct scribes *s = ctx;

	s->ends_with_last_child = true;
	if (loop_after(s->loop, ((struct ipc_drain *)msg)->ms, on_drain_over, s) < 0)
		loop_stop(s->loop);
	end_when_empty(s);
	return 0;
}

static void on_supervisor_closed(struct loop_entry *from UNUSED, int error UNUSED, void *ctx)
{
	struct scribes *s = ctx;

	s->supervisor = NULL;
	loop_stop(s->loop);
}

static const struct ipc_receiver supervisor_messages[] = {
    {IPC_PEER, on_peer}, {IPC_DRAIN, on_drain}};
static const struct ipc_receivers supervisor_receivers = {
    supervisor_messages, ARRAY_LEN(supervisor_messages), on_supervisor_closed};

/* --- start --- */

static int watch_children(struct scribes *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	return loop_add_fd(s->loop, fd, on_child, s) != NULL ? 0 : -ENOSPC;
}

static int prepare(struct scribes *s, const struct role_start *start)
{
	int r = loop_new(&s->loop);

	if (r == 0)
		r = watch_children(s);
	if (r < 0)
		return r;
	s->supervisor = loop_add_channel(s->loop, start->supervisor, &supervisor_receivers, s);
	return s->supervisor != NULL ? 0 : -ENOSPC;
}

/* OpenSSL reads its configuration and fetches its digests at the first use: that is done here,
 * where there are files still, and all scribes share what it left. */
static void warm_up(void)
{
	uint8_t hash[DKIM_HASH_LEN];
	struct dkim_body body;

	dkim_hash(STR(""), hash);
	dkim_body_begin(&body, DKIM_RELAXED, UINT64_MAX);
	dkim_body_add(&body, STR("warm\r\n"));
	dkim_body_end(&body, hash);
}

int scribes_main(struct role_start *start)
{
	static struct scribes s;
	int r = prepare(&s, start);

	if (r < 0) {
		log_event(LOG_ERROR, "scribes.cannot_start", "error=%s", strerror(-r));
		return 1;
	}
	s.sandbox = sandbox_prepare_child(start, ROLE_SCRIBE);
	warm_up();
	lean_prepare();
	sandbox_enter(start);
	r = role_ready(start);
	if (r == 0)
		r = loop_after(s.loop, OVERDUE_LOOK_MS, look_for_overdue, &s);
	if (r == 0)
		r = loop_run(s.loop);
	if (r < 0)
		log_event(LOG_ERROR, "scribes.loop_failed", "error=%s", strerror(-r));
	loop_free(s.loop);
	while (s.n_waiting > 0)
		prepare_done(&s.waiting[(s.first_waiting + --s.n_waiting) % SCRIBES_WAITING_MAX]);
	return r < 0 ? 1 : 0;
}
