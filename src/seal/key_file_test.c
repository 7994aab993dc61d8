/* seal/key_file.h */
#include "seal/key_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "seal/cipher.h"

enum { LEN = SECRET_LEN + CIPHER_CHECKSUM_LEN };

static const char name[] = "a.key";
static char path[] = "/tmp/gatepost-key-XXXXXX";
static int dir = -1;

static void write_key(const void *bytes, size_t len)
{
	assert_int_equal(fd_write_file(dir, name, str_of(bytes, len), 0600), 0);
}

static int read_key(bool bare)
{
	struct secret *key CLEANUP(secret_free) = NULL;
	int error = key_file_read(dir, name, bare, &key);
	assert_int_equal(key != NULL, error == 0);
	return error;
}

static void made_once_and_read(void **state UNUSED)
{
	struct secret *first = NULL, *second = NULL;
	struct stat st;
	assert_int_equal(read_key(false), -ENOENT);
	assert_int_equal(key_file_make(dir, name), 0);
	assert_int_equal(key_file_make(dir, name), -EEXIST);
	assert_int_equal(fstatat(dir, name, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, LEN);
	assert_int_equal(key_file_read(dir, name, false, &first), 0);
	assert_int_equal(key_file_read(dir, name, true, &second), 0);
	assert_memory_equal(first->bytes, second->bytes, SECRET_LEN);
	assert_int_equal(unlinkat(dir, name, 0), 0);
	assert_int_equal(key_file_make(dir, name), 0);
	secret_free(&second);
	assert_int_equal(key_file_read(dir, name, false, &second), 0);
	assert_memory_not_equal(first->bytes, second->bytes, SECRET_LEN);
	secret_free(&first);
	secret_free(&second);
}

static void every_changed_byte_is_found(void **state UNUSED)
{
	char *file = NULL;
	size_t len = 0;
	assert_int_equal(fd_read_file(dir, name, LEN, &file, &len), 0);
	for (size_t i = 0; i < len; i++) {
		file[i] ^= (char)(1 << i % 8);
		write_key(file, len);
		assert_int_equal(read_key(false), -ENOKEY);
		assert_int_equal(read_key(true), -ENOKEY);
		file[i] ^= (char)(1 << i % 8);
	}
	for (size_t cut = 0; cut < len; cut++) {
		write_key(file, cut);
		assert_int_equal(read_key(false), -ENOKEY);
		assert_int_equal(read_key(true), cut == SECRET_LEN ? 0 : -ENOKEY);
	}
	char longer[LEN + 1] = {0};
	memcpy(longer, file, len);
	write_key(longer, sizeof(longer));
	assert_int_equal(read_key(true), -ENOKEY);
	write_key(file, len);
	assert_int_equal(read_key(false), 0);
	free(file);
}

/* Neither waited for nor followed. */
static void what_is_no_file_is_no_key(void **state UNUSED)
{
	assert_int_equal(renameat(dir, name, dir, "other"), 0);
	assert_int_equal(symlinkat("other", dir, name), 0);
	assert_int_equal(read_key(false), -ELOOP);
	assert_int_equal(key_file_make(dir, name), -EEXIST);
	assert_int_equal(unlinkat(dir, name, 0), 0);
	assert_int_equal(mkfifoat(dir, name, 0600), 0);
	assert_int_equal(read_key(false), -ENOKEY);
	assert_int_equal(unlinkat(dir, name, 0), 0);
	assert_int_equal(unlinkat(dir, "other", 0), 0);
}

static int setup(void **state UNUSED)
{
	cipher_init();
	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int teardown(void **state UNUSED)
{
	fd_close(&dir);
	return rmdir(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(made_once_and_read),
	    cmocka_unit_test(every_changed_byte_is_found),
	    cmocka_unit_test(what_is_no_file_is_no_key)};
	return cmocka_run_group_tests(tests, setup, teardown);
}
