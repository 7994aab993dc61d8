/*
 * tls/signer.h: the private keys and the one thing that is done with them: the keyholder's heart,
 * without its process.
 *
 * It signs what typed_form.h knows, with a key named by its public half, and refuses everything
 * else. It hands no key out.
 *
 * Limits: SIGNER_KEYS_MAX keys; EC P-256, EC P-384, RSA of 2048 to 8192 bits.
 */
#ifndef TLS_SIGNER_H
#define TLS_SIGNER_H

#include "base/attr.h"
#include "base/str.h"
#include "ipc/messages.h"

enum { SIGNER_KEYS_MAX = 16, SIGNER_SIGNATURE_LEN_MAX = 1024, SIGNER_KEY_FILE_MAX = 65536 };

struct signer;

MUST_USE int signer_new(struct signer **ret_signer);
void signer_free(struct signer *signer);

/* Adds the private key in `pem` (not encrypted). -EINVAL for no such key, -ENOSPC for too many. */
MUST_USE int signer_add(struct signer *signer, struct str pem);

size_t signer_n_keys(const struct signer *signer);

/*
 * The signature that `request` asks for. -ENOENT for a key that is not here, -EPERM for content
 * that is not of its form or parameters that do not fit the key, -EIO when the library fails.
 */
MUST_USE int signer_sign(struct signer *signer, const struct ipc_sign *request,
    unsigned char ret_signature[static SIGNER_SIGNATURE_LEN_MAX], size_t *ret_len);

#endif
