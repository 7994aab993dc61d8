#include "session/session.h"

#include <errno.h>
#include <signal.h>

#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "mail/charset.h"
#include "seal/secret.h"
#include "session/authorize.h"
#include "session/imap/imap_session.h"
#include "session/pop3/pop3_session.h"
#include "session/verify.h"
#include "store/store.h"

void session_init(void)
{
	store_init();
	charset_init();
}

enum { DAMAGE_FILE_LEN = 256, DAMAGE_WHAT_LEN = 128, DAMAGES_TOLD_MAX = 20 };

/* One open account, and how often its damage was told: the ledger is not for floods. */
struct serving {
	const struct session_start *start;
	unsigned n_told;
};

/* Damage is told to the operator with the file's name; the client gets NO [CORRUPTION]. */
static void report_damage(void *ctx, const struct store_damage *damage)
{
	struct serving *serving = ctx;
	const struct ipc_damage message = {
	    .file = str_first(str_of_cstr(damage->file), DAMAGE_FILE_LEN),
	    .offset = damage->offset,
	    .what = str_first(str_of_cstr(damage->what), DAMAGE_WHAT_LEN),
	};

	if (serving->n_told++ >= DAMAGES_TOLD_MAX)
		return;
	log_event(LOG_ALARM, "session.damage", "account=%llu file=%s offset=%llu what=%s",
	    (unsigned long long)serving->start->account, log_quote(message.file).text,
	    (unsigned long long)damage->offset, log_quote(message.what).text);
	if (ipc_send(serving->start->registry, IPC_DAMAGE, &message) < 0)
		log_event(LOG_ERROR, "session.registry_unreachable", "account=%llu",
		    (unsigned long long)serving->start->account);
}

static int open_store(struct serving *serving, int master_key, struct store **ret_store)
{
	struct secret *master CLEANUP(secret_free) = NULL;
	const struct store_watch watch = {.damage = report_damage, .ctx = serving};
	int r = secret_from_memfd(master_key, &master);

	if (r < 0)
		return r;
	return store_open(master, serving->start->account, &watch, ret_store);
}

static const struct str imap_unavailable =
    STR_INIT("* BYE [UNAVAILABLE] The mailbox cannot be opened\r\n");

static int serve_imap(
    const struct session_start *start, struct store *store, int stream, int registry)
{
	struct buf user CLEANUP(buf_done) = BUF_MAX(STORE_IDENTIFIER_LEN_MAX);
	struct imap_session s;

	if (start->user.len > 0 && !authorize_spell(start->user, &user))
		return -EINVAL;
	imap_session_init(&s, store, stream, registry, start->message_size);
	s.subject = (struct subject){.user = buf_str(&user), .is_owner = true};
	s.timeout_ms = start->timeout_s * 1000;
	s.may_unauthenticate = start->sign_in_anew;
	if (start->message_limit > 0)
		s.message_limit = start->message_limit;
	int r = imap_session_run(&s);
	imap_session_done(&s);
	return r;
}

static const struct str pop3_unavailable =
    STR_INIT("-ERR [SYS/TEMP] The mailbox cannot be opened\r\n");

static const struct str pop3_closed =
    STR_INIT("-ERR [SYS/PERM] The rights to INBOX do not allow reading it\r\n");

static int serve_pop3(
    const struct session_start *start, struct store *store, int stream, int registry)
{
	struct buf user CLEANUP(buf_done) = BUF_MAX(STORE_IDENTIFIER_LEN_MAX);
	struct pop3_session s;

	if (start->user.len > 0 && !authorize_spell(start->user, &user))
		return -EINVAL;
	const struct subject subject = {.user = buf_str(&user), .is_owner = true};
	int r = pop3_session_open(&s, store, &subject, stream, registry);
	if (r == -EACCES)
		return fd_write_all(stream, pop3_closed);
	if (r < 0) {
		int said = fd_write_all(stream, pop3_unavailable);
		return said < 0 ? said : r;
	}
	s.timeout_ms = start->timeout_s * 1000;
	r = pop3_session_run(&s);
	pop3_session_close(&s);
	return r;
}

/* How each protocol is served, and what it says where the mailbox cannot be had. */
static const struct protocol {
	int (*serve)(
	    const struct session_start *start, struct store *store, int stream, int registry);
	const struct str *unavailable;
} protocols[N_SESSION_PROTOCOLS] = {
    [SESSION_IMAP] = {serve_imap, &imap_unavailable},
    [SESSION_POP3] = {serve_pop3, &pop3_unavailable},
};

/* No stream of a client's: a channel of messages to the command line. */
static int verify(struct serving *serving, int master_key, int stream, int registry)
{
	struct secret *master CLEANUP(secret_free) = NULL;
	const struct store_watch watch = {.damage = report_damage, .ctx = serving};
	size_t len = 0;
	int r = fd_check_sealed(master_key, &len);

	if (r == 0 && len > 0)
		r = secret_from_memfd(master_key, &master);
	if (r == 0)
		r = session_verify(serving->start->account, master, &watch, stream, registry);
	log_event(r < 0 ? LOG_ERROR : LOG_INFO, "session.verified",
	    "account=%llu with_key=%d damages=%u error=%d",
	    (unsigned long long)serving->start->account, master != NULL, serving->n_told, -r);
	return r;
}

int session_run(const struct session_start *start)
{
	int master_key CLEANUP(fd_close) = start->master_key;
	int stream CLEANUP(fd_close) = start->stream;
	int registry CLEANUP(fd_close) = start->registry;
	const struct ipc_ready ready = {0};
	struct serving serving = {.start = start};
	struct store *store = NULL;

	signal(SIGPIPE, SIG_IGN);
	int r = fd_set_nonblocking(registry, true);
	if (r == 0 && start->protocol == SESSION_VERIFY)
		return verify(&serving, master_key, stream, registry);
	if (start->protocol >= N_SESSION_PROTOCOLS)
		return -EPROTO;
	const struct protocol *protocol = &protocols[start->protocol];
	if (r == 0)
		r = fd_set_nonblocking(stream, true);
	if (r == 0)
		r = open_store(&serving, master_key, &store);
	fd_close(&master_key);
	if (r < 0) {
		log_event(LOG_ERROR, "session.no_store", "account=%llu connection=%llu error=%d",
		    (unsigned long long)start->account, (unsigned long long)start->connection, -r);
		int said = fd_write_all(stream, *protocol->unavailable);
		return said < 0 ? said : r;
	}
	r = ipc_send(registry, IPC_READY, &ready);
	if (r == 0)
		r = protocol->serve(start, store, stream, registry);
	store_close(store);
	return r;
}
