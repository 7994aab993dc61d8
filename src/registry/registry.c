#include "registry/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/loop.h"
#include "registry/sessions.h"
#include "sandbox/sandbox.h"
#include "session/session.h"
#include "store/account.h"

enum {
	REAP_MS = 20,
	/* A session whose channel ended may finish what it is at, but not live on. */
	SESSION_END_MS = 60 * 1000,
};

struct registry {
	const struct config *config;
	bool own_user;
	struct loop *loop;
	struct sessions *sessions;
	struct sandbox_child *sandbox; /* of a session */
	struct loop_entry *supervisor;
	struct loop_entry *ledger; /* NULL while it is started anew */
	int accounts;              /* the folder */
	bool is_draining;
	bool reaping; /* a timer is set */
};

/* A session's handlers need both. */
struct session_ctx {
	struct registry *registry;
	struct session *session;
};

/* --- alarms --- */

static void raise_alarm(
    struct registry *r, enum ledger_kind kind, const struct session *session, const char *detail)
{
	struct ipc_ledger_event event = {.kind = kind, .detail = str_of_cstr(detail)};

	if (session != NULL) {
		event.account = session->account;
		event.peer = str_of_cstr(session->peer);
	}
	log_event(LOG_ALARM, "registry.alarm", "account=%" PRIu64 " peer=%s detail=%s",
	    event.account, log_quote(event.peer).text, log_quote(event.detail).text);
	if (r->ledger != NULL && loop_send(r->ledger, IPC_LEDGER_EVENT, &event) < 0)
		log_event(
		    LOG_ERROR, "registry.ledger_unreachable", "account=%" PRIu64, event.account);
}

/* --- answers to the directory --- */

static int answer(struct loop_entry *to, uint64_t request, int error)
{
	const struct ipc_registry_done done = {.request = request, .error = (uint32_t)-error};

	(void)loop_send(to, IPC_REGISTRY_DONE, &done);
	return 0;
}

/* Whoever waits for this session need not any more: it can be spoken to, or its end be seen. */
static void answer_asker(void *ctx)
{
	struct session *session = ((struct session_ctx *)ctx)->session;
	struct loop_entry *asker = session->asker;

	session->asker = NULL;
	if (asker != NULL)
		answer(asker, session->request, 0);
}

static void forget_asker(struct session *session, void *asker)
{
	if (session->asker == asker)
		session->asker = NULL;
}

/* --- the end of sessions --- */

static void stop_when_drained(struct registry *r)
{
	if (r->is_draining && sessions_count(r->sessions) == 0)
		loop_stop(r->loop);
}

/* It may not be signalled from here. */
static void report_overdue(struct registry *r, struct session *session)
{
	struct ipc_overdue message = {.pid = (uint32_t)session->pid};

	if (clock_ms() < session->overdue_at_ms)
		return;
	session->overdue_at_ms = clock_ms() + SESSION_END_MS;
	log_event(LOG_WARNING, "registry.session_overdue",
	    "account=%" PRIu64 " connection=%" PRIu64 " pid=%d", session->account,
	    session->connection, (int)session->pid);
	(void)loop_send(r->supervisor, IPC_OVERDUE, &message);
}

static bool reap_one(struct session *session, void *ctx)
{
	int status;
	pid_t pid = waitpid(session->pid, &status, WNOHANG);

	if (pid == 0) {
		report_overdue(ctx, session);
		return false;
	}
	if (pid > 0 && WIFSIGNALED(status)) {
		log_event(LOG_ERROR, "registry.session_died",
		    "connection=%" PRIu64 " pid=%d signal=%d", session->connection,
		    (int)session->pid, WTERMSIG(status));
		raise_alarm(ctx, LEDGER_ALARM_ROLE_CRASH, session, "a session died by a signal");
	}
	return true;
}

static void reap(void *ctx)
{
	struct registry *r = ctx;

	r->reaping = false;
	sessions_reap(r->sessions, reap_one, r);
	if (sessions_count_dying(r->sessions) > 0)
		r->reaping = loop_after(r->loop, REAP_MS, reap, r) == 0;
}

static void end_of(struct registry *r, struct session *session)
{
	session->overdue_at_ms = clock_ms() + SESSION_END_MS;
	sessions_end(r->sessions, session);
	if (!r->reaping)
		r->reaping = loop_after(r->loop, REAP_MS, reap, r) == 0;
}

static void on_session_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct session_ctx *c = ctx;
	struct registry *r = c->registry;

	if (error == -EBADMSG || error == -EPROTO)
		raise_alarm(r, LEDGER_ALARM_BAD_MESSAGE, c->session,
		    "a session sent a message that is not allowed");
	log_event(
	    LOG_DEBUG, "registry.session_ended", "connection=%" PRIu64, c->session->connection);
	loop_forget(r->loop, c);
	answer_asker(c);
	end_of(r, c->session);
	free(c);
	stop_when_drained(r);
}

/* --- changes --- */

static const struct ipc_changed nothing_named;

/* What waits for a session that does not read says it already: its channel has carried as much of
 * it as the socket takes. */
static void tell_changed(struct session *session, void *ctx)
{
	if (session != ctx && session->channel != NULL && !loop_has_pending(session->channel))
		(void)loop_send(session->channel, IPC_CHANGED, &nothing_named);
}

static int on_session_changed(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct session_ctx *c = ctx;
	const struct ipc_changed *changed = msg;

	/* Its own account alone, and that is known here. */
	if (changed->accounts.n > 0)
		return -EPROTO;
	sessions_each_of(c->registry->sessions, c->session->account, tell_changed, c->session);
	return 0;
}

static int on_session_ready(struct loop_entry *from UNUSED, void *msg UNUSED, void *ctx)
{
	struct session_ctx *c = ctx;

	if (c->session->ready)
		return -EPROTO;
	c->session->ready = true;
	loop_forget(c->registry->loop, c);
	answer_asker(c);
	return 0;
}

static int on_damage(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct session_ctx *c = ctx;
	const struct ipc_damage *damage = msg;
	struct buf detail CLEANUP(buf_done) = BUF_MAX(IPC_TEXT_MAX);

	/* Names of files hold no NUL, and a session's words go into the ledger as they are: quoted.
	 */
	buf_printf(&detail, "%s at %" PRIu64 ": %s", log_quote(damage->file).text, damage->offset,
	    log_quote(damage->what).text);
	buf_add_c(&detail, '\0');
	if (c->session->n_damages++ < SESSION_DAMAGES_MAX && !buf_failed(&detail))
		raise_alarm(c->registry, LEDGER_ALARM_DAMAGE, c->session, detail.p);
	return 0;
}

static const struct ipc_receiver session_messages[] = {
    {IPC_READY, on_session_ready}, {IPC_CHANGED, on_session_changed}, {IPC_DAMAGE, on_damage}};
static const struct ipc_receivers session_receivers = {
    session_messages, ARRAY_LEN(session_messages), on_session_closed};

static int on_delivery_changed(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct registry *r = ctx;
	const struct ipc_changed *changed = msg;

	for (size_t i = 0; i < changed->accounts.n; i++)
		sessions_each_of(r->sessions, changed->accounts.v[i], tell_changed, NULL);
	return 0;
}

/* --- the start of sessions --- */

static _Noreturn void be_session(
    const struct registry *r, const struct ipc_open *open, int folder, int channel)
{
	const struct session_start start = {
	    .account = open->account,
	    .connection = open->connection,
	    .protocol = open->protocol,
	    .user = open->user,
	    .master_key = open->master_key,
	    .stream = open->stream,
	    .registry = channel,
	    .message_size = r->config->message_size,
	    .timeout_s =
	        open->protocol == SESSION_POP3 ? r->config->pop3_timeout : r->config->imap_timeout,
	    .message_limit = (uint32_t)r->config->messages_per_command,
	    .sign_in_anew = r->config->sign_in_anew != 0,
	};
	const int keep[] = {open->master_key, open->stream, channel};

	if (fchdir(folder) < 0)
		_exit(1);
	log_open("session", LOG_INFO);
	sandbox_enter_child(r->sandbox, keep, ARRAY_LEN(keep));
	_exit(session_run(&start) < 0 ? 1 : 0);
}

/* Puts the new session among those known. The channel is then the loop's. */
static int add_session(struct registry *r, const struct ipc_open *open, pid_t pid, int *channel,
    struct session_ctx **ret_ctx)
{
	struct session *session = calloc(1, sizeof(*session));
	struct session_ctx *ctx = calloc(1, sizeof(*ctx));

	if (session == NULL || ctx == NULL)
		abort();
	*session =
	    (struct session){.account = open->account, .connection = open->connection, .pid = pid};
	if (str_to_cstr(open->peer, session->peer, sizeof(session->peer)) < 0)
		session->peer[0] = '\0';
	*ctx = (struct session_ctx){r, session};
	sessions_add(r->sessions, session);
	session->channel = loop_add_channel(r->loop, *channel, &session_receivers, ctx);
	if (session->channel != NULL) {
		*channel = -1;
		*ret_ctx = ctx;
		return 0;
	}
	/* The loop is full: the session sees its channel end, and ends too. */
	end_of(r, session);
	free(ctx);
	return -EUSERS;
}

static int fork_session(
    struct registry *r, const struct ipc_open *open, int folder, struct session_ctx **ret_ctx)
{
	int pair[2];
	int error = ipc_pair(pair);

	if (error < 0)
		return error;
	int ours CLEANUP(fd_close) = pair[0], theirs CLEANUP(fd_close) = pair[1];
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		be_session(r, open, folder, theirs);
	return add_session(r, open, pid, &ours, ret_ctx);
}

static int open_account(
    struct registry *r, const struct ipc_open *open, struct session_ctx **ret_ctx)
{
	char name[ACCOUNT_NAME_LEN_MAX + 1];

	if (r->is_draining)
		return -ESHUTDOWN;
	if (sessions_count_all(r->sessions) >= r->config->connections ||
	    sessions_count_of(r->sessions, open->account) >= REGISTRY_SESSIONS_PER_ACCOUNT_MAX)
		return -EUSERS;
	/* Those of `gatepost verify` have no connection. */
	if (open->protocol != SESSION_VERIFY &&
	    sessions_count_connection(r->sessions, open->connection) >=
	        REGISTRY_SESSIONS_PER_CONNECTION_MAX)
		return -EUSERS;
	account_folder_name(open->account, name);
	int folder CLEANUP(fd_close) =
	    openat(r->accounts, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	return fork_session(r, open, folder, ret_ctx);
}

/* --- directory --- */

/* The answer waits until the session is ready. A session that speaks no protocol says nothing here.
 */
static int on_open(struct loop_entry *from, void *msg, void *ctx)
{
	struct registry *r = ctx;
	const struct ipc_open *open = msg;
	struct session_ctx *started = NULL;
	int error = open_account(r, open, &started);

	if (error < 0) {
		log_event(LOG_ERROR, "registry.no_session",
		    "account=%" PRIu64 " connection=%" PRIu64 " error=%s", open->account,
		    open->connection, strerror(-error));
		return answer(from, open->request, error);
	}
	if (open->protocol == SESSION_VERIFY ||
	    loop_after(r->loop, REGISTRY_READY_MS, answer_asker, started) < 0)
		return answer(from, open->request, 0);
	started->session->asker = from;
	started->session->request = open->request;
	return 0;
}

static int on_account_create(struct loop_entry *from, void *msg, void *ctx)
{
	struct registry *r = ctx;
	const struct ipc_account_create *create = msg;
	int error = account_create(r->accounts, create->account, create->keys, r->own_user);

	log_event(error < 0 ? LOG_ERROR : LOG_INFO, "registry.account_created",
	    "account=%" PRIu64 " error=%d", create->account, -error);
	return answer(from, create->request, error);
}

static void end_session(struct session *session, void *ctx UNUSED)
{
	/* It sees its channel end and leaves; so does the loop, which then calls
	 * on_session_closed. */
	if (session->channel != NULL)
		(void)shutdown(loop_entry_fd(session->channel), SHUT_RDWR);
}

static int on_account_remove(struct loop_entry *from, void *msg, void *ctx)
{
	struct registry *r = ctx;
	const struct ipc_account_remove *remove_it = msg;

	sessions_each_of(r->sessions, remove_it->account, end_session, NULL);
	int error = account_remove(r->accounts, remove_it->account);
	log_event(error < 0 ? LOG_ERROR : LOG_INFO, "registry.account_removed",
	    "account=%" PRIu64 " error=%d", remove_it->account, -error);
	return answer(from, remove_it->request, error);
}

static int on_account_end_sessions(struct loop_entry *from, void *msg, void *ctx)
{
	struct registry *r = ctx;
	const struct ipc_account_end_sessions *end = msg;

	sessions_each_of(r->sessions, end->account, end_session, NULL);
	log_event(LOG_INFO, "registry.sessions_ended", "account=%" PRIu64, end->account);
	return answer(from, end->request, 0);
}

static void on_peer_closed(struct loop_entry *from, int error, void *ctx)
{
	struct registry *r = ctx;

	if (error == -EBADMSG || error == -EPROTO)
		raise_alarm(
		    r, LEDGER_ALARM_BAD_MESSAGE, NULL, "a role sent a message that is not allowed");
	if (r->ledger == from)
		r->ledger = NULL;
	sessions_each(r->sessions, forget_asker, from);
}

static const struct ipc_receiver directory_messages[] = {{IPC_OPEN, on_open},
    {IPC_ACCOUNT_CREATE, on_account_create}, {IPC_ACCOUNT_REMOVE, on_account_remove},
    {IPC_ACCOUNT_END_SESSIONS, on_account_end_sessions}};
static const struct ipc_receivers directory_receivers = {
    directory_messages, ARRAY_LEN(directory_messages), on_peer_closed};

static const struct ipc_receiver delivery_messages[] = {{IPC_CHANGED, on_delivery_changed}};
static const struct ipc_receivers delivery_receivers = {
    delivery_messages, ARRAY_LEN(delivery_messages), on_peer_closed};

static const struct ipc_receivers ledger_receivers = {NULL, 0, on_peer_closed};

/* --- supervisor --- */

static int on_peer(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct registry *r = ctx;
	struct ipc_peer *peer = msg;
	const struct ipc_receivers *receivers;

	switch (peer->role) {
	case ROLE_DIRECTORY:
		receivers = &directory_receivers;
		break;
	case ROLE_DELIVERY:
		receivers = &delivery_receivers;
		break;
	case ROLE_LEDGER:
		receivers = &ledger_receivers;
		break;
	default:
		return -EPROTO;
	}
	struct loop_entry *entry = loop_add_channel(r->loop, peer->channel, receivers, r);
	if (entry == NULL)
		return 0;
	peer->channel = -1;
	if (peer->role == ROLE_LEDGER)
		r->ledger = entry;
	return 0;
}

static void tell_drain(struct session *session, void *ctx)
{
	if (session->channel != NULL)
		(void)loop_send(session->channel, IPC_DRAIN, ctx);
}

static void on_drain_over(void *ctx)
{
	loop_stop(((struct registry *)ctx)->loop);
}

static int on_drain(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct registry *r = ctx;

	r->is_draining = true;
	sessions_each(r->sessions, tell_drain, msg);
	if (loop_after(r->loop, ((struct ipc_drain *)msg)->ms, on_drain_over, r) < 0)
		loop_stop(r->loop);
	stop_when_drained(r);
	return 0;
}

static void on_supervisor_closed(struct loop_entry *from UNUSED, int error UNUSED, void *ctx)
{
	loop_stop(((struct registry *)ctx)->loop);
}

static const struct ipc_receiver supervisor_messages[] = {
    {IPC_PEER, on_peer}, {IPC_DRAIN, on_drain}};
static const struct ipc_receivers supervisor_receivers = {
    supervisor_messages, ARRAY_LEN(supervisor_messages), on_supervisor_closed};

/* --- start --- */

/* The working folder is `accounts`. */
static int open_accounts(struct registry *r)
{
	r->accounts = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->accounts < 0)
		return -errno;
	int error = account_sweep(r->accounts);
	if (error < 0)
		log_event(LOG_ERROR, "registry.no_sweep", "error=%s", strerror(-error));
	return error;
}

int registry_main(struct role_start *start)
{
	struct registry r = {.config = start->config, .own_user = start->own_user, .accounts = -1};

	signal(SIGPIPE, SIG_IGN);
	session_init();
	r.sessions = sessions_new();
	if (open_accounts(&r) < 0 || loop_new(&r.loop) < 0)
		return 1;
	r.supervisor = loop_add_channel(r.loop, start->supervisor, &supervisor_receivers, &r);
	if (r.supervisor == NULL)
		return 1;
	r.sandbox = sandbox_prepare_child(start, ROLE_SESSION);
	sandbox_enter(start);
	int error = role_ready(start);
	if (error == 0)
		error = loop_run(r.loop);
	if (error < 0)
		log_event(LOG_ERROR, "registry.loop_failed", "error=%s", strerror(-error));
	loop_free(r.loop);
	sessions_free(r.sessions);
	fd_close(&r.accounts);
	return error < 0 ? 1 : 0;
}
