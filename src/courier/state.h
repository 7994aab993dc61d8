/* courier/state.h: what the parts of a courier share; for src/courier alone. */
#ifndef COURIER_STATE_H
#define COURIER_STATE_H

#include "courier/courier.h"
#include "courier/hosts.h"
#include "courier/link.h"
#include "ipc/messages.h"
#include "ipc/outgoing.h"

enum { COURIER_MTA_MAX = 320, COURIER_TLS_TEXT_MAX = 64 };

struct recipient {
	struct str address, original;
	uint8_t notify;
	bool is_decided;
	bool is_accepted; /* by RCPT, in the transaction at hand */
	bool relayed;
	struct fate fate;
};

/* One message. */
struct job {
	const struct ipc_carry *carry; /* borrowed from the message that brought it */
	struct arena arena;
	struct recipient *v;
	size_t n;
	struct str message; /* mapped */
	uint64_t ends_at_ms;
	unsigned n_tries; /* connections */
	bool spoken;      /* up to MAIL with some server: it is not unreachable */
};

/* A message that says what became of another one goes even where REQUIRETLS cannot be had (RFC 8689
 * §4.2.1, §5). */
static inline bool job_requires_tls(const struct ipc_outgoing *mail)
{
	return mail->require_tls && mail->reverse_path.len > 0;
}

/* How TLS is to be had with a server, and what was had. */
enum tls_way { WAY_CLEAR, WAY_OPPORTUNISTIC, WAY_STS_TESTING, WAY_STS, WAY_PKIX, WAY_DANE };

struct courier {
	const struct courier_start *start;
	struct link link;
	/* Of the connection that stands. */
	bool is_ready;    /* a message can go over it */
	bool is_extended; /* EHLO was taken */
	bool is_verified; /* TLS, and the server is who it should be */
	bool needs_reset; /* the last transaction did not come to its end */
	struct smtp_extensions extensions;
	unsigned n_messages;
	uint64_t began_ms;
	char mta[COURIER_MTA_MAX]; /* "name [address]" */
	char tls_text[COURIER_TLS_TEXT_MAX];
	char host[DNS_NAME_MAX + 1]; /* its server */
	/* What it is for: the MX hosts of `domain`, or `literal`, a host's name or address; and of
	 * a relay as whom. */
	bool takes_more; /* what the queue was told, and relies on */
	char domain[DNS_NAME_MAX + 1];
	char literal[DNS_NAME_MAX + 1];
	char relay_user[IPC_ADDRESS_MAX + 1];
	char source[DNS_ADDRESS_TEXT_MAX];
	/* What was demanded of TLS when it was made: another demand has another connection. */
	struct demands {
		uint8_t tls_must, tls_optional, implicit_tls, sts_mode;
	} demands;
	uint16_t port;
};

/* --- visit.c: a connection to one of the destination's servers --- */

/*
 * Tries the destination's servers from `*next` on until one can take a message; `*next` then stands
 * behind it. 0, or -1 when there is none left: `*ret_fate` says why.
 */
MUST_USE int visit_next(
    struct courier *c, struct job *job, struct hosts *hosts, size_t *next, struct fate *ret_fate);

/* Ends the connection with QUIT, as far as the server still listens. */
void visit_end(struct courier *c);

/* --- session.c: greeting, EHLO, STARTTLS, AUTH --- */

enum session_end {
	SESSION_READY,
	SESSION_NEXT_SERVER, /* this one cannot take the message: `fate` says why */
	SESSION_IN_CLEAR, /* the handshake of TLS failed, and nothing demands it: once more, without
	                   */
};

struct session {
	enum tls_way way;
	const struct host *host;
	const struct server_address *address;
	const struct tlsa_set *tlsa;
	const struct ipc_carry *carry;
	const char *domain; /* whose mail it is; "" for a relay */
	struct fate fate;
};

/* On a connection that was just made. */
enum session_end session_begin(struct courier *c, struct session *s);

/* --- transaction.c: MAIL, RCPT, the message --- */

/*
 * Hands the message over for the recipients that are not decided, and decides on them. True when
 * the connection still stands. Those who are still not decided may be tried with another server.
 */
bool transaction_run(struct courier *c, struct job *job);

#endif
