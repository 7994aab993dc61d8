#include "tls/warm_up.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tls/keyprovider.h"
#include "tls/selfsigned.h"

enum { ROUNDS_MAX = 10 };

static bool shake_hands(SSL *client, SSL *server)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		int client_result = SSL_do_handshake(client);
		int server_result = SSL_do_handshake(server);
		if (client_result == 1 && server_result == 1)
			return true;
	}
	return false;
}

/* Takes both references of both ends of the pair of memory BIOs. */
static bool join(SSL *client, SSL *server)
{
	BIO *client_end = NULL;
	BIO *server_end = NULL;
	if (!BIO_new_bio_pair(&client_end, 0, &server_end, 0))
		return false;
	SSL_set_bio(client, client_end, client_end);
	SSL_set_bio(server, server_end, server_end);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	return true;
}

static bool exchange_a_word(SSL *from, SSL *to)
{
	char word[4] = "word";
	size_t n;
	return SSL_write_ex(from, word, sizeof(word), &n) &&
	       SSL_read_ex(to, word, sizeof(word), &n);
}

static bool handshake(SSL_CTX *client_ctx, SSL_CTX *server_ctx, int version)
{
	SSL *client = SSL_new(client_ctx);
	SSL *server = SSL_new(server_ctx);
	bool is_done = client && server && SSL_set_min_proto_version(client, version) &&
	               SSL_set_max_proto_version(client, version) && join(client, server) &&
	               shake_hands(client, server) && exchange_a_word(client, server) &&
	               exchange_a_word(server, client);
	SSL_free(client);
	SSL_free(server);
	return is_done;
}

bool tls_warm_up(OSSL_LIB_CTX *context)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(context, KEYPROVIDER_PROPERTIES, "EC", "P-256");
	X509 *certificate = key ? selfsigned_certificate(key, NULL, 0) : NULL;
	SSL_CTX *client = SSL_CTX_new_ex(context, KEYPROVIDER_PROPERTIES, TLS_client_method());
	SSL_CTX *server = SSL_CTX_new_ex(context, KEYPROVIDER_PROPERTIES, TLS_server_method());
	bool is_done =
	    certificate && client && server && SSL_CTX_use_certificate(server, certificate) == 1 &&
	    SSL_CTX_use_PrivateKey(server, key) == 1 && handshake(client, server, TLS1_3_VERSION) &&
	    handshake(client, server, TLS1_2_VERSION);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return is_done;
}
