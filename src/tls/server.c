#include "tls/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/fd.h"
#include "tls/connection.h"
#include "tls/keyprovider.h"
#include "tls/warm_up.h"

enum { CHAIN_FILE_MAX = 256 * 1024, KEY_ID_LEN = 32 };

struct tls_server {
	SSL_CTX *ctx;
	unsigned char key_id[KEY_ID_LEN];
};

/* --- the context --- */

static bool set_policy(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
	                             SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
	                             SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
	       SSL_CTX_set_num_tickets(ctx, 0) && SSL_CTX_set_max_early_data(ctx, 0) &&
	       SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
	                                     "TLS_CHACHA20_POLY1305_SHA256") &&
	       SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:!PSK:!SRP") &&
	       SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") &&
	       SSL_CTX_set1_sigalgs_list(ctx,
	           "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:rsa_pss_rsae_sha256:"
	           "rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512");
}

static X509 *next_certificate(BIO *bio, OSSL_LIB_CTX *context)
{
	X509 *certificate = X509_new_ex(context, KEYPROVIDER_PROPERTIES);
	if (certificate && !PEM_read_bio_X509(bio, &certificate, NULL, NULL)) {
		X509_free(certificate); /* NULL where the reader has freed it */
		return NULL;
	}
	return certificate;
}

static const char *use_first(struct tls_server *server, X509 *first)
{
	EVP_PKEY *public_key = X509_get0_pubkey(first);
	if (!public_key || !keyprovider_takes(public_key))
		return "the certificate's key is neither EC P-256, EC P-384 nor RSA of 2048 bits";
	if (!keyprovider_key_id(public_key, server->key_id))
		return "out of memory";
	EVP_PKEY *key = keyprovider_key(public_key);
	bool is_done = key && SSL_CTX_use_certificate(server->ctx, first) == 1 &&
	               SSL_CTX_use_PrivateKey(server->ctx, key) == 1;
	EVP_PKEY_free(key);
	return is_done ? NULL : "the certificate cannot be used";
}

static const char *use_chain(struct tls_server *server, struct str pem)
{
	if (pem.len > CHAIN_FILE_MAX)
		return "the certificate file is too large";
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	if (!bio)
		return "out of memory";
	const char *problem = "no certificate in PEM form";
	size_t n = 0;
	X509 *certificate;
	while ((certificate = next_certificate(bio, keyprovider_context()))) {
		problem = n >= TLS_CHAIN_MAX ? "too many certificates in the chain"
		          : n == 0           ? use_first(server, certificate)
		          : SSL_CTX_add1_chain_cert(server->ctx, certificate) == 1
		              ? NULL
		              : "a certificate of the chain cannot be used";
		X509_free(certificate);
		if (problem)
			break;
		n++;
	}
	BIO_free(bio);
	return problem;
}

int tls_server_new(struct str certificate, char *ret_reason, struct tls_server **ret_server)
{
	const char *problem = "OpenSSL cannot be set up";
	struct tls_server *server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	/* A peer that is gone is an error of write(2), not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
	OSSL_LIB_CTX *context = keyprovider_context();
	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL);
	if (context && tls_warm_up(context))
		server->ctx = SSL_CTX_new_ex(context, KEYPROVIDER_PROPERTIES, TLS_server_method());
	if (server->ctx && set_policy(server->ctx))
		problem = use_chain(server, certificate);
	ERR_clear_error();
	if (!problem) {
		*ret_server = server;
		return 0;
	}
	if (ret_reason)
		snprintf(ret_reason, TLS_ERROR_MAX, "%s", problem);
	tls_server_free(server);
	return -EINVAL;
}

void tls_server_free(struct tls_server *server)
{
	if (!server)
		return;
	SSL_CTX_free(server->ctx);
	free(server);
}

void tls_server_release(struct tls_server **server)
{
	tls_server_free(*server);
	*server = NULL;
}

void tls_server_key_id(const struct tls_server *server, unsigned char ret_id[static KEY_ID_LEN])
{
	memcpy(ret_id, server->key_id, KEY_ID_LEN);
}

void tls_use_keyholder(int channel)
{
	keyprovider_use_channel(channel);
}

/* --- the handshake --- */

int tls_accept(struct tls_server *server, int socket, uint64_t deadline,
    struct tls_connection **ret_connection)
{
	int error = fd_set_nonblocking(socket, true);
	if (error)
		return error;
	struct tls_connection *c CLEANUP(tls_release) = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->socket = socket;
	c->ssl = SSL_new(server->ctx);
	if (!c->ssl || SSL_set_fd(c->ssl, socket) != 1)
		return -ENOMEM;
	error = tls_shake_hands(c, SSL_accept, deadline);
	if (error)
		return error;
	*ret_connection = c;
	c = NULL;
	return 0;
}
