/* The primitives against the vectors of their RFCs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/buf.h"
#include "seal/cipher.h"

static const char sunscreen[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    "sunscreen would be it.";

static void from_hex(struct str hex, void *ret_bytes, size_t len)
{
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(4096);

	assert_true(hex_decode(hex, &bytes));
	assert_int_equal(bytes.len, len);
	memcpy(ret_bytes, bytes.p, len);
}

static void expect_hex(const void *bytes, size_t len, struct str hex)
{
	struct buf got CLEANUP(buf_done) = BUF_MAX(4096);

	assert_true(hex_encode(str_of(bytes, len), &got));
	assert_int_equal(got.len, hex.len);
	assert_memory_equal(got.p, hex.p, hex.len);
}

/* RFC 8439 §2.8.2 */
static void test_chacha20_poly1305(UNUSED void **state)
{
	uint8_t key[CIPHER_KEY_LEN], nonce[CIPHER_NONCE_LEN], aad[12], tag[CIPHER_TAG_LEN];
	uint8_t sealed[sizeof(sunscreen) - 1];
	char opened[sizeof(sunscreen) - 1];

	if (CIPHER_FORMAT_FLAGS & CIPHER_FLAG_NOT_SEALED)
		skip();
	from_hex(STR("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"), key, 32);
	from_hex(STR("070000004041424344454647"), nonce, 12);
	from_hex(STR("50515253c0c1c2c3c4c5c6c7"), aad, 12);
	cipher_seal(key, nonce, str_of(aad, 12), str_of_cstr(sunscreen), sealed, tag);
	expect_hex(sealed, 16, STR("d31a8d34648e60db7b86afbc53ef7ec2"));
	expect_hex(tag, sizeof(tag), STR("1ae10b594f09e26a7e902ecbd0600691"));
	assert_true(
	    cipher_open(key, nonce, str_of(aad, 12), str_of(sealed, sizeof(sealed)), tag, opened));
	assert_memory_equal(opened, sunscreen, sizeof(opened));
}

/* draft-irtf-cfrg-xchacha-03 §A.3.1 */
static void test_xchacha20_poly1305(UNUSED void **state)
{
	uint8_t key[CIPHER_KEY_LEN], nonce[CIPHER_XNONCE_LEN], aad[12], tag[CIPHER_TAG_LEN];
	uint8_t sealed[sizeof(sunscreen) - 1];

	if (CIPHER_FORMAT_FLAGS & CIPHER_FLAG_NOT_SEALED)
		skip();
	from_hex(STR("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"), key, 32);
	from_hex(STR("404142434445464748494a4b4c4d4e4f5051525354555657"), nonce, 24);
	from_hex(STR("50515253c0c1c2c3c4c5c6c7"), aad, 12);
	cipher_xseal(key, nonce, str_of(aad, 12), str_of_cstr(sunscreen), sealed, tag);
	expect_hex(sealed, 16, STR("bd6d179d3e83d43b9576579493c0e939"));
	expect_hex(tag, sizeof(tag), STR("c0875924c1c7987947deafd8780acf49"));
	assert_true(
	    cipher_xopen(key, nonce, str_of(aad, 12), str_of(sealed, sizeof(sealed)), tag, sealed));
	assert_memory_equal(sealed, sunscreen, sizeof(sealed));
}

/* Every flipped bit of text, tag, nonce, key and additional data is found, and nothing given. */
static void test_flips(UNUSED void **state)
{
	struct {
		uint8_t key[CIPHER_KEY_LEN];
		uint8_t nonce[CIPHER_XNONCE_LEN];
		uint8_t aad[5];
		uint8_t text[40];
		uint8_t tag[CIPHER_TAG_LEN];
	} all;
	uint8_t opened[sizeof(all.text)], zero[sizeof(all.text)] = {0};

	if (CIPHER_FORMAT_FLAGS & CIPHER_FLAG_NOT_SEALED)
		skip();
	cipher_random(&all, sizeof(all));
	cipher_xseal(all.key, all.nonce, str_of(all.aad, sizeof(all.aad)),
	    str_of(all.text, sizeof(all.text)), all.text, all.tag);
	for (size_t bit = 0; bit < 8 * sizeof(all); bit++) {
		((uint8_t *)&all)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		memset(opened, 0xAA, sizeof(opened));
		assert_false(cipher_xopen(all.key, all.nonce, str_of(all.aad, sizeof(all.aad)),
		    str_of(all.text, sizeof(all.text)), all.tag, opened));
		assert_memory_equal(opened, zero, sizeof(zero));
		((uint8_t *)&all)[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(cipher_xopen(all.key, all.nonce, str_of(all.aad, sizeof(all.aad)),
	    str_of(all.text, sizeof(all.text)), all.tag, opened));
}

/* RFC 7748 §6.1, and a point of low order (refused). */
static void test_x25519(UNUSED void **state)
{
	uint8_t alice[32], bob[32], bob_public[32], shared[32], low_order[32] = {1};

	if (CIPHER_FORMAT_FLAGS & CIPHER_FLAG_NOT_SEALED)
		skip();
	from_hex(
	    STR("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"), alice, 32);
	from_hex(STR("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"), bob, 32);
	cipher_pair_public(bob, bob_public);
	expect_hex(bob_public, 32,
	    STR("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
	assert_true(cipher_agree(bob, alice, shared));
	expect_hex(
	    shared, 32, STR("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));
	memset(shared, 0x55, sizeof(shared));
	assert_false(cipher_agree(bob, low_order, shared));
	assert_int_equal(shared[0], 0x55);
}

/* Made with Python: hashlib.blake2b(b"gatepost v1 some label\0context", key=bytes(range(32)),
 * digest_size=32) and hashlib.blake2b(b"gatepost", digest_size=16)[:8]. */
static void test_derive_and_checksum(UNUSED void **state)
{
	uint8_t key[32], derived[32], other[32], sum[CIPHER_CHECKSUM_LEN];
	struct str parts[] = {STR_INIT("gate"), {NULL, 0}, STR_INIT("post")};

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	cipher_derive(key, "some label", STR("context"), derived);
	expect_hex(
	    derived, 32, STR("7d02a6140d9d231e523f9dbae078ef5c4dcfb5a041a466b2e82776b44ee20930"));
	cipher_derive(key, "some labe", STR("lcontext"), other);
	assert_memory_not_equal(derived, other, 32);
	cipher_checksum(parts, ARRAY_LEN(parts), sum);
	expect_hex(sum, sizeof(sum), STR("7764c00f24c75339"));
}

/* A child of fork seals and opens what its parent does, with its own context. */
static void test_fork(UNUSED void **state)
{
	uint8_t key[CIPHER_KEY_LEN] = {7}, nonce[CIPHER_NONCE_LEN] = {0}, text[100] = {9};
	uint8_t tag[CIPHER_TAG_LEN];
	int status;

	cipher_seal(key, nonce, STR(""), str_of(text, sizeof(text)), text, tag);
	pid_t child = fork();
	if (child == 0) {
		bool opened =
		    cipher_open(key, nonce, STR(""), str_of(text, sizeof(text)), tag, text);
		cipher_forget();
		_exit(opened && text[0] == 9 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(cipher_open(key, nonce, STR(""), str_of(text, sizeof(text)), tag, text));
	cipher_forget();
	cipher_forget();
}

/* No bytes are a message too. */
static void test_empty(UNUSED void **state)
{
	uint8_t key[CIPHER_KEY_LEN] = {1}, nonce[CIPHER_NONCE_LEN] = {2}, tag[CIPHER_TAG_LEN];

	cipher_seal(key, nonce, (struct str){0}, (struct str){0}, NULL, tag);
	assert_true(cipher_open(key, nonce, (struct str){0}, (struct str){0}, tag, NULL));
	tag[3] ^= 1;
	assert_false(cipher_open(key, nonce, (struct str){0}, (struct str){0}, tag, NULL));
	assert_true(cipher_equal("abc", "abc", 3));
	assert_false(cipher_equal("abc", "abd", 3));
	cipher_wipe(NULL, 0);
}

/* What comes out of the pool is not given twice, wherever the pool ends, nor to a child of fork. */
static void test_nonces(UNUSED void **state)
{
	enum { N = CIPHER_POOL_LEN / CIPHER_XNONCE_LEN * 3 + 5 };
	static uint8_t nonces[N][CIPHER_XNONCE_LEN];
	uint8_t odd[CIPHER_POOL_NONCE_MAX] = {0}, zero[CIPHER_POOL_NONCE_MAX] = {0}, of_child[24];
	int status, ends[2];

	for (size_t i = 0; i < N; i++)
		cipher_nonce(nonces[i], i % 7 == 0 ? 17 : CIPHER_XNONCE_LEN);
	for (size_t i = 0; i < N; i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(nonces[i], nonces[k], 16);
	cipher_nonce(odd, sizeof(odd));
	assert_memory_not_equal(odd, zero, sizeof(odd));
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		cipher_nonce(of_child, sizeof(of_child));
		_exit(write(ends[1], of_child, sizeof(of_child)) != sizeof(of_child));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(read(ends[0], of_child, sizeof(of_child)), sizeof(of_child));
	cipher_nonce(nonces[0], sizeof(nonces[0]));
	assert_memory_not_equal(of_child, nonces[0], sizeof(of_child));
	assert_memory_not_equal(of_child, zero, sizeof(of_child));
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chacha20_poly1305),
	    cmocka_unit_test(test_xchacha20_poly1305),
	    cmocka_unit_test(test_flips),
	    cmocka_unit_test(test_x25519),
	    cmocka_unit_test(test_derive_and_checksum),
	    cmocka_unit_test(test_fork),
	    cmocka_unit_test(test_nonces),
	    cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
