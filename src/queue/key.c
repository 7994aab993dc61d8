#include "queue/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"

enum { KEY_MODE = 0600, KEY_FILE_LEN = SECRET_LEN + CIPHER_CHECKSUM_LEN };

/* docs/formats.md lists the labels in use. */
#define LABEL "queue.db"

static void checksum(const struct secret *key, uint8_t ret_sum[static CIPHER_CHECKSUM_LEN])
{
	struct str bytes = str_of(key->bytes, SECRET_LEN);
	cipher_checksum(&bytes, 1, ret_sum);
}

static bool is_there(const char *name)
{
	struct stat st;
	return fstatat(AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int queue_key_make(void)
{
	if (is_there(QUEUE_KEY_FILE) || is_there(QUEUE_DATABASE_FILE))
		return 0;
	int folder CLEANUP(fd_close) = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	struct secret *key CLEANUP(secret_free) = secret_random();
	uint8_t file[KEY_FILE_LEN];
	memcpy(file, key->bytes, SECRET_LEN);
	checksum(key, file + SECRET_LEN);
	int error = fd_write_file(folder, QUEUE_KEY_FILE, str_of(file, sizeof(file)), KEY_MODE);
	cipher_wipe(file, sizeof(file));
	return error;
}

int queue_key_read(struct secret **ret_key)
{
	char *file = NULL;
	size_t len = 0;
	int error = fd_read_plain_file(AT_FDCWD, QUEUE_KEY_FILE, KEY_FILE_LEN, &file, &len);
	if (error)
		return error == -EFBIG ? -ENOKEY : error;
	uint8_t sum[CIPHER_CHECKSUM_LEN];
	struct secret *key CLEANUP(secret_free) = secret_new();
	if (len == KEY_FILE_LEN) {
		memcpy(key->bytes, file, SECRET_LEN);
		checksum(key, sum);
	}
	if (len != KEY_FILE_LEN || memcmp(sum, file + SECRET_LEN, sizeof(sum)) != 0)
		error = -ENOKEY;
	cipher_wipe(file, len);
	free(file);
	if (!error)
		*ret_key = secret_derive(key, LABEL, STR(""));
	return error;
}
