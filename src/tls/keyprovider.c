#include "tls/keyprovider.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "ipc/channel.h"
#include "ipc/messages.h"
#include "tls/typed_form.h"

#define PROVIDER_NAME "gatepost"

enum { KEY_ID_LEN = 32, GROUP_NAME_MAX = 32, RSA_BITS_MAX = 8192 };

static struct {
	OSSL_LIB_CTX *context;
	int channel;
} here = {.channel = -1};

void keyprovider_use_channel(int channel)
{
	here.channel = channel;
}

bool keyprovider_key_id(EVP_PKEY *public_key, unsigned char ret_id[static KEY_ID_LEN])
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(public_key, &der);
	if (len <= 0)
		return false;
	SHA256(der, (size_t)len, ret_id);
	OPENSSL_free(der);
	return true;
}

bool keyprovider_takes(const EVP_PKEY *key)
{
	if (EVP_PKEY_is_a(key, "RSA"))
		return EVP_PKEY_get_bits(key) >= KEYPROVIDER_RSA_BITS_MIN &&
		       EVP_PKEY_get_bits(key) <= RSA_BITS_MAX;
	char group[GROUP_NAME_MAX];
	size_t len;
	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), &len) &&
	       (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0 ||
	           strcmp(group, "secp384r1") == 0 || strcmp(group, "P-384") == 0);
}

/* --- the key: its public half in the default provider, and its name --- */

struct remote_key {
	EVP_PKEY *public_key; /* NULL until imported */
	unsigned char id[KEY_ID_LEN];
	bool is_rsa;
};

static struct remote_key *key_new(bool is_rsa)
{
	struct remote_key *key = calloc(1, sizeof(*key));
	if (key)
		key->is_rsa = is_rsa;
	return key;
}

static void *ec_key_new(void *provider UNUSED)
{
	return key_new(false);
}

static void *rsa_key_new(void *provider UNUSED)
{
	return key_new(true);
}

static void key_free(void *key)
{
	struct remote_key *k = key;
	if (!k)
		return;
	EVP_PKEY_free(k->public_key);
	free(k);
}

static int key_has(const void *key, int selection UNUSED)
{
	/* The private half counts as there: it is, at the keyholder. */
	return ((const struct remote_key *)key)->public_key != NULL;
}

static int key_match(const void *a, const void *b, int selection UNUSED)
{
	return EVP_PKEY_eq(((const struct remote_key *)a)->public_key,
	           ((const struct remote_key *)b)->public_key) == 1;
}

static int key_import(void *key, int selection UNUSED, const OSSL_PARAM params[])
{
	struct remote_key *k = key;
	EVP_PKEY *public_key = NULL;
	EVP_PKEY_CTX *ctx =
	    EVP_PKEY_CTX_new_from_name(here.context, k->is_rsa ? "RSA" : "EC", "provider=default");
	/* EVP_PKEY_fromdata takes the parameters as not const, and does not change them. */
	bool is_done = ctx && EVP_PKEY_fromdata_init(ctx) > 0 &&
	               EVP_PKEY_fromdata(ctx, &public_key, EVP_PKEY_PUBLIC_KEY,
	                   (OSSL_PARAM *)(uintptr_t)params) > 0 &&
	               keyprovider_key_id(public_key, k->id);
	EVP_PKEY_CTX_free(ctx);
	if (!is_done) {
		EVP_PKEY_free(public_key);
		return 0;
	}
	EVP_PKEY_free(k->public_key);
	k->public_key = public_key;
	return 1;
}

static int key_export(void *key, int selection, OSSL_CALLBACK *take, void *take_arg)
{
	struct remote_key *k = key;
	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) || !k->public_key)
		return 0;
	return EVP_PKEY_export(k->public_key, selection, take, take_arg);
}

static const OSSL_PARAM *ec_key_types(int selection UNUSED)
{
	static const OSSL_PARAM types[] = {
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
	    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0), OSSL_PARAM_END};
	return types;
}

static const OSSL_PARAM *rsa_key_types(int selection UNUSED)
{
	static const OSSL_PARAM types[] = {OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
	    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0), OSSL_PARAM_END};
	return types;
}

static int key_get_params(void *key, OSSL_PARAM params[])
{
	struct remote_key *k = key;
	return k->public_key && EVP_PKEY_get_params(k->public_key, params);
}

static const OSSL_PARAM *key_gettable_params(void *provider UNUSED)
{
	static const OSSL_PARAM gettable[] = {OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
	    OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
	    OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
	    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0), OSSL_PARAM_END};
	return gettable;
}

static const char *ec_signature_name(int operation UNUSED)
{
	return "ECDSA";
}

static const char *rsa_signature_name(int operation UNUSED)
{
	return "RSA";
}

/* --- the signature: a question to the keyholder --- */

struct remote_signature {
	const struct remote_key *key; /* borrowed from the EVP_PKEY, which outlives the context */
	uint8_t hash;
	bool is_pss;
};

static void *signature_new(void *provider UNUSED, const char *properties UNUSED)
{
	return calloc(1, sizeof(struct remote_signature));
}

static void signature_free(void *signature)
{
	free(signature);
}

static bool hash_of_name(const char *name, uint8_t *ret_hash)
{
	static const char *const names[][2] = {
	    {"SHA256", "SHA2-256"}, {"SHA384", "SHA2-384"}, {"SHA512", "SHA2-512"}};
	for (size_t i = 0; name && i < ARRAY_LEN(names); i++) {
		if (OPENSSL_strcasecmp(name, names[i][0]) == 0 ||
		    OPENSSL_strcasecmp(name, names[i][1]) == 0) {
			*ret_hash = (uint8_t)i;
			return true;
		}
	}
	return false;
}

static int signature_set_params(void *signature, const OSSL_PARAM params[])
{
	struct remote_signature *s = signature;
	const OSSL_PARAM *pad =
	    params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE) : NULL;
	if (!pad)
		return 1; /* the length of the salt is always the hash's */
	int mode = 0;
	if (pad->data_type == OSSL_PARAM_UTF8_STRING) {
		struct str text = str_of(pad->data, strnlen(pad->data, pad->data_size));
		mode = str_eq(text, STR(OSSL_PKEY_RSA_PAD_MODE_PSS))       ? RSA_PKCS1_PSS_PADDING
		       : str_eq(text, STR(OSSL_PKEY_RSA_PAD_MODE_PKCSV15)) ? RSA_PKCS1_PADDING
		                                                           : 0;
	} else if (!OSSL_PARAM_get_int(pad, &mode)) {
		return 0;
	}
	if (mode != RSA_PKCS1_PSS_PADDING && mode != RSA_PKCS1_PADDING)
		return 0;
	s->is_pss = mode == RSA_PKCS1_PSS_PADDING;
	return 1;
}

static const OSSL_PARAM *signature_settable_params(void *signature UNUSED, void *provider UNUSED)
{
	static const OSSL_PARAM settable[] = {
	    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0), OSSL_PARAM_END};
	return settable;
}

static int signature_init(void *signature, const char *hash, void *key, const OSSL_PARAM params[])
{
	struct remote_signature *s = signature;
	if (!hash_of_name(hash, &s->hash))
		return 0;
	if (key)
		s->key = key;
	s->is_pss = false;
	return s->key && s->key->public_key && signature_set_params(s, params);
}

static int ask_keyholder(const struct remote_signature *s, struct str content, unsigned char *to,
    size_t max, size_t *ret_len)
{
	bool is_tls13 = typed_form_is_tls13(content);
	if (here.channel < 0 || (!is_tls13 && !typed_form_is_tls12(content)))
		return 0;
	struct ipc_sign request = {
	    .scheme = is_tls13 ? SIGN_TLS13 : SIGN_TLS12,
	    .hash = s->hash,
	    .pss = s->is_pss,
	    .key = str_of(s->key->id, KEY_ID_LEN),
	    .input = content,
	};
	struct ipc_received answer;
	if (ipc_call(here.channel, IPC_SIGN, &request, IPC_SIGNED, KEYPROVIDER_TIMEOUT_MS, &answer))
		return 0;
	const struct ipc_signed *made = answer.msg;
	int is_done = made->ok && made->signature.len <= max;
	if (is_done) {
		memcpy(to, made->signature.p, made->signature.len);
		*ret_len = made->signature.len;
	}
	ipc_received_done(&answer);
	return is_done;
}

static int signature_digest_sign(void *signature, unsigned char *to, size_t *len, size_t max,
    const unsigned char *content, size_t content_len)
{
	struct remote_signature *s = signature;
	if (!to) { /* libssl asks for the size first */
		*len = (size_t)EVP_PKEY_get_size(s->key->public_key);
		return 1;
	}
	return ask_keyholder(s, str_of(content, content_len), to, max, len);
}

/* --- the provider's tables --- */

#define ENTRY(id, fn)                                                                              \
	{                                                                                          \
		id, (void (*)(void))(fn)                                                           \
	}

#define KEY_ENTRIES                                                                                \
	ENTRY(OSSL_FUNC_KEYMGMT_FREE, key_free), ENTRY(OSSL_FUNC_KEYMGMT_HAS, key_has),            \
	    ENTRY(OSSL_FUNC_KEYMGMT_MATCH, key_match),                                             \
	    ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                                           \
	    ENTRY(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                                           \
	    ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                                   \
	    ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable_params)

static const OSSL_DISPATCH ec_key_functions[] = {
    ENTRY(OSSL_FUNC_KEYMGMT_NEW, ec_key_new),
    KEY_ENTRIES,
    ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, ec_key_types),
    ENTRY(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, ec_key_types),
    ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_signature_name),
    {0, NULL},
};

static const OSSL_DISPATCH rsa_key_functions[] = {
    ENTRY(OSSL_FUNC_KEYMGMT_NEW, rsa_key_new),
    KEY_ENTRIES,
    ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, rsa_key_types),
    ENTRY(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, rsa_key_types),
    ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, rsa_signature_name),
    {0, NULL},
};

static const OSSL_DISPATCH signature_functions[] = {
    ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, signature_new),
    ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, signature_free),
    ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signature_init),
    ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signature_digest_sign),
    ENTRY(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signature_set_params),
    ENTRY(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signature_settable_params),
    {0, NULL},
};

#define PROPERTIES "provider=" PROVIDER_NAME

static const OSSL_ALGORITHM *provider_query(void *provider UNUSED, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM keys[] = {
	    {"EC:id-ecPublicKey", PROPERTIES, ec_key_functions, "EC key at the keyholder"},
	    {"RSA:rsaEncryption", PROPERTIES, rsa_key_functions, "RSA key at the keyholder"},
	    {NULL, NULL, NULL, NULL}};
	static const OSSL_ALGORITHM signatures[] = {
	    {"ECDSA", PROPERTIES, signature_functions, "ECDSA by the keyholder"},
	    {"RSA:rsaEncryption", PROPERTIES, signature_functions, "RSA by the keyholder"},
	    {NULL, NULL, NULL, NULL}};
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT     ? keys
	       : operation == OSSL_OP_SIGNATURE ? signatures
	                                        : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core UNUSED,
    const OSSL_DISPATCH **ret_functions, void **ret_provider)
{
	static const OSSL_DISPATCH functions[] = {
	    ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query),
	    {0, NULL},
	};
	*ret_functions = functions;
	*ret_provider = (void *)(uintptr_t)handle;
	return 1;
}

OSSL_LIB_CTX *keyprovider_context(void)
{
	if (here.context)
		return here.context;
	/* No configuration file: what is read from /etc must not change what we do. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL);
	OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
	if (!context)
		return NULL;
	if (!OSSL_PROVIDER_load(context, "default") ||
	    !OSSL_PROVIDER_add_builtin(context, PROVIDER_NAME, provider_init) ||
	    !OSSL_PROVIDER_load(context, PROVIDER_NAME)) {
		OSSL_LIB_CTX_free(context);
		return NULL;
	}
	here.context = context;
	return context;
}

EVP_PKEY *keyprovider_key(EVP_PKEY *public_key)
{
	OSSL_LIB_CTX *context = keyprovider_context();
	if (!context || !keyprovider_takes(public_key))
		return NULL;
	OSSL_PARAM *params = NULL;
	if (EVP_PKEY_todata(public_key, EVP_PKEY_PUBLIC_KEY, &params) <= 0)
		return NULL;
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(
	    context, EVP_PKEY_is_a(public_key, "RSA") ? "RSA" : "EC", PROPERTIES);
	bool is_done = ctx && EVP_PKEY_fromdata_init(ctx) > 0 &&
	               EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) > 0;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return is_done ? key : NULL;
}
