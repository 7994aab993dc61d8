#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <assert.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "sandbox/role.h"
#include "supervisor/overdue.h"
#include "supervisor/state.h"

/* Who has a channel to whom. Each pair of processes of the two roles gets one, whenever both live;
 * there is no other way between roles. */
static const struct {
	enum role from, to;
} edges[] = {
    {ROLE_GATEKEEPER_SMTP, ROLE_DIRECTORY},
    {ROLE_GATEKEEPER_SMTP, ROLE_KEYHOLDER},
    {ROLE_GATEKEEPER_SMTP, ROLE_DELIVERY},
    {ROLE_GATEKEEPER_SMTP, ROLE_QUEUE},
    {ROLE_GATEKEEPER_SMTP, ROLE_LEDGER},
    {ROLE_GATEKEEPER_IMAP, ROLE_DIRECTORY},
    {ROLE_GATEKEEPER_IMAP, ROLE_KEYHOLDER},
    {ROLE_GATEKEEPER_IMAP, ROLE_LEDGER},
    {ROLE_GATEKEEPER_POP3, ROLE_DIRECTORY},
    {ROLE_GATEKEEPER_POP3, ROLE_KEYHOLDER},
    {ROLE_GATEKEEPER_POP3, ROLE_LEDGER},
    {ROLE_GATEKEEPER_SUBMISSION, ROLE_DIRECTORY},
    {ROLE_GATEKEEPER_SUBMISSION, ROLE_KEYHOLDER},
    {ROLE_GATEKEEPER_SUBMISSION, ROLE_LEDGER},
    {ROLE_DIRECTORY, ROLE_REGISTRY},
    {ROLE_DIRECTORY, ROLE_KEYHOLDER},
    {ROLE_DIRECTORY, ROLE_LEDGER},
    {ROLE_DELIVERY, ROLE_REGISTRY},
    {ROLE_DELIVERY, ROLE_LEDGER},
    {ROLE_QUEUE, ROLE_DELIVERY},
    {ROLE_QUEUE, ROLE_DIRECTORY},
    {ROLE_QUEUE, ROLE_KEYHOLDER},
    {ROLE_QUEUE, ROLE_LEDGER},
    {ROLE_DISPATCHER, ROLE_QUEUE},
    {ROLE_DISPATCHER, ROLE_RESOLVER},
    {ROLE_DISPATCHER, ROLE_LEDGER},
    {ROLE_RESOLVER, ROLE_QUEUE},
    {ROLE_RESOLVER, ROLE_LEDGER},
    {ROLE_FETCHER, ROLE_QUEUE},
    {ROLE_FETCHER, ROLE_LEDGER},
    {ROLE_REGISTRY, ROLE_LEDGER},
    {ROLE_SCRIBES, ROLE_QUEUE},
    {ROLE_SCRIBES, ROLE_LEDGER},
    {ROLE_KEYHOLDER, ROLE_LEDGER},
};

static bool is_gatekeeper(enum role role)
{
	return role == ROLE_GATEKEEPER_SMTP || role == ROLE_GATEKEEPER_IMAP ||
	       role == ROLE_GATEKEEPER_POP3 || role == ROLE_GATEKEEPER_SUBMISSION;
}

/* Its children speak with strangers: gates with clients, couriers with servers. */
static bool has_strangers_children(enum role role)
{
	return is_gatekeeper(role) || role == ROLE_DISPATCHER || role == ROLE_SCRIBES ||
	       role == ROLE_FETCHER;
}

static bool are_joined(enum role a, enum role b)
{
	for (size_t i = 0; i < ARRAY_LEN(edges); i++)
		if ((edges[i].from == a && edges[i].to == b) ||
		    (edges[i].from == b && edges[i].to == a))
			return true;
	return false;
}

static int send_peer(struct instance *to, const struct instance *peer, int channel)
{
	struct ipc_peer message = {
	    .role = (uint8_t)peer->role, .index = peer->index, .channel = channel};

	return loop_send(to->channel, IPC_PEER, &message);
}

/* Both ends go into loops, and are made non-blocking here: a role that may only append cannot set
 * flags. */
static int make_pair(int ret_ends[static 2])
{
	int ends[2] = {-1, -1};
	int r = ipc_pair(ends);

	if (r < 0)
		return r;
	for (size_t i = 0; i < 2 && r == 0; i++)
		r = fd_set_nonblocking(ends[i], true);
	if (r < 0) {
		close(ends[0]);
		close(ends[1]);
		return r;
	}
	ret_ends[0] = ends[0];
	ret_ends[1] = ends[1];
	return 0;
}

static int join(struct instance *a, struct instance *b)
{
	int ends[2] = {-1, -1};
	int r = make_pair(ends);

	if (r < 0)
		return r;
	int one CLEANUP(fd_close) = ends[0];
	int other CLEANUP(fd_close) = ends[1];
	r = send_peer(a, b, one);
	return r < 0 ? r : send_peer(b, a, other);
}

static void join_with_all(struct supervisor *s, struct instance *i)
{
	for (size_t n = 0; n < s->n_instances; n++) {
		struct instance *other = s->instances[n];
		if (other->channel == NULL || other->replaced || !are_joined(i->role, other->role))
			continue;
		int r = join(i, other);
		if (r < 0)
			log_event(LOG_ERROR, "role.not_joined", "of=%s with=%s error=%s",
			    role_row(i->role)->name, role_row(other->role)->name, strerror(-r));
	}
}

/* Our own channel to the ledger. */

static void ledger_closed(struct loop_entry *e UNUSED, int error UNUSED, void *ctx)
{
	((struct supervisor *)ctx)->ledger = NULL;
}

static const struct ipc_receivers from_ledger = {.closed = ledger_closed};

static void join_ledger(struct supervisor *s, struct instance *ledger)
{
	int ends[2] = {-1, -1};

	if (make_pair(ends) < 0)
		return;
	int theirs CLEANUP(fd_close) = ends[1];
	struct ipc_peer message = {.role = ROLE_SUPERVISOR, .channel = theirs};
	if (s->ledger != NULL)
		loop_remove(s->ledger);
	s->ledger = loop_add_channel(s->loop, ends[0], &from_ledger, s);
	if (s->ledger == NULL)
		close(ends[0]);
	else if (loop_send(ledger->channel, IPC_PEER, &message) == 0)
		supervisor_send_held(s);
}

static void send_listeners(struct supervisor *s, struct instance *i)
{
	for (size_t n = 0; n < s->n_listeners; n++) {
		const struct listener *l = &s->listeners[n];
		struct ipc_listener message = {
		    .implicit_tls = l->implicit_tls, .port = l->port, .socket = l->socket};
		if (l->gatekeeper == i->role)
			(void)loop_send(i->channel, IPC_LISTENER, &message);
	}
}

/* What roles tell us */

static void check_all_ready(struct supervisor *s)
{
	for (size_t n = 0; n < s->n_instances; n++)
		if (!s->instances[n]->ready && !s->instances[n]->replaced)
			return;
	if (s->was_ready || s->stopping != 0)
		return;
	s->was_ready = true;
	supervisor_alarm(s, LEDGER_START, "the server is ready");
	supervisor_alarm(s, LEDGER_FILES, "gatepost.conf=%s", s->config_digest.text);
	log_event(LOG_INFO, "server.ready", "processes=%zu", s->n_instances);
	if (s->ready_fd >= 0 && fd_write_all(s->ready_fd, STR("1")) < 0)
		log_event(LOG_WARNING, "server.ready", "what=ready-fd cannot be written");
	fd_close(&s->ready_fd);
}

static int take_ready(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct instance *i = ctx;
	const struct ipc_ready *ready = msg;

	if (i->ready)
		return -EPROTO;
	i->ready = i->was_ready = true;
	i->landlock = ready->landlock;
	supervisor_write_roles(i->supervisor);
	check_all_ready(i->supervisor);
	return 0;
}

static struct instance *new_instance(struct supervisor *s, enum role role, uint16_t index);
static void start_later(struct instance *i);

/* At most so many old gatekeepers watch their last gates; the oldest goes first. */
static void limit_replaced(struct supervisor *s)
{
	static const struct ipc_drain now = {.ms = 0};
	struct instance *oldest = NULL;
	size_t count = 0;

	for (size_t n = 0; n < s->n_instances; n++) {
		struct instance *i = s->instances[n];
		if (!i->replaced || i->stopped)
			continue;
		count++;
		if (oldest == NULL || i->started_at < oldest->started_at)
			oldest = i;
	}
	if (count <= REPLACED_MAX || oldest->channel == NULL)
		return;
	oldest->stopped = true;
	(void)loop_send(oldest->channel, IPC_DRAIN, &now);
}

/*
 * A gate crashed. Its gatekeeper's memory layout is known to whoever did that, so another one,
 * executed anew, takes over; the old one accepts nothing more and ends with its last gate. The
 * successor waits a little longer each time: who guesses gets few guesses.
 */
static int take_replace_me(struct loop_entry *from UNUSED, void *msg UNUSED, void *ctx)
{
	struct instance *i = ctx;
	struct supervisor *s = i->supervisor;

	if (!has_strangers_children(i->role) || i->replaced)
		return -EPROTO;
	if (s->stopping != 0)
		return 0;
	struct instance *successor = new_instance(s, i->role, i->index);
	if (successor == NULL)
		return 0;
	i->replaced = true;
	successor->was_ready = true;
	successor->failures = clock_ms() - i->started_at < STABLE_MS ? i->failures + 1 : 0;
	log_event(
	    LOG_WARNING, "role.replaced", "of=%s its_pid=%d", role_row(i->role)->name, (int)i->pid);
	start_later(successor);
	limit_replaced(s);
	return 0;
}

static struct instance *find_instance(const struct supervisor *s, enum role role, uint16_t index)
{
	for (size_t n = 0; n < s->n_instances; n++)
		if (s->instances[n]->role == role && s->instances[n]->index == index &&
		    !s->instances[n]->replaced && s->instances[n]->pid != 0)
			return s->instances[n];
	return NULL;
}

static bool is_less_privileged(enum role a, enum role b)
{
	for (size_t i = 0; i < ARRAY_LEN(edges); i++)
		if (edges[i].from == a && edges[i].to == b)
			return true;
	return false;
}

/*
 * The channel between two roles ended because one said what it may not say. Whoever complains, the
 * less privileged of the two is replaced (in the table of edges, the one from which the edge goes):
 * so a broken role cannot have a better one killed, and both get a new channel.
 */
static int take_misconduct(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct instance *complains = ctx;
	const struct ipc_misconduct *misconduct = msg;
	struct supervisor *s = complains->supervisor;

	if (!are_joined(complains->role, misconduct->role))
		return -EPROTO;
	struct instance *loser = is_less_privileged(complains->role, misconduct->role)
	                             ? complains
	                             : find_instance(s, misconduct->role, misconduct->index);
	/* Perhaps it died already, or is an old gatekeeper, which ends by itself. */
	if (loser == NULL || s->stopping != 0)
		return 0;
	log_event(LOG_ALARM, "role.misconduct", "of=%s its_pid=%d told_by=%s",
	    role_row(misconduct->role)->name, (int)loser->pid, role_row(complains->role)->name);
	kill(loser->pid, SIGKILL);
	return 0;
}

/* A gate outlived its time, or a session its account: parents may not end them. */
static int take_overdue(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct instance *i = ctx;
	const struct ipc_overdue *overdue = msg;

	if (!has_strangers_children(i->role) && i->role != ROLE_REGISTRY)
		return -EPROTO;
	int r = overdue_end((pid_t)overdue->pid, i->pid);
	log_event(LOG_ALARM, "role.overdue", "told_by=%s its_pid=%d child=%u ended=%s",
	    role_row(i->role)->name, (int)i->pid, overdue->pid, r < 0 ? strerror(-r) : "yes");
	return 0;
}

/* A role's channel ends with the role; one that sends garbage is ended. */
static void channel_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct instance *i = ctx;

	i->channel = NULL;
	if (error == 0 || i->pid == 0)
		return;
	supervisor_alarm(i->supervisor, LEDGER_ALARM_BAD_MESSAGE, "from %s to the supervisor",
	    role_row(i->role)->name);
	log_event(LOG_ALARM, "role.bad_message", "of=%s its_pid=%d", role_row(i->role)->name,
	    (int)i->pid);
	kill(i->pid, SIGKILL);
}

static const struct ipc_receiver from_role_v[] = {
    {IPC_READY, take_ready},
    {IPC_REPLACE_ME, take_replace_me},
    {IPC_MISCONDUCT, take_misconduct},
    {IPC_OVERDUE, take_overdue},
};
static const struct ipc_receivers from_role = {from_role_v, ARRAY_LEN(from_role_v), channel_closed};

/* Starting */

static void start(struct instance *i)
{
	struct supervisor *s = i->supervisor;
	int channel;

	if (s->stopping != 0 || i->pid != 0)
		return;
	int r = instance_start(i, &s->start, &i->pid, &channel);
	if (r < 0) {
		log_event(LOG_ERROR, "role.not_started", "of=%s error=%s", role_row(i->role)->name,
		    strerror(-r));
		i->pid = 0;
		i->failures++;
		start_later(i);
		return;
	}
	i->ready = false;
	i->started_at = clock_ms();
	i->channel = loop_add_channel(s->loop, channel, &from_role, i);
	if (i->channel == NULL) {
		close(channel);
		kill(i->pid, SIGKILL);
		return;
	}
	/* The doors open when there is somebody behind them. */
	join_with_all(s, i);
	send_listeners(s, i);
	if (i->role == ROLE_LEDGER)
		join_ledger(s, i);
	supervisor_write_roles(s);
}

static void start_now(void *ctx)
{
	start(ctx);
}

static void start_later(struct instance *i)
{
	uint64_t ms = i->failures == 0 ? 0 : instance_back_off(i->failures - 1);

	if (loop_after(i->supervisor->loop, ms, start_now, i) < 0)
		start(i);
}

static struct instance *new_instance(struct supervisor *s, enum role role, uint16_t index)
{
	if (s->n_instances == INSTANCES_MAX)
		return NULL;
	struct instance *i = calloc(1, sizeof(*i));
	assert(i != NULL);
	*i = (struct instance){.supervisor = s, .role = role, .index = index};
	s->instances[s->n_instances++] = i;
	return i;
}

/* The ledger first: it hears of everything. The doors last: what stands behind them is there. */
int supervisor_start_roles(struct supervisor *s)
{
	static const enum role order[] = {ROLE_LEDGER, ROLE_KEYHOLDER, ROLE_REGISTRY,
	    ROLE_DIRECTORY, ROLE_DELIVERY, ROLE_QUEUE, ROLE_DISPATCHER, ROLE_SCRIBES, ROLE_RESOLVER,
	    ROLE_FETCHER, ROLE_GATEKEEPER_SMTP, ROLE_GATEKEEPER_IMAP, ROLE_GATEKEEPER_POP3,
	    ROLE_GATEKEEPER_SUBMISSION};

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		uint64_t n = order[i] == ROLE_DELIVERY ? s->config.delivery_workers : 1;
		for (uint64_t index = 0; index < n; index++)
			if (new_instance(s, order[i], (uint16_t)index) == NULL)
				return -ENOSPC;
	}
	for (size_t n = 0; n < s->n_instances; n++)
		start(s->instances[n]);
	return 0;
}

void supervisor_forget(struct supervisor *s, struct instance *i)
{
	for (size_t n = 0; n < s->n_instances; n++)
		if (s->instances[n] == i) {
			s->instances[n] = s->instances[--s->n_instances];
			break;
		}
	loop_forget(s->loop, i);
	free(i);
}

/* Ends */

static void describe(int status, char text[static 64])
{
	if (WIFSIGNALED(status))
		snprintf(text, 64, "signal %d (SIG%s)", WTERMSIG(status),
		    sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
	else
		snprintf(text, 64, "exit status %d", WEXITSTATUS(status));
}

static void give_up(struct supervisor *s, const struct instance *i)
{
	log_event(LOG_ERROR, "server.gives_up", "of=%s reason=%s", role_row(i->role)->name,
	    "could not be started; see its lines above");
	s->failed = true;
	supervisor_stop(s);
}

static void ended(struct supervisor *s, struct instance *i, int status)
{
	bool in_order = i->stopped || (i->replaced && status == 0);
	pid_t pid = i->pid;
	char how[64];

	describe(status, how);
	i->pid = 0;
	if (i->channel != NULL)
		loop_remove(i->channel);
	i->channel = NULL;
	log_event(in_order ? LOG_INFO : LOG_ALARM, "role.ended", "of=%s index=%u its_pid=%d how=%s",
	    role_row(i->role)->name, i->index, (int)pid, log_quote(str_of_cstr(how)).text);
	if (!in_order)
		supervisor_alarm(s, LEDGER_ALARM_ROLE_CRASH, "%s %u: %s", role_row(i->role)->name,
		    i->index, how);
	if (i->replaced) {
		supervisor_forget(s, i);
	} else if (s->stopping == 0) {
		i->failures = clock_ms() - i->started_at < STABLE_MS ? i->failures + 1 : 1;
		i->ready = false;
		if (!i->was_ready && i->failures >= START_FAILURES_MAX)
			give_up(s, i);
		else
			start_later(i);
	}
	supervisor_write_roles(s);
}

static void collect(struct supervisor *s)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid <= 0)
			break;
		struct instance *found = NULL;
		for (size_t n = 0; n < s->n_instances; n++)
			if (s->instances[n]->pid == pid)
				found = s->instances[n];
		/* Others are gates and sessions whose parent died before them. */
		if (found != NULL)
			ended(s, found, status);
	}
	supervisor_stop_continue(s);
}

void supervisor_signalled(struct loop_entry *e, void *ctx)
{
	struct signalfd_siginfo info;

	while (read(loop_entry_fd(e), &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			collect(ctx);
		else
			supervisor_stop(ctx);
	}
}
