/*
 * tls/connection.h: what a connection of TLS is made of: shared by its server and its client side
 * alone. What is done with one stands in tls/server.h.
 */
#ifndef TLS_CONNECTION_H
#define TLS_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/attr.h"

struct tls_connection {
	SSL *ssl;
	int socket; /* borrowed */
	bool is_broken;
};

/* Repeats SSL_accept or SSL_connect until the handshake is done. 0 or an error as in server.h. */
MUST_USE int tls_shake_hands(struct tls_connection *c, int (*step)(SSL *ssl), uint64_t deadline);

#endif
