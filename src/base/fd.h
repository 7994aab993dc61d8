/*
 * base/fd.h: descriptors: closing, whole reads and writes, sealed memory files.
 *
 * Every descriptor is held by a variable with `CLEANUP(fd_close)`, released with `fd_take` when it
 * moves on. All functions retry EINTR. Errors are -errno.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"

/* Closes `*fd` unless it is negative, and sets it to -1. For CLEANUP. */
void fd_close(int *fd);

/* Hands the descriptor out and leaves -1 behind, so that CLEANUP does not close it. */
static inline int fd_take(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

struct stat;

/*
 * fstat(2) by its own system call: 0 or -errno. The C library asks by way of newfstatat, which
 * could also be given a path, and is closed to roles without files.
 */
MUST_USE int fd_stat(int fd, struct stat *ret_stat);

/* Reads until `len` bytes are there: 0, -ENODATA when the end came first, or -errno. */
MUST_USE int fd_read_all(int fd, void *p, size_t len);
MUST_USE int fd_pread_all(int fd, void *p, size_t len, off_t at);
/* Writes all of `s`: 0 or -errno. */
MUST_USE int fd_write_all(int fd, struct str s);
MUST_USE int fd_pwrite_all(int fd, struct str s, off_t at);

/*
 * Reads a whole file of at most `max` bytes into malloc'ed memory (given; free): 0, -EFBIG, -EINVAL
 * for what is no regular file (it does not wait for a pipe's writer), -errno.
 */
MUST_USE int fd_read_file(int dir_fd, const char *path, size_t max, char **ret_p, size_t *ret_len);

/* The same, but a link as the last part is not followed: -ELOOP. For folders others write to. */
MUST_USE int fd_read_plain_file(
    int dir_fd, const char *name, size_t max, char **ret_p, size_t *ret_len);

/*
 * Writes a file so that it is either wholly there after a crash or not at all: a temporary name
 * beside it, sync, rename, sync of the folder. 0 or -errno.
 */
MUST_USE int fd_write_file(int dir_fd, const char *path, struct str content, mode_t mode);

MUST_USE int fd_set_nonblocking(int fd, bool on);
MUST_USE int fd_set_cloexec(int fd, bool on);

/*
 * A memory file with `content`, sealed against every change (F_SEAL_WRITE, SHRINK, GROW, SEAL): its
 * descriptor in `*ret_fd` (given), or -errno.
 */
MUST_USE int fd_sealed_memfd(const char *name, struct str content, int *ret_fd);
/* Seals an existing memfd the same way. */
MUST_USE int fd_seal(int fd);
/* 0 when `fd` is a memory file sealed that way (its length in `*ret_len`); -EPERM when it is
 * anything else. */
MUST_USE int fd_check_sealed(int fd, size_t *ret_len);

#endif
