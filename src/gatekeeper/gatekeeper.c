#include "gatekeeper/gatekeeper.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "gatekeeper/gates.h"
#include "sandbox/lean.h"
#include "ipc/loop.h"
#include "sandbox/sandbox.h"
#include "tls/server.h"

enum {
	CERTIFICATE_MAX = 256 * 1024,
	ACCEPT_BATCH = 16, /* connections taken before other things get their turn */
	DELIVERY_MAX = GATE_DELIVERY_MAX,
	LISTENERS_MAX = 8,
	/* A gate ends its connection itself. This long after it should have, somebody else may be
	 * in control of it: waits for a service, last words and a busy machine are allowed for. */
	OVERDUE_MARGIN_MS = 180 * 1000,
	OVERDUE_LOOK_MS = 15 * 1000,
	PAUSE_MS =
	    100, /* of the listeners, when the machine has no descriptor or memory to spare */
};

struct listener {
	struct gatekeeper *keeper;
	struct loop_entry *entry;
	bool implicit_tls;
};

/* What differs from protocol to protocol; the table stands further down. */
struct protocol {
	enum role keeper, gate;
	int (*dialogue)(struct gate *g);
	const struct ipc_receivers *receivers; /* what its gates may ask */
	bool delivers; /* its gates may ask for delivery workers and the queue */
	bool signs_in; /* its gates last as long as their users like, once these are signed in; the
	                  others end in smtp_duration */
	struct str refusal;
};

struct gatekeeper {
	struct loop *loop;
	const struct config *config;
	const struct protocol *protocol;
	struct sandbox_child *sandbox;
	struct tls_server *tls;
	struct gates *gates;
	struct loop_entry *supervisor, *directory, *keyholder, *queue,
	    *ledger; /* NULL: not there */
	struct loop_entry *delivery[DELIVERY_MAX];
	struct listener listeners[LISTENERS_MAX];
	size_t n_listeners;
	int drain[2]; /* the gates inherit the end that is read; the other is never written to */
	uint64_t n_connections;
	bool ends_with_last_gate;
	bool paused;
};

static void end_when_empty(struct gatekeeper *k)
{
	if (k->ends_with_last_gate && k->gates->n == 0)
		loop_stop(k->loop);
}

static void close_listeners(struct gatekeeper *k)
{
	while (k->n_listeners > 0)
		loop_remove(k->listeners[--k->n_listeners].entry);
}

static void raise_alarm(
    struct gatekeeper *k, enum ledger_kind kind, const char *peer, const char *detail)
{
	struct ipc_ledger_event event = {
	    .kind = (uint8_t)kind, .peer = str_of_cstr(peer), .detail = str_of_cstr(detail)};
	log_event(LOG_ALARM,
	    kind == LEDGER_ALARM_GATE_CRASH ? "gate.crashed" : "gatekeeper.bad-message",
	    "peer=%s detail=%s", peer, log_quote(event.detail).text);
	if (!k->ledger || loop_send(k->ledger, IPC_LEDGER_EVENT, &event) < 0)
		log_event(LOG_ERROR, "gatekeeper.ledger-unreachable", "gates=%zu", k->gates->n);
}

/* --- the gates' questions --- */

/* A gate that asks reads the answer. One that does not would have its answers kept here, a megabyte
 * for each such gate. */
static int answer_gate(struct loop_entry *gate, uint16_t type, const void *answer)
{
	int r = loop_offer(gate, type, answer);
	return r == -EAGAIN ? -EPROTO : r;
}

static int on_budget(struct loop_entry *from, void *msg, void *ctx)
{
	struct gate_record *record = ctx;
	const struct ipc_budget *question = msg;
	struct ipc_budget_answer answer = {
	    .granted = gates_grant(record->keeper->gates, record, question->bytes)};
	return answer_gate(from, IPC_BUDGET_ANSWER, &answer);
}

static void on_gate_channel_closed(struct loop_entry *from, int error, void *ctx)
{
	struct gate_record *record = ctx;
	(void)from;
	record->channel = NULL;
	/* gate_pump closes it: somebody is signed in, for as long as they like. */
	if (record->keeper->protocol->signs_in)
		record->overdue_at_ms = 0;
	if (error == -EBADMSG || error == -EPROTO)
		raise_alarm(record->keeper, LEDGER_ALARM_BAD_MESSAGE, record->peer,
		    "a gate sent a message that is not allowed");
}

/* A channel whose far end goes to `service`. One that is too busy to hear of it now must do without
 * this gate; kept for it, the ends would in time be more than the descriptors there are. */
static int introduce(
    struct loop_entry *service, uint64_t connection, const char *peer, int *ret_channel)
{
	int ends[2] = {-1, -1};
	if (!service)
		return -ENOTCONN;
	int r = ipc_pair(ends);
	if (r < 0)
		return r;
	int near CLEANUP(fd_close) = ends[0], far CLEANUP(fd_close) = ends[1];
	struct ipc_gate message = {
	    .connection = connection, .peer = str_of_cstr(peer), .channel = far};
	r = loop_offer(service, IPC_GATE, &message);
	if (r == 0)
		*ret_channel = fd_take(&near);
	return r;
}

static int refuse_introduction(struct loop_entry *gate, int error)
{
	struct ipc_not_introduced answer = {
	    .reason = error == -ENOTCONN ? INTRODUCE_MISSING : INTRODUCE_BUSY};
	return answer_gate(gate, IPC_NOT_INTRODUCED, &answer);
}

/* 0: it has the channel; 1: not now, which it was told; or -errno: its own channel ends. */
static int answer_introduction(
    struct loop_entry *gate, const struct gate_record *record, struct loop_entry *service)
{
	int channel CLEANUP(fd_close) = -1;
	int r = introduce(service, record->connection, record->peer, &channel);
	if (r < 0) {
		r = refuse_introduction(gate, r);
		return r < 0 ? r : 1;
	}
	struct ipc_introduced answer = {.channel = channel};
	return answer_gate(gate, IPC_INTRODUCED, &answer);
}

/*
 * A gate gets one channel to a service, and to each worker, in its life: somebody who controls it
 * can use up no more descriptors of theirs. One whose service died ends its connection.
 */
static int on_introduce(struct loop_entry *from, void *msg, void *ctx)
{
	struct gate_record *record = ctx;
	struct gatekeeper *k = record->keeper;
	const struct ipc_introduce *question = msg;
	size_t index = question->index;
	int r = -EPROTO;
	if (question->role == ROLE_KEYHOLDER && index == 0 && !record->knows_keyholder) {
		r = answer_introduction(from, record, k->keyholder);
		record->knows_keyholder = r == 0;
	} else if (question->role == ROLE_QUEUE && k->protocol->delivers && index == 0 &&
	           !record->knows_queue) {
		r = answer_introduction(from, record, k->queue);
		record->knows_queue = r == 0;
	} else if (question->role == ROLE_DELIVERY && k->protocol->delivers &&
	           index < DELIVERY_MAX && (record->workers >> index & 1) == 0) {
		r = answer_introduction(from, record, k->delivery[index]);
		if (r == 0)
			record->workers |= (uint64_t)1 << index;
	}
	return r < 0 ? r : 0;
}

static const struct ipc_receiver smtp_gate_messages[] = {
    {IPC_BUDGET, on_budget}, {IPC_INTRODUCE, on_introduce}};
static const struct ipc_receivers smtp_gate_receivers = {
    smtp_gate_messages, ARRAY_LEN(smtp_gate_messages), on_gate_channel_closed};

static const struct ipc_receiver sign_in_gate_messages[] = {{IPC_INTRODUCE, on_introduce}};
static const struct ipc_receivers sign_in_gate_receivers = {
    sign_in_gate_messages, ARRAY_LEN(sign_in_gate_messages), on_gate_channel_closed};

static const struct protocol protocols[] = {
    {
        .keeper = ROLE_GATEKEEPER_SMTP,
        .gate = ROLE_GATE_SMTP,
        .dialogue = gate_smtp,
        .receivers = &smtp_gate_receivers,
        .delivers = true,
        .refusal = STR_INIT("421 4.7.0 Too many connections; try again later\r\n"),
    },
    {
        .keeper = ROLE_GATEKEEPER_IMAP,
        .gate = ROLE_GATE_IMAP,
        .dialogue = gate_imap,
        .receivers = &sign_in_gate_receivers,
        .signs_in = true,
        .refusal = STR_INIT("* BYE [UNAVAILABLE] Too many connections; try again later\r\n"),
    },
    {
        .keeper = ROLE_GATEKEEPER_POP3,
        .gate = ROLE_GATE_POP3,
        .dialogue = gate_pop3,
        .receivers = &sign_in_gate_receivers,
        .signs_in = true,
        .refusal = STR_INIT("-ERR [SYS/TEMP] Too many connections; try again later\r\n"),
    },
    {
        .keeper = ROLE_GATEKEEPER_SUBMISSION,
        .gate = ROLE_GATE_SUBMISSION,
        .dialogue = gate_submission,
        .receivers = &smtp_gate_receivers,
        .refusal = STR_INIT("421 4.7.0 Too many connections; try again later\r\n"),
    },
};

static const struct protocol *protocol_of(enum role keeper)
{
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (protocols[i].keeper == keeper)
			return &protocols[i];
	return NULL;
}

/* --- gates that do not end --- */

static void report_overdue(struct gate_record *record)
{
	struct gatekeeper *k = record->keeper;
	struct ipc_overdue message = {.pid = (uint32_t)record->pid};
	record->overdue_at_ms = clock_ms() + OVERDUE_MARGIN_MS;
	log_event(LOG_WARNING, "gatekeeper.gate-overdue", "peer=%s its_pid=%d", record->peer,
	    (int)record->pid);
	if (k->supervisor)
		(void)loop_send(k->supervisor, IPC_OVERDUE, &message);
}

static void look_for_overdue(void *ctx)
{
	struct gatekeeper *k = ctx;
	gates_each_overdue(k->gates, clock_ms(), report_overdue);
	if (loop_after(k->loop, OVERDUE_LOOK_MS, look_for_overdue, k) < 0)
		loop_stop(k->loop);
}

/* How long a gate may last, for one with a sign-in until its user is signed in. */
static uint64_t gate_lasts_ms(const struct gatekeeper *k)
{
	uint64_t seconds =
	    k->protocol->signs_in ? k->config->sign_in_timeout : k->config->smtp_duration;
	return seconds * 1000 + OVERDUE_MARGIN_MS;
}

/* --- a new connection --- */

/* What a gate is given. Ends that are not given away are closed. */
struct making {
	int connection;
	struct gate_channels channels;
	int ours; /* our end of channels.gatekeeper */
};

static void making_done(struct making *m)
{
	fd_close(&m->connection);
	gate_close_channels(&m->channels);
	fd_close(&m->ours);
}

/* What every gate needs; for the others it asks. */
static int make_channels(struct gatekeeper *k, struct making *m, uint64_t connection,
    const char *peer, bool implicit_tls)
{
	int r = introduce(k->directory, connection, peer, &m->channels.directory);
	if (r == 0 && implicit_tls)
		r = introduce(k->keyholder, connection, peer, &m->channels.keyholder);
	int ends[2] = {-1, -1};
	if (r == 0)
		r = ipc_pair(ends);
	if (r < 0)
		return r;
	m->channels.gatekeeper = ends[0];
	m->ours = ends[1];
	return 0;
}

/* The child: nothing of the gatekeeper's but these descriptors is left when it returns. */
static _Noreturn void be_gate(struct gatekeeper *k, struct making *m, const char *peer,
    uint64_t connection, bool implicit_tls)
{
	struct gate g;
	int keep[] = {m->connection, k->drain[0], m->channels.directory, m->channels.keyholder,
	    m->channels.gatekeeper};
	sandbox_enter_child(k->sandbox, keep, ARRAY_LEN(keep));
	log_open(role_row(k->protocol->gate)->name, LOG_INFO);
	gate_init(&g, m->connection, k->config);
	g.channels = m->channels;
	g.drain = k->drain[0];
	g.tls_server = k->tls;
	g.connection = connection;
	g.implicit_tls = implicit_tls;
	memcpy(g.peer, peer, strnlen(peer, sizeof g.peer - 1));
	(void)k->protocol->dialogue(&g);
	gate_done(&g);
	_exit(0);
}

/* A connection that is not taken gets one line, as far as the socket takes it now. */
static void refuse(
    struct gatekeeper *k, int connection, bool implicit_tls, const char *peer, const char *why)
{
	struct str line = k->protocol->refusal;
	log_event(LOG_WARNING, "gatekeeper.refused", "peer=%s reason=%s gates=%zu", peer, why,
	    k->gates->n);
	if (implicit_tls || send(connection, line.p, line.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
	(void)shutdown(connection, SHUT_WR);
}

static void fork_gate(struct gatekeeper *k, struct making *m, const struct network *network,
    const char *peer, bool implicit_tls)
{
	uint64_t connection = (uint64_t)getpid() << 32 | ++k->n_connections;
	int r = make_channels(k, m, connection, peer, implicit_tls);
	if (r < 0) {
		refuse(k, m->connection, implicit_tls, peer,
		    r == -ENOTCONN ? "service-missing"
		    : r == -EAGAIN ? "service-busy"
		                   : "no-channel");
		return;
	}
	pid_t pid = fork();
	if (pid == 0)
		be_gate(k, m, peer, connection, implicit_tls);
	if (pid < 0) {
		refuse(k, m->connection, implicit_tls, peer, "fork-failed");
		return;
	}
	struct gate_record *record = gates_add(k->gates, pid, network, peer);
	record->keeper = k;
	record->connection = connection;
	record->knows_keyholder = implicit_tls;
	record->channel = loop_add_channel(k->loop, m->ours, k->protocol->receivers, record);
	if (!record->channel)
		return;
	m->ours = -1;
	record->overdue_at_ms = clock_ms() + gate_lasts_ms(k);
}

static const char *reason_of(enum gates_verdict verdict)
{
	switch (verdict) {
	case GATES_FULL:
		return "connections";
	case GATES_NETWORK_FULL:
		return "connections-per-network";
	default:
		return "rate-of-network";
	}
}

static void watch_listeners(struct gatekeeper *k, bool watched)
{
	k->paused = !watched;
	for (size_t i = 0; i < k->n_listeners; i++)
		loop_pause(k->listeners[i].entry, !watched);
}

static void on_pause_over(void *ctx)
{
	watch_listeners(ctx, true);
}

/* The connection waits on in the listener's queue, and would be reported again without end. */
static void pause_listeners(struct gatekeeper *k, int error)
{
	if (k->paused || loop_after(k->loop, PAUSE_MS, on_pause_over, k) < 0)
		return;
	watch_listeners(k, false);
	log_event(LOG_WARNING, "gatekeeper.cannot-accept", "error=%s gates=%zu", strerror(error),
	    k->gates->n);
}

/* Takes one connection; false when none waits. */
static bool take_connection(struct gatekeeper *k, const struct listener *listener)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	char peer[GATE_PEER_MAX];
	struct network network;
	int fd = accept4(loop_entry_fd(listener->entry), (struct sockaddr *)&address, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			pause_listeners(listener->keeper, errno);
		return errno == ECONNABORTED || errno == EINTR;
	}
	struct making m CLEANUP(making_done) = {
	    .connection = fd, .channels = GATE_NO_CHANNELS, .ours = -1};
	if (!gates_address(&address, peer, &network))
		return true;
	enum gates_verdict verdict = gates_admit(k->gates, &network, clock_ms());
	if (verdict == GATES_ADMIT)
		fork_gate(k, &m, &network, peer, listener->implicit_tls);
	else
		refuse(k, fd, listener->implicit_tls, peer, reason_of(verdict));
	return true;
}

static void on_listener(struct loop_entry *e, void *ctx)
{
	struct listener *listener = ctx;
	(void)e;
	for (unsigned i = 0; i < ACCEPT_BATCH && take_connection(listener->keeper, listener); i++)
		;
}

/* --- gates end --- */

/* Whoever made a gate crash may try again: not here. A gatekeeper with another layout takes over.
 */
static void replace(struct gatekeeper *k)
{
	static const struct ipc_replace_me message = {0};
	if (k->ends_with_last_gate)
		return;
	k->ends_with_last_gate = true;
	close_listeners(k);
	if (k->supervisor)
		(void)loop_send(k->supervisor, IPC_REPLACE_ME, &message);
}

static void gate_ended(struct gatekeeper *k, struct gate_record *record, int status)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		char detail[64];
		if (WIFSIGNALED(status))
			snprintf(detail, sizeof detail, "%s ended by signal %d (SIG%s)",
			    role_row(k->protocol->gate)->name, WTERMSIG(status),
			    sigabbrev_np(WTERMSIG(status)));
		else
			snprintf(detail, sizeof detail, "%s ended with status %d",
			    role_row(k->protocol->gate)->name, WEXITSTATUS(status));
		raise_alarm(k, LEDGER_ALARM_GATE_CRASH, record->peer, detail);
		replace(k);
	}
	if (record->channel)
		loop_remove(record->channel);
	gates_remove(k->gates, record);
}

static void on_child(struct loop_entry *e, void *ctx)
{
	struct gatekeeper *k = ctx;
	struct signalfd_siginfo info;
	pid_t pid;
	int status;
	while (read(loop_entry_fd(e), &info, sizeof info) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct gate_record *record = gates_find(k->gates, pid);
		if (record)
			gate_ended(k, record, status);
	}
	end_when_empty(k);
}

/* --- services and supervisor --- */

static void on_service_closed(struct loop_entry *from, int error, void *ctx)
{
	struct gatekeeper *k = ctx;
	struct loop_entry **const places[] = {&k->directory, &k->keyholder, &k->queue, &k->ledger};
	(void)error;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (*places[i] == from)
			*places[i] = NULL;
	}
	for (size_t i = 0; i < DELIVERY_MAX; i++) {
		if (k->delivery[i] == from)
			k->delivery[i] = NULL;
	}
}

static const struct ipc_receivers service_receivers = {NULL, 0, on_service_closed};

static struct loop_entry **place_of(struct gatekeeper *k, const struct ipc_peer *peer)
{
	switch (peer->role) {
	case ROLE_DIRECTORY:
		return &k->directory;
	case ROLE_KEYHOLDER:
		return &k->keyholder;
	case ROLE_QUEUE:
		return &k->queue;
	case ROLE_LEDGER:
		return &k->ledger;
	case ROLE_DELIVERY:
		return peer->index < DELIVERY_MAX ? &k->delivery[peer->index] : NULL;
	default:
		return NULL;
	}
}

static int on_peer(struct loop_entry *from, void *msg, void *ctx)
{
	struct gatekeeper *k = ctx;
	struct ipc_peer *peer = msg;
	struct loop_entry **place = place_of(k, peer);
	(void)from;
	if (!place)
		return -EPROTO;
	if (*place)
		loop_remove(*place);
	*place = loop_add_channel(k->loop, fd_take(&peer->channel), &service_receivers, k);
	return 0;
}

static int on_listener_given(struct loop_entry *from, void *msg, void *ctx)
{
	static const int on = 1;
	struct gatekeeper *k = ctx;
	struct ipc_listener *m = msg;
	(void)from;
	if (k->n_listeners == LISTENERS_MAX || k->ends_with_last_gate)
		return k->ends_with_last_gate ? 0 : -EPROTO;
	/* The connections inherit these: answers go out at once, and a peer that vanished is
	 * noticed. */
	if (setsockopt(m->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
	    setsockopt(m->socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0 ||
	    fd_set_nonblocking(m->socket, true) < 0)
		log_event(LOG_WARNING, "gatekeeper.socket-options", "port=%u", m->port);
	struct listener *l = &k->listeners[k->n_listeners];
	*l = (struct listener){.keeper = k, .implicit_tls = m->implicit_tls};
	l->entry = loop_add_fd(k->loop, fd_take(&m->socket), on_listener, l);
	if (l->entry)
		k->n_listeners++;
	return 0;
}

static void on_drain_over(void *ctx)
{
	loop_stop(((struct gatekeeper *)ctx)->loop);
}

static int on_drain(struct loop_entry *from, void *msg, void *ctx)
{
	struct gatekeeper *k = ctx;
	(void)from;
	k->ends_with_last_gate = true;
	close_listeners(k);
	fd_close(&k->drain[1]);
	if (loop_after(k->loop, ((struct ipc_drain *)msg)->ms, on_drain_over, k) < 0)
		loop_stop(k->loop);
	end_when_empty(k);
	return 0;
}

static void on_supervisor_closed(struct loop_entry *from, int error, void *ctx)
{
	struct gatekeeper *k = ctx;
	(void)from;
	(void)error;
	k->supervisor = NULL;
	loop_stop(k->loop);
}

static const struct ipc_receiver supervisor_messages[] = {
    {IPC_PEER, on_peer}, {IPC_LISTENER, on_listener_given}, {IPC_DRAIN, on_drain}};
static const struct ipc_receivers supervisor_receivers = {
    supervisor_messages, ARRAY_LEN(supervisor_messages), on_supervisor_closed};

/* --- start --- */

static int load_certificate(struct gatekeeper *k, const struct role_start *start)
{
	char *pem = NULL;
	size_t len = 0;
	char reason[TLS_ERROR_MAX] = "";
	const char *path = start->config->certificate;
	int r = fd_read_file(start->data_fd, path, CERTIFICATE_MAX, &pem, &len);
	if (r == 0)
		r = tls_server_new(str_of(pem, len), reason, &k->tls);
	free(pem);
	if (r < 0)
		log_event(LOG_ERROR, "gatekeeper.no-certificate", "file=%s error=%s",
		    log_quote(str_of_cstr(path)).text,
		    log_quote(str_of_cstr(reason[0] != '\0' ? reason : strerror(-r))).text);
	return r;
}

static int watch_children(struct gatekeeper *k)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	return loop_add_fd(k->loop, fd, on_child, k) ? 0 : -ENOSPC;
}

/* So many connections as there are descriptors for; more would fail one by one, in odd places. */
static size_t connections_within_limit(const struct role_start *start)
{
	const struct role_row *row = role_row(start->role);
	size_t wanted = start->config->connections, possible = 1;
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return wanted;
	if (l.rlim_max > row->descriptors + row->descriptors_each)
		possible = (l.rlim_max - row->descriptors) / row->descriptors_each;
	if (wanted <= possible)
		return wanted;
	log_event(LOG_WARNING, "gatekeeper.few-descriptors",
	    "connections=%zu taken=%zu descriptors=%llu hint=%s", wanted, possible,
	    (unsigned long long)l.rlim_max, "raise-the-hard-limit-of-open-files");
	return possible;
}

static int prepare(struct gatekeeper *k, struct role_start *start)
{
	k->protocol = protocol_of(start->role);
	assert(k->protocol != NULL);
	k->config = start->config;
	k->gates->max = connections_within_limit(start);
	k->gates->max_per_network = start->config->connections_per_network;
	k->gates->budget_max = start->config->message_memory;
	int r = load_certificate(k, start);
	if (r == 0 && pipe2(k->drain, O_CLOEXEC) < 0)
		r = -errno;
	if (r == 0)
		r = loop_new(&k->loop);
	if (r == 0)
		r = watch_children(k);
	if (r < 0)
		return r;
	k->supervisor = loop_add_channel(k->loop, start->supervisor, &supervisor_receivers, k);
	return k->supervisor ? 0 : -ENOSPC;
}

int gatekeeper_main(struct role_start *start)
{
	struct gatekeeper k = {.drain = {-1, -1}};
	k.gates = gates_new();
	int r = prepare(&k, start);
	if (r < 0) {
		log_event(LOG_ERROR, "gatekeeper.cannot-start", "error=%s", strerror(-r));
		gates_free(k.gates);
		return 1;
	}
	k.sandbox = sandbox_prepare_child(start, k.protocol->gate);
	lean_prepare();
	sandbox_enter(start);
	r = role_ready(start);
	if (r == 0)
		r = loop_after(k.loop, OVERDUE_LOOK_MS, look_for_overdue, &k);
	if (r == 0)
		r = loop_run(k.loop);
	if (r < 0)
		log_event(LOG_ERROR, "gatekeeper.loop-failed", "error=%s", strerror(-r));
	loop_free(k.loop);
	tls_server_free(k.tls);
	gates_free(k.gates);
	return r < 0 ? 1 : 0;
}
