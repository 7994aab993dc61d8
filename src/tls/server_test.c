#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ipc/channel.h"
#include "tls/keyprovider.h"
#include "tls/selfsigned.h"
#include "tls/server.h"
#include "tls/signer.h"

enum { PEM_MAX = 65536, WAIT_MS = 10000 };

/* One end of a keyholder in another process; it signs until the channel ends. */
static pid_t start_keyholder(struct str key_pem, int *ret_channel)
{
	int ends[2];
	assert_int_equal(ipc_pair(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		close(ends[1]);
		*ret_channel = ends[0];
		return pid;
	}
	close(ends[0]);
	struct signer *signer;
	if (signer_new(&signer) || signer_add(signer, key_pem))
		_exit(1);
	struct ipc_received m;
	while (ipc_recv(ends[1], &m) == 0) {
		unsigned char signature[SIGNER_SIGNATURE_LEN_MAX];
		size_t len = 0;
		int error = signer_sign(signer, m.msg, signature, &len);
		struct ipc_signed answer = {.ok = error == 0, .signature = str_of(signature, len)};
		ipc_received_done(&m);
		if (ipc_send(ends[1], IPC_SIGNED, &answer))
			_exit(1);
	}
	signer_free(signer);
	_exit(0);
}

/* A TLS client in another process: says "hello", expects "HELLO"; exits 0 when all went well. */
static pid_t start_client(int socket, int version, const char *expected_key)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, socket);
	if (SSL_connect(ssl) != 1)
		_exit(1);
	X509 *certificate = SSL_get1_peer_certificate(ssl);
	if (!certificate || !EVP_PKEY_is_a(X509_get0_pubkey(certificate), expected_key))
		_exit(2);
	char answer[16];
	if (SSL_write(ssl, "hello", 5) != 5 || SSL_read(ssl, answer, sizeof(answer)) != 5 ||
	    memcmp(answer, "HELLO", 5) != 0)
		_exit(3);
	/* then the orderly end */
	if (SSL_read(ssl, answer, sizeof(answer)) != 0 ||
	    SSL_get_error(ssl, 0) != SSL_ERROR_ZERO_RETURN)
		_exit(4);
	_exit(0);
}

static void assert_exits_well(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void talk(struct tls_server *server, struct str key_pem, int version, const char *kind)
{
	int channel CLEANUP(fd_close) = -1;
	pid_t keyholder = start_keyholder(key_pem, &channel);
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid_t client = start_client(ends[1], version, kind);
	close(ends[1]);
	tls_use_keyholder(channel);
	struct tls_connection *c CLEANUP(tls_release) = NULL;
	uint64_t deadline = clock_ms() + WAIT_MS;
	assert_int_equal(tls_accept(server, ends[0], deadline, &c), 0);
	char word[16];
	assert_int_equal(tls_read(c, word, sizeof(word), deadline), 5);
	assert_memory_equal(word, "hello", 5);
	assert_int_equal(tls_read(c, word, sizeof(word), 0), -EAGAIN);
	assert_int_equal(tls_read(c, word, sizeof(word), clock_ms() + 20), -ETIMEDOUT);
	assert_false(tls_has_pending(c));
	assert_int_equal(tls_write(c, STR("HELLO"), deadline), 0);
	assert_string_equal(tls_version(c), version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2");
	tls_shutdown(c, deadline);
	assert_exits_well(client);
	close(ends[0]);
	fd_close(&channel);
	assert_exits_well(keyholder);
}

static struct tls_server *server_of(struct str certificate_pem)
{
	char reason[TLS_ERROR_MAX] = "";
	struct tls_server *server = NULL;
	int error = tls_server_new(certificate_pem, reason, &server);
	if (error)
		print_error("%s\n", reason);
	assert_int_equal(error, 0);
	return server;
}

/* A key of `type` and its certificate as PEM. */
static void make_pair(const char *type, int size, struct buf *key_pem, struct buf *certificate_pem)
{
	OSSL_LIB_CTX *context = keyprovider_context();
	const char *query = KEYPROVIDER_PROPERTIES;
	EVP_PKEY *key =
	    strcmp(type, "RSA") == 0
	        ? EVP_PKEY_Q_keygen(context, query, type, (size_t)size)
	        : EVP_PKEY_Q_keygen(context, query, type, size == 256 ? "P-256" : "P-384");
	assert_non_null(key);
	const char *names[] = {"mail.example.test"};
	X509 *certificate = selfsigned_certificate(key, names, 1);
	assert_non_null(certificate);
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	long len = BIO_get_mem_data(bio, &p);
	assert_true(buf_add(key_pem, str_of(p, (size_t)len)));
	(void)BIO_reset(bio);
	assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
	len = BIO_get_mem_data(bio, &p);
	assert_true(buf_add(certificate_pem, str_of(p, (size_t)len)));
	BIO_free(bio);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void handshakes_of(const char *type, int size)
{
	struct buf key CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	struct buf certificate CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	make_pair(type, size, &key, &certificate);
	struct tls_server *server CLEANUP(tls_server_release) = server_of(buf_str(&certificate));
	talk(server, buf_str(&key), TLS1_3_VERSION, type);
	talk(server, buf_str(&key), TLS1_2_VERSION, type);
}

static void signs_with_ec_p256(void **state UNUSED)
{
	handshakes_of("EC", 256);
}

static void signs_with_ec_p384(void **state UNUSED)
{
	handshakes_of("EC", 384);
}

static void signs_with_rsa(void **state UNUSED)
{
	handshakes_of("RSA", 2048);
}

static void refuses_weak_or_missing_certificates(void **state UNUSED)
{
	struct buf key CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	struct buf certificate CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	char reason[TLS_ERROR_MAX] = "";
	struct tls_server *server = NULL;
	assert_int_equal(tls_server_new(STR("hello"), reason, &server), -EINVAL);
	assert_string_equal(reason, "no certificate in PEM form");
	make_pair("RSA", 1024, &key, &certificate);
	assert_int_equal(tls_server_new(buf_str(&certificate), reason, &server), -EINVAL);
	assert_non_null(strstr(reason, "RSA of 2048 bits"));
	assert_null(server);
}

/* Without a keyholder, or with one that holds another key, no handshake comes about. */
static void fails_without_its_keyholder(void **state UNUSED)
{
	const char *names[] = {"localhost", "127.0.0.1", "::1"};
	struct buf key CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	struct buf certificate CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	assert_int_equal(selfsigned_make(names, 3, &key, &certificate), 0);
	struct buf other_key CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	struct buf other CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	assert_int_equal(selfsigned_make(names, 3, &other_key, &other), 0);
	struct tls_server *server CLEANUP(tls_server_release) = server_of(buf_str(&certificate));
	for (int with_other = 0; with_other < 2; with_other++) {
		int channel CLEANUP(fd_close) = -1;
		pid_t keyholder = 0;
		if (with_other)
			keyholder = start_keyholder(buf_str(&other_key), &channel);
		int ends[2];
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		pid_t client = start_client(ends[1], TLS1_3_VERSION, "EC");
		close(ends[1]);
		tls_use_keyholder(channel);
		struct tls_connection *c = NULL;
		assert_true(tls_accept(server, ends[0], clock_ms() + WAIT_MS, &c) < 0);
		assert_null(c);
		close(ends[0]);
		assert_int_equal(waitpid(client, NULL, 0), client);
		fd_close(&channel);
		if (keyholder)
			assert_exits_well(keyholder);
	}
}

/* Peers that talk nonsense, say nothing, or leave. */
static void bad_peers_are_errors(void **state UNUSED)
{
	const char *names[] = {"localhost"};
	struct buf key CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	struct buf certificate CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	assert_int_equal(selfsigned_make(names, 1, &key, &certificate), 0);
	struct tls_server *server CLEANUP(tls_server_release) = server_of(buf_str(&certificate));
	static const struct {
		struct str said;
		bool leaves;
		int expected;
	} cases[] = {
	    {STR_INIT("EHLO example.org\r\nMAIL FROM:<>\r\n"), false, -EPROTO},
	    {STR_INIT(""), true, -ECONNRESET},
	    {STR_INIT("\x16\x03\x01\x02\x00\x01"), true, -ECONNRESET},
	    {STR_INIT("\x16\x03\x01\x02\x00\x01"), false, -ETIMEDOUT},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int ends[2];
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		assert_int_equal(fd_write_all(ends[1], cases[i].said), 0);
		if (cases[i].leaves)
			close(ends[1]);
		struct tls_connection *c = NULL;
		assert_int_equal(
		    tls_accept(server, ends[0], clock_ms() + 50, &c), cases[i].expected);
		assert_null(c);
		if (!cases[i].leaves)
			close(ends[1]);
		close(ends[0]);
	}
}

/* What the provider's key refuses to be used for. */
static void the_key_does_nothing_else(void **state UNUSED)
{
	struct buf key CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	struct buf certificate CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	make_pair("RSA", 2048, &key, &certificate);
	BIO *bio = BIO_new_mem_buf(certificate.p, (int)certificate.len);
	X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	EVP_PKEY *remote = keyprovider_key(X509_get0_pubkey(x509));
	assert_non_null(remote);
	assert_int_equal(EVP_PKEY_eq(remote, X509_get0_pubkey(x509)), 1);
	int channel CLEANUP(fd_close) = -1;
	pid_t keyholder = start_keyholder(buf_str(&key), &channel);
	keyprovider_use_channel(channel);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	OSSL_LIB_CTX *context = keyprovider_context();
	assert_int_equal(
	    EVP_DigestSignInit_ex(ctx, NULL, "SHA256", context, NULL, remote, NULL), 1);
	unsigned char out[512];
	size_t len = sizeof(out);
	assert_true(EVP_DigestSign(ctx, out, &len, (const unsigned char *)"pay me", 6) <= 0);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_CTX *decrypt = EVP_PKEY_CTX_new_from_pkey(context, remote, NULL);
	assert_true(EVP_PKEY_decrypt_init(decrypt) <= 0 ||
	            EVP_PKEY_decrypt(decrypt, out, &len, out, 256) <= 0);
	EVP_PKEY_CTX_free(decrypt);
	BIO *to = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PrivateKey(to, remote, NULL, NULL, 0, NULL, NULL), 0);
	BIO_free(to);
	EVP_PKEY_free(remote);
	X509_free(x509);
	BIO_free(bio);
	ERR_clear_error();
	fd_close(&channel);
	assert_exits_well(keyholder);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(signs_with_ec_p256),
	    cmocka_unit_test(signs_with_ec_p384),
	    cmocka_unit_test(signs_with_rsa),
	    cmocka_unit_test(refuses_weak_or_missing_certificates),
	    cmocka_unit_test(fails_without_its_keyholder),
	    cmocka_unit_test(bad_peers_are_errors),
	    cmocka_unit_test(the_key_does_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
