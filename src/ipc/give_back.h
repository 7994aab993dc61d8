/*
 * ipc/give_back.h: the stream between a gate and its session, when the session is done but the
 * connection is not (UNAUTHENTICATE, RFC 8437).
 *
 * That the session gives the connection back is said with a descriptor beside the stream's bytes:
 * no mail and no client can be the cause of one, whatever they contain. The order:
 *
 *   session: the last answer, then give_back_send
 *   gate:    give_back_recv; once it says so, shutdown(stream, SHUT_WR)
 *   session: sends back what the client sent and it did not use, to the end of what comes, closes
 *   gate:    reads that to its end: the client's next words
 *
 * The descriptor is an empty sealed memory file and means nothing by itself.
 */
#ifndef IPC_GIVE_BACK_H
#define IPC_GIVE_BACK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

/* The session's part; waits for room for at most `ms`. 0, -ETIMEDOUT or -errno. */
MUST_USE int give_back_send(int stream, int ms);

/*
 * As recv() without waiting: the number of bytes, 0 at the end, -errno; -EBADMSG for descriptors
 * that are not the one, which are closed. With `*ret_given_back` these bytes, perhaps none (then
 * 0), were the last before it was given back.
 */
MUST_USE ssize_t give_back_recv(int stream, char *to, size_t len, bool *ret_given_back);

#endif
