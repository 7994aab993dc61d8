/*
 * mail/dkim_key.h: keys of DKIM: the records in the DNS and what is done with the public half
 * (RFC 6376 §3.6, RFC 8463 §4.2).
 *
 * Limits: RSA keys of DKIM_RSA_BITS_LEAST to DKIM_RSA_BITS_MAX bits (RFC 8301 §3.2: shorter ones
 * must not count as valid); a record of at most DKIM_RECORD_MAX bytes.
 */
#ifndef MAIL_DKIM_KEY_H
#define MAIL_DKIM_KEY_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "mail/dkim_canon.h"

enum {
	DKIM_RSA_BITS_LEAST = 1024,
	DKIM_RSA_BITS_MAX = 8192,
	DKIM_RECORD_MAX = 8192,
	DKIM_PUBLIC_MAX = 2048, /* p=, decoded */
	DKIM_SIGNATURE_LEN_MAX = DKIM_RSA_BITS_MAX / 8,
};

/* The order is that of enum dkim_algorithm (ipc/outgoing.h). */
enum dkim_key_kind { DKIM_KEY_RSA, DKIM_KEY_ED25519, N_DKIM_KEY_KINDS };

struct dkim_key {
	enum dkim_key_kind kind;
	uint8_t public_key[DKIM_PUBLIC_MAX]; /* SubjectPublicKeyInfo or RSAPublicKey; 32 bytes */
	size_t public_len;                   /* 0: the key was taken back */
	bool is_testing;                     /* t=y */
	bool is_strict;                      /* t=s: i= must be of d= itself */
};

/* Why a record is of no use, in words that can stand in a field; NULL: it is of use. */
MUST_USE const char *dkim_key_parse(struct str record, struct dkim_key *ret_key);

/* Appends a record: "v=DKIM1; k=rsa; p=…". `public_key` as it is in p= before base64. */
bool dkim_key_format(enum dkim_key_kind kind, struct str public_key, struct buf *out);

/*
 * Whether `signature` is of this key over `hash` (both algorithms sign the SHA-256 of the header,
 * RFC 8463 §3): NULL, or why not. `*ret_bits`: the size of the key, 0 where it could not be read.
 */
MUST_USE const char *dkim_key_verify(const struct dkim_key *key,
    const uint8_t hash[static DKIM_HASH_LEN], struct str signature, unsigned *ret_bits);

#endif
