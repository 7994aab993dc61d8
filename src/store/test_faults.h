/*
 * store/test_faults.h: for tests of the store: SQLite's system calls that change files fail when
 * store/io.h says so (GATEPOST_FAULTS). Only *_test.c includes it.
 */
#ifndef STORE_TEST_FAULTS_H
#define STORE_TEST_FAULTS_H

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/types.h>

#include "store/io.h"
#include "store/store.h"

#ifdef GATEPOST_FAULTS

static ssize_t (*test_real_pwrite)(int, const void *, size_t, off_t);
static int (*test_real_ftruncate)(int, off_t);
static int (*test_real_unlink)(const char *);

static inline int test_fault_errno(void)
{
	int error = io_fault_step();
	errno = -error;
	return error;
}

static inline ssize_t test_faulty_pwrite(int fd, const void *p, size_t len, off_t at)
{
	return test_fault_errno() ? -1 : test_real_pwrite(fd, p, len, at);
}

static inline int test_faulty_ftruncate(int fd, off_t len)
{
	return test_fault_errno() ? -1 : test_real_ftruncate(fd, len);
}

static inline int test_faulty_unlink(const char *path)
{
	return test_fault_errno() ? -1 : test_real_unlink(path);
}

static inline void test_hook(const char *name, sqlite3_syscall_ptr fn, void *real)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
	sqlite3_syscall_ptr old = vfs->xGetSystemCall(vfs, name);
	assert(old != NULL);
	if (old != fn) {
		memcpy(real, &old, sizeof(old));
		int result = vfs->xSetSystemCall(vfs, name, fn);
		assert(result == SQLITE_OK);
	}
}

static inline void test_hook_sqlite(void)
{
	store_init();
	test_hook("pwrite64", (sqlite3_syscall_ptr)test_faulty_pwrite, &test_real_pwrite);
	test_hook("ftruncate", (sqlite3_syscall_ptr)test_faulty_ftruncate, &test_real_ftruncate);
	test_hook("unlink", (sqlite3_syscall_ptr)test_faulty_unlink, &test_real_unlink);
}

#endif

#endif
