#include "tls/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "tls/keyprovider.h"
#include "tls/warm_up.h"

enum { CHAIN_FILE_MAX = 256 * 1024, KEY_ID_LEN = 32 };

struct tls_server {
	SSL_CTX *ctx;
	unsigned char key_id[KEY_ID_LEN];
};

struct tls_connection {
	SSL *ssl;
	int socket; /* borrowed */
	bool is_broken;
};

static char last_error[TLS_ERROR_MAX];

const char *tls_error(void)
{
	return last_error;
}

static void remember_error(const char *what)
{
	unsigned long code = ERR_peek_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	snprintf(last_error, sizeof(last_error), "%s", reason ? reason : what);
}

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

/* --- one connection --- */

/* Waits until the socket is ready for `events`; the peer's hanging up counts as ready. */
static int wait_for(int socket, short events, uint64_t deadline)
{
	for (;;) {
		uint64_t now = clock_ms();
		if (now >= deadline)
			return deadline == 0 ? -EAGAIN : -ETIMEDOUT;
		struct pollfd p = {.fd = socket, .events = events};
		int n = poll(&p, 1, (int)num_min(deadline - now, INT32_MAX));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int failure_of_protocol(void)
{
	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return -ECONNRESET;
	return -EPROTO;
}

/*
 * After an SSL_ function returned `result` <= 0: 0 when it may be called again now, 1 at the
 * orderly end of the stream, else -errno.
 */
static int after(struct tls_connection *c, int result, uint64_t deadline)
{
	int saved_errno = errno;
	int error;
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(c->socket, POLLIN, deadline);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(c->socket, POLLOUT, deadline);
	case SSL_ERROR_ZERO_RETURN:
		return 1;
	case SSL_ERROR_SYSCALL:
		remember_error("connection lost");
		error = saved_errno ? -saved_errno : -ECONNRESET;
		break;
	default:
		remember_error("protocol error");
		error = failure_of_protocol();
		break;
	}
	c->is_broken = true;
	ERR_clear_error();
	return error;
}

static void before(void)
{
	ERR_clear_error();
	errno = 0;
}

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
	for (;;) {
		before();
		int result = SSL_accept(c->ssl);
		if (result == 1)
			break;
		error = after(c, result, deadline);
		if (error)
			return error < 0 ? error : -ECONNRESET;
	}
	*ret_connection = c;
	c = NULL;
	return 0;
}

void tls_free(struct tls_connection *connection)
{
	if (!connection)
		return;
	SSL_free(connection->ssl);
	free(connection);
}

void tls_release(struct tls_connection **connection)
{
	tls_free(*connection);
	*connection = NULL;
}

ssize_t tls_read(struct tls_connection *c, void *p, size_t len, uint64_t deadline)
{
	if (c->is_broken)
		return -ECONNRESET;
	for (;;) {
		before();
		size_t n;
		int result = SSL_read_ex(c->ssl, p, len, &n);
		if (result == 1)
			return (ssize_t)n;
		int error = after(c, result, deadline);
		if (error)
			return error < 0 ? error : 0;
	}
}

int tls_write(struct tls_connection *c, struct str s, uint64_t deadline)
{
	if (c->is_broken)
		return -EPIPE;
	while (s.len > 0) {
		before();
		size_t n;
		int result = SSL_write_ex(c->ssl, s.p, s.len, &n);
		if (result == 1) {
			s = str_from(s, n);
			continue;
		}
		int error = after(c, result, deadline);
		if (error) {
			/* half a record may be out: nothing can follow it */
			c->is_broken = true;
			return error < 0 ? error : -EPIPE;
		}
	}
	return 0;
}

bool tls_has_pending(const struct tls_connection *connection)
{
	return SSL_has_pending(connection->ssl) == 1;
}

void tls_shutdown(struct tls_connection *c, uint64_t deadline)
{
	if (c->is_broken)
		return;
	for (;;) {
		before();
		int result = SSL_shutdown(c->ssl);
		if (result >= 0 || after(c, result, deadline))
			return;
	}
}

const char *tls_version(const struct tls_connection *connection)
{
	return SSL_get_version(connection->ssl);
}

const char *tls_cipher(const struct tls_connection *connection)
{
	return SSL_get_cipher_name(connection->ssl);
}
