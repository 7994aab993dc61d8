#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "tls/keyprovider.h"
#include "tls/selfsigned.h"
#include "tls/signer.h"

enum { PEM_MAX = 65536, TLS13_LEN = 64 + 34 + 32 };

struct fixture {
	struct signer *signer;
	unsigned char key_id[32];
	char content[TLS13_LEN];
	struct ipc_sign request;
};

static void add_key(struct signer *signer, unsigned char ret_id[static 32])
{
	const char *names[] = {"localhost"};
	struct buf key CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	struct buf certificate CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	assert_int_equal(selfsigned_make(names, 1, &key, &certificate), 0);
	assert_int_equal(signer_add(signer, buf_str(&key)), 0);
	BIO *bio = BIO_new_mem_buf(certificate.p, (int)certificate.len);
	X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	assert_true(keyprovider_key_id(X509_get0_pubkey(x509), ret_id));
	X509_free(x509);
	BIO_free(bio);
}

static int set_up(void **state)
{
	static struct fixture f;
	assert_int_equal(signer_new(&f.signer), 0);
	add_key(f.signer, f.key_id);
	memset(f.content, ' ', 64);
	memcpy(f.content + 64, "TLS 1.3, server CertificateVerify", 34);
	memset(f.content + 98, 0x5a, 32);
	f.request = (struct ipc_sign){.scheme = SIGN_TLS13,
	    .key = str_of(f.key_id, sizeof(f.key_id)),
	    .input = str_of(f.content, sizeof(f.content))};
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	signer_free(((struct fixture *)*state)->signer);
	return 0;
}

static int sign(struct fixture *f)
{
	unsigned char signature[SIGNER_SIGNATURE_LEN_MAX];
	size_t len = 0;
	int error = signer_sign(f->signer, &f->request, signature, &len);
	assert_int_equal(len > 0, error == 0);
	return error;
}

static void signs_a_handshake(void **state)
{
	struct fixture *f = *state;
	for (uint8_t hash = 0; hash <= 2; hash++) {
		f->request.hash = hash;
		assert_int_equal(sign(f), 0);
	}
}

static void refuses_parameters_that_do_not_fit(void **state)
{
	struct fixture *f = *state;
	f->request.hash = 3;
	assert_int_equal(sign(f), -EPERM);
	f->request.hash = 0;
	f->request.pss = 1; /* an EC key */
	assert_int_equal(sign(f), -EPERM);
	f->request.pss = 0;
	f->request.scheme = SIGN_TLS12; /* the other form */
	assert_int_equal(sign(f), -EPERM);
	f->request.scheme = 2;
	assert_int_equal(sign(f), -EPERM);
}

static void refuses_every_other_content(void **state)
{
	struct fixture *f = *state;
	f->request.input = STR("v=1; a=rsa-sha256; d=example.org; s=mail; bh=");
	assert_int_equal(sign(f), -EPERM);
	f->request.input = STR("");
	assert_int_equal(sign(f), -EPERM);
	for (size_t len = 0; len < sizeof(f->content); len++) {
		f->request.input = str_of(f->content, len);
		assert_int_equal(sign(f), -EPERM);
	}
}

static void knows_its_own_keys_only(void **state)
{
	struct fixture *f = *state;
	f->key_id[0] ^= 1;
	assert_int_equal(sign(f), -ENOENT);
	f->key_id[0] ^= 1;
	f->request.key = str_of(f->key_id, 31);
	assert_int_equal(sign(f), -ENOENT);
	f->request.key = STR("");
	assert_int_equal(sign(f), -ENOENT);
}

static void holds_a_bounded_number_of_good_keys(void **state)
{
	struct fixture *f = *state;
	unsigned char id[32];
	assert_int_equal(signer_add(f->signer, STR("")), -EINVAL);
	assert_int_equal(signer_add(f->signer, STR("-----BEGIN PRIVATE KEY-----\n")), -EINVAL);
	while (signer_n_keys(f->signer) < SIGNER_KEYS_MAX)
		add_key(f->signer, id);
	assert_int_equal(signer_add(f->signer, STR("")), -ENOSPC);
	assert_int_equal(sign(f), 0);
}

/* A key whose file was changed anywhere: never one that signs what its certificate does not fit. */
static void refuses_a_damaged_key(void **state)
{
	struct fixture *f = *state;
	const char *names[] = {"localhost"};
	struct buf key CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	struct buf certificate CLEANUP(buf_done) = BUF_MAX(PEM_MAX);
	assert_int_equal(selfsigned_make(names, 1, &key, &certificate), 0);
	size_t n_digits = 0, n_taken = 0;
	for (size_t i = str_index(buf_str(&key), '\n'); i < key.len && key.p[i] != '-'; i++) {
		if (!ascii_is_alpha(key.p[i]))
			continue;
		key.p[i] ^= 0x20; /* another digit of base64 */
		int error = signer_add(f->signer, buf_str(&key));
		assert_true(error == -EINVAL || error == 0);
		n_taken += error == 0;
		key.p[i] ^= 0x20;
		n_digits++;
	}
	assert_true(n_digits > 100);
	/* Two version numbers are in there that the library does not look at: the same key. */
	assert_true(n_taken <= 2);
	assert_int_equal(signer_n_keys(f->signer), 1 + n_taken);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(signs_a_handshake),
	    TEST(refuses_parameters_that_do_not_fit),
	    TEST(refuses_every_other_content),
	    TEST(knows_its_own_keys_only),
	    TEST(holds_a_bounded_number_of_good_keys),
	    TEST(refuses_a_damaged_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
