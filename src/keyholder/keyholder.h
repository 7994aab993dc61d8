/*
 * keyholder/keyholder.h: the role that holds the server's private keys, signs TLS handshakes and
 * the headers of mail that goes out (DKIM).
 *
 * It reads the keys before its sandbox; behind it, it has no file at all. It speaks with gates only
 * over channels that their gatekeepers hand it (IPC_GATE), and knows one question: IPC_SIGN. What
 * may be signed is judged by tls/signer.h. A gate gets KEYHOLDER_SIGNATURES_PER_GATE signatures in
 * its life: a connection makes one handshake. Another request, a refused one, or a message that
 * does not parse ends the gate's channel and is an alarm in the ledger.
 *
 * For DKIM it makes keys, takes and forgets them as directory says, and signs hashes for the queue
 * (keyholder/dkim_keys.h). tls/keyholder.key wraps them; it is made where it is not there.
 *
 * SECURITY: whoever controls a gate can have one handshake signed; whoever controls a gatekeeper
 * can have handshakes signed as long as it does, and takes no key away. Whoever controls the queue
 * can have mail signed in the name of any domain here, as long as it does.
 */
#ifndef KEYHOLDER_KEYHOLDER_H
#define KEYHOLDER_KEYHOLDER_H

#include "sandbox/role.h"

enum { KEYHOLDER_SIGNATURES_PER_GATE = 1 };

/* The role's process: returns its exit status. */
int keyholder_main(struct role_start *start);

#endif
