/*
 * mail/arc_seal.h: making an ARC set, all but the private key's part (RFC 8617 §5.1).
 *
 * Three fields, in this order, since each is signed by the next: what was found out about the
 * message (arc_seal_results), the message (arc_seal_message), the chain (arc_seal_chain). The last
 * two are made up to "b=" and completed with dkim_sign_complete. On the message they stand in the
 * other order, the seal on top.
 *
 * For the last two it gives out the very text whose hash is signed. Its last line is the field that
 * holds the signature, and begins with its name: so whoever signs can see that the signature will
 * be one of ARC and never one of DKIM, though both are made with the same keys (arc_seal_is_text).
 *
 * The signature is rsa-sha256, the one algorithm that all who check chains know, and of the relaxed
 * form. It covers what DKIM signatures of ours cover (mail/dkim_sign.h), and the DKIM-Signature
 * fields (§4.1.2).
 *
 * Where the chain failed, the seal covers this set alone (§5.1.2).
 */
#ifndef MAIL_ARC_SEAL_H
#define MAIL_ARC_SEAL_H

#include "mail/arc.h"

enum {
	ARC_SEAL_FIELD_MAX = 2048,
	ARC_RESULTS_MAX = 8192,
	ARC_SIGNATURES_NAMED_MAX = 4, /* DKIM-Signature fields that are covered, from the last up */
};

struct arc_sealer {
	struct str domain, selector; /* A-labels */
	unsigned instance;           /* arc_verdict.next: not 0 */
	uint64_t at;                 /* seconds since 1970: t= */
};

/* The field ARC-Authentication-Results with its CRLF; `results` as mail/auth_results.h makes them:
 * the authserv-id and what follows. False when it does not fit. */
MUST_USE bool arc_seal_results(unsigned instance, struct str results, struct buf *out);

/* ARC-Message-Signature up to "b=" for a message with `header`, and what is signed of it. The body
 * hash is of the relaxed form. */
MUST_USE bool arc_seal_message(const struct arc_sealer *sealer, struct str header,
    const uint8_t body_hash[static DKIM_HASH_LEN], struct buf *field, struct buf *text);

/* ARC-Seal up to "b=", and what is signed of it: `set` has the other two fields of this instance,
 * whole; `status` is what was found of `chain`. */
MUST_USE bool arc_seal_chain(const struct arc_sealer *sealer, const struct arc_chain *chain,
    enum arc_status status, const struct arc_set *set, struct buf *field, struct buf *text);

/* Is this a text whose signature can be nothing but that of ARC-Message-Signature or ARC-Seal, in
 * the relaxed form? */
bool arc_seal_is_text(struct str text);

#endif
