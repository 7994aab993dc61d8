/*
 * gate/gate.h: one connection with a stranger: its bytes, its time, its channels.
 *
 * The gatekeeper forks a gate for each connection; the gate enters its sandbox before it reads the
 * first byte and then holds its dialogue from top to bottom (`gate_smtp`, `gate_imap`,
 * `gate_pop3`, `gate_submission`), with the functions below as its only way to the peer. It dies
 * with the connection.
 *
 * It holds no key, no mail but the message now coming in, no file, no listening socket, and no
 * descriptor but the connection, its private channels and the drain pipe. It knows no protocol; it
 * never logs (the dialogues do).
 *
 * Time: a wait for the peer ends at the earlier of two moments: that of the step
 * (`gate_set_deadline`) and that of the whole connection (`closes_at_ms`). Sending counts against
 * GATE_SEND_MS, so a peer that does not read cannot hold a gate.
 *
 * Draining: when the server stops, or the gatekeeper is gone, the drain pipe hangs up. A wait made
 * while `interruptible` is set then ends with -ESHUTDOWN; dialogues set it between commands. Other
 * waits go on, but not beyond GATE_DRAIN_MS from then.
 *
 * Limits: GATE_IN_MAX bytes received and not yet consumed, GATE_OUT_MAX bytes said and not yet
 * sent.
 *
 * Errors of gate_fill, gate_flush, gate_start_tls: -ENODATA the peer closed, -ETIMEDOUT, -ESHUTDOWN
 * draining, -ENOBUFS the buffer is full (nothing was read), -EPROTO the peer breaks TLS, other
 * -errno. After any but -ENOBUFS and -ESHUTDOWN the connection can only be closed; after
 * -ETIMEDOUT and -ESHUTDOWN a last line can still be sent.
 */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "config/config.h"

enum {
	GATE_IN_MAX = 65536,
	GATE_OUT_MAX = 65536,
	GATE_PEER_MAX = 64,
	GATE_TLS_NAME_MAX = 96,
	GATE_SEND_MS = 60 * 1000,
	GATE_HANDSHAKE_MS = 60 * 1000,
	GATE_DRAIN_MS = 5 * 1000,
	GATE_CALL_MS = 60 * 1000, /* for ipc_call to a service */
	GATE_DELIVERY_MAX = 64,   /* delivery workers; as in the configuration */
	GATE_LAST_WORDS_MS = 2 * 1000,
	GATE_LINGER_MAX = 4 * 1024 * 1024,
};

struct tls_server;
struct tls_connection;

/* Private to this gate; -1 where there is none, or none yet. */
struct gate_channels {
	int directory;
	int keyholder;  /* there from the start where TLS comes before the first word */
	int gatekeeper; /* IPC_BUDGET, IPC_INTRODUCE; open until somebody is first signed in */
	int delivery[GATE_DELIVERY_MAX]; /* by worker */
	int queue; /* of one of submission: there when somebody is signed in */
};

#define GATE_NO_CHANNELS                                                                           \
	((struct gate_channels){.directory = -1,                                                   \
	    .keyholder = -1,                                                                       \
	    .gatekeeper = -1,                                                                      \
	    .queue = -1,                                                                           \
	    .delivery = {[0 ... GATE_DELIVERY_MAX - 1] = -1}})

/* For CLEANUP. */
void gate_close_channels(struct gate_channels *channels);

struct gate {
	int fd;    /* the connection, non-blocking */
	int drain; /* hangs up when this gate should come to an end; -1: never */
	struct gate_channels channels;
	const struct config *config;   /* borrowed */
	struct tls_server *tls_server; /* borrowed; NULL: no TLS to be had */
	struct tls_connection *tls;    /* NULL while in the clear */
	char peer[GATE_PEER_MAX];      /* "192.0.2.1" or "2001:db8::1" */
	uint64_t connection;           /* in every log line about it */
	uint64_t closes_at_ms;         /* by clock_ms */
	uint64_t deadline_ms;          /* by clock_ms */
	uint64_t drains_at_ms;         /* 0: not draining */
	bool implicit_tls;             /* TLS before the first word */
	bool interruptible;
	bool signs_in_anew; /* gate_pump keeps the way to the directory */
	char tls_name[GATE_TLS_NAME_MAX];
	char *in; /* received, from in_start to in_end; GATE_IN_MAX bytes once used */
	size_t in_start;
	size_t in_end;
	struct buf out;
};

/* The dialogues. They return when the connection is to be closed; the result is for the tests. */
int gate_smtp(struct gate *g);
int gate_imap(struct gate *g);
int gate_pop3(struct gate *g);
int gate_submission(struct gate *g);

/* A gate on `fd` (taken) with the connection's time starting now; channels and TLS are then set by
 * the caller. Released with gate_done, which closes everything it holds. */
void gate_init(struct gate *g, int fd, const struct config *config);
void gate_done(struct gate *g);

/* The step that begins now may take `ms`. */
void gate_set_deadline(struct gate *g, uint64_t ms);

/* What was received and not consumed; borrowed until the next gate_fill, gate_release or
 * gate_start_tls. */
static inline struct str gate_pending(const struct gate *g)
{
	return (struct str){g->in ? g->in + g->in_start : "", g->in_end - g->in_start};
}

/* Drops `len` bytes, at most those pending, from the front. */
void gate_consume(struct gate *g, size_t len);

/* Sends what was said, then waits until at least one more byte is pending. May move what is
 * pending: slices of it are no longer valid. */
MUST_USE int gate_fill(struct gate *g);

/* Adds to what is sent with the next gate_flush or gate_fill. False when GATE_OUT_MAX is reached
 * (remembered: gate_flush then gives -ENOBUFS). */
bool gate_say(struct gate *g, struct str text);

/* Sends all that was said; gate_send sends `s` at once, without the buffer. */
MUST_USE int gate_flush(struct gate *g);
MUST_USE int gate_send(struct gate *g, struct str s);

/*
 * Channels that not every connection needs are asked for when this one does (IPC_INTRODUCE), and
 * kept. -ENOTCONN: the service is being started anew; -EAGAIN: it is busy; both may be better soon.
 * Other -errno: the gatekeeper cannot be asked.
 *
 * Before a STARTTLS is agreed to; does nothing where the channel is there.
 */
MUST_USE int gate_reach_keyholder(struct gate *g);

/* For a message that an alias sends out of the house. */
MUST_USE int gate_reach_queue(struct gate *g);

/*
 * The worker (its channel: borrowed) that all mail of this account goes to, so that workers do not
 * wait for each other at its letterbox; the next one that lives where that one does not.
 */
MUST_USE int gate_reach_delivery(struct gate *g, uint64_t account, int *ret_channel);

/*
 * Sends what was said and takes the TLS handshake, with the key held by the keyholder. What the
 * peer sent in the clear and was not consumed is thrown away (RFC 3207 §4.2, RFC 9051 §6.2.1):
 * look at gate_pending before, to tell an injection.
 */
MUST_USE int gate_start_tls(struct gate *g);

/* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384", borrowed; empty in the clear. */
struct str gate_tls_name(const struct gate *g);

/*
 * After sign-in: copies bytes between the peer and `stream` (taken) until either side ends, both
 * ways at once. What is pending goes to the stream first, and before anything else the channels are
 * closed: nothing is left to ask, but with `signs_in_anew` the directory. No deadline: idle time is
 * the session's matter; a peer that does not read for GATE_SEND_MS is left.
 *
 * 0 for an orderly end, or an error as above. GATE_GIVEN_BACK: the session is over and the
 * connection is not (ipc/give_back.h); what it did not use is pending. Where that is more than
 * GATE_IN_MAX, -ENOBUFS.
 */
enum { GATE_GIVEN_BACK = 1 };
int gate_pump(struct gate *g, int stream);

/*
 * After the last word: says that nothing more comes, and for at most GATE_LAST_WORDS_MS reads and
 * drops what the peer still sends, so that it gets to read that word (closing with bytes unread
 * would reset the connection). Returns at once when the peer has closed.
 */
void gate_linger(struct gate *g);

/*
 * The end: sends what was said, then lingers; not where the peer has said that it is done, and
 * nothing more came from it: it will read that word, and close.
 */
int gate_finish(struct gate *g, bool peer_is_done);

/* Frees the receive buffer when nothing is pending: for long waits. */
void gate_release(struct gate *g);

#endif
