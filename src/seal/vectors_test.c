/*
 * Known answers: sealed things that another implementation made (test/reader/make_vectors.py, from
 * docs/formats.md), opened here. The formats cannot change unseen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/base64.h"
#include "base/fd.h"
#include "seal/blob.h"
#include "seal/page.h"
#include "seal/record.h"
#include "seal/slot.h"

static const char keys_file[] =
    "47506b6579730100080706050403020100000040000000007d9c24316539825c1896e57f28197746793ce60c"
    "bee3ad47da9d07b85fa55e2a32333435363738393a3b3c3d3e3f40414243444546474849fb7c3dad2f91fc4a"
    "2e9e644641de5fc2ae9fadc308d1e774b745292cb0bd1b6b65ed5068990ff7b6dfb79bf9436bf24bbb9bcdc2"
    "998bdc29";
static const char password_slot[] =
    "4750736c6f740100010000000800000001000000000000000807060504030201000102030405060708090a0b"
    "0c0d0e0f101112131415161718191a1b1c1d1e1f063896d59434bfeb0a216f70342abf22a0ecc0c2161da487"
    "0a6582ab3d452375a87e8f470c8b70c8c6e914a0fd9ee007b84fb9826bd8b410503966b787c9d5e1a87d6dbd"
    "a8f556626eff904874f077e96cba9d94dad07c90";
static const char token_slot[] =
    "4750736c6f7401000200000000000000000000000000000008070605040302010708090a0b0c0d0e0f101112"
    "131415161718191a1b1c1d1e1f20212223242526f079a8376f669e90b0b472f6bd26cf06b987c9cca4b032c2"
    "f898e7df482dc41e8a6a77f6d7c420d0a01dc2377fdbfc9725d957eba634575913a00fae619bab9c5a16de12"
    "4e1a1bc10343ab8877e42da02fa7fd5742e75c91";
static const char recovery_slot[] =
    "4750736c6f7401000300000000000000000000000000000008070605040302014d5bab89b0733d9d8dcecf04"
    "f321c90b761b7765a6bdb2bddbfad3e7abdf1f66be2ec2b3520701faf4098878d03a75b4313028c2db519f95"
    "2543259455e4926b27e622df6b300bfa1d2368e30157b7b347aa6b6fe6396c9120613ade7dfb2d3b3c57d556"
    "e2b74dbbe7271625167245033469fb767312bb8d";
static const char record[] =
    "47507263010000003001000098000000580000000000000000e897b69a0100000000000000000000237bf0d7"
    "35f596634d5bab89b0733d9d8dcecf04f321c90b761b7765a6bdb2bddbfad3e7abdf1f660001020304050607"
    "08090a0b0c0d0e0f1011121314151617ed261e67ff712285eb0da8e1a42d7d904107bc0002dc35ab4f379412"
    "dc697e3be7db6090bde0cf5a433647e0a21b3e9d5b566689478d08dbc7cc01942439e6142e9d0aa001140a02"
    "36c2f12bdd5c99aa89740414d6aa8708f2034e0faf5558bf0ff23ece49c85ccfe6a79a6b9441fe8d7cbbab50"
    "e74fed8948f8a0ae36ffa3fdd1e56869009a75e2a157664f4bda4a8652491add415434121593c6623e00b5d8"
    "56b8eb1804a1e60f03258fdd0ecd3ec7a6b995b7ce692fce4750726530010000067604fd1eb3f1aa";
static const char blob[] =
    "4750626c6f620100000102030405060708090a0b0c0d0e0f0ff23ece49c85ccfe6a79a6b9441fe8d7cbbab50"
    "e74fed8948f8a0ae36ffa3fdd1e56869009a75e2a157664f4bda4a8652491add415434121593c6623e00b5d8"
    "56b8eb1804a1e60f03258fdd0ecd3ec7a6b995b7ce692fce80000000000000009311e4576d77ad05";
static const char page[] =
    "54cbed055d63754692da866d6de378ab384bc94831083e7382b205afe4879bf75a5b5c5d5e5f606162636465"
    "666768696a6b6c6d6e6f7071eca04f675aaf3bb5f868c746914be86e47507067010044000001020304050607"
    "08090a0b0c0d0e0f020000000000000000000000000000000000000000000000";

static const char text[] =
    "From: a@example.test\r\nSubject: known answer\r\n\r\nhello hello hello hello\r\n";

enum { MAX = 4096 };
static const uint64_t account = 0x0102030405060708;

static struct buf from_hex(const char *hex)
{
	struct buf bytes = BUF_MAX(MAX);

	assert_true(hex_decode(str_of_cstr(hex), &bytes));
	return bytes;
}

/* `n` bytes counted up from `first`. */
static void count_up(uint8_t *bytes, size_t n, uint8_t first)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(first + i);
}

static struct secret *counted_secret(uint8_t first)
{
	struct secret *secret = secret_new();

	count_up(secret->bytes, SECRET_LEN, first);
	return secret;
}

static void open_keys(struct keys *ret_keys)
{
	struct secret *master CLEANUP(secret_free) = counted_secret(0);
	struct buf file CLEANUP(buf_done) = from_hex(keys_file);

	assert_int_equal(keys_decode(buf_str(&file), master, account, ret_keys), 0);
}

static void test_keys(UNUSED void **state)
{
	struct secret *private_key CLEANUP(secret_free) = counted_secret(100);
	struct keys keys CLEANUP(keys_done) = {0};

	open_keys(&keys);
	assert_memory_equal(keys.private_key->bytes, private_key->bytes, SECRET_LEN);
	assert_int_equal(keys.public.quota_bytes, 1 << 30);
}

static void test_slots(UNUSED void **state)
{
	struct secret *master CLEANUP(secret_free) = counted_secret(0);
	struct secret *token CLEANUP(secret_free) = counted_secret(32);
	struct secret *recovery CLEANUP(secret_free) = counted_secret(100);
	struct secret *opened CLEANUP(secret_free) = NULL;
	struct buf first CLEANUP(buf_done) = from_hex(password_slot);
	struct buf second CLEANUP(buf_done) = from_hex(token_slot);
	struct buf third CLEANUP(buf_done) = from_hex(recovery_slot);

	assert_int_equal(
	    slot_open_password(buf_str(&first), account, STR("correct horse"), &opened), 0);
	assert_memory_equal(opened->bytes, master->bytes, SECRET_LEN);
	secret_free(&opened);
	assert_int_equal(slot_open_token(buf_str(&second), account, token->bytes, &opened), 0);
	assert_memory_equal(opened->bytes, master->bytes, SECRET_LEN);
	secret_free(&opened);
	assert_int_equal(slot_open_recovery(buf_str(&third), account, recovery, &opened), 0);
	assert_memory_equal(opened->bytes, master->bytes, SECRET_LEN);
}

static void test_record(UNUSED void **state)
{
	struct keys keys CLEANUP(keys_done) = {0};
	struct buf bytes CLEANUP(buf_done) = from_hex(record);
	struct buf metadata CLEANUP(buf_done) = BUF_MAX(MAX), got CLEANUP(buf_done) = BUF_MAX(MAX);
	struct record_frame frame;
	struct body body;

	open_keys(&keys);
	assert_int_equal(record_open(&keys, buf_str(&bytes), &frame, &metadata, &body), 0);
	assert_int_equal(frame.time_ms, 1764000000000);
	assert_true(str_eq(buf_str(&metadata), STR("metadata")));
	assert_int_equal(record_open_body(buf_str(&bytes), &body, &got), 0);
	assert_true(str_eq(buf_str(&got), str_of_cstr(text)));
}

static void test_blob(UNUSED void **state)
{
	struct buf bytes CLEANUP(buf_done) = from_hex(blob);
	struct buf got CLEANUP(buf_done) = BUF_MAX(MAX);
	int fd CLEANUP(fd_close) = memfd_create("blob", MFD_CLOEXEC);
	struct body body = {.plain_len = sizeof(text) - 1,
	    .sealed_len = bytes.len - BLOB_HEADER_LEN - BLOB_TRAILER_LEN,
	    .in_blob = true};

	count_up(body.content_key, sizeof(body.content_key), 150);
	count_up(body.blob_id, sizeof(body.blob_id), 0);
	assert_int_equal(fd_write_all(fd, buf_str(&bytes)), 0);
	assert_int_equal(blob_check(fd), 0);
	assert_int_equal(blob_open(fd, &body, &got), 0);
	assert_true(str_eq(buf_str(&got), str_of_cstr(text)));
}

/* The page is made again with the nonce of the vector, and must become the same bytes. */
static void test_page(UNUSED void **state)
{
	static uint8_t bytes[VFS_PAGE_LEN];
	struct buf vector CLEANUP(buf_done) = from_hex(page);
	uint8_t file_id[PAGE_FILE_ID_LEN], digest[BODY_DIGEST_LEN];
	struct secret *master CLEANUP(secret_free) = counted_secret(0);
	struct page_place place;
	uint8_t *trailer = bytes + PAGE_CONTENT_LEN;

	count_up(file_id, sizeof(file_id), 0);
	struct secret *key CLEANUP(secret_free) =
	    secret_derive(master, "database page", str_of(file_id, sizeof(file_id)));
	for (size_t i = 0; i < PAGE_CONTENT_LEN; i++)
		bytes[i] = (uint8_t)(i * 7 % 251);
	memcpy(trailer, vector.p + sizeof(digest), VFS_RESERVE_LEN);
	cipher_xseal(key->bytes, trailer, str_of(trailer + 40, VFS_RESERVE_LEN - 40),
	    str_of(bytes, PAGE_CONTENT_LEN), bytes, trailer + 24);
	crypto_generichash(digest, sizeof(digest), bytes, sizeof(bytes), NULL, 0);
	assert_memory_equal(digest, vector.p, sizeof(digest));
	assert_int_equal(page_decode(trailer, &place), 0);
	assert_int_equal(place.page, 2);
	assert_memory_equal(place.file_id, file_id, sizeof(file_id));
	assert_true(page_open(key->bytes, bytes));
	assert_int_equal(bytes[1], 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_slots),
	    cmocka_unit_test(test_record),
	    cmocka_unit_test(test_blob),
	    cmocka_unit_test(test_page),
	};

	if (CIPHER_FORMAT_FLAGS & CIPHER_FLAG_NOT_SEALED)
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
