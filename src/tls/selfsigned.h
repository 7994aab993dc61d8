/*
 * tls/selfsigned.h: a certificate that vouches for itself, for a server without one of an
 * authority.
 *
 * EC P-256, ECDSA with SHA-256, valid for ten years from a day ago, marked as an authority of
 * nothing (CA:FALSE), for server authentication. Names go into subjectAltName (RFC 6125): host
 * names as dNSName, IPv4 and IPv6 addresses as iPAddress; the first name is the common name too.
 */
#ifndef TLS_SELFSIGNED_H
#define TLS_SELFSIGNED_H

#include <openssl/types.h>

#include "base/attr.h"
#include "base/buf.h"

enum { SELFSIGNED_NAMES_MAX = 16, SELFSIGNED_DAYS = 3650 };

/* A certificate for `key`: given (X509_free), NULL when it cannot be made. */
MUST_USE X509 *selfsigned_certificate(EVP_PKEY *key, const char *const *names, size_t n_names);

/* A new key and its certificate as PEM text. 0; -EINVAL for a name that is none; -EIO. */
MUST_USE int selfsigned_make(const char *const *names, size_t n_names, struct buf *ret_key_pem,
    struct buf *ret_certificate_pem);

#endif
