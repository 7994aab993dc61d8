#include "keyholder/dkim_keys.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "seal/key_file.h"

enum {
	SECURE_HEAP_LEN = 8 << 20,
	SECURE_LEAST = 32,
	ED25519_LEN = 32,
	PRIVATE_LEN_MAX = 2048,
	BUCKETS = 4096,
	FORMAT_VERSION = 1,
	/* version · flags · nonce · tag · what is sealed */
	AT_NONCE = 2,
	AT_TAG = AT_NONCE + CIPHER_XNONCE_LEN,
	AT_SEALED = AT_TAG + CIPHER_TAG_LEN,
	NAME_MAX_LEN = DNS_NAME_MAX + DKIM_SELECTOR_MAX + 2,
};

static const char wrapping_label[] = "dkim key";

struct held {
	struct held *next;
	EVP_PKEY *key;
	EVP_PKEY_CTX *rsa; /* ready to sign; NULL: Ed25519 */
	uint8_t algorithm;
	size_t name_len;
	char name[]; /* domain NUL selector */
};

struct dkim_keys {
	struct secret *wrapping;
	struct held *buckets[BUCKETS];
	size_t n;
};

bool dkim_keys_init_memory(void)
{
	cipher_init();
	OPENSSL_init_crypto(
	    OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS,
	    NULL);
	/* Fetches what signing needs, so that nothing is looked for later. */
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	EVP_PKEY_free(key);
	return CRYPTO_secure_malloc_initialized() == 1 ||
	       CRYPTO_secure_malloc_init(SECURE_HEAP_LEN, SECURE_LEAST) == 1;
}

/* --- the key that wraps --- */

int dkim_keys_read_key(int data_fd, struct secret **ret_key)
{
	int r = dkim_keys_check_key(data_fd);

	if (r == -ENOENT)
		r = key_file_make(data_fd, DKIM_KEYS_FILE);
	return r == 0 ? key_file_read(data_fd, DKIM_KEYS_FILE, false, ret_key) : r;
}

int dkim_keys_check_key(int data_fd)
{
	struct secret *key CLEANUP(secret_free) = NULL;

	return key_file_read(data_fd, DKIM_KEYS_FILE, false, &key);
}

struct dkim_keys *dkim_keys_new(const struct secret *key)
{
	struct dkim_keys *k = calloc(1, sizeof(*k));

	assert(k != NULL);
	k->wrapping = secret_derive(key, wrapping_label, STR(""));
	return k;
}

static void held_free(struct held *h)
{
	EVP_PKEY_CTX_free(h->rsa);
	EVP_PKEY_free(h->key);
	free(h);
}

void dkim_keys_free(struct dkim_keys *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (k->buckets[i] != NULL) {
			struct held *h = k->buckets[i];
			k->buckets[i] = h->next;
			held_free(h);
		}
	secret_free(&k->wrapping);
	free(k);
}

/* --- finding --- */

/* "domain NUL selector"; false for names that are none. */
static bool make_name(struct str domain, struct str selector, struct buf *out)
{
	bool is_one = domain.len > 0 && selector.len > 0 && str_index(domain, '\0') == domain.len &&
	              str_index(selector, '\0') == selector.len;

	buf_add(out, domain);
	buf_add_c(out, '\0');
	buf_add(out, selector);
	return is_one && !buf_failed(out);
}

static struct held **bucket_of(const struct dkim_keys *k, struct str name)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < name.len; i++)
		h = (h ^ (unsigned char)name.p[i]) * 1099511628211u;
	return (struct held **)(uintptr_t)&k->buckets[(h ^ h >> 32) % BUCKETS];
}

static struct held **place_of(const struct dkim_keys *k, struct str name)
{
	struct held **at = bucket_of(k, name);

	while (*at != NULL && !str_eq(str_of((*at)->name, (*at)->name_len), name))
		at = &(*at)->next;
	return at;
}

static void forget(struct dkim_keys *k, struct str name)
{
	struct held **at = place_of(k, name);
	struct held *h = *at;

	if (h == NULL)
		return;
	*at = h->next;
	k->n--;
	held_free(h);
}

/* What OpenSSL looks up for a signature it looks up here, once. NULL: the library fails. */
static EVP_PKEY_CTX *prepare_rsa(EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);

	if (ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

/* Takes `key`. */
static void hold(struct dkim_keys *k, struct str name, uint8_t algorithm, EVP_PKEY *key)
{
	struct held **bucket = bucket_of(k, name);
	struct held *h = malloc(sizeof(*h) + name.len);

	assert(h != NULL);
	forget(k, name);
	*h = (struct held){.next = *bucket,
	    .key = key,
	    .algorithm = algorithm,
	    .name_len = name.len,
	    .rsa = algorithm == DKIM_RSA_SHA256 ? prepare_rsa(key) : NULL};
	memcpy(h->name, name.p, name.len);
	*bucket = h;
	k->n++;
}

void dkim_keys_forget(struct dkim_keys *k, struct str domain, struct str selector)
{
	struct buf name CLEANUP(buf_done) = BUF_MAX(NAME_MAX_LEN);

	if (make_name(domain, selector, &name))
		forget(k, buf_str(&name));
}

size_t dkim_keys_count(const struct dkim_keys *k)
{
	return k->n;
}

/* --- wrapping --- */

static void make_aad(struct str name, uint8_t algorithm, struct buf *out)
{
	buf_add_c(out, (char)algorithm);
	buf_add(out, name);
}

static void wrap(const struct dkim_keys *k, struct str name, uint8_t algorithm, struct str plain,
    struct buf *ret_sealed)
{
	struct buf aad CLEANUP(buf_done) = BUF_MAX(NAME_MAX_LEN + 1);
	char *to = buf_reserve(ret_sealed, AT_SEALED + plain.len);

	assert(to != NULL);
	make_aad(name, algorithm, &aad);
	to[0] = FORMAT_VERSION;
	to[1] = CIPHER_FORMAT_FLAGS;
	cipher_random(to + AT_NONCE, CIPHER_XNONCE_LEN);
	cipher_xseal(k->wrapping->bytes, (uint8_t *)to + AT_NONCE, buf_str(&aad), plain,
	    to + AT_SEALED, (uint8_t *)to + AT_TAG);
	buf_commit(ret_sealed, AT_SEALED + plain.len);
}

/* How long what was wrapped is, or -EBADMSG. */
static int unwrap(const struct dkim_keys *k, struct str name, uint8_t algorithm, struct str sealed,
    uint8_t ret_plain[static PRIVATE_LEN_MAX])
{
	struct buf aad CLEANUP(buf_done) = BUF_MAX(NAME_MAX_LEN + 1);
	struct str content = str_from(sealed, AT_SEALED);

	if (sealed.len <= AT_SEALED || content.len > PRIVATE_LEN_MAX ||
	    sealed.p[0] != FORMAT_VERSION || sealed.p[1] != CIPHER_FORMAT_FLAGS)
		return -EBADMSG;
	make_aad(name, algorithm, &aad);
	if (!cipher_xopen(k->wrapping->bytes, (const uint8_t *)sealed.p + AT_NONCE, buf_str(&aad),
	        content, (const uint8_t *)sealed.p + AT_TAG, ret_plain))
		return -EBADMSG;
	return (int)content.len;
}

/* --- making and taking --- */

static EVP_PKEY *generate(uint8_t algorithm)
{
	if (algorithm == DKIM_ED25519_SHA256)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return EVP_RSA_gen(DKIM_KEYS_RSA_BITS);
}

/* The private half: DER of RSA (RFC 8017 A.1.2), or the 32 bytes. Its length, or -EIO. */
static int write_private(
    EVP_PKEY *key, uint8_t algorithm, uint8_t ret_plain[static PRIVATE_LEN_MAX])
{
	size_t len = PRIVATE_LEN_MAX;
	unsigned char *p = ret_plain;

	if (algorithm == DKIM_ED25519_SHA256)
		return EVP_PKEY_get_raw_private_key(key, ret_plain, &len) == 1 ? (int)len : -EIO;
	int needed = i2d_PrivateKey(key, NULL);
	if (needed <= 0 || needed > PRIVATE_LEN_MAX)
		return -EIO;
	return i2d_PrivateKey(key, &p) == needed ? needed : -EIO;
}

static int write_public(EVP_PKEY *key, uint8_t algorithm, struct buf *out)
{
	unsigned char raw[ED25519_LEN], *der = NULL;
	size_t len = sizeof(raw);

	if (algorithm == DKIM_ED25519_SHA256) {
		if (EVP_PKEY_get_raw_public_key(key, raw, &len) != 1)
			return -EIO;
		return buf_add(out, str_of(raw, len)) ? 0 : -EIO;
	}
	int der_len = i2d_PUBKEY(key, &der);
	bool ok = der_len > 0 && buf_add(out, str_of(der, (size_t)der_len));
	OPENSSL_free(der);
	return ok ? 0 : -EIO;
}

static EVP_PKEY *read_private(uint8_t algorithm, const uint8_t *plain, size_t len)
{
	const unsigned char *p = plain;

	if (algorithm == DKIM_ED25519_SHA256)
		return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, plain, len);
	return d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, (long)len);
}

int dkim_keys_make(struct dkim_keys *k, const struct ipc_dkim_make *make, struct buf *ret_public,
    struct buf *ret_sealed)
{
	struct buf name CLEANUP(buf_done) = BUF_MAX(NAME_MAX_LEN);
	uint8_t plain[PRIVATE_LEN_MAX];

	if (make->algorithm >= N_DKIM_ALGORITHMS || !make_name(make->domain, make->selector, &name))
		return -EINVAL;
	if (k->n >= DKIM_KEYS_MAX && *place_of(k, buf_str(&name)) == NULL)
		return -ENOSPC;
	EVP_PKEY *key = generate(make->algorithm);
	int len = key != NULL ? write_private(key, make->algorithm, plain) : -EIO;
	if (len < 0 || write_public(key, make->algorithm, ret_public) < 0) {
		EVP_PKEY_free(key);
		cipher_wipe(plain, sizeof(plain));
		return -EIO;
	}
	wrap(k, buf_str(&name), make->algorithm, str_of(plain, (size_t)len), ret_sealed);
	cipher_wipe(plain, sizeof(plain));
	hold(k, buf_str(&name), make->algorithm, key);
	return 0;
}

int dkim_keys_take(struct dkim_keys *k, const struct ipc_dkim_key *m)
{
	struct buf name CLEANUP(buf_done) = BUF_MAX(NAME_MAX_LEN);
	uint8_t plain[PRIVATE_LEN_MAX];

	if (m->algorithm >= N_DKIM_ALGORITHMS || !make_name(m->domain, m->selector, &name))
		return -EBADMSG;
	if (k->n >= DKIM_KEYS_MAX && *place_of(k, buf_str(&name)) == NULL)
		return -ENOSPC;
	int len = unwrap(k, buf_str(&name), m->algorithm, m->sealed, plain);
	if (len < 0)
		return len;
	EVP_PKEY *key = read_private(m->algorithm, plain, (size_t)len);
	cipher_wipe(plain, sizeof(plain));
	if (key == NULL)
		return -EBADMSG;
	hold(k, buf_str(&name), m->algorithm, key);
	return 0;
}

/* --- signing --- */

static bool sign_rsa(EVP_PKEY_CTX *ctx, struct str hash, unsigned char *signature, size_t *len)
{
	return ctx != NULL &&
	       EVP_PKEY_sign(ctx, signature, len, (const unsigned char *)hash.p, hash.len) == 1;
}

static bool sign_ed25519(EVP_PKEY *key, struct str hash, unsigned char *signature, size_t *len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	          EVP_DigestSign(ctx, signature, len, (const unsigned char *)hash.p, hash.len) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

int dkim_keys_sign(const struct dkim_keys *k, const struct ipc_dkim_sign *what,
    unsigned char ret_signature[static DKIM_KEYS_SIGNATURE_MAX], size_t *ret_len)
{
	struct buf name CLEANUP(buf_done) = BUF_MAX(NAME_MAX_LEN);
	size_t len = DKIM_KEYS_SIGNATURE_MAX;

	if (what->hash.len != OUTGOING_SHA256_LEN)
		return -EPERM;
	if (!make_name(what->domain, what->selector, &name))
		return -ENOENT;
	const struct held *h = *place_of(k, buf_str(&name));
	if (h == NULL)
		return -ENOENT;
	bool ok = h->algorithm == DKIM_RSA_SHA256
	              ? sign_rsa(h->rsa, what->hash, ret_signature, &len)
	              : sign_ed25519(h->key, what->hash, ret_signature, &len);
	if (!ok)
		return -EIO;
	*ret_len = len;
	return 0;
}
