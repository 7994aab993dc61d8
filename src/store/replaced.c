/* What shows that the account's owner, and nobody else, asked for a message to be replaced. */
#include "store/replaced.h"

#include <sodium.h>

#include "base/num.h"

/* Over everything that says which message goes for which. */
static struct secret *proof_of(const struct store *s, const struct metadata *m)
{
	uint8_t context[5 * sizeof(uint64_t)];
	num_put64(context, m->group);
	num_put64(context + 8, m->group_index);
	num_put64(context + 16, m->replaced_mailbox);
	num_put64(context + 24, m->replaced_validity);
	num_put64(context + 32, m->replaced_uid);
	return secret_derive(
	    s->keys.private_key, "replaced message", str_of(context, sizeof(context)));
}

void replaced_prove(
    const struct store *s, struct metadata *m, uint8_t ret_proof[static METADATA_PROOF_LEN])
{
	struct secret *proof CLEANUP(secret_free) = proof_of(s, m);
	memcpy(ret_proof, proof->bytes, METADATA_PROOF_LEN);
	m->replaced_proof = str_of(ret_proof, METADATA_PROOF_LEN);
}

bool replaced_is_proven(const struct store *s, const struct metadata *m)
{
	struct secret *proof CLEANUP(secret_free) = proof_of(s, m);
	return m->replaced_proof.len == METADATA_PROOF_LEN &&
	       sodium_memcmp(m->replaced_proof.p, proof->bytes, METADATA_PROOF_LEN) == 0;
}
