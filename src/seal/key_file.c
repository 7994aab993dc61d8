#include "seal/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "seal/cipher.h"

enum { MODE = 0600, FILE_LEN = SECRET_LEN + CIPHER_CHECKSUM_LEN };

static void checksum(const struct secret *key, uint8_t ret_sum[static CIPHER_CHECKSUM_LEN])
{
	struct str bytes = str_of(key->bytes, SECRET_LEN);

	cipher_checksum(&bytes, 1, ret_sum);
}

int key_file_make(int dir_fd, const char *name)
{
	struct secret *key CLEANUP(secret_free) = secret_random();
	uint8_t file[FILE_LEN];
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	memcpy(file, key->bytes, SECRET_LEN);
	checksum(key, file + SECRET_LEN);
	int error = fd_write_file(dir_fd, name, str_of(file, sizeof(file)), MODE);
	cipher_wipe(file, sizeof(file));
	return error;
}

static int check(int fd, const struct secret *key)
{
	uint8_t sum[CIPHER_CHECKSUM_LEN], found[CIPHER_CHECKSUM_LEN];
	int error = fd_read_all(fd, found, sizeof(found));

	checksum(key, sum);
	return error ? error : cipher_equal(sum, found, sizeof(sum)) ? 0 : -ENOKEY;
}

int key_file_read(int dir_fd, const char *name, bool bare, struct secret **ret_key)
{
	struct secret *key CLEANUP(secret_free) = secret_new();
	struct stat st;
	int fd CLEANUP(fd_close) =
	    openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int error = fd < 0 ? -errno : fd_stat(fd, &st);

	if (error)
		return error;
	bool is_bare = bare && st.st_size == SECRET_LEN;
	if (!S_ISREG(st.st_mode) || (st.st_size != FILE_LEN && !is_bare))
		return -ENOKEY;
	error = fd_read_all(fd, key->bytes, SECRET_LEN);
	if (!error && !is_bare)
		error = check(fd, key);
	if (!error)
		*ret_key = secret_take(&key);
	return error;
}
