/*
 * ipc/channel.h: a SOCK_SEQPACKET pair between two roles, and what a receiver does with what comes
 * out of it.
 *
 * A role that does one thing at a time (gate, session) sends and waits: `ipc_call`. A service has
 * an event loop (ipc/loop.h) and a table of what it accepts: `struct ipc_receiver`.
 *
 * Fault rule (docs/architecture.md): a message from a less privileged role that does not decode, is
 * not in the table, or is not allowed now ends that channel; the service raises an alarm and lives
 * on.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "base/arena.h"
#include "base/attr.h"
#include "ipc/message.h"

/* A new pair, close-on-exec; both ends given. */
MUST_USE int ipc_pair(int ret_ends[static 2]);

/*
 * Sends one message. Descriptors in it are duplicated to the peer; the caller keeps its own. On a
 * blocking channel it waits for room; on a non-blocking one it gives -EAGAIN when the peer does not
 * read. -EPIPE: the peer is gone.
 */
MUST_USE int ipc_send(int channel, uint16_t type, const void *msg);

/* The same for bytes that are encoded already (ipc_encode); for the loop's queue and for tests. */
MUST_USE int ipc_send_bytes(int channel, struct str bytes, const int *fds, size_t n_fds);

/* Overwrites the content of a buffer with an encoded secret (one that never had to grow). */
void ipc_wipe(struct buf *b);

/* A received message; release with ipc_received_done, which also closes descriptors nobody took
 * (set to -1). */
struct ipc_received {
	uint16_t type;
	void *msg; /* the struct of `type` */
	struct arena arena;
	char *bytes;
	size_t len;
};

void ipc_received_done(struct ipc_received *m);

/*
 * Takes the next message. 0; -ENODATA at the end of the channel; -EAGAIN on a non-blocking channel
 * without one; -EBADMSG for bytes that are no message; other -errno. On failure there is nothing to
 * release.
 */
MUST_USE int ipc_recv(int channel, struct ipc_received *ret_m);

/* Waits at most `timeout_ms` for one message, of any type. -ETIMEDOUT. */
MUST_USE int ipc_wait(int channel, int timeout_ms, struct ipc_received *ret_m);

/* Sends `msg` and waits at most `timeout_ms` for one message, of any type: for a question that has
 * several kinds of answer. -ETIMEDOUT. */
MUST_USE int ipc_exchange(
    int channel, uint16_t type, const void *msg, int timeout_ms, struct ipc_received *ret_m);

/* The same for one message of type `answer`: -EBADMSG for another type. */
MUST_USE int ipc_call(int channel, uint16_t type, const void *msg, uint16_t answer, int timeout_ms,
    struct ipc_received *ret_m);

#endif
