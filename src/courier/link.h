/*
 * courier/link.h: one connection to another server, in the clear or inside TLS: what is said, what
 * is answered, and how long it may take.
 *
 * A wait for an answer ends at its deadline however the bytes come: a server that sends one byte a
 * minute gains nothing by it (RFC 5321 §4.5.3.2 names times for whole answers).
 *
 * While the server is spoken with, the drain pipe is looked at wherever `interruptible` is set: a
 * hang-up there ends the wait with -ESHUTDOWN.
 *
 * Errors: -ENODATA the server closed the connection, -ETIMEDOUT, -ESHUTDOWN, -EBADMSG what came is
 * no reply of SMTP, -EMSGSIZE a reply without end, -EPROTO it broke TLS, other -errno of the
 * socket. After any of them nothing more can be said. `link_error` puts them into words.
 */
#ifndef COURIER_LINK_H
#define COURIER_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/buf.h"
#include "smtp/reply_parse.h"
#include "tls/client.h"

enum {
	LINK_OUT_MAX = 65536,
	LINK_SEND_BYTES = 65536, /* of a message, between two looks at the clock */
};

struct link {
	int fd;    /* -1: not connected */
	int drain; /* borrowed; hangs up when this process should come to an end; -1: never */
	bool interruptible;
	struct tls_connection *tls; /* NULL in the clear */
	char in[SMTP_ANSWER_MAX];
	size_t in_start, in_end;
	struct buf out;
	uint64_t ends_at_ms; /* by clock_ms: no wait lasts longer; 0: never */
};

void link_init(struct link *l, int drain);

/* Ends the connection without a word, if there is one. */
void link_close(struct link *l);

/* Connects from `source` (family AF_UNSPEC: any) to `to` within `ms`. 0 or -errno. */
MUST_USE int link_connect(struct link *l, const struct sockaddr_storage *to,
    const struct sockaddr_storage *source, uint64_t ms);

/* TLS from here on. Bytes that came before it belong to nobody (RFC 3207 §6): -EBADMSG when there
 * are some. As tls_connect. */
MUST_USE int link_start_tls(struct link *l, struct tls_client *client, const struct tls_wish *wish,
    uint64_t ms, struct tls_verdict *ret_verdict);

/* Adds to what goes out with the next link_flush or link_answer. */
void link_say(struct link *l, const char *fmt, ...) PRINTF(2, 3);

/* Sends what was said within `ms`. */
MUST_USE int link_flush(struct link *l, uint64_t ms);

/* Sends `s` (after what was said); each piece of LINK_SEND_BYTES within `ms`. */
MUST_USE int link_send(struct link *l, struct str s, uint64_t ms);

/* Sends what was said, and takes the next reply. It borrows until the next call. */
MUST_USE int link_answer(struct link *l, uint64_t ms, struct smtp_answer *ret_answer);

/* True when the server closed the connection, or said something that nobody asked for. */
bool link_is_stale(struct link *l);

/* "did not answer within 300 seconds", "closed the connection", …: static text, or of the last
 * error of TLS. */
const char *link_error(int error);

#endif
