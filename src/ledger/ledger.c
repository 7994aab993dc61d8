#include "ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "ipc/loop.h"
#include "ledger/record.h"
#include "sandbox/sandbox.h"

#define KIND(name) (1u << (name))

/* Who may raise what. A kind that stands not with a role is refused from it. */
static const unsigned may_raise[N_ROLES] = {
    [ROLE_SUPERVISOR] = KIND(LEDGER_START) | KIND(LEDGER_FILES) | KIND(LEDGER_STOP) |
                        KIND(LEDGER_ALARM_ROLE_CRASH) | KIND(LEDGER_ALARM_BAD_MESSAGE),
    [ROLE_GATEKEEPER_SMTP] = KIND(LEDGER_ALARM_GATE_CRASH) | KIND(LEDGER_ALARM_BAD_MESSAGE),
    [ROLE_GATEKEEPER_IMAP] = KIND(LEDGER_ALARM_GATE_CRASH) | KIND(LEDGER_ALARM_BAD_MESSAGE),
    [ROLE_GATEKEEPER_POP3] = KIND(LEDGER_ALARM_GATE_CRASH) | KIND(LEDGER_ALARM_BAD_MESSAGE),
    [ROLE_GATEKEEPER_SUBMISSION] = KIND(LEDGER_ALARM_GATE_CRASH) | KIND(LEDGER_ALARM_BAD_MESSAGE),
    [ROLE_KEYHOLDER] = KIND(LEDGER_ALARM_BAD_MESSAGE) | KIND(LEDGER_FILES),
    [ROLE_DIRECTORY] =
        KIND(LEDGER_ALARM_ROLE_CRASH) | KIND(LEDGER_ALARM_BAD_MESSAGE) | KIND(LEDGER_ALARM_DAMAGE) |
        KIND(LEDGER_ACCOUNT_ADD) | KIND(LEDGER_ACCOUNT_REMOVE) | KIND(LEDGER_ACCOUNT_PASSWORD) |
        KIND(LEDGER_DOMAIN_ADD) | KIND(LEDGER_DOMAIN_REMOVE) | KIND(LEDGER_ALIAS_ADD) |
        KIND(LEDGER_ALIAS_REMOVE) | KIND(LEDGER_SEND_GRANT) | KIND(LEDGER_SEND_REVOKE) |
        KIND(LEDGER_DOMAIN_KEYS),
    [ROLE_REGISTRY] =
        KIND(LEDGER_ALARM_ROLE_CRASH) | KIND(LEDGER_ALARM_BAD_MESSAGE) | KIND(LEDGER_ALARM_DAMAGE),
    [ROLE_DELIVERY] = KIND(LEDGER_ALARM_BAD_MESSAGE) | KIND(LEDGER_ALARM_DAMAGE),
    [ROLE_QUEUE] = KIND(LEDGER_ALARM_BAD_MESSAGE) | KIND(LEDGER_ALARM_DAMAGE),
    [ROLE_DISPATCHER] = KIND(LEDGER_ALARM_GATE_CRASH) | KIND(LEDGER_ALARM_BAD_MESSAGE),
    [ROLE_SCRIBES] = KIND(LEDGER_ALARM_ROLE_CRASH) | KIND(LEDGER_ALARM_BAD_MESSAGE),
    [ROLE_FETCHER] = KIND(LEDGER_ALARM_ROLE_CRASH) | KIND(LEDGER_ALARM_BAD_MESSAGE),
    [ROLE_RESOLVER] = KIND(LEDGER_ALARM_BAD_MESSAGE),
    /* Its own alarms, about senders. */
    [ROLE_LEDGER] = KIND(LEDGER_ALARM_BAD_MESSAGE) | KIND(LEDGER_ALARM_DAMAGE),
};

bool ledger_may_raise(enum role sender, enum ledger_kind kind)
{
	return sender < N_ROLES && kind < N_LEDGER_KINDS && (may_raise[sender] & KIND(kind)) != 0;
}

struct ledger {
	struct loop *loop;
	int fd;
	struct chain chain;
	uint64_t stop_at;     /* clock_ms until which the last events are taken, 0: not stopping */
	uint64_t seen_before; /* chain.sequence when it was last looked whether more came */
};

enum { LAST_EVENTS_MS = 50 };

struct sender {
	struct ledger *ledger;
	enum role role;
};

/*
 * One write, then a sync: an event that was taken is on disk before the next is looked at. A ledger
 * that cannot write is no ledger; it ends, is started anew, and if the disk is full it says so each
 * time.
 */
static void append(struct ledger *l, enum role sender, const struct ipc_ledger_event *event)
{
	struct buf line CLEANUP(buf_done) = BUF_MAX(RECORD_LINE_MAX + 1);
	int r = record_write(&l->chain, clock_wall_ms(), sender, event, &line) ? 0 : -EMSGSIZE;

	if (r == 0)
		r = fd_write_all(l->fd, buf_str(&line));
	if (r == 0 && fdatasync(l->fd) < 0)
		r = -errno;
	if (r == 0)
		return;
	log_event(LOG_ALARM, "ledger.cannot_append", "kind=%s error=%s",
	    record_kind_name(event->kind), strerror(-r));
	exit(1);
}

static int take_event(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	const struct sender *sender = ctx;
	const struct ipc_ledger_event *event = msg;

	if (!ledger_may_raise(sender->role, event->kind))
		return -EPROTO;
	append(sender->ledger, sender->role, event);
	if (event->kind != LEDGER_START && event->kind != LEDGER_STOP &&
	    event->kind != LEDGER_FILES)
		log_event(LOG_INFO, "ledger.event", "kind=%s sender=%s account=%llu detail=%s",
		    record_kind_name(event->kind), role_row(sender->role)->name,
		    (unsigned long long)event->account, log_quote(event->detail).text);
	return 0;
}

static void sender_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct sender *sender = ctx;
	struct ipc_ledger_event event = {.kind = LEDGER_ALARM_BAD_MESSAGE};
	char detail[64];

	if (error == -EBADMSG || error == -EPROTO) {
		int len = snprintf(
		    detail, sizeof(detail), "from %s to the ledger", role_row(sender->role)->name);
		event.detail = str_of(detail, (size_t)len);
		append(sender->ledger, ROLE_LEDGER, &event);
		log_event(
		    LOG_ALARM, "ledger.bad_message", "sender=%s", role_row(sender->role)->name);
	}
	free(sender);
}

static const struct ipc_receiver from_sender_v[] = {{IPC_LEDGER_EVENT, take_event}};
static const struct ipc_receivers from_sender = {
    from_sender_v, ARRAY_LEN(from_sender_v), sender_closed};

static int take_peer(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct ledger *l = ctx;
	struct ipc_peer *peer = msg;
	struct sender *sender = calloc(1, sizeof(*sender));

	if (sender == NULL)
		return -ENOMEM;
	*sender = (struct sender){.ledger = l, .role = peer->role};
	if (loop_add_channel(l->loop, peer->channel, &from_sender, sender) == NULL) {
		free(sender);
		return -ENOMEM;
	}
	peer->channel = -1;
	return 0;
}

/* The supervisor drains the ledger last: who could still raise events is gone, and what they sent
 * lies in their channels. It ends when nothing more came out of them for a moment. */
static void stop_when_quiet(void *ctx)
{
	struct ledger *l = ctx;
	bool more = l->chain.sequence != l->seen_before && clock_ms() < l->stop_at;

	l->seen_before = l->chain.sequence;
	if (!more || loop_after(l->loop, LAST_EVENTS_MS, stop_when_quiet, l) < 0)
		loop_stop(l->loop);
}

static int take_drain(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	const struct ipc_drain *drain = msg;
	struct ledger *l = ctx;

	if (l->stop_at != 0)
		return -EPROTO;
	l->stop_at = clock_ms() + drain->ms;
	l->seen_before = l->chain.sequence;
	return loop_after(l->loop, LAST_EVENTS_MS, stop_when_quiet, l);
}

static void supervisor_closed(struct loop_entry *from UNUSED, int error UNUSED, void *ctx)
{
	loop_stop(((struct ledger *)ctx)->loop);
}

static const struct ipc_receiver from_supervisor_v[] = {
    {IPC_PEER, take_peer},
    {IPC_DRAIN, take_drain},
};
static const struct ipc_receivers from_supervisor = {
    from_supervisor_v, ARRAY_LEN(from_supervisor_v), supervisor_closed};

/* The descriptor that stays is for writing and appending only: one for reading too could be mapped,
 * and changed in memory. */
static int open_log(struct ledger *l)
{
	int reader CLEANUP(fd_close) =
	    open("ledger.log", O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
	int fd CLEANUP(fd_close) =
	    open("ledger.log", O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	struct record_check check = {0};

	if (reader < 0 || fd < 0)
		return -errno;
	int r = record_check_file(reader, NULL, &check);
	if (r < 0)
		return r;
	/* Close what a crash left open; it stays there. */
	if (check.open_end && (r = fd_write_all(fd, STR("\n"))) < 0)
		return r;
	l->chain = check.chain;
	l->fd = fd_take(&fd);
	/* Said at every start: a crash leaves such a line, and so does somebody who changes one. */
	if (check.open_end || check.torn > 0)
		log_event(LOG_WARNING, "ledger.torn", "file=ledger/ledger.log lines=%llu",
		    (unsigned long long)check.torn + check.open_end);
	if (check.first_wrong != 0) {
		struct ipc_ledger_event damage = {.kind = LEDGER_ALARM_DAMAGE,
		    .detail = STR("ledger.log was changed from outside: its chain is broken")};
		log_event(LOG_ALARM, "ledger.damaged", "file=ledger/ledger.log line=%llu",
		    (unsigned long long)check.first_wrong);
		append(l, ROLE_LEDGER, &damage);
	}
	return 0;
}

int ledger_main(struct role_start *start)
{
	struct ledger l = {0};
	int r = open_log(&l);

	if (r == 0)
		r = loop_new(&l.loop);
	if (r < 0) {
		log_event(LOG_ERROR, "ledger.cannot_open", "file=ledger/ledger.log error=%s",
		    strerror(-r));
		return 1;
	}
	if (loop_add_channel(l.loop, start->supervisor, &from_supervisor, &l) == NULL)
		return 1;
	sandbox_enter(start);
	if (role_ready(start) < 0)
		return 1;
	r = loop_run(l.loop);
	loop_free(l.loop);
	return r < 0;
}
