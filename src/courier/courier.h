/*
 * courier/courier.h: the life of a courier: one connection to another server, one message at a
 * time.
 *
 * It says that it is there (IPC_COURIER_READY). The queue sends a message (IPC_CARRY,
 * IPC_CARRY_RCPT …, IPC_CARRY_MESSAGE); the courier finds the destination's servers, tries them in
 * order, and tells what became of each recipient (IPC_CARRIED_RCPT) and of the attempt
 * (IPC_CARRIED); in between, of each try at TLS (IPC_TLS_RESULT). As long as the connection is good
 * another message for the same destination can follow over it. It ends when the queue closes the
 * channel, when it breaks a rule, or when nothing came for COURIER_IDLE_MS.
 *
 * It holds that message, the connection, and for a relay its password: no key, no file. It blocks;
 * every wait has an end.
 *
 * What may have been delivered (the message was sent, and no reply seen) is told as "later".
 */
#ifndef COURIER_COURIER_H
#define COURIER_COURIER_H

#include <stdint.h>

#include "base/attr.h"

struct config;
struct tls_client;

enum {
	COURIER_HOSTS_MAX = 10,            /* servers tried for one message */
	COURIER_ADDRESSES_MAX = 8,         /* of one server */
	COURIER_TRIES_MAX = 16,            /* connections tried for one message */
	COURIER_ROUNDS_MAX = 20,           /* transactions for one message with many recipients */
	COURIER_MESSAGES_MAX = 100,        /* over one connection */
	COURIER_TAKES_MS = 30 * 60 * 1000, /* after that long it takes no further message */
	COURIER_IDLE_MS = 30 * 1000,
	/* The whole of one message, however many servers are tried. */
	COURIER_MESSAGE_MS = 2 * 60 * 60 * 1000,
	COURIER_DNS_MS = 60 * 1000,
};

/* RFC 5321 §4.5.3.2, in milliseconds; tests have shorter ones. */
struct courier_times {
	uint64_t connect;  /* there are other addresses: 30 seconds */
	uint64_t tls;      /* a handshake */
	uint64_t greeting; /* 5 minutes */
	uint64_t command;  /* EHLO, MAIL, RCPT, RSET …: 5 minutes */
	uint64_t data;     /* the reply to DATA: 2 minutes */
	uint64_t block;    /* a piece of the message: 3 minutes */
	uint64_t final;    /* the reply to the message: 10 minutes */
	uint64_t quit;
};
extern const struct courier_times courier_times;

struct courier_start {
	const struct config *config; /* borrowed, as all of these */
	struct tls_client *tls;      /* NULL: no TLS to be had */
	const struct courier_times *times;
	int queue;    /* channel */
	int resolver; /* channel */
	int drain;    /* hangs up when the server stops; -1: never */
};

/* Until its end: 0, or -errno when the queue sent what it may not send. */
MUST_USE int courier_run(const struct courier_start *start);

#endif
