/* Master keys, the file `keys`, slots and the recovery key. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "seal/keys.h"
#include "seal/recovery.h"
#include "seal/slot.h"

enum { ACCOUNT = 4711, QUOTA = 1 << 30 };

static void test_secret(UNUSED void **state)
{
	struct secret *secret CLEANUP(secret_free) = secret_random();
	struct secret *copy CLEANUP(secret_free) = secret_copy(secret->bytes);
	struct secret *received CLEANUP(secret_free) = NULL;
	int fd CLEANUP(fd_close) = -1, plain CLEANUP(fd_close) = -1;

	assert_memory_equal(copy->bytes, secret->bytes, SECRET_LEN);
	assert_int_equal(secret_to_memfd(secret, &fd), 0);
	assert_int_equal(secret_from_memfd(fd, &received), 0);
	assert_memory_equal(received->bytes, secret->bytes, SECRET_LEN);
	secret_free(&received);
	assert_null(received);
	secret_free(&received);

	plain = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_int_equal(secret_from_memfd(plain, &received), -EPERM);
	fd_close(&fd);
	assert_int_equal(fd_sealed_memfd("short", STR("0123456789abcdef0123456789abcdef"), &fd), 0);
	assert_int_equal(secret_from_memfd(fd, &received), 0);
	secret_free(&received);
	fd_close(&fd);
	assert_int_equal(fd_sealed_memfd("short", STR("short"), &fd), 0);
	assert_int_equal(secret_from_memfd(fd, &received), -EBADMSG);
	assert_null(received);

	struct secret *a CLEANUP(secret_free) = keys_derive(secret, 1, KEYS_LABEL_MAILBOX_DB);
	struct secret *b CLEANUP(secret_free) = keys_derive(secret, 2, KEYS_LABEL_MAILBOX_DB);
	struct secret *c CLEANUP(secret_free) = keys_derive(secret, 1, KEYS_LABEL_READ_LOG);
	struct secret *d CLEANUP(secret_free) = keys_derive(copy, 1, KEYS_LABEL_MAILBOX_DB);
	assert_memory_not_equal(a->bytes, b->bytes, SECRET_LEN);
	assert_memory_not_equal(a->bytes, c->bytes, SECRET_LEN);
	assert_memory_equal(a->bytes, d->bytes, SECRET_LEN);
}

static void test_keys_file(UNUSED void **state)
{
	struct secret *master CLEANUP(secret_free) = secret_random();
	struct secret *other CLEANUP(secret_free) = secret_random();
	struct keys keys CLEANUP(keys_done) = {0}, opened CLEANUP(keys_done) = {0};
	struct keys_public public;
	uint8_t file[KEYS_FILE_LEN];
	struct str content = str_of(file, sizeof(file));

	keys_new(ACCOUNT, QUOTA, &keys);
	keys_encode(&keys, master, file);
	assert_int_equal(keys_decode_public(content, &public), 0);
	assert_int_equal(public.account_id, ACCOUNT);
	assert_int_equal(public.quota_bytes, QUOTA);
	assert_memory_equal(public.public_key, keys.public.public_key, CIPHER_PUBLIC_LEN);
	if (!(CIPHER_FORMAT_FLAGS & CIPHER_FLAG_NOT_SEALED))
		assert_int_equal(keys_decode(content, other, ACCOUNT, &opened), -EACCES);
	assert_int_equal(keys_decode(content, master, ACCOUNT + 1, &opened), -EACCES);
	assert_null(opened.private_key);
	assert_int_equal(keys_decode(content, master, ACCOUNT, &opened), 0);
	assert_memory_equal(opened.private_key->bytes, keys.private_key->bytes, SECRET_LEN);
	assert_int_equal(keys_decode_public(str_first(content, 135), &public), -EBADMSG);
	assert_int_equal(keys_decode_public((struct str){0}, &public), -EBADMSG);
}

/* Bytes 128 to 135 are the checksum: made right again, so that only the key can tell. */
static void mend_checksum(uint8_t *bytes, size_t len)
{
	struct str front = str_of(bytes, len - CIPHER_CHECKSUM_LEN);

	cipher_checksum(&front, 1, bytes + front.len);
}

static void test_keys_flips(UNUSED void **state)
{
	struct secret *master CLEANUP(secret_free) = secret_random();
	struct keys keys CLEANUP(keys_done) = {0}, opened CLEANUP(keys_done) = {0};
	struct keys_public public;
	uint8_t file[KEYS_FILE_LEN], forged[KEYS_FILE_LEN];

	keys_new(ACCOUNT, QUOTA, &keys);
	keys_encode(&keys, master, file);
	for (size_t i = 0; i < 8 * sizeof(file); i++) {
		file[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(keys_decode_public(str_of(file, sizeof(file)), &public), -EBADMSG);
		memcpy(forged, file, sizeof(file));
		mend_checksum(forged, sizeof(forged));
		if (!(CIPHER_FORMAT_FLAGS & CIPHER_FLAG_NOT_SEALED) && i / 8 < 128)
			assert_true(keys_decode(str_of(forged, sizeof(forged)), master, ACCOUNT,
			                &opened) < 0);
		file[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	file[7] ^= CIPHER_FLAG_NOT_SEALED;
	mend_checksum(file, sizeof(file));
	assert_int_equal(keys_decode_public(str_of(file, sizeof(file)), &public), -EPROTONOSUPPORT);
}

static void test_slot_password(UNUSED void **state)
{
	struct secret *master CLEANUP(secret_free) = secret_random();
	struct secret *opened CLEANUP(secret_free) = NULL;
	uint8_t bytes[SLOT_LEN], again[SLOT_LEN];
	struct str slot = str_of(bytes, SLOT_LEN);
	struct slot_info info;

	assert_int_equal(
	    slot_seal_password(master, ACCOUNT, STR("correct horse"), &slot_cost_test, bytes), 0);
	assert_int_equal(
	    slot_seal_password(master, ACCOUNT, STR("correct horse"), &slot_cost_test, again), 0);
	assert_memory_not_equal(bytes, again, SLOT_LEN);
	assert_int_equal(slot_decode(slot, &info), 0);
	assert_int_equal(info.kind, SLOT_PASSWORD);
	assert_int_equal(info.account_id, ACCOUNT);
	assert_int_equal(info.cost.memory_kib, slot_cost_test.memory_kib);
	assert_int_equal(slot_open_password(slot, ACCOUNT, STR("Correct horse"), &opened), -EACCES);
	assert_int_equal(slot_open_password(slot, ACCOUNT, STR("correct hors"), &opened), -EACCES);
	assert_int_equal(slot_open_password(slot, ACCOUNT, STR(""), &opened), -EINVAL);
	assert_int_equal(slot_open_password(slot, 1, STR("correct horse"), &opened), -EACCES);
	assert_int_equal(slot_open_token(slot, ACCOUNT, master->bytes, &opened), -EINVAL);
	assert_null(opened);
	assert_int_equal(slot_open_password(slot, ACCOUNT, STR("correct horse"), &opened), 0);
	assert_memory_equal(opened->bytes, master->bytes, SECRET_LEN);
	slot_waste_password(STR("nobody"), &slot_cost_test);
}

static void test_slot_limits(UNUSED void **state)
{
	struct secret *master CLEANUP(secret_free) = secret_random();
	static char long_password[SLOT_PASSWORD_MAX + 1];
	static const struct slot_cost bad[] = {{SLOT_MEMORY_KIB_MIN - 1, 1},
	    {SLOT_MEMORY_KIB_MAX + 1, 1}, {SLOT_MEMORY_KIB_MIN, 0},
	    {SLOT_MEMORY_KIB_MIN, SLOT_PASSES_MAX + 1}};
	uint8_t bytes[SLOT_LEN] = {0};

	memset(long_password, 'a', sizeof(long_password));
	assert_int_equal(slot_seal_password(master, ACCOUNT,
	                     str_of(long_password, sizeof(long_password)), &slot_cost_test, bytes),
	    -EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
		    slot_seal_password(master, ACCOUNT, STR("x"), &bad[i], bytes), -EINVAL);
	assert_int_equal(bytes[0], 0);
	assert_int_equal(slot_seal_password(master, ACCOUNT,
	                     str_of(long_password, SLOT_PASSWORD_MAX), &slot_cost_test, bytes),
	    0);
}

static void test_slot_token(UNUSED void **state)
{
	struct secret *master CLEANUP(secret_free) = secret_random();
	struct secret *token CLEANUP(secret_free) = secret_random();
	struct secret *opened CLEANUP(secret_free) = NULL;
	uint8_t bytes[SLOT_LEN];
	struct str slot = str_of(bytes, SLOT_LEN);

	slot_seal_token(master, ACCOUNT, token->bytes, bytes);
	assert_int_equal(slot_open_token(slot, ACCOUNT, master->bytes, &opened), -EACCES);
	assert_int_equal(slot_open_token(slot, 1, token->bytes, &opened), -EACCES);
	assert_int_equal(slot_open_password(slot, ACCOUNT, STR("x"), &opened), -EINVAL);
	assert_int_equal(slot_open_token(slot, ACCOUNT, token->bytes, &opened), 0);
	assert_memory_equal(opened->bytes, master->bytes, SECRET_LEN);
}

static void test_slot_recovery(UNUSED void **state)
{
	struct secret *master CLEANUP(secret_free) = secret_random();
	struct secret *opened CLEANUP(secret_free) = NULL;
	uint8_t public_key[CIPHER_PUBLIC_LEN], bytes[SLOT_LEN], low_order[CIPHER_PUBLIC_LEN] = {1};
	struct secret *recovery CLEANUP(secret_free) = recovery_new(public_key);
	struct str slot = str_of(bytes, SLOT_LEN);

	if (!(CIPHER_FORMAT_FLAGS & CIPHER_FLAG_NOT_SEALED))
		assert_int_equal(slot_seal_recovery(master, ACCOUNT, low_order, bytes), -EINVAL);
	assert_int_equal(slot_seal_recovery(master, ACCOUNT, public_key, bytes), 0);
	if (!(CIPHER_FORMAT_FLAGS & CIPHER_FLAG_NOT_SEALED))
		assert_int_equal(slot_open_recovery(slot, ACCOUNT, master, &opened), -EACCES);
	assert_int_equal(slot_open_recovery(slot, 1, recovery, &opened), -EACCES);
	assert_int_equal(slot_open_recovery(slot, ACCOUNT, recovery, &opened), 0);
	assert_memory_equal(opened->bytes, master->bytes, SECRET_LEN);
}

static void test_slot_flips(UNUSED void **state)
{
	struct secret *master CLEANUP(secret_free) = secret_random();
	struct secret *opened CLEANUP(secret_free) = NULL;
	uint8_t slot[SLOT_LEN], forged[SLOT_LEN];
	struct slot_info info;

	assert_int_equal(
	    slot_seal_password(master, ACCOUNT, STR("secret"), &slot_cost_test, slot), 0);
	for (size_t i = 0; i < 8 * sizeof(slot); i++) {
		slot[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(slot_decode(str_of(slot, sizeof(slot)), &info), -EBADMSG);
		memcpy(forged, slot, sizeof(slot));
		mend_checksum(forged, sizeof(forged));
		bool costly = i / 8 >= 12 && i / 8 < 20; /* would only take long */
		if (!(CIPHER_FORMAT_FLAGS & CIPHER_FLAG_NOT_SEALED) && i / 8 < 144 && !costly)
			assert_true(slot_open_password(str_of(forged, sizeof(forged)), ACCOUNT,
			                STR("secret"), &opened) < 0);
		slot[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(slot_decode(str_of(slot, sizeof(slot) - 1), &info), -EBADMSG);
	slot[7] ^= CIPHER_FLAG_NOT_SEALED;
	mend_checksum(slot, sizeof(slot));
	assert_int_equal(slot_decode(str_of(slot, sizeof(slot)), &info), -EPROTONOSUPPORT);
}

static void test_recovery_text(UNUSED void **state)
{
	uint8_t public_key[CIPHER_PUBLIC_LEN];
	struct secret *recovery CLEANUP(secret_free) = recovery_new(public_key);
	struct secret *read CLEANUP(secret_free) = NULL;
	char text[RECOVERY_TEXT_LEN + 1], copied[2 * RECOVERY_TEXT_LEN];
	size_t len = 0;

	recovery_encode(recovery, text);
	assert_int_equal(strlen(text), RECOVERY_TEXT_LEN);
	assert_int_equal(recovery_decode(str_of_cstr(text), &read), 0);
	assert_memory_equal(read->bytes, recovery->bytes, SECRET_LEN);
	secret_free(&read);
	/* As somebody types it: lower case, o and l, blanks and line ends instead of dashes. */
	for (size_t i = 0; text[i] != '\0'; i++) {
		char c = ascii_lower(text[i]);
		copied[len++] = c == '0' ? 'o' : c == '1' ? 'l' : c == '-' ? ' ' : c;
		if (text[i] == '-')
			copied[len++] = '\n';
	}
	assert_int_equal(recovery_decode(str_of(copied, len), &read), 0);
	assert_memory_equal(read->bytes, recovery->bytes, SECRET_LEN);
	secret_free(&read);
	/* Each character changed, and the text cut and lengthened. */
	for (size_t i = 0; i < RECOVERY_TEXT_LEN; i++) {
		char was = text[i];
		text[i] = was == '-' ? 'X' : was == '7' ? '8' : '7';
		/* One chance in 65,536 per character: none is expected in 56. */
		assert_int_equal(recovery_decode(str_of_cstr(text), &read), -EBADMSG);
		text[i] = was;
	}
	assert_int_equal(recovery_decode(str_of(text, RECOVERY_TEXT_LEN - 1), &read), -EBADMSG);
	assert_int_equal(recovery_decode(STR("U"), &read), -EBADMSG);
	assert_int_equal(recovery_decode((struct str){0}, &read), -EBADMSG);
	static char endless[RECOVERY_TEXT_MAX + 1];
	memset(endless, '-', sizeof(endless));
	assert_int_equal(recovery_decode(str_of(endless, sizeof(endless)), &read), -EBADMSG);
	assert_null(read);
}

/* A fixed text: the bytes 0 to 31, encoded with Python. */
static void test_recovery_vector(UNUSED void **state)
{
	struct secret *secret CLEANUP(secret_free) = secret_new();
	char text[RECOVERY_TEXT_LEN + 1];

	for (size_t i = 0; i < SECRET_LEN; i++)
		secret->bytes[i] = (uint8_t)i;
	recovery_encode(secret, text);
	assert_string_equal(
	    text, "0400-20G3-0G2G-C1R8-1450-P30D-1R7H-048J-2CA1-A5GQ-30CH-M6RW-3MF1-Z32H");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_secret),
	    cmocka_unit_test(test_keys_file),
	    cmocka_unit_test(test_keys_flips),
	    cmocka_unit_test(test_slot_password),
	    cmocka_unit_test(test_slot_limits),
	    cmocka_unit_test(test_slot_token),
	    cmocka_unit_test(test_slot_recovery),
	    cmocka_unit_test(test_slot_flips),
	    cmocka_unit_test(test_recovery_text),
	    cmocka_unit_test(test_recovery_vector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
