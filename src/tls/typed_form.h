/*
 * tls/typed_form.h: is this what a TLS server signs, and nothing else?
 *
 * The keyholder signs only contents of these forms, so that whoever holds a gate cannot have
 * a certificate request, a DKIM header or any other document signed with the server's key. The two
 * forms can never be taken for one another: byte 64 differs.
 *
 * Pure functions; they do not judge whether the randoms or the transcript hash are honest (only the
 * handshake's peer can).
 */
#ifndef TLS_TYPED_FORM_H
#define TLS_TYPED_FORM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { TYPED_FORM_LEN_MAX = 256 };

/* The content of a TLS 1.3 server's CertificateVerify, RFC 8446 §4.4.3. */
bool typed_form_is_tls13(struct str content);

/* What a TLS 1.2 ServerKeyExchange signs: randoms and ServerECDHParams, RFC 8422 §5.4. */
bool typed_form_is_tls12(struct str content);

#endif
