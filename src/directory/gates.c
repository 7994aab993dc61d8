/* What the directory answers to gates: RCPT to those of SMTP, AUTH to the others. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <sodium.h>

#include "base/fd.h"
#include "base/log.h"
#include "directory/password.h"
#include "directory/state.h"
#include "mail/address.h"
#include "mail/srs.h"

enum { SIGN_INS_PER_GATE = 20 /* without a success */, NAME_ARENA_LEN = 16 * 1024 };

struct gate {
	struct directory *directory;
	struct loop_entry *entry;
	uint64_t connection;
	char peer[DIRECTORY_PEER_TEXT_MAX + 1];
	enum session_protocol protocol; /* which it may sign in to */
	unsigned n_sign_ins;
	struct sign_in *sign_in; /* under way, or NULL */
};

/* One sign-in, from the question to the answer. It outlives its gate. */
struct sign_in {
	struct directory *directory;
	struct gate *gate; /* NULL when the connection is gone */
	uint64_t connection;
	char peer[DIRECTORY_PEER_TEXT_MAX + 1];
	uint8_t protocol;
	int stream;
	uint64_t account; /* 0: there is none of that name */
	struct buf user;  /* the account's address, or what was given */
	struct buf password;
	struct secret *master;
	uint8_t slot[SLOT_LEN]; /* what the password is being tried on */
	bool has_slot;
	uint64_t credential; /* for the throttle */
};

static void sign_in_free(struct sign_in *s)
{
	if (s->gate)
		s->gate->sign_in = NULL;
	fd_close(&s->stream);
	buf_done(&s->user);
	if (s->password.p)
		sodium_memzero(s->password.p, s->password.len);
	buf_done(&s->password);
	secret_free(&s->master);
	free(s);
}

static void sign_in_answer(struct sign_in *s, enum auth_result result)
{
	struct ipc_auth_answer answer = {
	    .result = (uint8_t)result, .account = result == AUTH_OK ? s->account : 0};
	static const char *const words[] = {"ok", "wrong", "slow-down", "temporary"};
	log_event(result == AUTH_OK ? LOG_INFO : LOG_WARNING, "directory.sign-in",
	    "connection=%" PRIu64 " peer=%s account=%" PRIu64 " result=%s", s->connection,
	    log_quote(str_of_cstr(s->peer)).text, s->account, words[result]);
	if (s->gate) {
		struct loop_entry *entry = s->gate->entry;
		s->gate->sign_in = NULL;
		if (result == AUTH_OK)
			s->gate->n_sign_ins = 0;
		s->gate = NULL;
		if (loop_send(entry, IPC_AUTH_ANSWER, &answer))
			log_event(LOG_WARNING, "directory.gate-gone", "connection=%" PRIu64,
			    s->connection);
	}
	struct directory *d = s->directory;
	sign_in_free(s);
	directory_stop_when_drained(d);
}

/* --- the last step: a session --- */

static void on_opened_session(int error, void *ctx)
{
	struct sign_in *s = ctx;
	if (error)
		log_event(LOG_ERROR, "directory.no-session", "account=%" PRIu64 " errno=%d",
		    s->account, -error);
	sign_in_answer(s, error ? AUTH_TEMPORARY : AUTH_OK);
}

static int ask_for_session(struct sign_in *s)
{
	int key CLEANUP(fd_close) = -1;
	int error = secret_to_memfd(s->master, &key);
	if (error)
		return error;
	struct ipc_open msg = {
	    .request = directory_request(s->directory),
	    .account = s->account,
	    .connection = s->connection,
	    .protocol = s->protocol,
	    .peer = str_of_cstr(s->peer),
	    .user = buf_str(&s->user),
	    .master_key = key,
	    .stream = s->stream,
	};
	return directory_ask(s->directory, IPC_OPEN, &msg, msg.request, on_opened_session, s);
}

static void open_session(struct sign_in *s)
{
	struct subject subject = {SUBJECT_ACCOUNT, s->account};
	struct object mailbox = {.kind = OBJECT_MAILBOX, .account = s->account};
	if (!authorize(subject, RIGHT_OPEN, mailbox)) {
		sign_in_answer(s, AUTH_WRONG);
		return;
	}
	int error = ask_for_session(s);
	secret_free(&s->master);
	if (error) {
		log_event(LOG_WARNING, "directory.no-registry", "errno=%d", -error);
		sign_in_answer(s, AUTH_TEMPORARY);
	}
}

/* One that submits needs no key and no session: the queue is told who it is. */
static void open_queue(struct sign_in *s)
{
	struct subject subject = {SUBJECT_ACCOUNT, s->account};
	struct ipc_submitter submitter = {
	    .account = s->account,
	    .connection = s->connection,
	    .peer = str_of_cstr(s->peer),
	    .user = buf_str(&s->user),
	    .channel = s->stream,
	};
	secret_free(&s->master);
	if (!authorize(subject, RIGHT_SUBMIT, (struct object){.kind = OBJECT_QUEUE})) {
		sign_in_answer(s, AUTH_WRONG);
		return;
	}
	int error = directory_introduce_submitter(s->directory, &submitter);
	if (error)
		log_event(LOG_WARNING, "directory.no-queue", "errno=%d", -error);
	sign_in_answer(s, error ? AUTH_TEMPORARY : AUTH_OK);
}

/* --- checking the credential --- */

/*
 * While Argon2id ran, the password may have been changed or the account removed: then what it
 * opened is no credential any more, and must not get into the cache either.
 */
static bool is_current(struct sign_in *s)
{
	uint8_t slot[SLOT_LEN];
	return !database_slot(s->directory->db, s->account, SLOT_PASSWORD, slot) &&
	       sodium_memcmp(slot, s->slot, SLOT_LEN) == 0;
}

static void on_checked(int error, struct secret *master, void *ctx)
{
	struct sign_in *s = ctx;
	struct directory *d = s->directory;
	struct network network = network_of(str_of_cstr(s->peer));
	struct str password = buf_str(&s->password);
	s->master = master;
	if (!error && !is_current(s))
		error = -EACCES;
	if (!error) {
		key_cache_put(d->keys, s->account, password, master);
		throttle_succeeded(d->throttle, network, s->account);
		if (s->protocol == SESSION_SUBMISSION)
			open_queue(s);
		else
			open_session(s);
		return;
	}
	if (error == -EDQUOT) {
		sign_in_answer(s, AUTH_SLOW_DOWN);
		return;
	}
	if (error != -EACCES) { /* the machine's fault, or a damaged slot */
		log_event(LOG_ERROR, "directory.slot-unreadable", "account=%" PRIu64 " errno=%d",
		    s->account, -error);
		sign_in_answer(s, AUTH_TEMPORARY);
		return;
	}
	throttle_failed(d->throttle, network, s->account, s->credential);
	sign_in_answer(s, AUTH_WRONG);
}

/* The database cannot say who that is: an alarm, and nothing that looks like a wrong password. */
static void sign_in_unreadable(struct sign_in *s, int error)
{
	log_event(
	    LOG_ERROR, "directory.unreadable", "file=directory/%s errno=%d", DATABASE_FILE, -error);
	directory_ledger(s->directory, LEDGER_ALARM_DAMAGE, s->account, s->peer,
	    "directory/" DATABASE_FILE " cannot be read");
	sign_in_answer(s, AUTH_TEMPORARY);
}

/* What is known without computing: 1 nothing, 0 the key, -EDQUOT no more guesses, -EACCES wrong. */
static int what_is_known(void *ctx, struct secret **ret_master)
{
	struct sign_in *s = ctx;
	struct directory *d = s->directory;
	struct network network = network_of(str_of_cstr(s->peer));
	if (!throttle_permits(d->throttle, network, s->account))
		return -EDQUOT;
	*ret_master = key_cache_find(d->keys, s->account, buf_str(&s->password));
	if (*ret_master)
		return 0;
	return throttle_was_wrong(d->throttle, network, s->credential) ? -EACCES : 1;
}

/*
 * The name counts as it was given: were it the account's, the same guess under two spellings would
 * be answered faster where there is an account.
 */
static int identify(struct sign_in *s, struct str given)
{
	struct buf name CLEANUP(buf_done) = BUF_MAX(IPC_ADDRESS_MAX + SLOT_LEN);
	int error =
	    s->account ? database_slot(s->directory->db, s->account, SLOT_PASSWORD, s->slot) : 0;
	if (error && error != -ENOENT)
		return error;
	s->has_slot = s->account && !error;
	buf_add(&name, given);
	if (s->has_slot)
		buf_add(&name, str_of(s->slot, SLOT_LEN));
	s->credential = key_cache_fingerprint(
	    s->directory->keys, s->account, buf_str(&name), buf_str(&s->password));
	return 0;
}

static void check_credential(struct sign_in *s, struct str given)
{
	struct directory *d = s->directory;
	int error = identify(s, given);
	if (error) {
		sign_in_unreadable(s, error);
		return;
	}
	struct secret *master = NULL;
	int known = what_is_known(s, &master);
	if (known <= 0) {
		on_checked(known, master, s);
		return;
	}
	struct work_caller caller = {
	    .origin = throttle_origin(d->throttle, network_of(str_of_cstr(s->peer))),
	    .before = what_is_known,
	    .done = on_checked,
	    .ctx = s,
	};
	if (works_open(
	        d->works, s->has_slot ? s->slot : NULL, s->account, buf_str(&s->password), &caller))
		sign_in_answer(s, AUTH_TEMPORARY);
}

/* The account that signs in as `user`: its address, or its local part where there is one domain.
 * 0, -ENOENT, or another error of the database. */
static int find_account(struct sign_in *s, struct str user)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(NAME_ARENA_LEN);
	struct directory *d = s->directory;
	struct name name;
	struct str local;
	struct str domain;
	int error = 0;
	if (address_split(user, &local, &domain))
		error = name_parse(user, &a, &name) ? 0 : -ENOENT;
	else if (!name_parse_local(user, &a, &name.local))
		error = -ENOENT;
	else
		error = database_domain_only(d->db, &a, &name.domain);
	if (!error)
		error = database_account_id(d->db, &name, &s->account);
	if (error)
		return error;
	buf_clear(&s->user);
	return name_display(&name, &s->user) ? 0 : -ENOENT;
}

static int on_auth(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct gate *gate = ctx;
	struct ipc_auth *m = msg;
	if (gate->sign_in || gate->n_sign_ins++ >= SIGN_INS_PER_GATE ||
	    m->protocol != gate->protocol)
		return -EPROTO;
	struct sign_in *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct sign_in){
	    .directory = gate->directory,
	    .gate = gate,
	    .connection = gate->connection,
	    .protocol = m->protocol,
	    .stream = fd_take(&m->stream),
	    .user = BUF_MAX(IPC_ADDRESS_MAX + NAME_LEN_MAX),
	    .password = BUF_MAX(PASSWORD_LEN_MAX),
	};
	memcpy(s->peer, gate->peer, sizeof(s->peer));
	gate->sign_in = s;
	buf_add(&s->user, m->user);
	int error = find_account(s, m->user);
	if (error && error != -ENOENT) {
		sign_in_unreadable(s, error);
		return 0;
	}
	if (error)
		s->account = 0;
	if (!password_prepare(m->password, &s->password))
		s->account = 0; /* no account has such a password; it takes as long all the same */
	check_credential(s, m->user);
	return 0;
}

/* --- recipients --- */

static bool is_for_bounces(struct str address)
{
	struct str local, domain;
	return address_split(address, &local, &domain) && srs_is_rewritten(local);
}

static int on_rcpt(struct loop_entry *from, void *msg, void *ctx)
{
	struct gate *gate = ctx;
	struct ipc_rcpt *m = msg;
	if (!authorize((struct subject){SUBJECT_STRANGER, 0}, RIGHT_ASK,
	        (struct object){.kind = OBJECT_RECIPIENT}))
		return -EPROTO;
	struct resolved r = resolver_resolve(gate->directory->resolver, m->address);
	if (r.result == RCPT_TEMPORARY)
		log_event(LOG_ERROR, "directory.lookup-failed",
		    "connection=%" PRIu64 " file=directory/%s errno=%d", gate->connection,
		    DATABASE_FILE, -r.error);
	/* Who forwarded mail gets to know addresses under which we send it on: they are for what
	 * bounces, and no way to somebody else for whatever one likes. */
	if (r.result == RCPT_OK && m->null_sender == 0 && is_for_bounces(m->address))
		r = (struct resolved){.result = RCPT_UNKNOWN};
	struct ipc_rcpt_answer answer = {.result = (uint8_t)r.result,
	    .accounts = {r.accounts, r.n_accounts},
	    .forwards = r.n_outside > 0};
	/* A gate that asks reads the answer. For one that does not, none are kept. */
	int sent = loop_offer(from, IPC_RCPT_ANSWER, &answer);
	return sent == -EAGAIN ? -EPROTO : sent;
}

/* --- gates come and go --- */

static void on_gate_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct gate *gate = ctx;
	struct directory *d = gate->directory;
	if (error == -EBADMSG || error == -EPROTO)
		directory_alarm(d, gate->peer, "a gate sent a message that is not allowed");
	if (gate->sign_in)
		gate->sign_in->gate = NULL;
	free(gate);
	d->n_gates--;
	directory_stop_when_drained(d);
}

static const struct ipc_receiver smtp_messages[] = {{IPC_RCPT, on_rcpt}};
static const struct ipc_receivers smtp_receivers = {
    smtp_messages, ARRAY_LEN(smtp_messages), on_gate_closed};

static const struct ipc_receiver sign_in_messages[] = {{IPC_AUTH, on_auth}};
static const struct ipc_receivers sign_in_receivers = {
    sign_in_messages, ARRAY_LEN(sign_in_messages), on_gate_closed};

static int add_gate(struct directory *d, struct ipc_gate *m, const struct ipc_receivers *receivers,
    enum session_protocol protocol)
{
	struct gate *gate = calloc(1, sizeof(*gate));
	if (!gate || str_to_cstr(m->peer, gate->peer, sizeof(gate->peer))) {
		free(gate);
		return -EPROTO;
	}
	gate->directory = d;
	gate->connection = m->connection;
	gate->protocol = protocol;
	gate->entry = loop_add_channel(d->loop, m->channel, receivers, gate);
	if (!gate->entry) {
		log_event(LOG_WARNING, "directory.full", "gates=%zu", d->n_gates);
		free(gate);
		return 0;
	}
	m->channel = -1;
	d->n_gates++;
	return 0;
}

static int on_smtp_gate(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	return add_gate(ctx, msg, &smtp_receivers, N_SIGN_IN_PROTOCOLS);
}

static int on_imap_gate(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	return add_gate(ctx, msg, &sign_in_receivers, SESSION_IMAP);
}

static int on_pop3_gate(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	return add_gate(ctx, msg, &sign_in_receivers, SESSION_POP3);
}

static int on_submission_gate(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	return add_gate(ctx, msg, &sign_in_receivers, SESSION_SUBMISSION);
}

static void on_gatekeeper_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	if (error == -EBADMSG || error == -EPROTO)
		directory_alarm(ctx, "", "a gatekeeper sent a message that is not allowed");
}

static const struct ipc_receiver smtp_gatekeeper_messages[] = {{IPC_GATE, on_smtp_gate}};
const struct ipc_receivers directory_smtp_gatekeeper_receivers = {
    smtp_gatekeeper_messages, ARRAY_LEN(smtp_gatekeeper_messages), on_gatekeeper_closed};

static const struct ipc_receiver imap_gatekeeper_messages[] = {{IPC_GATE, on_imap_gate}};
const struct ipc_receivers directory_imap_gatekeeper_receivers = {
    imap_gatekeeper_messages, ARRAY_LEN(imap_gatekeeper_messages), on_gatekeeper_closed};

static const struct ipc_receiver pop3_gatekeeper_messages[] = {{IPC_GATE, on_pop3_gate}};
const struct ipc_receivers directory_pop3_gatekeeper_receivers = {
    pop3_gatekeeper_messages, ARRAY_LEN(pop3_gatekeeper_messages), on_gatekeeper_closed};

static const struct ipc_receiver submission_gatekeeper_messages[] = {
    {IPC_GATE, on_submission_gate}};
const struct ipc_receivers directory_submission_gatekeeper_receivers = {
    submission_gatekeeper_messages, ARRAY_LEN(submission_gatekeeper_messages),
    on_gatekeeper_closed};
