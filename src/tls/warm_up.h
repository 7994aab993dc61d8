/*
 * tls/warm_up.h: one TLS 1.3 and one TLS 1.2 handshake of the process with itself, in memory.
 *
 * OpenSSL fetches its algorithms, error strings and random generators at first use. Done once
 * before the sandbox, nothing is left to be looked up behind it, and all gates share what the first
 * one would have allocated.
 */
#ifndef TLS_WARM_UP_H
#define TLS_WARM_UP_H

#include <stdbool.h>

#include <openssl/types.h>

#include "base/attr.h"

/* True when both handshakes came to their end. With a key made for it and forgotten. */
MUST_USE bool tls_warm_up(OSSL_LIB_CTX *context);

#endif
