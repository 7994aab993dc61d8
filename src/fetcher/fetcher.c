#include "fetcher/fetcher.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "fetcher/fetch.h"
#include "sandbox/brood.h"
#include "sandbox/sandbox.h"

enum { OVERDUE_MS = (WEB_SECONDS + 60) * 1000 };

/* A question that waits for its turn, as it came. */
struct waiting {
	struct waiting *next;
	struct buf bytes;
	int fds[IPC_FDS_MAX];
	size_t n_fds;
};

struct fetch {
	struct fetcher *fetcher;
	bool has_process;
	struct loop_entry *channel;
	uint16_t type; /* of the question */
	uint64_t request;
	bool answered;
};

struct fetcher {
	struct brood brood;
	struct web *web;
	bool allow_private;
	struct sandbox_child *sandbox;
	struct fetch fetches[FETCHES_MAX];
	size_t n_fetches; /* with a process, or an answer that is not read yet */
	struct waiting *first, **end;
	size_t n_waiting;
};

static struct loop_entry *queue_of(const struct fetcher *f)
{
	return brood_partner(&f->brood, ROLE_QUEUE);
}

static void answer_failed(struct fetcher *f, uint16_t type, uint64_t request, struct str why)
{
	struct ipc_policy policy = {.request = request, .result = FETCHED_FAILED, .detail = why};
	struct ipc_posted posted = {.request = request, .detail = why};
	struct loop_entry *queue = queue_of(f);

	if (queue == NULL)
		return;
	if (type == IPC_FETCH_POLICY)
		(void)loop_send(queue, IPC_POLICY, &policy);
	else
		(void)loop_send(queue, IPC_POSTED, &posted);
}

static uint64_t request_of(uint16_t type, const void *msg)
{
	return type == IPC_FETCH_POLICY ? ((const struct ipc_fetch_policy *)msg)->request
	                                : ((const struct ipc_post_report *)msg)->request;
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
	if (!fetch->has_process && fetch->channel == NULL)
		forget(fetch);
}

static int take_answer(struct fetch *fetch, uint16_t type, const void *msg, uint64_t request)
{
	struct fetcher *f = fetch->fetcher;

	if (fetch->answered || request != fetch->request)
		return -EPROTO;
	fetch->answered = true;
	if (queue_of(f) != NULL)
		(void)loop_send(queue_of(f), type, msg);
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
		brood_alarm(
		    &f->brood, LEDGER_ALARM_BAD_MESSAGE, "a fetch sent what it may not send");
	if (!fetch->answered)
		answer_failed(f, fetch->type, fetch->request, STR("it ended without an answer"));
	fetch->channel = NULL;
	forget_when_over(fetch);
	brood_end_when_empty(&f->brood);
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
	while (fetch->has_process || fetch->channel != NULL)
		fetch++;
	r = brood_fork(&f->brood, fetch);
	if (r == 0)
		be_fetch(f, type, msg, far);
	if (r < 0)
		return r;
	*fetch = (struct fetch){
	    .fetcher = f, .has_process = true, .type = type, .request = request_of(type, msg)};
	f->n_fetches++;
	fetch->channel = loop_add_channel(f->brood.loop, near, &fetch_receivers, fetch);
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

static void begin_waiting(void *ctx)
{
	struct fetcher *f = ctx;

	while (f->first != NULL && (f->n_fetches < FETCHES_MAX || f->brood.is_ending)) {
		struct waiting *w = take_first(f);
		struct arena a CLEANUP(arena_done) = ARENA_MAX(4 * IPC_MESSAGE_MAX);
		uint16_t type;
		void *msg;
		if (ipc_decode(buf_str(&w->bytes), w->fds, w->n_fds, &a, &type, &msg) == 0) {
			if (f->brood.is_ending)
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
	if (f->brood.is_ending || f->n_waiting == FETCHES_WAITING_MAX)
		answer_failed(f, type, request_of(type, msg), STR("too many at once"));
	else if (f->n_fetches == FETCHES_MAX)
		wait_for_turn(f, type, msg);
	else
		begin(f, type, msg);
	return 0;
}

/* --- ends of processes --- */

static void process_ended(void *task, void *ctx UNUSED)
{
	struct fetch *fetch = task;

	fetch->has_process = false;
	forget_when_over(fetch);
}

static bool is_busy(void *ctx)
{
	return ((struct fetcher *)ctx)->n_fetches > 0;
}

/* Nothing is lost at the stop: what is not answered is asked again after the next start. */
static const struct brood_kind kind = {
    .child = "fetch",
    .crash = LEDGER_ALARM_ROLE_CRASH,
    .lasts_ms = OVERDUE_MS,
    .stops_at_once = true,
    .ended = process_ended,
    .has_room = begin_waiting,
    .is_busy = is_busy,
};

/* --- the queue --- */

static int on_fetch_policy(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	return take_question(((struct brood *)ctx)->ctx, IPC_FETCH_POLICY, msg);
}

static int on_post_report(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	return take_question(((struct brood *)ctx)->ctx, IPC_POST_REPORT, msg);
}

static const struct ipc_receiver queue_messages[] = {
    {IPC_FETCH_POLICY, on_fetch_policy}, {IPC_POST_REPORT, on_post_report}};

/* --- start --- */

static int prepare(struct fetcher *f, const struct role_start *start)
{
	static struct brood_partner partners[] = {
	    {.role = ROLE_QUEUE,
	        .messages = queue_messages,
	        .n_messages = ARRAY_LEN(queue_messages)},
	    {.role = ROLE_LEDGER},
	};
	int r = web_new(start, &f->web);

	if (r < 0)
		return r;
	f->end = &f->first;
	f->allow_private = start->config->outbound_allow_private != 0;
	for (size_t i = 0; i < FETCHES_MAX; i++)
		f->fetches[i].fetcher = f;
	return brood_open(
	    &f->brood, &kind, FETCHES_MAX, start->supervisor, partners, ARRAY_LEN(partners), f);
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
		r = brood_run(&f.brood);
	if (r < 0)
		log_event(LOG_ERROR, "fetcher.loop_failed", "error=%s", strerror(-r));
	while (f.first != NULL)
		waiting_free(take_first(&f));
	return r < 0 ? 1 : 0;
}
