/*
 * store/io.h: the system calls with which the store and delivery change files.
 *
 * Each is one call, retried on EINTR, 0 or -errno. All changes of an account's files outside SQLite
 * go through here and nowhere else, so that a test build (GATEPOST_FAULTS) can let the n-th of them
 * fail or die. Other builds have no such hook.
 */
#ifndef STORE_IO_H
#define STORE_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/str.h"

/* Opens with O_CLOEXEC | O_NOFOLLOW: the descriptor (given) in `*ret_fd`. */
MUST_USE int io_open(int dir_fd, const char *path, int flags, mode_t mode, int *ret_fd);
/* All of `bytes`, or an error after some of them. */
MUST_USE int io_pwrite(int fd, struct str bytes, uint64_t at);
MUST_USE int io_fdatasync(int fd);
/* Of a file with its name's folder entry, or of a folder. */
MUST_USE int io_fsync(int fd);
MUST_USE int io_truncate(int fd, uint64_t len);
MUST_USE int io_link(int from_dir, const char *from, int to_dir, const char *to);
MUST_USE int io_rename(int from_dir, const char *from, int to_dir, const char *to);
MUST_USE int io_unlink(int dir_fd, const char *path, bool folder);
MUST_USE int io_mkdir(int dir_fd, const char *path, mode_t mode);
/* Frees the blocks of a range; reads give zeros then. -EOPNOTSUPP where the file system cannot. */
MUST_USE int io_punch(int fd, uint64_t at, uint64_t len);

#ifdef GATEPOST_FAULTS
/*
 * The `n`-th call from now on (from 1) fails with `error`, or, with `error` 0, kills the process
 * with SIGKILL before it; for a write, after half of the bytes. 0 ends it. `io_fault_count` is how
 * many calls there were since.
 */
void io_fault_at(uint64_t n, int error);
uint64_t io_fault_count(void);
/* Counts one call; what a test's own hooks (of SQLite's system calls) ask. -errno to fail now. */
MUST_USE int io_fault_step(void);
#endif

#endif
