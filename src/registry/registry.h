/*
 * registry/registry.h: the parent of the sessions.
 *
 * It forks one for each connection that the directory has let in (IPC_OPEN), in the account's
 * folder, hands it the master key that it has not looked at, and from then on only tells the
 * sessions of an account when something changed there. It makes and removes accounts' folders. The
 * directory is answered when the session has opened the mailbox (IPC_READY), so that a sign-in that
 * succeeded has one; where that takes longer than REGISTRY_READY_MS, as while an index is made
 * anew, it is answered then, and what the client sends waits in its stream.
 *
 * It reads no byte of a client or of the mail, and never waits: small, single-threaded and quick
 * to fork. It holds all account folders open to itself; what lies in them is sealed.
 *
 * Limits: REGISTRY_SESSIONS_PER_ACCOUNT_MAX sessions of one account,
 * REGISTRY_SESSIONS_PER_CONNECTION_MAX of one connection, as many in all as the configuration
 * allows connections.
 *
 * Faults: a session that dies by a signal (its filter, a crash) is an alarm in the ledger with its
 * account; a session whose message is not allowed loses its channel, and so ends.
 */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "sandbox/role.h"

enum {
	REGISTRY_SESSIONS_PER_ACCOUNT_MAX = 200,
	REGISTRY_READY_MS = 300,
	/* One lives, and the one before it may not be gone yet (RFC 8437). */
	REGISTRY_SESSIONS_PER_CONNECTION_MAX = 2,
};

int registry_main(struct role_start *start);

#endif
