/*
 * store/replaced.h: who asked for a message to be replaced (REPLACE, RFC 8508). Private to
 * src/store.
 *
 * Records are sealed with the account's public key, which delivery has too. Whoever could only add
 * messages must not be able to take some away: a record that says what goes when it comes carries a
 * proof that only the holder of the account's private key can make.
 */
#ifndef STORE_REPLACED_H
#define STORE_REPLACED_H

#include "store/metadata.h"
#include "store/store_private.h"

_Static_assert((int)METADATA_PROOF_LEN == (int)SECRET_LEN, "a proof is a derived secret");

/* Puts the proof for what `m` says into it; its bytes lie in `ret_proof`. */
void replaced_prove(
    const struct store *s, struct metadata *m, uint8_t ret_proof[static METADATA_PROOF_LEN]);

bool replaced_is_proven(const struct store *s, const struct metadata *m);

#endif
