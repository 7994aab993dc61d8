#include "store/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#ifdef GATEPOST_FAULTS
static struct {
	uint64_t at;
	uint64_t count;
	int error;
} fault;

void io_fault_at(uint64_t n, int error)
{
	fault.at = n;
	fault.error = error;
	fault.count = 0;
}

uint64_t io_fault_count(void)
{
	return fault.count;
}

/* True when this call is the one. */
static bool fault_is_due(void)
{
	return ++fault.count == fault.at;
}

static int fault_strike(void)
{
	if (fault.error == 0)
		raise(SIGKILL);
	return -fault.error;
}

int io_fault_step(void)
{
	return fault_is_due() ? fault_strike() : 0;
}

/* A failing write leaves half of its bytes, as a full disk does. */
static int fault_write(int fd, struct str bytes, uint64_t at)
{
	if (!fault_is_due())
		return 0;
	int error = fd_pwrite_all(fd, str_first(bytes, bytes.len / 2), (off_t)at);
	return error ? error : fault_strike();
}

#else
static inline int fault_write(int fd UNUSED, struct str bytes UNUSED, uint64_t at UNUSED)
{
	return 0;
}
static inline int io_fault_step(void)
{
	return 0;
}
#endif

static int result_of(int result)
{
	return result < 0 ? -errno : result;
}

int io_open(int dir_fd, const char *path, int flags, mode_t mode, int *ret_fd)
{
	int error = flags & O_CREAT ? io_fault_step() : 0;
	if (error)
		return error;
	int fd = result_of(
	    TEMP_FAILURE_RETRY(openat(dir_fd, path, flags | O_CLOEXEC | O_NOFOLLOW, mode)));
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

int io_pwrite(int fd, struct str bytes, uint64_t at)
{
	int error = fault_write(fd, bytes, at);
	return error ? error : fd_pwrite_all(fd, bytes, (off_t)at);
}

int io_fdatasync(int fd)
{
	int error = io_fault_step();
	return error ? error : result_of(TEMP_FAILURE_RETRY(fdatasync(fd)));
}

int io_fsync(int fd)
{
	int error = io_fault_step();
	return error ? error : result_of(TEMP_FAILURE_RETRY(fsync(fd)));
}

int io_truncate(int fd, uint64_t len)
{
	int error = io_fault_step();
	return error ? error : result_of(TEMP_FAILURE_RETRY(ftruncate(fd, (off_t)len)));
}

int io_link(int from_dir, const char *from, int to_dir, const char *to)
{
	int error = io_fault_step();
	return error ? error : result_of(TEMP_FAILURE_RETRY(linkat(from_dir, from, to_dir, to, 0)));
}

int io_rename(int from_dir, const char *from, int to_dir, const char *to)
{
	int error = io_fault_step();
	return error ? error : result_of(TEMP_FAILURE_RETRY(renameat(from_dir, from, to_dir, to)));
}

int io_unlink(int dir_fd, const char *path, bool folder)
{
	int error = io_fault_step();
	return error ? error
	             : result_of(
	                   TEMP_FAILURE_RETRY(unlinkat(dir_fd, path, folder ? AT_REMOVEDIR : 0)));
}

int io_mkdir(int dir_fd, const char *path, mode_t mode)
{
	int error = io_fault_step();
	return error ? error : result_of(TEMP_FAILURE_RETRY(mkdirat(dir_fd, path, mode)));
}

int io_punch(int fd, uint64_t at, uint64_t len)
{
	int error = io_fault_step();
	return error ? error
	             : result_of(TEMP_FAILURE_RETRY(fallocate(
	                   fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len)));
}
