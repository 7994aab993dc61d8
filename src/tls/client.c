#include "tls/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/fd.h"
#include "tls/connection.h"
#include "tls/warm_up.h"

enum { DEPTH_MAX = 10 };
/* RFC 7218 §2.1 */
enum { USAGE_DANE_TA = 2, USAGE_DANE_EE = 3 };

struct tls_client {
	SSL_CTX *strict, *lenient;
};

/* --- the contexts --- */

/* Text without any certificate is none; what is no certificate between others is an error. */
static const char *load_roots(SSL_CTX *ctx, struct str pem)
{
	if (pem.len > TLS_ROOTS_FILE_MAX)
		return "the file is too large";
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	if (!bio)
		return "out of memory";
	X509 *certificate;
	size_t n = 0;
	while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		(void)X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), certificate);
		X509_free(certificate);
		n++;
	}
	bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	BIO_free(bio);
	ERR_clear_error();
	if (!is_end)
		return "a certificate in it cannot be read";
	return n > 0 ? NULL : "no certificate in PEM form";
}

static SSL_CTX *new_context(int least_version, const char *ciphers)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx)
		return NULL;
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify_depth(ctx, DEPTH_MAX);
	if (SSL_CTX_set_min_proto_version(ctx, least_version) &&
	    SSL_CTX_set_cipher_list(ctx, ciphers) && SSL_CTX_dane_enable(ctx) > 0)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

int tls_client_new(struct str roots, char *ret_reason, struct tls_client **ret_client)
{
	const char *problem = "OpenSSL cannot be set up";
	struct tls_client *client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	signal(SIGPIPE, SIG_IGN);
	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL);
	if (tls_warm_up(NULL)) {
		client->strict = new_context(TLS1_2_VERSION, "DEFAULT:!aNULL");
		client->lenient = new_context(TLS1_VERSION, "DEFAULT:aNULL:!eNULL:@SECLEVEL=0");
	}
	if (client->strict && client->lenient)
		problem = roots.len > 0 ? load_roots(client->strict, roots) : NULL;
	ERR_clear_error();
	if (!problem) {
		*ret_client = client;
		return 0;
	}
	if (ret_reason)
		snprintf(ret_reason, TLS_ERROR_MAX, "%s", problem);
	tls_client_free(client);
	return -EINVAL;
}

void tls_client_free(struct tls_client *client)
{
	if (!client)
		return;
	SSL_CTX_free(client->strict);
	SSL_CTX_free(client->lenient);
	free(client);
}

/* --- what is asked of the server --- */

static bool is_address(const char *host)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool name_server(SSL *ssl, const char *host)
{
	return is_address(host) || SSL_set_tlsext_host_name(ssl, host) == 1;
}

static bool ask_for_names(SSL *ssl, const struct tls_wish *wish)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	if (is_address(wish->host))
		return X509_VERIFY_PARAM_set1_ip_asc(param, wish->host) == 1;
	/* The name stands in the subjectAltName, and a common name is none (RFC 8461 §4.1). */
	SSL_set_hostflags(
	    ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (SSL_set1_host(ssl, wish->host) != 1)
		return false;
	for (size_t i = 0; i < TLS_NAMES_MAX && wish->names[i]; i++) {
		if (SSL_add1_host(ssl, wish->names[i]) != 1)
			return false;
	}
	return true;
}

/* How many records count, or -1. A record that cannot be used is as if it was not there (RFC 7672
 * §2.1.1), and so is one of a usage for the web (§3.1.3). */
static int add_tlsa(SSL *ssl, const struct tls_wish *wish)
{
	int n = 0;
	for (size_t i = 0; i < wish->n_tlsa; i++) {
		const struct tls_tlsa *t = &wish->tlsa[i];
		if (t->usage != USAGE_DANE_TA && t->usage != USAGE_DANE_EE)
			continue;
		n += SSL_dane_tlsa_add(ssl, t->usage, t->selector, t->matching,
		         (const unsigned char *)t->data.p, t->data.len) > 0;
		ERR_clear_error();
	}
	return n;
}

/* Names are not compared for DANE-EE: the record binds the key to the name (RFC 7672 §3.1.1). */
static bool ask_for_dane(SSL *ssl, const struct tls_wish *wish, struct tls_verdict *verdict)
{
	if (SSL_dane_enable(ssl, wish->host) <= 0)
		return false;
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (size_t i = 0; i < TLS_NAMES_MAX && wish->names[i]; i++) {
		if (SSL_add1_host(ssl, wish->names[i]) != 1)
			return false;
	}
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	verdict->unusable = add_tlsa(ssl, wish) == 0;
	return true;
}

static bool set_wish(SSL *ssl, const struct tls_wish *wish, struct tls_verdict *verdict)
{
	bool verifies = false;
	bool is_set = name_server(ssl, wish->host);
	if (is_set && wish->demand == TLS_PKIX) {
		is_set = ask_for_names(ssl, wish);
		verifies = wish->must;
	} else if (is_set && wish->demand == TLS_DANE) {
		is_set = ask_for_dane(ssl, wish, verdict);
		verifies = !verdict->unusable;
	}
	SSL_set_verify(ssl, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	return is_set;
}

/* --- the verdict --- */

/* RFC 8460 §4.3 */
static enum tls_result result_of(long code)
{
	switch (code) {
	case X509_V_OK:
		return TLS_SUCCESS;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_CERTIFICATE_HOST_MISMATCH;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_CERTIFICATE_EXPIRED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
		return TLS_CERTIFICATE_NOT_TRUSTED;
	default:
		return TLS_VALIDATION_FAILURE;
	}
}

static void tell_why(struct tls_verdict *verdict, enum tls_result result, const char *why)
{
	verdict->result = result;
	snprintf(verdict->detail, sizeof(verdict->detail), "%s", why);
}

/* Of a handshake that is done, or failed at the certificate. */
static bool judge(SSL *ssl, const struct tls_wish *wish, struct tls_verdict *verdict)
{
	long code = SSL_get_verify_result(ssl);
	if (wish->demand == TLS_OPPORTUNISTIC)
		return true;
	if (verdict->unusable) {
		tell_why(verdict, TLS_TLSA_INVALID, "no TLSA record is of a kind that counts");
		return true;
	}
	if (code == X509_V_OK && !SSL_get0_peer_certificate(ssl))
		code = X509_V_ERR_UNSPECIFIED;
	verdict->verified = code == X509_V_OK;
	if (!verdict->verified)
		tell_why(verdict, result_of(code),
		    code == X509_V_ERR_DANE_NO_MATCH
		        ? "the certificate is none that the TLSA records name"
		        : X509_verify_cert_error_string(code));
	return verdict->verified;
}

/* A connection that is ready for its handshake, or NULL. */
static struct tls_connection *new_connection(
    struct tls_client *client, const struct tls_wish *wish, int socket, struct tls_verdict *verdict)
{
	struct tls_connection *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->socket = socket;
	c->ssl = SSL_new(wish->demand == TLS_OPPORTUNISTIC ? client->lenient : client->strict);
	if (c->ssl && SSL_set_fd(c->ssl, socket) == 1 && set_wish(c->ssl, wish, verdict))
		return c;
	ERR_clear_error();
	tls_free(c);
	return NULL;
}

int tls_connect(struct tls_client *client, const struct tls_wish *wish, int socket,
    uint64_t deadline, struct tls_verdict *ret_verdict, struct tls_connection **ret_connection)
{
	*ret_verdict = (struct tls_verdict){.result = TLS_SUCCESS};
	int error = fd_set_nonblocking(socket, true);
	if (error)
		return error;
	struct tls_connection *c CLEANUP(tls_release) =
	    new_connection(client, wish, socket, ret_verdict);
	if (!c) {
		tell_why(
		    ret_verdict, TLS_VALIDATION_FAILURE, "TLS cannot be set up for this server");
		return -EINVAL;
	}
	error = tls_shake_hands(c, SSL_connect, deadline);
	bool at_certificate = error == -EPROTO && SSL_get_verify_result(c->ssl) != X509_V_OK &&
	                      SSL_get_verify_mode(c->ssl) != SSL_VERIFY_NONE;
	if (error && !at_certificate) {
		tell_why(ret_verdict, TLS_VALIDATION_FAILURE,
		    error == -ETIMEDOUT ? "the TLS handshake took too long" : tls_error());
		return error;
	}
	bool is_good = judge(c->ssl, wish, ret_verdict);
	if (error || (!is_good && (wish->must || wish->demand == TLS_DANE)))
		return -EKEYREJECTED;
	*ret_connection = c;
	c = NULL;
	return 0;
}
