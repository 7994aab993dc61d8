/* tls/test_certificates.h: an authority and certificates of its making, for tests alone. */
#ifndef TLS_TEST_CERTIFICATES_H
#define TLS_TEST_CERTIFICATES_H

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/attr.h"
#include "base/buf.h"

struct test_certificate {
	EVP_PKEY *key;
	X509 *certificate;
	X509 *issuer; /* goes into the chain that is shown; NULL: none */
};

static inline void test_add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (extension == NULL || X509_add_ext(certificate, extension, -1) != 1)
		abort();
	X509_EXTENSION_free(extension);
}

/* Valid from a day ago for so many days (negative: it is over); by `issuer`, or by itself. An
 * authority where `host` is NULL. */
static inline struct test_certificate test_certificate_make(
    const struct test_certificate *issuer, const char *host, int days)
{
	static long serial = 1;
	struct test_certificate t = {.key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"),
	    .certificate = X509_new(),
	    .issuer = issuer != NULL ? issuer->certificate : NULL};
	const char *name = host != NULL ? host : "Test authority";
	char names[300];

	if (t.key == NULL || t.certificate == NULL)
		abort();
	X509_set_version(t.certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(t.certificate), serial++);
	X509_gmtime_adj(X509_getm_notBefore(t.certificate), -3L * 86400);
	X509_gmtime_adj(X509_getm_notAfter(t.certificate), (long)days * 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(t.certificate), "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	X509 *by = issuer != NULL ? issuer->certificate : t.certificate;
	X509_set_issuer_name(t.certificate, X509_get_subject_name(by));
	X509_set_pubkey(t.certificate, t.key);
	if (host != NULL) {
		snprintf(names, sizeof(names), "DNS:%s", host);
		test_add_extension(t.certificate, by, NID_subject_alt_name, names);
	}
	test_add_extension(
	    t.certificate, by, NID_basic_constraints, host == NULL ? "CA:TRUE" : "CA:FALSE");
	test_add_extension(t.certificate, by, NID_subject_key_identifier, "hash");
	if (X509_sign(t.certificate, issuer != NULL ? issuer->key : t.key, EVP_sha256()) == 0)
		abort();
	return t;
}

static inline void test_certificate_done(struct test_certificate *t)
{
	EVP_PKEY_free(t->key);
	X509_free(t->certificate);
}

static inline void test_certificate_pem(const struct test_certificate *t, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;

	if (bio == NULL || PEM_write_bio_X509(bio, t->certificate) != 1)
		abort();
	long len = BIO_get_mem_data(bio, &p);
	buf_add(out, str_of(p, (size_t)len));
	BIO_free(bio);
}

/* SHA-256 of the public key (selector 1, matching 1 of a TLSA record). */
static inline void test_certificate_key_hash(
    const struct test_certificate *t, unsigned char ret_hash[static 32])
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(t->certificate), &der);

	if (len <= 0 || EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t)len, ret_hash, NULL) != 1)
		abort();
	OPENSSL_free(der);
}

/* The server's side of a handshake, blocking; NULL when it failed. `version`: the only one, or 0.
 */
static inline SSL *test_certificate_serve(const struct test_certificate *t, int socket, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL || SSL_CTX_use_certificate(ctx, t->certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, t->key) != 1 ||
	    (t->issuer != NULL && SSL_CTX_add1_chain_cert(ctx, t->issuer) != 1))
		abort();
	if (version != 0) {
		SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
		SSL_CTX_set_min_proto_version(ctx, version);
		SSL_CTX_set_max_proto_version(ctx, version);
	}
	SSL *ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	if (ssl == NULL || SSL_set_fd(ssl, socket) != 1)
		abort();
	if (SSL_accept(ssl) == 1)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

#endif
