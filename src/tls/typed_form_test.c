#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "tls/typed_form.h"

static void add_bytes(struct buf *b, int c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_add_c(b, (char)c);
}

static void tls13_content(struct buf *b, struct str context, size_t hash_len)
{
	buf_clear(b);
	add_bytes(b, ' ', 64);
	buf_add(b, context);
	buf_add_c(b, 0);
	add_bytes(b, 0xa5, hash_len);
}

static void takes_server_certificate_verify_only(void **state UNUSED)
{
	struct buf b CLEANUP(buf_done) = BUF_MAX(1024);
	struct str server = STR("TLS 1.3, server CertificateVerify");
	tls13_content(&b, server, 32);
	assert_true(typed_form_is_tls13(buf_str(&b)));
	assert_false(typed_form_is_tls12(buf_str(&b)));
	tls13_content(&b, server, 48);
	assert_true(typed_form_is_tls13(buf_str(&b)));
	for (size_t hash_len = 0; hash_len < 80; hash_len++) {
		tls13_content(&b, server, hash_len);
		assert_int_equal(
		    typed_form_is_tls13(buf_str(&b)), hash_len == 32 || hash_len == 48);
	}
	/* the client's context would let a gate sign in elsewhere with our certificate */
	tls13_content(&b, STR("TLS 1.3, client CertificateVerify"), 32);
	assert_false(typed_form_is_tls13(buf_str(&b)));
	tls13_content(&b, server, 32);
	for (size_t i = 0; i < 64 + server.len + 1; i++) {
		b.p[i] ^= 1;
		assert_false(typed_form_is_tls13(buf_str(&b)));
		b.p[i] ^= 1;
	}
}

static void tls12_content(struct buf *b, unsigned curve, size_t point_len, char first)
{
	buf_clear(b);
	add_bytes(b, 0x11, 64);
	buf_add_c(b, 3);
	buf_add_c(b, (char)(curve >> 8));
	buf_add_c(b, (char)curve);
	buf_add_c(b, (char)point_len);
	buf_add_c(b, first);
	add_bytes(b, 0x5a, point_len - 1);
}

static void takes_ecdh_params_only(void **state UNUSED)
{
	struct buf b CLEANUP(buf_done) = BUF_MAX(1024);
	static const struct {
		unsigned curve;
		size_t point_len;
		char first;
		bool is_taken;
	} cases[] = {
	    {0x001d, 32, 0x77, true},
	    {0x0017, 65, 4, true},
	    {0x0018, 97, 4, true},
	    {0x0019, 133, 4, true},
	    {0x0017, 65, 2, false},
	    {0x0017, 33, 2, false},
	    {0x001d, 33, 4, false},
	    {0x0016, 65, 4, false},
	    {0x0100, 65, 4, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		tls12_content(&b, cases[i].curve, cases[i].point_len, cases[i].first);
		assert_int_equal(typed_form_is_tls12(buf_str(&b)), cases[i].is_taken);
		assert_false(typed_form_is_tls13(buf_str(&b)));
		buf_add_c(&b, 0);
		assert_false(typed_form_is_tls12(buf_str(&b)));
	}
	tls12_content(&b, 0x001d, 32, 1);
	for (size_t len = 0; len < b.len; len++)
		assert_false(typed_form_is_tls12(str_first(buf_str(&b), len)));
	b.p[64] = 1; /* explicit_prime */
	assert_false(typed_form_is_tls12(buf_str(&b)));
}

/* A server_random of spaces cannot turn one form into the other. */
static void forms_do_not_overlap(void **state UNUSED)
{
	struct buf b CLEANUP(buf_done) = BUF_MAX(1024);
	tls12_content(&b, 0x001d, 32, 1);
	memset(b.p, ' ', 64);
	assert_true(typed_form_is_tls12(buf_str(&b)));
	assert_false(typed_form_is_tls13(buf_str(&b)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_server_certificate_verify_only),
	    cmocka_unit_test(takes_ecdh_params_only),
	    cmocka_unit_test(forms_do_not_overlap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
