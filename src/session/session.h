/*
 * session/session.h: the role that serves one signed-in connection.
 *
 * The registry forks it, with the account's folder as working directory, and it enters its sandbox
 * before it reads the first byte (registry/registry.h). It holds one account's master key and may
 * touch nothing but that account's folder. The protocol is spoken on `stream`, whose other end the
 * gate copies to and from the client's TLS connection.
 *
 * It never opens another account, starts nothing and connects nowhere.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

struct session_start {
	uint64_t account;
	uint64_t connection;    /* for the log */
	uint8_t protocol;       /* enum session_protocol */
	int master_key;         /* memfd from the directory; taken */
	struct str user;        /* who signed in: an address, borrowed */
	int stream;             /* taken */
	int registry;           /* channel for IPC_CHANGED, both ways; taken */
	uint64_t message_size;  /* limit of an appended message */
	uint64_t timeout_s;     /* without a command */
	uint32_t message_limit; /* of one command of IMAP; 0: none */
	bool sign_in_anew;      /* UNAUTHENTICATE is allowed */
};

/* Sets up libraries, in the registry before its sandbox. */
void session_init(void);

/* Serves the connection to its end. 0, or -errno where the store could not be opened or broke. */
int session_run(const struct session_start *start);

#endif
