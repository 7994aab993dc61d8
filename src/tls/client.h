/*
 * tls/client.h: the client side of TLS on a connected socket: the handshake, and whether the server
 * is who it should be. What is done with the connection afterwards stands in tls/server.h
 * (tls_read, tls_write, tls_shutdown, tls_free, tls_version …), with the same deadlines and errors.
 *
 * Three ways to ask (struct tls_wish):
 *
 *   TLS_OPPORTUNISTIC  whatever the server shows (RFC 7435): TLS 1.0 and weak algorithms are better
 *                      than the clear text that would follow
 *   TLS_PKIX           a certificate of an authority among the roots, for one of the names
 *                      (MTA-STS, RFC 8461 §4.1; a relay)
 *   TLS_DANE           a certificate that a TLSA record vouches for: DANE-TA(2) and DANE-EE(3); the
 *                      usages PKIX-TA(0) and PKIX-EE(1) do not count for SMTP (RFC 7672 §3.1.3)
 *
 * The latter two need TLS 1.2, and algorithms of OpenSSL's security level 1 or better. Where `must`
 * is not set, a server that cannot be verified is told of in the verdict, and the connection
 * stands (the mode "testing" of MTA-STS).
 *
 * `tls_client_new` is called once, before the sandbox and the first fork. Afterwards nothing here
 * opens a file. Revocation is not looked at.
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include "ipc/outgoing.h"
#include "tls/server.h"

enum { TLS_ROOTS_FILE_MAX = 4 * 1024 * 1024, TLS_NAMES_MAX = 4 };

struct tls_client;

/* `roots` is the PEM text of the authorities' certificates; empty: none, and PKIX never succeeds.
 * -EINVAL when it is anything else (the reason in `ret_reason`, TLS_ERROR_MAX bytes). */
MUST_USE int tls_client_new(struct str roots, char *ret_reason, struct tls_client **ret_client);
void tls_client_free(struct tls_client *client);

enum tls_demand { TLS_OPPORTUNISTIC, TLS_PKIX, TLS_DANE };

struct tls_tlsa {
	uint8_t usage, selector, matching;
	struct str data;
};

struct tls_wish {
	enum tls_demand demand;
	bool must;        /* PKIX: end the connection where the server cannot be verified */
	const char *host; /* for SNI, where it is a name; of DANE the TLSA base domain */
	const char
	    *names[TLS_NAMES_MAX]; /* beside `host`, that the certificate may be for; NULLs */
	const struct tls_tlsa *tlsa;
	size_t n_tlsa;
};

struct tls_verdict {
	enum tls_result result; /* TLS_SUCCESS, or what TLS-RPT calls it */
	bool verified;          /* PKIX or DANE succeeded */
	bool unusable; /* DANE: no record counts: encrypted, but not verified (RFC 7672 §2.2) */
	char detail[TLS_ERROR_MAX]; /* why not, in words; "" */
};

/*
 * The handshake on a connected socket, which becomes non-blocking and stays borrowed. 0 and
 * `*ret_connection` (given: tls_free); -EKEYREJECTED when the server is not who it should be; or an
 * error as of tls_accept. `*ret_verdict` says why in each case.
 */
MUST_USE int tls_connect(struct tls_client *client, const struct tls_wish *wish, int socket,
    uint64_t deadline, struct tls_verdict *ret_verdict, struct tls_connection **ret_connection);

#endif
