#include "fetcher/fetcher.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "fetcher/fetch.h"
#include "ipc/loop.h"
#include "sandbox/sandbox.h"

enum { OVERDUE_LOOK_MS = 15 * 1000, OVERDUE_MS = (WEB_SECONDS + 60) * 1000 };

/* A question that waits for its turn, as it came. */
struct waiting {
	struct waiting *next;
	struct buf bytes;
	int fds[IPC_FDS_MAX];
	size_t n_fds;
};

struct fetch {
	struct fetcher *fetcher;
	pid_t pid; /* 0: no process */
	struct loop_entry *channel;
	uint16_t type; /* of the question */
	uint64_t request;
	bool answered;
	uint64_t overdue_at;
};

struct fetcher {
	struct loop *loop;
	struct web *web;
	bool allow_private;
	struct sandbox_child *sandbox;
	struct loop_entry *supervisor, *queue, *ledger; /* NULL: not there now */
	struct fetch fetches[FETCHES_MAX];
	size_t n_fetches;
	struct waiting *first, **end;
	size_t n_waiting;
	bool ends_with_last_fetch;
};

static void raise_alarm(struct fetcher *f, enum ledger_kind kind, const char *detail)
{
	struct ipc_ledger_event event = {.kind = (uint8_t)kind, .detail = str_of_cstr(detail)};

	log_event(LOG_ALARM, "fetcher.alarm", "detail=%s", log_quote(event.detail).text);
	if (f->ledger == NULL || loop_send(f->ledger, IPC_LEDGER_EVENT, &event) < 0)
		log_event(LOG_ERROR, "fetcher.ledger_unreachable", "fetches=%zu", f->n_fetches);
}

static void answer_failed(struct fetcher *f, uint16_t type, uint64_t request, struct str why)
{
	struct ipc_policy policy = {.request = request, .result = FETCHED_FAILED, .detail = why};
	struct ipc_posted posted = {.request = request, .detail = why};

	if (f->queue == NULL)
		return;
	if (type == IPC_FETCH_POLICY)
		(void)loop_send(f->queue, IPC_POLICY, &policy);
	else
		(void)loop_send(f->queue, IPC_POSTED, &posted);
}

static uint64_t request_of(uint16_t type, const void *msg)
{
	return type == IPC_FETCH_POLICY ? ((const struct ipc_fetch_policy *)msg)->request
	                                : ((const struct ipc_post_report *)msg)->request;
}

static void end_when_empty(struct fetcher *f)
{
	if (f->ends_with_last_fetch && f->n_fetches == 0)
		loop_stop(f->loop);
}

/* --- the processes --- */

static void forget(struct fetch *fetch)
{
	struct fetcher *f = fetch->fetcher;

	*fetch = (struct fetch){.fetcher = f};
	f->n_fetches--;
}

/* Both have to be over: what it said is read, and the process is collected. */
static void forget_when_over(struct fetch *fetch)
{
	if (fetch->pid == 0 && fetch->channel == NULL)
		forget(fetch);
}

static int take_answer(struct fetch *fetch, uint16_t type, const void *msg, uint64_t request)
{
	struct fetcher *f = fetch->fetcher;

	if (fetch->answered || request != fetch->request)
		return -EPROTO;
	fetch->answered = true;
	if (f->queue != NULL)
		(void)loop_send(f->queue, type, msg);
	return 0;
}

static int on_policy(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct fetch *fetch = ctx;
	const struct ipc_policy *policy = msg;

	if (fetch->type != IPC_FETCH_POLICY)
		return -EPROTO;
	return take_answer(fetch, IPC_POLICY, policy, policy->request);
}

static int on_posted(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct fetch *fetch = ctx;
	const struct ipc_posted *posted = msg;

	if (fetch->type != IPC_POST_REPORT)
		return -EPROTO;
	return take_answer(fetch, IPC_POSTED, posted, posted->request);
}

static void on_fetch_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct fetch *fetch = ctx;
	struct fetcher *f = fetch->fetcher;

	if (error == -EBADMSG || error == -EPROTO)
		raise_alarm(f, LEDGER_ALARM_BAD_MESSAGE, "a fetch sent what it may not send");
	if (!fetch->answered)
		answer_failed(f, fetch->type, fetch->request, STR("it ended without an answer"));
	fetch->channel = NULL;
	forget_when_over(fetch);
	end_when_empty(f);
}

static const struct ipc_receiver fetch_messages[] = {
    {IPC_POLICY, on_policy}, {IPC_POSTED, on_posted}};
static const struct ipc_receivers fetch_receivers = {
    fetch_messages, ARRAY_LEN(fetch_messages), on_fetch_closed};

static _Noreturn void be_fetch(const struct fetcher *f, uint16_t type, const void *msg, int channel)
{
	const int report =
	    type == IPC_POST_REPORT ? ((const struct ipc_post_report *)msg)->report : channel;
	const int keep[] = {channel, report};

	sandbox_enter_child(f->sandbox, keep, ARRAY_LEN(keep));
	log_open("fetch", LOG_INFO);
	_exit(type == IPC_FETCH_POLICY ? fetch_policy(f->web, f->allow_private, msg, channel)
	                               : fetch_post(f->web, f->allow_private, msg, channel));
}

static int fork_fetch(struct fetcher *f, uint16_t type, const void *msg)
{
	struct fetch *fetch = f->fetches;
	int ends[2] = {-1, -1};
	int r = ipc_pair(ends);

	if (r < 0)
		return r;
	int near CLEANUP(fd_close) = ends[0];
	int far CLEANUP(fd_close) = ends[1];
	while (fetch->pid != 0 || fetch->channel != NULL)
		fetch++;
	pid_t pid = fork();
	if (pid == 0)
		be_fetch(f, type, msg, far);
	if (pid < 0)
		return -errno;
	*fetch = (struct fetch){.fetcher = f,
	    .pid = pid,
	    .type = type,
	    .request = request_of(type, msg),
	    .overdue_at = clock_ms() + OVERDUE_MS};
	f->n_fetches++;
	fetch->channel = loop_add_channel(f->loop, near, &fetch_receivers, fetch);
	if (fetch->channel == NULL)
		return -ENOSPC; /* its process finds its channel closed, and ends */
	near = -1;
	return 0;
}

static void begin(struct fetcher *f, uint16_t type, const void *msg)
{
	int r = fork_fetch(f, type, msg);

	if (r == 0)
		return;
	log_event(LOG_ERROR, "fetcher.no_fetch", "error=%s", strerror(-r));
	answer_failed(f, type, request_of(type, msg), STR("the server cannot do this now"));
}

/* --- those that wait --- */

static void waiting_free(struct waiting *w)
{
	for (size_t i = 0; i < w->n_fds; i++)
		fd_close(&w->fds[i]);
	buf_done(&w->bytes);
	free(w);
}

static void wait_for_turn(struct fetcher *f, uint16_t type, const void *msg)
{
	struct waiting *w = calloc(1, sizeof(*w));

	assert(w != NULL);
	w->bytes = BUF_MAX(IPC_MESSAGE_MAX);
	int fds[IPC_FDS_MAX];
	size_t n_fds = 0;
	bool ok = ipc_encode(type, msg, &w->bytes, fds, &n_fds);
	for (size_t i = 0; ok && i < n_fds; i++) {
		w->fds[w->n_fds] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		ok = w->fds[w->n_fds] >= 0;
		w->n_fds += ok;
	}
	if (!ok) {
		waiting_free(w);
		answer_failed(f, type, request_of(type, msg), STR("the server cannot do this now"));
		return;
	}
	*f->end = w;
	f->end = &w->next;
	f->n_waiting++;
}

static struct waiting *take_first(struct fetcher *f)
{
	struct waiting *w = f->first;

	f->first = w->next;
	if (f->first == NULL)
		f->end = &f->first;
	f->n_waiting--;
	return w;
}

static void begin_waiting(struct fetcher *f)
{
	while (f->first != NULL && (f->n_fetches < FETCHES_MAX || f->ends_with_last_fetch)) {
		struct waiting *w = take_first(f);
		struct arena a CLEANUP(arena_done) = ARENA_MAX(4 * IPC_MESSAGE_MAX);
		uint16_t type;
		void *msg;
		if (ipc_decode(buf_str(&w->bytes), w->fds, w->n_fds, &a, &type, &msg) == 0) {
			if (f->ends_with_last_fetch)
				answer_failed(f, type, request_of(type, msg),
				    STR("the server is being started anew"));
			else
				begin(f, type, msg);
		}
		waiting_free(w);
	}
}

static int take_question(struct fetcher *f, uint16_t type, const void *msg)
{
	if (f->ends_with_last_fetch || f->n_waiting == FETCHES_WAITING_MAX)
		answer_failed(f, type, request_of(type, msg), STR("too many at once"));
	else if (f->n_fetches == FETCHES_MAX)
		wait_for_turn(f, type, msg);
	else
		begin(f, type, msg);
	return 0;
}

/* --- ends of processes --- */

/* Whoever made a fetch crash may try again: not here. */
static void replace(struct fetcher *f)
{
	static const struct ipc_replace_me message = {0};

	if (f->ends_with_last_fetch)
		return;
	f->ends_with_last_fetch = true;
	if (f->supervisor != NULL)
		(void)loop_send(f->supervisor, IPC_REPLACE_ME, &message);
}

static void process_ended(struct fetch *fetch, int status)
{
	struct fetcher *f = fetch->fetcher;
	char detail[64];

	fetch->pid = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		if (WIFSIGNALED(status))
			snprintf(detail, sizeof(detail), "fetch ended by signal %d (SIG%s)",
			    WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
		else
			snprintf(detail, sizeof(detail), "fetch ended with status %d",
			    WEXITSTATUS(status));
		raise_alarm(f, LEDGER_ALARM_ROLE_CRASH, detail);
		replace(f);
	}
	forget_when_over(fetch);
}

static void on_child(struct loop_entry *e, void *ctx)
{
	struct fetcher *f = ctx;
	struct signalfd_siginfo info;
	pid_t pid;
	int status;

	while (read(loop_entry_fd(e), &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < FETCHES_MAX; i++)
			if (f->fetches[i].pid == pid)
				process_ended(&f->fetches[i], status);
	begin_waiting(f);
	end_when_empty(f);
}

static void look_for_overdue(void *ctx)
{
	struct fetcher *f = ctx;
	uint64_t now = clock_ms();

	for (size_t i = 0; i < FETCHES_MAX; i++) {
		struct fetch *fetch = &f->fetches[i];
		struct ipc_overdue message = {.pid = (uint32_t)fetch->pid};
		if (fetch->pid == 0 || fetch->overdue_at > now)
			continue;
		fetch->overdue_at = now + OVERDUE_MS;
		log_event(LOG_WARNING, "fetcher.fetch_overdue", "its_pid=%d", (int)fetch->pid);
		if (f->supervisor != NULL)
			(void)loop_send(f->supervisor, IPC_OVERDUE, &message);
	}
	if (loop_after(f->loop, OVERDUE_LOOK_MS, look_for_overdue, f) < 0)
		loop_stop(f->loop);
}

/* --- the queue and the supervisor --- */

static int on_fetch_policy(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	return take_question(ctx, IPC_FETCH_POLICY, msg);
}

static int on_post_report(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	return take_question(ctx, IPC_POST_REPORT, msg);
}

static void on_peer_closed(struct loop_entry *from, int error, void *ctx)
{
	struct fetcher *f = ctx;

	if (f->queue == from)
		f->queue = NULL;
	if (f->ledger == from)
		f->ledger = NULL;
	if (error == -EBADMSG || error == -EPROTO)
		raise_alarm(
		    f, LEDGER_ALARM_BAD_MESSAGE, "a role sent a message that is not allowed");
}

static const struct ipc_receiver queue_messages[] = {
    {IPC_FETCH_POLICY, on_fetch_policy}, {IPC_POST_REPORT, on_post_report}};
static const struct ipc_receivers queue_receivers = {
    queue_messages, ARRAY_LEN(queue_messages), on_peer_closed};
static const struct ipc_receivers ledger_receivers = {NULL, 0, on_peer_closed};

static int on_peer(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct fetcher *f = ctx;
	struct ipc_peer *peer = msg;
	bool is_queue = peer->role == ROLE_QUEUE;

	if (!is_queue && peer->role != ROLE_LEDGER)
		return -EPROTO;
	struct loop_entry **place = is_queue ? &f->queue : &f->ledger;
	struct loop_entry *entry = loop_add_channel(
	    f->loop, peer->channel, is_queue ? &queue_receivers : &ledger_receivers, f);
	if (entry == NULL)
		return 0;
	peer->channel = -1;
	if (*place != NULL)
		loop_remove(*place);
	*place = entry;
	return 0;
}

/* Nothing is lost: what is not answered is asked again after the next start. */
static int on_drain(struct loop_entry *from UNUSED, void *msg UNUSED, void *ctx)
{
	loop_stop(((struct fetcher *)ctx)->loop);
	return 0;
}

static void on_supervisor_closed(struct loop_entry *from UNUSED, int error UNUSED, void *ctx)
{
	struct fetcher *f = ctx;

	f->supervisor = NULL;
	loop_stop(f->loop);
}

static const struct ipc_receiver supervisor_messages[] = {
    {IPC_PEER, on_peer}, {IPC_DRAIN, on_drain}};
static const struct ipc_receivers supervisor_receivers = {
    supervisor_messages, ARRAY_LEN(supervisor_messages), on_supervisor_closed};

/* --- start --- */

static int watch_children(struct fetcher *f)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	return loop_add_fd(f->loop, fd, on_child, f) != NULL ? 0 : -ENOSPC;
}

static int prepare(struct fetcher *f, const struct role_start *start)
{
	int r = loop_new(&f->loop);

	if (r == 0)
		r = watch_children(f);
	if (r == 0)
		r = web_new(start, &f->web);
	if (r < 0)
		return r;
	f->end = &f->first;
	f->allow_private = start->config->outbound_allow_private != 0;
	for (size_t i = 0; i < FETCHES_MAX; i++)
		f->fetches[i].fetcher = f;
	f->supervisor = loop_add_channel(f->loop, start->supervisor, &supervisor_receivers, f);
	return f->supervisor != NULL ? 0 : -ENOSPC;
}

int fetcher_main(struct role_start *start)
{
	static struct fetcher f;
	int r = prepare(&f, start);

	if (r < 0) {
		log_event(LOG_ERROR, "fetcher.cannot_start", "error=%s", strerror(-r));
		return 1;
	}
	f.sandbox = sandbox_prepare_child(start, ROLE_FETCH);
	sandbox_enter(start);
	r = role_ready(start);
	if (r == 0)
		r = loop_after(f.loop, OVERDUE_LOOK_MS, look_for_overdue, &f);
	if (r == 0)
		r = loop_run(f.loop);
	if (r < 0)
		log_event(LOG_ERROR, "fetcher.loop_failed", "error=%s", strerror(-r));
	while (f.first != NULL)
		waiting_free(take_first(&f));
	return r < 0 ? 1 : 0;
}
