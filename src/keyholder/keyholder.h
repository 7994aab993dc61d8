/*
 * keyholder/keyholder.h: the role that holds the server's private keys and signs TLS handshakes.
 *
 * It reads the keys before its sandbox; behind it, it has no file at all. It speaks with gates only
 * over channels that their gatekeepers hand it (IPC_GATE), and knows one question: IPC_SIGN. What
 * may be signed is judged by tls/signer.h. A gate gets KEYHOLDER_SIGNATURES_PER_GATE signatures in
 * its life: a connection makes one handshake. Another request, a refused one, or a message that
 * does not parse ends the gate's channel and is an alarm in the ledger.
 *
 * SECURITY: whoever controls a gate can have one handshake signed; whoever controls a gatekeeper
 * can have handshakes signed as long as it does, and takes no key away.
 */
#ifndef KEYHOLDER_KEYHOLDER_H
#define KEYHOLDER_KEYHOLDER_H

#include "sandbox/role.h"

enum { KEYHOLDER_SIGNATURES_PER_GATE = 1 };

/* The role's process: returns its exit status. */
int keyholder_main(struct role_start *start);

#endif
