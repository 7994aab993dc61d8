#include "keyholder/keyholder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "base/digest.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/loop.h"
#include "keyholder/dkim_keys.h"
#include "sandbox/sandbox.h"
#include "tls/signer.h"

enum { PEER_TEXT_MAX = 64, CERTIFICATE_FILE_MAX = 256 * 1024 };

struct keyholder {
	struct loop *loop;
	struct signer *signer;
	struct dkim_keys *dkim;
	struct loop_entry *ledger; /* NULL while it is started anew */
	size_t n_gates;
	bool is_draining;
	bool has_noted; /* the ledger knows the files */
	struct digest_text key_digest, certificate_digest, dkim_digest;
};

struct gate {
	struct keyholder *keyholder;
	uint64_t connection;
	char peer[PEER_TEXT_MAX + 1];
	unsigned n_signatures;
};

static void raise_alarm(struct keyholder *k, const char *peer, const char *detail)
{
	struct ipc_ledger_event event = {
	    .kind = LEDGER_ALARM_BAD_MESSAGE,
	    .peer = str_of_cstr(peer),
	    .detail = str_of_cstr(detail),
	};
	log_event(LOG_ALARM, "keyholder.bad-message", "peer=%s detail=%s",
	    log_quote(event.peer).text, log_quote(event.detail).text);
	if (k->ledger && loop_send(k->ledger, IPC_LEDGER_EVENT, &event))
		log_event(LOG_ERROR, "keyholder.ledger-unreachable", "gates=%zu", k->n_gates);
}

static void stop_when_drained(struct keyholder *k)
{
	if (k->is_draining && k->n_gates == 0)
		loop_stop(k->loop);
}

/* --- gates --- */

static int on_sign(struct loop_entry *from, void *msg, void *ctx)
{
	struct gate *gate = ctx;
	if (gate->n_signatures >= KEYHOLDER_SIGNATURES_PER_GATE)
		return -EPROTO;
	gate->n_signatures++;
	unsigned char signature[SIGNER_SIGNATURE_LEN_MAX];
	size_t len = 0;
	int error = signer_sign(gate->keyholder->signer, msg, signature, &len);
	if (error == -EPERM)
		return -EPROTO;
	if (error)
		log_event(LOG_ERROR, "keyholder.not-signed", "connection=%" PRIu64 " error=%s",
		    gate->connection, error == -ENOENT ? "unknown-key" : "library");
	struct ipc_signed answer = {.ok = error == 0, .signature = str_of(signature, len)};
	return loop_send(from, IPC_SIGNED, &answer);
}

static void on_gate_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct gate *gate = ctx;
	struct keyholder *k = gate->keyholder;
	if (error == -EBADMSG || error == -EPROTO)
		raise_alarm(k, gate->peer, "a gate asked for what it may not have signed");
	free(gate);
	k->n_gates--;
	stop_when_drained(k);
}

static const struct ipc_receiver gate_messages[] = {{IPC_SIGN, on_sign}};
static const struct ipc_receivers gate_receivers = {
    gate_messages, ARRAY_LEN(gate_messages), on_gate_closed};

/* --- gatekeepers --- */

static int on_gate(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct keyholder *k = ctx;
	struct ipc_gate *m = msg;
	struct gate *gate = calloc(1, sizeof(*gate));
	if (!gate || str_to_cstr(m->peer, gate->peer, sizeof(gate->peer))) {
		free(gate);
		return -EPROTO;
	}
	gate->keyholder = k;
	gate->connection = m->connection;
	if (!loop_add_channel(k->loop, m->channel, &gate_receivers, gate)) {
		/* full: the gate sees its channel end, and its connection fails */
		log_event(LOG_WARNING, "keyholder.full", "gates=%zu", k->n_gates);
		free(gate);
		return 0;
	}
	m->channel = -1;
	k->n_gates++;
	return 0;
}

static void on_gatekeeper_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	if (error == -EBADMSG || error == -EPROTO)
		raise_alarm(ctx, "", "a gatekeeper sent a message that is not allowed");
}

static const struct ipc_receiver gatekeeper_messages[] = {{IPC_GATE, on_gate}};
static const struct ipc_receivers gatekeeper_receivers = {
    gatekeeper_messages, ARRAY_LEN(gatekeeper_messages), on_gatekeeper_closed};

/* --- DKIM: directory and queue --- */

static int on_dkim_make(struct loop_entry *from, void *msg, void *ctx)
{
	struct keyholder *k = ctx;
	const struct ipc_dkim_make *m = msg;
	struct buf public_key CLEANUP(buf_done) = BUF_MAX(DKIM_KEYS_PUBLIC_MAX);
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(DKIM_KEYS_SEALED_MAX);
	int error = dkim_keys_make(k->dkim, m, &public_key, &sealed);
	log_event(error ? LOG_ERROR : LOG_INFO, "keyholder.dkim-key-made",
	    "algorithm=%u keys=%zu error=%d", m->algorithm, dkim_keys_count(k->dkim), -error);
	struct ipc_dkim_made answer = {
	    .request = m->request,
	    .error = (uint32_t)-error,
	    .public_key = error ? STR("") : buf_str(&public_key),
	    .sealed = error ? STR("") : buf_str(&sealed),
	};
	return loop_send(from, IPC_DKIM_MADE, &answer);
}

/* One that cannot be opened is not held: what asks for it is told so, and the message waits. */
static int on_dkim_key(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct keyholder *k = ctx;
	int error = dkim_keys_take(k->dkim, msg);
	if (error)
		log_event(LOG_ERROR, "keyholder.dkim-key-unusable", "keys=%zu error=%d hint=%s",
		    dkim_keys_count(k->dkim), -error,
		    error == -ENOSPC ? "too-many-keys" : "was-" DKIM_KEYS_FILE "-replaced?");
	return 0;
}

static int on_dkim_forget(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	const struct ipc_dkim_forget *m = msg;
	dkim_keys_forget(((struct keyholder *)ctx)->dkim, m->domain, m->selector);
	return 0;
}

static int on_dkim_sign(struct loop_entry *from, void *msg, void *ctx)
{
	struct keyholder *k = ctx;
	const struct ipc_dkim_sign *m = msg;
	unsigned char signature[DKIM_KEYS_SIGNATURE_MAX];
	size_t len = 0;
	int error = dkim_keys_sign(k->dkim, m, signature, &len);
	if (error == -EPERM)
		return -EPROTO;
	if (error)
		log_event(LOG_ERROR, "keyholder.dkim-not-signed", "error=%s",
		    error == -ENOENT ? "unknown-key" : "library");
	struct ipc_dkim_signed answer = {
	    .request = m->request, .ok = error == 0, .signature = str_of(signature, len)};
	return loop_send(from, IPC_DKIM_SIGNED, &answer);
}

static void on_dkim_peer_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	if (error == -EBADMSG || error == -EPROTO)
		raise_alarm(ctx, "", "directory or queue sent a message that is not allowed");
}

static const struct ipc_receiver directory_messages[] = {
    {IPC_DKIM_MAKE, on_dkim_make}, {IPC_DKIM_KEY, on_dkim_key}, {IPC_DKIM_FORGET, on_dkim_forget}};
static const struct ipc_receivers directory_receivers = {
    directory_messages, ARRAY_LEN(directory_messages), on_dkim_peer_closed};

static const struct ipc_receiver queue_messages[] = {{IPC_DKIM_SIGN, on_dkim_sign}};
static const struct ipc_receivers queue_receivers = {
    queue_messages, ARRAY_LEN(queue_messages), on_dkim_peer_closed};

/* --- ledger and supervisor --- */

static void on_ledger_closed(struct loop_entry *from, int error UNUSED, void *ctx)
{
	struct keyholder *k = ctx;
	if (k->ledger == from)
		k->ledger = NULL;
}

static const struct ipc_receivers ledger_receivers = {NULL, 0, on_ledger_closed};

/* Once, so that `gatepost verify` can tell whether they were changed since. */
static void note_files(struct keyholder *k)
{
	char detail[3 * DIGEST_TEXT_LEN + 48];
	if (!k->ledger || k->has_noted)
		return;
	snprintf(detail, sizeof(detail), "certificate=%s key=%s keyholder=%s",
	    k->certificate_digest.text, k->key_digest.text, k->dkim_digest.text);
	struct ipc_ledger_event event = {.kind = LEDGER_FILES, .detail = str_of_cstr(detail)};
	k->has_noted = loop_send(k->ledger, IPC_LEDGER_EVENT, &event) == 0;
}

static int on_peer(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct keyholder *k = ctx;
	struct ipc_peer *peer = msg;
	struct loop_entry *entry;
	switch (peer->role) {
	case ROLE_GATEKEEPER_SMTP:
	case ROLE_GATEKEEPER_IMAP:
	case ROLE_GATEKEEPER_POP3:
	case ROLE_GATEKEEPER_SUBMISSION:
		entry = loop_add_channel(k->loop, peer->channel, &gatekeeper_receivers, k);
		break;
	case ROLE_DIRECTORY:
		entry = loop_add_channel(k->loop, peer->channel, &directory_receivers, k);
		break;
	case ROLE_QUEUE:
		entry = loop_add_channel(k->loop, peer->channel, &queue_receivers, k);
		break;
	case ROLE_LEDGER:
		entry = loop_add_channel(k->loop, peer->channel, &ledger_receivers, k);
		k->ledger = entry;
		note_files(k);
		break;
	default:
		return -EPROTO;
	}
	if (entry)
		peer->channel = -1;
	return 0;
}

static void on_drain_over(void *ctx)
{
	loop_stop(((struct keyholder *)ctx)->loop);
}

static int on_drain(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct keyholder *k = ctx;
	k->is_draining = true;
	if (loop_after(k->loop, ((struct ipc_drain *)msg)->ms, on_drain_over, k))
		loop_stop(k->loop);
	stop_when_drained(k);
	return 0;
}

static void on_supervisor_closed(struct loop_entry *from UNUSED, int error UNUSED, void *ctx)
{
	loop_stop(((struct keyholder *)ctx)->loop);
}

static const struct ipc_receiver supervisor_messages[] = {
    {IPC_PEER, on_peer}, {IPC_DRAIN, on_drain}};
static const struct ipc_receivers supervisor_receivers = {
    supervisor_messages, ARRAY_LEN(supervisor_messages), on_supervisor_closed};

/* --- start --- */

static int load_key(struct keyholder *k, const struct role_start *start)
{
	char *pem = NULL;
	size_t len = 0;
	int error =
	    fd_read_file(start->data_fd, start->config->key, SIGNER_KEY_FILE_MAX, &pem, &len);
	if (!error) {
		k->key_digest = digest_of(str_of(pem, len));
		error = signer_add(k->signer, str_of(pem, len));
		sodium_memzero(pem, len);
	}
	free(pem);
	if (error)
		log_event(LOG_ERROR, "keyholder.no-key", "file=%s error=%s",
		    log_quote(str_of_cstr(start->config->key)).text,
		    log_quote(
		        str_of_cstr(error == -EINVAL ? "not a private key (EC P-256, P-384 or "
		                                       "RSA of 2048 bits or more, in PEM form)"
		                                     : strerror(-error)))
		        .text);
	return error;
}

static int note(const struct role_start *start, const char *path, struct digest_text *ret_digest)
{
	char *content = NULL;
	size_t len = 0;
	int error = fd_read_file(start->data_fd, path, CERTIFICATE_FILE_MAX, &content, &len);
	if (!error) {
		*ret_digest = digest_of(str_of(content, len));
		if (len > 0)
			sodium_memzero(content, len);
	}
	free(content);
	return error;
}

/* It is public, and not used here; who reads it elsewhere cannot tell the ledger before its
 * sandbox. */
static int note_certificate(struct keyholder *k, const struct role_start *start)
{
	int error = note(start, start->config->certificate, &k->certificate_digest);
	if (error)
		log_event(LOG_ERROR, "keyholder.no-certificate", "file=%s error=%s",
		    log_quote(str_of_cstr(start->config->certificate)).text,
		    log_quote(str_of_cstr(strerror(-error))).text);
	return error;
}

/* The key under which those of DKIM lie with directory; an instance that has none yet gets one. */
static int load_dkim(struct keyholder *k, const struct role_start *start)
{
	struct secret *key CLEANUP(secret_free) = NULL;
	if (!dkim_keys_init_memory())
		log_event(LOG_WARNING, "keyholder.memory-not-locked", "hint=%s",
		    "raise-the-limit-of-locked-memory");
	int error = dkim_keys_read_key(start->data_fd, &key);
	if (!error)
		error = note(start, DKIM_KEYS_FILE, &k->dkim_digest);
	if (error)
		log_event(LOG_ERROR, "keyholder.no-dkim-key", "file=%s error=%s", DKIM_KEYS_FILE,
		    log_quote(str_of_cstr(error == -ENOKEY ? "damaged; restore it from a backup"
		                                           : strerror(-error)))
		        .text);
	else
		k->dkim = dkim_keys_new(key);
	return error;
}

int keyholder_main(struct role_start *start)
{
	struct keyholder k = {0};
	if (loop_new(&k.loop) || signer_new(&k.signer) || load_key(&k, start) ||
	    note_certificate(&k, start) || load_dkim(&k, start))
		return 1;
	if (!loop_add_channel(k.loop, start->supervisor, &supervisor_receivers, &k))
		return 1;
	sandbox_enter(start);
	int error = role_ready(start);
	if (!error)
		error = loop_run(k.loop);
	if (error)
		log_event(LOG_ERROR, "keyholder.loop-failed", "errno=%d", -error);
	signer_free(k.signer);
	dkim_keys_free(k.dkim);
	loop_free(k.loop);
	return error ? 1 : 0;
}
