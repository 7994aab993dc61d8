#include "seal/cipher.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

/*
 * The one switch: what a build without sealing leaves out, it leaves out here. The compiler drops
 * the other branch.
 */
#ifdef GATEPOST_NO_SEALING
enum { CIPHER_SEALS = 0 };
#else
enum { CIPHER_SEALS = 1 };
#endif

enum { CIPHER_BLOCK_MAX = INT_MAX / 2 };

static EVP_CIPHER *algorithm;
static EVP_CIPHER_CTX *cipher_context;
static bool sodium_ready;

/* Random bytes in store, in memory of its own that a forked child finds full of zeros: none left.
 * NULL where the kernel does not do that. */
struct pool {
	size_t n_left;
	uint8_t bytes[CIPHER_POOL_LEN];
};
static struct pool *pool;

/* What must not fail: it would be our fault or the end of memory. */
static void must(bool held)
{
	if (!held)
		abort();
}

static void make_pool(void)
{
	struct pool *made =
	    mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (made == MAP_FAILED)
		return;
	if (madvise(made, sizeof(*made), MADV_WIPEONFORK) < 0 ||
	    madvise(made, sizeof(*made), MADV_DONTDUMP) < 0)
		munmap(made, sizeof(*made));
	else
		pool = made;
}

void cipher_init(void)
{
	if (!sodium_ready) {
		must(sodium_init() >= 0);
		make_pool();
		sodium_ready = true;
	}
	if (cipher_context != NULL)
		return;
	if (algorithm == NULL)
		algorithm = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	must(algorithm != NULL);
	cipher_context = EVP_CIPHER_CTX_new();
	must(cipher_context != NULL);
	must(EVP_CipherInit_ex2(cipher_context, algorithm, NULL, NULL, 1, NULL) == 1);
}

void cipher_forget(void)
{
	EVP_CIPHER_CTX_free(cipher_context); /* wipes the key schedule */
	cipher_context = NULL;
}

void cipher_random(void *p, size_t len)
{
	cipher_init();
	randombytes_buf(p, len);
}

/* libsodium would ask the kernel for 256 bytes at a time. */
static void fill_pool(void)
{
	size_t n = 0;

	while (n < CIPHER_POOL_LEN) {
		ssize_t got = getrandom(pool->bytes + n, CIPHER_POOL_LEN - n, 0);
		must(got > 0 || (got < 0 && errno == EINTR));
		n += got > 0 ? (size_t)got : 0;
	}
	pool->n_left = CIPHER_POOL_LEN;
}

void cipher_nonce(void *p, size_t len)
{
	cipher_init();
	assert(len <= CIPHER_POOL_NONCE_MAX);
	if (pool == NULL) {
		randombytes_buf(p, len);
		return;
	}
	if (pool->n_left < len)
		fill_pool();
	pool->n_left -= len;
	memcpy(p, pool->bytes + pool->n_left, len);
	sodium_memzero(pool->bytes + pool->n_left, len);
}

/* Key, nonce, additional data and text go through the context; the tag is the caller's. */
static void cipher_run(int encrypt, const uint8_t *key, const uint8_t *nonce, struct str aad,
    struct str text, uint8_t *out)
{
	int done;

	cipher_init();
	assert(text.len <= CIPHER_BLOCK_MAX && aad.len <= CIPHER_BLOCK_MAX);
	must(EVP_CipherInit_ex2(cipher_context, NULL, key, nonce, encrypt, NULL) == 1);
	if (aad.len > 0)
		must(EVP_CipherUpdate(
		         cipher_context, NULL, &done, (const uint8_t *)aad.p, (int)aad.len) == 1);
	if (text.len > 0)
		must(EVP_CipherUpdate(
		         cipher_context, out, &done, (const uint8_t *)text.p, (int)text.len) == 1);
}

void cipher_seal(const uint8_t key[static CIPHER_KEY_LEN],
    const uint8_t nonce[static CIPHER_NONCE_LEN], struct str aad, struct str plain, void *out,
    uint8_t tag[static CIPHER_TAG_LEN])
{
	uint8_t rest[CIPHER_TAG_LEN];
	int n_rest;

	if (!CIPHER_SEALS) {
		if (plain.len > 0)
			memmove(out, plain.p, plain.len);
		memset(tag, 0, CIPHER_TAG_LEN);
		return;
	}
	cipher_run(1, key, nonce, aad, plain, out);
	must(EVP_CipherFinal_ex(cipher_context, rest, &n_rest) == 1 && n_rest == 0);
	must(EVP_CIPHER_CTX_ctrl(cipher_context, EVP_CTRL_AEAD_GET_TAG, CIPHER_TAG_LEN, tag) == 1);
}

bool cipher_open(const uint8_t key[static CIPHER_KEY_LEN],
    const uint8_t nonce[static CIPHER_NONCE_LEN], struct str aad, struct str sealed,
    const uint8_t tag[static CIPHER_TAG_LEN], void *out)
{
	uint8_t expected[CIPHER_TAG_LEN], rest[CIPHER_TAG_LEN];
	int n_rest;

	memcpy(expected, tag, CIPHER_TAG_LEN);
	if (!CIPHER_SEALS) {
		if (sealed.len > 0)
			memmove(out, sealed.p, sealed.len);
		return sodium_is_zero(expected, CIPHER_TAG_LEN);
	}
	cipher_run(0, key, nonce, aad, sealed, out);
	must(EVP_CIPHER_CTX_ctrl(cipher_context, EVP_CTRL_AEAD_SET_TAG, CIPHER_TAG_LEN, expected) ==
	     1);
	if (EVP_CipherFinal_ex(cipher_context, rest, &n_rest) == 1)
		return true;
	cipher_wipe(out, sealed.len);
	return false;
}

/* The sub-key and the short nonce of draft-irtf-cfrg-xchacha-03 §2.3. */
static void cipher_subkey(const uint8_t *key, const uint8_t *xnonce, uint8_t *ret_key,
    uint8_t ret_nonce[static CIPHER_NONCE_LEN])
{
	must(crypto_core_hchacha20(ret_key, xnonce, key, NULL) == 0);
	memset(ret_nonce, 0, 4);
	memcpy(ret_nonce + 4, xnonce + 16, 8);
}

void cipher_xseal(const uint8_t key[static CIPHER_KEY_LEN],
    const uint8_t nonce[static CIPHER_XNONCE_LEN], struct str aad, struct str plain, void *out,
    uint8_t tag[static CIPHER_TAG_LEN])
{
	uint8_t subkey[CIPHER_KEY_LEN] = {0}, short_nonce[CIPHER_NONCE_LEN] = {0};

	if (CIPHER_SEALS)
		cipher_subkey(key, nonce, subkey, short_nonce);
	cipher_seal(subkey, short_nonce, aad, plain, out, tag);
	cipher_wipe(subkey, sizeof(subkey));
}

bool cipher_xopen(const uint8_t key[static CIPHER_KEY_LEN],
    const uint8_t nonce[static CIPHER_XNONCE_LEN], struct str aad, struct str sealed,
    const uint8_t tag[static CIPHER_TAG_LEN], void *out)
{
	uint8_t subkey[CIPHER_KEY_LEN] = {0}, short_nonce[CIPHER_NONCE_LEN] = {0};

	if (CIPHER_SEALS)
		cipher_subkey(key, nonce, subkey, short_nonce);
	bool authentic = cipher_open(subkey, short_nonce, aad, sealed, tag, out);
	cipher_wipe(subkey, sizeof(subkey));
	return authentic;
}

void cipher_pair_new(
    uint8_t ret_private[static CIPHER_KEY_LEN], uint8_t ret_public[static CIPHER_PUBLIC_LEN])
{
	cipher_random(ret_private, CIPHER_KEY_LEN);
	cipher_pair_public(ret_private, ret_public);
}

void cipher_pair_public(
    const uint8_t private_key[static CIPHER_KEY_LEN], uint8_t ret_public[static CIPHER_PUBLIC_LEN])
{
	cipher_init();
	if (CIPHER_SEALS)
		must(crypto_scalarmult_base(ret_public, private_key) == 0);
	else
		memcpy(ret_public, private_key, CIPHER_PUBLIC_LEN);
}

bool cipher_agree(const uint8_t private_key[static CIPHER_KEY_LEN],
    const uint8_t public_key[static CIPHER_PUBLIC_LEN], uint8_t ret_shared[static CIPHER_KEY_LEN])
{
	uint8_t shared[CIPHER_KEY_LEN] = {0};

	cipher_init();
	/* RFC 7748 §6.1: the all-zero result of a low-order point is refused. */
	bool agreed = !CIPHER_SEALS || crypto_scalarmult(shared, private_key, public_key) == 0;
	if (agreed)
		memcpy(ret_shared, shared, CIPHER_KEY_LEN);
	cipher_wipe(shared, sizeof(shared));
	return agreed;
}

void cipher_derive(const uint8_t key[static CIPHER_KEY_LEN], const char *label, struct str context,
    uint8_t ret_key[static CIPHER_KEY_LEN])
{
	static const char prefix[] = "gatepost v1 ";
	crypto_generichash_state state;
	size_t label_len = strlen(label);

	cipher_init();
	assert(label_len <= CIPHER_LABEL_MAX);
	crypto_generichash_init(&state, key, CIPHER_KEY_LEN, CIPHER_KEY_LEN);
	crypto_generichash_update(&state, (const uint8_t *)prefix, sizeof(prefix) - 1);
	crypto_generichash_update(&state, (const uint8_t *)label, label_len + 1);
	if (context.len > 0)
		crypto_generichash_update(&state, (const uint8_t *)context.p, context.len);
	crypto_generichash_final(&state, ret_key, CIPHER_KEY_LEN);
	cipher_wipe(&state, sizeof(state));
}

/* The first half of BLAKE2b-128: libsodium gives no fewer than 16 bytes. */
void cipher_checksum(
    const struct str *parts, size_t n_parts, uint8_t ret_sum[static CIPHER_CHECKSUM_LEN])
{
	uint8_t sum[crypto_generichash_BYTES_MIN];
	crypto_generichash_state state;

	cipher_init();
	crypto_generichash_init(&state, NULL, 0, sizeof(sum));
	for (size_t i = 0; i < n_parts; i++)
		if (parts[i].len > 0)
			crypto_generichash_update(
			    &state, (const uint8_t *)parts[i].p, parts[i].len);
	crypto_generichash_final(&state, sum, sizeof(sum));
	memcpy(ret_sum, sum, CIPHER_CHECKSUM_LEN);
}

bool cipher_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

void cipher_wipe(void *p, size_t len)
{
	if (len > 0)
		sodium_memzero(p, len);
}
