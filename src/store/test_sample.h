/*
 * store/test_sample.h: for tests of the store: copies of accounts, such as earlier versions wrote
 * (test/formats). Only *_test.c includes it.
 */
#ifndef STORE_TEST_SAMPLE_H
#define STORE_TEST_SAMPLE_H

#include <dirent.h>

#include "base/base64.h"
#include "store/test_account.h"

enum { TEST_SAMPLE_FILE_MAX = 64 << 20 };

static inline void test_copy_file(int from_fd, int to_fd, const char *name)
{
	char *bytes = NULL;
	size_t len = 0;
	test_check(fd_read_file(from_fd, name, TEST_SAMPLE_FILE_MAX, &bytes, &len));
	test_check(fd_write_file(to_fd, name, str_of(bytes, len), 0600));
	free(bytes);
}

static inline void test_copy_folder(
    int from_parent, const char *from, int to_parent, const char *to)
{
	int from_fd CLEANUP(fd_close) =
	    openat(from_parent, from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert(from_fd >= 0);
	test_check(mkdirat(to_parent, to, 0700));
	int to_fd CLEANUP(fd_close) = openat(to_parent, to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(dup(from_fd));
	struct dirent *entry;
	assert(dir);
	while ((entry = readdir(dir))) {
		struct stat st;
		if (entry->d_name[0] == '.')
			continue;
		test_check(fstatat(from_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW));
		if (S_ISDIR(st.st_mode))
			test_copy_folder(from_fd, entry->d_name, to_fd, entry->d_name);
		else
			test_copy_file(from_fd, to_fd, entry->d_name);
	}
	closedir(dir);
}

/* Copies an account in which `master.key` lies, and reads its master key; the current folder is
 * then the copy. */
static inline void test_sample_open(struct test_account *t, const char *from)
{
	char path[256], text[2 * SECRET_LEN];
	*t = (struct test_account){0};
	snprintf(t->path, sizeof(t->path), "%s/gatepost-format-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(t->path))
		abort();
	snprintf(path, sizeof(path), "%s/42", t->path);
	test_copy_folder(AT_FDCWD, from, AT_FDCWD, path);
	test_check(chdir(path));
	int fd CLEANUP(fd_close) = open("master.key", O_RDONLY | O_CLOEXEC);
	struct buf key CLEANUP(buf_done) = BUF_MAX(SECRET_LEN);
	test_check(fd_read_all(fd, text, sizeof(text)));
	if (!hex_decode(str_of(text, sizeof(text)), &key))
		abort();
	t->master = secret_copy((const uint8_t *)key.p);
}

#endif
