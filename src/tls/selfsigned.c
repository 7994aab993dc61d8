#include "tls/selfsigned.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "tls/keyprovider.h"

enum { SERIAL_LEN = 16, COMMON_NAME_MAX = 64, ONE_DAY = 24 * 3600 };

static bool set_serial(X509 *certificate)
{
	unsigned char bytes[SERIAL_LEN];
	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive and of full length */
	BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	bool is_done =
	    number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
	BN_free(number);
	return is_done;
}

static bool set_subject(X509 *certificate, const char *const *names, size_t n_names)
{
	/* RFC 5280: a common name has at most 64 characters; the names that count are elsewhere */
	const char *name =
	    n_names > 0 && strlen(names[0]) <= COMMON_NAME_MAX ? names[0] : "gatepost";
	X509_NAME *subject = X509_get_subject_name(certificate);
	return X509_NAME_add_entry_by_txt(
	           subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(certificate, subject) == 1;
}

static GENERAL_NAME *general_name(const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];
	bool is_v4 = inet_pton(AF_INET, name, address) == 1;
	bool is_v6 = !is_v4 && inet_pton(AF_INET6, name, address) == 1;
	GENERAL_NAME *general = GENERAL_NAME_new();
	ASN1_STRING *value =
	    ASN1_STRING_type_new(is_v4 || is_v6 ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
	bool is_done = general && value &&
	               ((is_v4 || is_v6) ? ASN1_STRING_set(value, address, is_v4 ? 4 : 16)
	                                 : ASN1_STRING_set(value, name, -1)) == 1;
	if (!is_done) {
		ASN1_STRING_free(value);
		GENERAL_NAME_free(general);
		return NULL;
	}
	GENERAL_NAME_set0_value(general, is_v4 || is_v6 ? GEN_IPADD : GEN_DNS, value);
	return general;
}

static bool add_names(X509 *certificate, const char *const *names, size_t n_names)
{
	if (n_names == 0)
		return true;
	GENERAL_NAMES *all = GENERAL_NAMES_new();
	bool is_done = all != NULL;
	for (size_t i = 0; is_done && i < n_names; i++) {
		GENERAL_NAME *one = general_name(names[i]);
		is_done = one && sk_GENERAL_NAME_push(all, one) > 0;
		if (!is_done)
			GENERAL_NAME_free(one);
	}
	is_done = is_done && X509_add1_ext_i2d(certificate, NID_subject_alt_name, all, 0,
	                         X509V3_ADD_DEFAULT) == 1;
	GENERAL_NAMES_free(all);
	return is_done;
}

static bool add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool is_done = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return is_done;
}

X509 *selfsigned_certificate(EVP_PKEY *key, const char *const *names, size_t n_names)
{
	X509 *certificate = X509_new_ex(keyprovider_context(), KEYPROVIDER_PROPERTIES);
	if (!certificate)
		return NULL;
	bool is_done =
	    X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
	    X509_gmtime_adj(X509_getm_notBefore(certificate), -ONE_DAY) &&
	    X509_gmtime_adj(X509_getm_notAfter(certificate), (long)SELFSIGNED_DAYS * ONE_DAY) &&
	    set_subject(certificate, names, n_names) && X509_set_pubkey(certificate, key) == 1 &&
	    add_names(certificate, names, n_names) &&
	    add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
	    X509_sign(certificate, key, EVP_sha256()) > 0;
	if (!is_done) {
		X509_free(certificate);
		return NULL;
	}
	return certificate;
}

static bool bio_to_buf(BIO *bio, struct buf *out)
{
	char *p;
	long len = BIO_get_mem_data(bio, &p);
	return len > 0 && buf_add(out, str_of(p, (size_t)len));
}

int selfsigned_make(const char *const *names, size_t n_names, struct buf *ret_key_pem,
    struct buf *ret_certificate_pem)
{
	if (n_names == 0 || n_names > SELFSIGNED_NAMES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n_names; i++)
		if (names[i][0] == '\0')
			return -EINVAL;
	OSSL_LIB_CTX *context = keyprovider_context();
	EVP_PKEY *key =
	    context ? EVP_PKEY_Q_keygen(context, KEYPROVIDER_PROPERTIES, "EC", "P-256") : NULL;
	X509 *certificate = key ? selfsigned_certificate(key, names, n_names) : NULL;
	BIO *key_bio = BIO_new(BIO_s_secmem());
	BIO *certificate_bio = BIO_new(BIO_s_mem());
	bool is_done =
	    certificate && key_bio && certificate_bio &&
	    PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
	    PEM_write_bio_X509(certificate_bio, certificate) == 1 &&
	    bio_to_buf(key_bio, ret_key_pem) && bio_to_buf(certificate_bio, ret_certificate_pem);
	BIO_free(key_bio);
	BIO_free(certificate_bio);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return is_done ? 0 : -EIO;
}
