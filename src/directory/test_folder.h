/* directory/test_folder.h: for tests: an empty working folder that goes away again. */
#ifndef DIRECTORY_TEST_FOLDER_H
#define DIRECTORY_TEST_FOLDER_H

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"

struct test_folder {
	char path[64];
	int before;
};

static inline void test_folder_enter(struct test_folder *folder)
{
	static const char template[] = "/tmp/gatepost-directory-XXXXXX";
	memcpy(folder->path, template, sizeof(template));
	folder->before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(folder->before >= 0);
	assert_non_null(mkdtemp(folder->path));
	assert_int_equal(chdir(folder->path), 0);
}

static inline void test_folder_leave(struct test_folder *folder)
{
	DIR *dir = opendir(".");
	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (e->d_name[0] != '.')
			assert_int_equal(unlink(e->d_name), 0);
	closedir(dir);
	assert_int_equal(fchdir(folder->before), 0);
	assert_int_equal(rmdir(folder->path), 0);
	fd_close(&folder->before);
}

#endif
