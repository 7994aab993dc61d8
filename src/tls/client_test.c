/* The client against servers with right and wrong certificates, made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tls/client.h"
#include "tls/test_certificates.h"

enum { WAIT_MS = 10000, HASH_LEN = 32 };

static struct test_certificate authority, good, expired, alone;
static unsigned char good_hash[HASH_LEN], authority_hash[HASH_LEN], alone_hash[HASH_LEN];
static struct tls_client *client;

static int make_certificates(void **state UNUSED)
{
	struct buf roots CLEANUP(buf_done) = BUF_MAX(65536);

	authority = test_certificate_make(NULL, NULL, 100);
	good = test_certificate_make(&authority, "mx.example.net", 100);
	expired = test_certificate_make(&authority, "mx.example.net", -1);
	alone = test_certificate_make(NULL, "mx.example.net", 100);
	test_certificate_key_hash(&good, good_hash);
	test_certificate_key_hash(&authority, authority_hash);
	test_certificate_key_hash(&alone, alone_hash);
	test_certificate_pem(&authority, &roots);
	return tls_client_new(buf_str(&roots), NULL, &client);
}

static int forget_certificates(void **state UNUSED)
{
	tls_client_free(client);
	test_certificate_done(&authority);
	test_certificate_done(&good);
	test_certificate_done(&expired);
	test_certificate_done(&alone);
	return 0;
}

/* A server in a process of its own: a handshake, then a word. */
static pid_t start_server(const struct test_certificate *t, int version, int *ret_socket)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		SSL *ssl = test_certificate_serve(t, ends[1], version);
		if (ssl == NULL || SSL_write(ssl, "hello", 5) != 5)
			_exit(1);
		_exit(0);
	}
	close(ends[1]);
	*ret_socket = ends[0];
	return pid;
}

struct outcome {
	int error;
	struct tls_verdict verdict;
};

/* Connects, and takes the word where that succeeded. */
static struct outcome try_version(
    const struct test_certificate *t, const struct tls_wish *wish, int version)
{
	int socket CLEANUP(fd_close) = -1, status;
	pid_t pid = start_server(t, version, &socket);
	struct tls_connection *c CLEANUP(tls_release) = NULL;
	struct outcome o;
	uint64_t deadline = clock_ms() + WAIT_MS;

	o.error = tls_connect(client, wish, socket, deadline, &o.verdict, &c);
	if (o.error == 0) {
		char word[8];
		assert_int_equal(tls_read(c, word, sizeof(word), deadline), 5);
		assert_true(strlen(tls_version(c)) > 0);
	}
	fd_close(&socket);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return o;
}

static struct outcome try(const struct test_certificate *t, const struct tls_wish *wish)
{
	return try_version(t, wish, 0);
}

static struct outcome try_tlsa(const struct test_certificate *t, uint8_t usage, uint8_t selector,
    uint8_t matching, const unsigned char *data, const char *host)
{
	const struct tls_tlsa tlsa = {usage, selector, matching, str_of(data, HASH_LEN)};
	const struct tls_wish wish = {.demand = TLS_DANE, .host = host, .tlsa = &tlsa, .n_tlsa = 1};

	return try(t, &wish);
}

static void expect(struct outcome o, int error, enum tls_result result, bool verified)
{
	if (o.error != error || o.verdict.result != result)
		fail_msg("error %d result %d: %s", o.error, o.verdict.result, o.verdict.detail);
	assert_int_equal(o.verdict.verified, verified);
	assert_int_equal(o.verdict.detail[0] == '\0', result == TLS_SUCCESS);
}

static void opportunistic_takes_what_there_is(void **state UNUSED)
{
	const struct tls_wish wish = {.demand = TLS_OPPORTUNISTIC, .host = "other.example.net"};

	expect(try(&alone, &wish), 0, TLS_SUCCESS, false);
	expect(try(&expired, &wish), 0, TLS_SUCCESS, false);
	expect(try_version(&alone, &wish, TLS1_2_VERSION), 0, TLS_SUCCESS, false);
	expect(try_version(&alone, &wish, TLS1_VERSION), 0, TLS_SUCCESS, false);
}

static void pkix_needs_authority_name_and_time(void **state UNUSED)
{
	struct tls_wish wish = {.demand = TLS_PKIX, .must = true, .host = "mx.example.net"};

	expect(try(&good, &wish), 0, TLS_SUCCESS, true);
	expect(try(&expired, &wish), -EKEYREJECTED, TLS_CERTIFICATE_EXPIRED, false);
	expect(try(&alone, &wish), -EKEYREJECTED, TLS_CERTIFICATE_NOT_TRUSTED, false);
	assert_int_not_equal(try_version(&good, &wish, TLS1_VERSION).error, 0);
	wish.host = "other.example.net";
	expect(try(&good, &wish), -EKEYREJECTED, TLS_CERTIFICATE_HOST_MISMATCH, false);
	wish.names[0] = "mx.example.net";
	expect(try(&good, &wish), 0, TLS_SUCCESS, true);
	wish = (struct tls_wish){.demand = TLS_PKIX, .must = true, .host = "192.0.2.1"};
	expect(try(&good, &wish), -EKEYREJECTED, TLS_CERTIFICATE_HOST_MISMATCH, false);
}

static void testing_tells_and_goes_on(void **state UNUSED)
{
	struct tls_wish wish = {.demand = TLS_PKIX, .host = "other.example.net"};

	expect(try(&good, &wish), 0, TLS_CERTIFICATE_HOST_MISMATCH, false);
	expect(try(&alone, &wish), 0, TLS_CERTIFICATE_NOT_TRUSTED, false);
	wish.host = "mx.example.net";
	expect(try(&good, &wish), 0, TLS_SUCCESS, true);
}

static void dane_ee_binds_the_key(void **state UNUSED)
{
	/* Neither name nor time nor authority count (RFC 7672 §3.1.1). */
	expect(try_tlsa(&alone, 3, 1, 1, alone_hash, "other.example.net"), 0, TLS_SUCCESS, true);
	expect(try_tlsa(&good, 3, 1, 1, alone_hash, "mx.example.net"), -EKEYREJECTED,
	    TLS_VALIDATION_FAILURE, false);
}

static void dane_ta_binds_authority_and_name(void **state UNUSED)
{
	expect(try_tlsa(&good, 2, 1, 1, authority_hash, "mx.example.net"), 0, TLS_SUCCESS, true);
	expect(try_tlsa(&good, 2, 1, 1, authority_hash, "other.example.net"), -EKEYREJECTED,
	    TLS_CERTIFICATE_HOST_MISMATCH, false);
	expect(try_tlsa(&expired, 2, 1, 1, authority_hash, "mx.example.net"), -EKEYREJECTED,
	    TLS_CERTIFICATE_EXPIRED, false);
	assert_int_equal(
	    try_tlsa(&alone, 2, 1, 1, authority_hash, "mx.example.net").error, -EKEYREJECTED);
}

static void records_that_do_not_count_leave_encryption(void **state UNUSED)
{
	static const struct {
		uint8_t usage, selector, matching;
	} records[] = {{0, 1, 1}, {1, 1, 1}, {3, 2, 1}, {3, 1, 9}, {4, 1, 1}};

	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct outcome o = try_tlsa(&alone, records[i].usage, records[i].selector,
		    records[i].matching, alone_hash, "mx.example.net");
		expect(o, 0, TLS_TLSA_INVALID, false);
		assert_true(o.verdict.unusable);
	}
}

static void one_record_of_several_is_enough(void **state UNUSED)
{
	const struct tls_tlsa tlsa[] = {{3, 1, 1, str_of(good_hash, HASH_LEN)},
	    {1, 1, 1, str_of(good_hash, HASH_LEN)}, {3, 1, 1, str_of(alone_hash, HASH_LEN)}};
	const struct tls_wish wish = {
	    .demand = TLS_DANE, .host = "mx.example.net", .tlsa = tlsa, .n_tlsa = 3};

	expect(try(&alone, &wish), 0, TLS_SUCCESS, true);
	expect(try(&good, &wish), 0, TLS_SUCCESS, true);
	expect(try(&authority, &wish), -EKEYREJECTED, TLS_VALIDATION_FAILURE, false);
}

static void what_is_no_tls_is_told(void **state UNUSED)
{
	const struct tls_wish wish = {.demand = TLS_OPPORTUNISTIC, .host = "mx.example.net"};
	struct tls_connection *c = NULL;
	struct tls_verdict verdict;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(fd_write_all(ends[1], STR("454 no TLS today\r\n")), 0);
	assert_int_equal(
	    tls_connect(client, &wish, ends[0], clock_ms() + WAIT_MS, &verdict, &c), -EPROTO);
	assert_int_equal(verdict.result, TLS_VALIDATION_FAILURE);
	assert_true(verdict.detail[0] != '\0');
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(
	    tls_connect(client, &wish, ends[0], clock_ms() + 30, &verdict, &c), -ETIMEDOUT);
	close(ends[1]);
	assert_int_not_equal(
	    tls_connect(client, &wish, ends[0], clock_ms() + WAIT_MS, &verdict, &c), 0);
	close(ends[0]);
	assert_null(c);
}

static void roots_are_certificates(void **state UNUSED)
{
	char reason[TLS_ERROR_MAX];
	struct tls_client *other = NULL;

	assert_int_equal(tls_client_new(STR("nothing\n"), reason, &other), -EINVAL);
	assert_string_equal(reason, "no certificate in PEM form");
	assert_int_equal(tls_client_new(STR("-----BEGIN CERTIFICATE-----\nAAAA\n"
	                                    "-----END CERTIFICATE-----\n"),
	                     reason, &other),
	    -EINVAL);
	assert_null(other);
	assert_int_equal(tls_client_new(STR(""), reason, &other), 0);
	tls_client_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(opportunistic_takes_what_there_is),
	    cmocka_unit_test(pkix_needs_authority_name_and_time),
	    cmocka_unit_test(testing_tells_and_goes_on),
	    cmocka_unit_test(dane_ee_binds_the_key),
	    cmocka_unit_test(dane_ta_binds_authority_and_name),
	    cmocka_unit_test(records_that_do_not_count_leave_encryption),
	    cmocka_unit_test(one_record_of_several_is_enough),
	    cmocka_unit_test(what_is_no_tls_is_told),
	    cmocka_unit_test(roots_are_certificates),
	};

	return cmocka_run_group_tests(tests, make_certificates, forget_certificates);
}
