#include "base/fd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FD_SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, FD_PATH_MAX = 4096 };

void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int fd_stat(int fd, struct stat *ret_stat)
{
	struct stat st;

	if (syscall(SYS_fstat, fd, &st) < 0)
		return -errno;
	*ret_stat = st;
	return 0;
}

int fd_read_all(int fd, void *p, size_t len)
{
	char *to = p;

	while (len > 0) {
		ssize_t got = read(fd, to, len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? -ENODATA : -errno;
		to += got;
		len -= (size_t)got;
	}
	return 0;
}

int fd_pread_all(int fd, void *p, size_t len, off_t at)
{
	char *to = p;

	while (len > 0) {
		ssize_t got = pread(fd, to, len, at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? -ENODATA : -errno;
		to += got;
		at += got;
		len -= (size_t)got;
	}
	return 0;
}

int fd_write_all(int fd, struct str s)
{
	while (s.len > 0) {
		ssize_t put = write(fd, s.p, s.len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		s = str_from(s, (size_t)put);
	}
	return 0;
}

int fd_pwrite_all(int fd, struct str s, off_t at)
{
	while (s.len > 0) {
		ssize_t put = pwrite(fd, s.p, s.len, at);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		s = str_from(s, (size_t)put);
		at += put;
	}
	return 0;
}

static int read_file(
    int dir_fd, const char *path, int flags, size_t max, char **ret_p, size_t *ret_len)
{
	/* Opening a pipe would wait for somebody who writes. */
	int fd CLEANUP(fd_close) =
	    openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size < 0 || (size_t)st.st_size > max)
		return -EFBIG;
	size_t len = (size_t)st.st_size;
	char *p = malloc(len + 1);
	assert(p != NULL);
	int r = fd_read_all(fd, p, len);
	if (r < 0) {
		free(p);
		return r;
	}
	p[len] = '\0';
	*ret_p = p;
	*ret_len = len;
	return 0;
}

int fd_read_file(int dir_fd, const char *path, size_t max, char **ret_p, size_t *ret_len)
{
	return read_file(dir_fd, path, 0, max, ret_p, ret_len);
}

int fd_read_plain_file(int dir_fd, const char *name, size_t max, char **ret_p, size_t *ret_len)
{
	return read_file(dir_fd, name, O_NOFOLLOW, max, ret_p, ret_len);
}

/* Syncs the folder in which `path` stands, so that its entry survives a crash. */
static int sync_parent(int dir_fd, const char *path)
{
	char parent[FD_PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct str name = slash ? str_of(path, (size_t)(slash - path)) : STR(".");
	int r = str_to_cstr(name.len > 0 ? name : STR("/"), parent, sizeof(parent));

	if (r < 0)
		return r;
	int fd CLEANUP(fd_close) = openat(dir_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_and_sync(int dir_fd, const char *path, struct str content, mode_t mode)
{
	int fd CLEANUP(fd_close) =
	    openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return -errno;
	int r = fd_write_all(fd, content);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

int fd_write_file(int dir_fd, const char *path, struct str content, mode_t mode)
{
	char temporary[FD_PATH_MAX];
	int len = snprintf(temporary, sizeof(temporary), "%s.new", path);

	if (len < 0 || (size_t)len >= sizeof(temporary))
		return -ENAMETOOLONG;
	int r = write_and_sync(dir_fd, temporary, content, mode);
	if (r < 0)
		return r;
	if (renameat(dir_fd, temporary, dir_fd, path) < 0)
		return -errno;
	return sync_parent(dir_fd, path);
}

static int set_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags < 0)
		return -errno;
	/* Nothing to do, nothing to ask for: some roles may look but not set. */
	if (((flags & flag) != 0) == on)
		return 0;
	return fcntl(fd, set, on ? flags | flag : flags & ~flag) < 0 ? -errno : 0;
}

int fd_set_nonblocking(int fd, bool on)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_set_cloexec(int fd, bool on)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, FD_SEALS) < 0 ? -errno : 0;
}

int fd_sealed_memfd(const char *name, struct str content, int *ret_fd)
{
	int fd CLEANUP(fd_close) = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	int r = fd_write_all(fd, content);
	if (r == 0)
		r = fd_seal(fd);
	if (r < 0)
		return r;
	*ret_fd = fd_take(&fd);
	return 0;
}

int fd_check_sealed(int fd, size_t *ret_len)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & FD_SEALS) != FD_SEALS || fd_stat(fd, &st) < 0 || st.st_size < 0)
		return -EPERM;
	*ret_len = (size_t)st.st_size;
	return 0;
}
