#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "keyholder/dkim_keys.h"
#include "mail/dkim_key.h"

static const uint8_t hash[DKIM_HASH_LEN] = {1, 2, 3};

struct made {
	struct buf public_key, sealed;
};

static struct made make(
    struct dkim_keys *k, struct str domain, struct str selector, uint8_t algorithm)
{
	struct made m = {BUF_MAX(DKIM_KEYS_PUBLIC_MAX), BUF_MAX(DKIM_KEYS_SEALED_MAX)};
	struct ipc_dkim_make question = {
	    .domain = domain, .selector = selector, .algorithm = algorithm};

	assert_int_equal(dkim_keys_make(k, &question, &m.public_key, &m.sealed), 0);
	return m;
}

static void made_done(struct made *m)
{
	buf_done(&m->public_key);
	buf_done(&m->sealed);
}

static int sign(struct dkim_keys *k, struct str domain, struct str selector, struct str what,
    unsigned char *signature, size_t *len)
{
	struct ipc_dkim_sign question = {.domain = domain, .selector = selector, .hash = what};
	return dkim_keys_sign(k, &question, signature, len);
}

static void expect_signature(
    struct dkim_keys *k, struct str selector, const struct made *m, uint8_t algorithm)
{
	unsigned char signature[DKIM_KEYS_SIGNATURE_MAX];
	struct buf record CLEANUP(buf_done) = BUF_MAX(4096);
	struct dkim_key key;
	size_t len = 0;
	unsigned bits;

	assert_int_equal(
	    sign(k, STR("example.org"), selector, str_of(hash, sizeof(hash)), signature, &len), 0);
	assert_true(dkim_key_format(algorithm == DKIM_RSA_SHA256 ? DKIM_KEY_RSA : DKIM_KEY_ED25519,
	    buf_str(&m->public_key), &record));
	assert_null(dkim_key_parse(buf_str(&record), &key));
	assert_null(dkim_key_verify(&key, hash, str_of(signature, len), &bits));
	assert_int_equal(bits, algorithm == DKIM_RSA_SHA256 ? DKIM_KEYS_RSA_BITS : 256);
}

static void keys_sign_here_and_where_they_are_taken(void **state UNUSED)
{
	struct secret *secret CLEANUP(secret_free) = secret_random();
	struct secret *other CLEANUP(secret_free) = secret_random();

	for (uint8_t algorithm = 0; algorithm < N_DKIM_ALGORITHMS; algorithm++) {
		struct dkim_keys *k = dkim_keys_new(secret);
		struct made m = make(k, STR("example.org"), STR("s"), algorithm);
		expect_signature(k, STR("s"), &m, algorithm);
		dkim_keys_free(k);
		k = dkim_keys_new(secret);
		struct ipc_dkim_key key = {.domain = STR("example.org"),
		    .selector = STR("s"),
		    .algorithm = algorithm,
		    .sealed = buf_str(&m.sealed)};
		assert_int_equal(dkim_keys_take(k, &key), 0);
		expect_signature(k, STR("s"), &m, algorithm);
		/* bound to what it is, and to this server */
		key.selector = STR("t");
		assert_int_equal(dkim_keys_take(k, &key), -EBADMSG);
		key.selector = STR("s");
		key.domain = STR("example.com");
		assert_int_equal(dkim_keys_take(k, &key), -EBADMSG);
		key.domain = STR("example.org");
		key.algorithm ^= 1;
		assert_int_equal(dkim_keys_take(k, &key), -EBADMSG);
		key.algorithm = N_DKIM_ALGORITHMS;
		assert_int_equal(dkim_keys_take(k, &key), -EBADMSG);
		key.algorithm = algorithm;
		dkim_keys_free(k);
		k = dkim_keys_new(other);
		assert_int_equal(dkim_keys_take(k, &key), -EBADMSG);
		dkim_keys_free(k);
		made_done(&m);
	}
}

static void damaged_keys_are_refused(void **state UNUSED)
{
	struct secret *secret CLEANUP(secret_free) = secret_random();
	struct dkim_keys *k = dkim_keys_new(secret);
	struct made m = make(k, STR("example.org"), STR("s"), DKIM_ED25519_SHA256);
	struct ipc_dkim_key key = {
	    .domain = STR("example.org"), .selector = STR("s"), .algorithm = DKIM_ED25519_SHA256};

	for (size_t i = 0; i < m.sealed.len; i++) {
		key.sealed = str_first(buf_str(&m.sealed), i);
		assert_int_equal(dkim_keys_take(k, &key), -EBADMSG);
		m.sealed.p[i] ^= 1;
		key.sealed = buf_str(&m.sealed);
		assert_int_equal(dkim_keys_take(k, &key), -EBADMSG);
		m.sealed.p[i] ^= 1;
	}
	key.sealed = buf_str(&m.sealed);
	assert_int_equal(dkim_keys_take(k, &key), 0);
	made_done(&m);
	dkim_keys_free(k);
}

static void what_is_no_hash_is_not_signed(void **state UNUSED)
{
	struct secret *secret CLEANUP(secret_free) = secret_random();
	struct dkim_keys *k = dkim_keys_new(secret);
	struct made m = make(k, STR("example.org"), STR("s"), DKIM_ED25519_SHA256);
	unsigned char signature[DKIM_KEYS_SIGNATURE_MAX];
	struct str text = str_of(hash, sizeof(hash));
	size_t len = 7;

	assert_int_equal(
	    sign(k, STR("example.org"), STR("s"), str_first(text, 31), signature, &len), -EPERM);
	assert_int_equal(sign(k, STR("example.org"), STR("s"), STR(""), signature, &len), -EPERM);
	assert_int_equal(sign(k, STR("example.org"), STR("t"), text, signature, &len), -ENOENT);
	assert_int_equal(sign(k, STR("example.or"), STR("gs"), text, signature, &len), -ENOENT);
	assert_int_equal(sign(k, STR(""), STR(""), text, signature, &len), -ENOENT);
	assert_int_equal(len, 7);
	dkim_keys_forget(k, STR("example.org"), STR("none"));
	assert_int_equal(dkim_keys_count(k), 1);
	dkim_keys_forget(k, STR("example.org"), STR("s"));
	assert_int_equal(dkim_keys_count(k), 0);
	assert_int_equal(sign(k, STR("example.org"), STR("s"), text, signature, &len), -ENOENT);
	struct ipc_dkim_make bad = {.domain = STR("a\0b"), .selector = STR("s")};
	assert_int_equal(dkim_keys_make(k, &bad, &m.public_key, &m.sealed), -EINVAL);
	bad.domain = STR("a");
	bad.algorithm = N_DKIM_ALGORITHMS;
	assert_int_equal(dkim_keys_make(k, &bad, &m.public_key, &m.sealed), -EINVAL);
	made_done(&m);
	dkim_keys_free(k);
}

static void there_is_a_limit(void **state UNUSED)
{
	struct secret *secret CLEANUP(secret_free) = secret_random();
	struct dkim_keys *k = dkim_keys_new(secret);
	struct buf public_key CLEANUP(buf_done) = BUF_MAX(DKIM_KEYS_PUBLIC_MAX);
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(DKIM_KEYS_SEALED_MAX);
	char selector[16];

	for (unsigned i = 0; i <= DKIM_KEYS_MAX; i++) {
		struct ipc_dkim_make m = {
		    .domain = STR("example.org"), .algorithm = DKIM_ED25519_SHA256};
		snprintf(selector, sizeof(selector), "s%u", i);
		m.selector = str_of_cstr(selector);
		buf_clear(&public_key);
		buf_clear(&sealed);
		assert_int_equal(
		    dkim_keys_make(k, &m, &public_key, &sealed), i < DKIM_KEYS_MAX ? 0 : -ENOSPC);
	}
	assert_int_equal(dkim_keys_count(k), DKIM_KEYS_MAX);
	/* One that takes another's place needs none of its own. */
	struct ipc_dkim_make again = {
	    .domain = STR("example.org"), .selector = STR("s7"), .algorithm = DKIM_ED25519_SHA256};
	buf_clear(&public_key);
	buf_clear(&sealed);
	assert_int_equal(dkim_keys_make(k, &again, &public_key, &sealed), 0);
	struct ipc_dkim_key taken = {.domain = STR("example.org"),
	    .selector = STR("s7"),
	    .algorithm = DKIM_ED25519_SHA256,
	    .sealed = buf_str(&sealed)};
	assert_int_equal(dkim_keys_take(k, &taken), 0);
	taken.selector = STR("another");
	assert_int_equal(dkim_keys_take(k, &taken), -ENOSPC);
	assert_int_equal(dkim_keys_count(k), DKIM_KEYS_MAX);
	dkim_keys_free(k);
}

static void the_file_of_the_key(void **state UNUSED)
{
	char folder[] = "/tmp/gatepost-test-XXXXXX";
	struct secret *first CLEANUP(secret_free) = NULL, *second CLEANUP(secret_free) = NULL;
	struct secret *none = NULL;
	char byte;
	struct stat st;

	assert_non_null(mkdtemp(folder));
	int data CLEANUP(fd_close) = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(data, "tls", 0700), 0);
	assert_int_equal(dkim_keys_check_key(data), -ENOENT);
	assert_int_equal(dkim_keys_read_key(data, &first), 0);
	assert_int_equal(dkim_keys_check_key(data), 0);
	assert_int_equal(fstatat(data, DKIM_KEYS_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(dkim_keys_read_key(data, &second), 0);
	assert_memory_equal(first->bytes, second->bytes, SECRET_LEN);
	int file CLEANUP(fd_close) = openat(data, DKIM_KEYS_FILE, O_RDWR | O_CLOEXEC);
	for (off_t at = 0; at < st.st_size; at += 13) {
		assert_int_equal(fd_pread_all(file, &byte, 1, at), 0);
		byte ^= 1;
		assert_int_equal(fd_pwrite_all(file, str_of(&byte, 1), at), 0);
		assert_int_equal(dkim_keys_read_key(data, &none), -ENOKEY);
		assert_int_equal(dkim_keys_check_key(data), -ENOKEY);
		byte ^= 1;
		assert_int_equal(fd_pwrite_all(file, str_of(&byte, 1), at), 0);
	}
	assert_int_equal(ftruncate(file, st.st_size - 1), 0);
	assert_int_equal(dkim_keys_read_key(data, &none), -ENOKEY);
	assert_int_equal(ftruncate(file, st.st_size + 1), 0);
	assert_int_equal(dkim_keys_read_key(data, &none), -ENOKEY);
	assert_int_equal(unlinkat(data, DKIM_KEYS_FILE, 0), 0);
	assert_int_equal(unlinkat(data, "tls", AT_REMOVEDIR), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_sign_here_and_where_they_are_taken),
	    cmocka_unit_test(damaged_keys_are_refused),
	    cmocka_unit_test(what_is_no_hash_is_not_signed),
	    cmocka_unit_test(there_is_a_limit),
	    cmocka_unit_test(the_file_of_the_key),
	};
	dkim_keys_init_memory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
