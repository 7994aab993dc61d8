/*
 * tls/server.h: the server side of TLS on one connection, top to bottom, with deadlines.
 *
 * `tls_server_new` is called once per gatekeeper, before the sandbox and before the first fork; the
 * gates inherit it. It holds the certificate chain and no private key: signatures come from the
 * keyholder, over the channel that the gate names with `tls_use_keyholder`.
 *
 * TLS 1.2 and 1.3 only; forward secrecy and AEAD only (X25519 first); no tickets, no session cache,
 * no renegotiation, no compression, no early data, no client certificates. After `tls_server_new`
 * nothing here opens a file or loads a module, so it works under a gate's seccomp filter.
 *
 * It does not close the socket (the caller's), and does not log.
 *
 * Deadlines are absolute, in milliseconds of clock_ms(). Errors are -errno: -ETIMEDOUT when the
 * deadline passed, -EPROTO when the peer broke TLS (`tls_error` says how), -ECONNRESET when it went
 * away without a word, -EPIPE when it can no longer be written to.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"

enum { TLS_CHAIN_MAX = 10, TLS_ERROR_MAX = 160 };

struct tls_server;
struct tls_connection;

/*
 * `certificate` is the PEM text of the chain, the server's own first, at most TLS_CHAIN_MAX. The
 * key must be EC P-256, EC P-384 or RSA of at least 2048 bits. -EINVAL when it is not (the reason
 * in `ret_reason`, which may be NULL; TLS_ERROR_MAX bytes).
 */
MUST_USE int tls_server_new(
    struct str certificate, char *ret_reason, struct tls_server **ret_server);
void tls_server_free(struct tls_server *server);

/* For CLEANUP. */
void tls_server_release(struct tls_server **server);

/* SHA-256 of the certificate's public key (SubjectPublicKeyInfo), as struct ipc_sign names it. */
void tls_server_key_id(const struct tls_server *server, unsigned char ret_id[static 32]);

/* From now on this process signs over `channel` (borrowed: it must stay open during tls_accept). */
void tls_use_keyholder(int channel);

/*
 * The handshake on a connected socket, which becomes non-blocking and stays borrowed. 0 and
 * `*ret_connection` (given: tls_free), or an error. The socket must hold nothing read but not
 * consumed: STARTTLS discards what was pipelined before it (RFC 3207 §4.2) at the caller's.
 */
MUST_USE int tls_accept(struct tls_server *server, int socket, uint64_t deadline,
    struct tls_connection **ret_connection);
void tls_free(struct tls_connection *connection);
void tls_release(struct tls_connection **connection); /* for CLEANUP */

/*
 * Reads at least one byte: how many, 0 at the orderly end (close_notify), or an error. A deadline
 * of 0 never waits: -EAGAIN when nothing is there.
 */
MUST_USE ssize_t tls_read(
    struct tls_connection *connection, void *p, size_t len, uint64_t deadline);

/* Writes all of `s`: 0 or an error; after an error the connection is good for tls_free only. */
MUST_USE int tls_write(struct tls_connection *connection, struct str s, uint64_t deadline);

/* True when tls_read gives bytes that poll(2) on the socket does not know of. */
bool tls_has_pending(const struct tls_connection *connection);

/*
 * The orderly end: sends close_notify within `deadline`, and does not wait for the peer's. Does
 * nothing after an error. tls_free follows.
 */
void tls_shutdown(struct tls_connection *connection, uint64_t deadline);

/* "TLSv1.3" and "TLS_AES_256_GCM_SHA384" for Received: fields and logs; static strings. */
const char *tls_version(const struct tls_connection *connection);
const char *tls_cipher(const struct tls_connection *connection);

/* Why the last tls_accept, tls_read or tls_write of this process failed; for a log line. */
const char *tls_error(void);

#endif
