/*
 * gatekeeper/gatekeeper.h: the role that accepts connections, limits them and forks a gate for
 * each; one process per protocol.
 *
 * It reads no byte from the network. For each connection it makes the gate's private channels,
 * sends their far ends to the services (IPC_GATE), and forks; those that not every gate needs it
 * makes when the gate asks (IPC_INTRODUCE), one to each service and worker; the child enters the
 * gate's sandbox before it does anything else, and holds nothing of the gatekeeper's but its memory
 * as it was.
 *
 * Limits: connections in all and per network (gatekeeper/gates.h); above them a connection gets one
 * line and is closed. The memory of all messages under way is granted here (IPC_BUDGET).
 *
 * A gate that ends otherwise than by itself is an alarm in the ledger, with the peer's address. The
 * gatekeeper then asks to be replaced (IPC_REPLACE_ME): so that nobody can try again at the same
 * memory layout. It accepts no more, and ends with its last gate.
 *
 * Draining: the listening sockets are closed at once; the gates see the drain pipe hang up
 * (gate/gate.h) and come to an end; when none is left, or when the time is over, it ends.
 */
#ifndef GATEKEEPER_GATEKEEPER_H
#define GATEKEEPER_GATEKEEPER_H

#include "sandbox/role.h"

/* For ROLE_GATEKEEPER_SMTP, _IMAP, _POP3 and _SUBMISSION. The process's exit status. */
int gatekeeper_main(struct role_start *start);

#endif
