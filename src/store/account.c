#include "store/account.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "store/io.h"

/* Folders that are being made or removed: no account id begins with a dot. */
static const char making[] = ".making-";
static const char removing[] = ".removing-";

enum { PATH_LEN_MAX = sizeof(removing) + ACCOUNT_NAME_LEN_MAX, DEPTH_MAX = 3 };

void account_folder_name(uint64_t account_id, char ret_name[static ACCOUNT_NAME_LEN_MAX + 1])
{
	snprintf(ret_name, ACCOUNT_NAME_LEN_MAX + 1, "%" PRIu64, account_id);
}

static int remove_tree(int parent_fd, const char *name, int depth);

static int remove_entries(int fd, int depth)
{
	int own = -1;
	int error = io_open(fd, ".", O_RDONLY | O_DIRECTORY, 0, &own);
	if (error)
		return error;
	DIR *dir = fdopendir(own);
	if (!dir) {
		fd_close(&own);
		return -ENOMEM;
	}
	struct dirent *entry;
	while (!error && (entry = readdir(dir))) {
		struct str name = str_of_cstr(entry->d_name);
		if (!str_eq(name, STR(".")) && !str_eq(name, STR("..")))
			error = remove_tree(fd, entry->d_name, depth);
	}
	closedir(dir);
	return error;
}

/* Removes a file, or a folder with what is in it; links are not followed. */
static int remove_tree(int parent_fd, const char *name, int depth)
{
	int error = io_unlink(parent_fd, name, false);
	if (error != -EISDIR && error != -EPERM)
		return error == -ENOENT ? 0 : error;
	if (depth == 0)
		return -ELOOP;
	int fd CLEANUP(fd_close) = -1;
	error = io_open(parent_fd, name, O_RDONLY | O_DIRECTORY, 0, &fd);
	if (!error)
		error = remove_entries(fd, depth - 1);
	return error ? error : io_unlink(parent_fd, name, true);
}

static int make_folder(int parent_fd, const char *name, mode_t mode, int *ret_fd)
{
	int fd CLEANUP(fd_close) = -1;
	int error = io_mkdir(parent_fd, name, mode & 0777);
	if (!error)
		error = io_open(parent_fd, name, O_RDONLY | O_DIRECTORY, 0, &fd);
	if (error)
		return error;
	if (fchmod(fd, mode) < 0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

static int write_keys(int fd, struct str keys, mode_t mode)
{
	int file CLEANUP(fd_close) = -1;
	int error = io_open(fd, "keys", O_WRONLY | O_CREAT | O_EXCL, mode, &file);
	if (error)
		return error;
	if (fchmod(file, mode) < 0)
		return -errno;
	error = io_pwrite(file, keys, 0);
	return error ? error : io_fsync(file);
}

static int fill(int parent_fd, const char *path, struct str keys, bool shared)
{
	mode_t mode = shared ? 02770 : 0700;
	int fd CLEANUP(fd_close) = -1;
	int letterbox CLEANUP(fd_close) = -1;
	int blobs CLEANUP(fd_close) = -1;
	int error = make_folder(parent_fd, path, mode, &fd);
	if (!error)
		error = make_folder(fd, "letterbox", mode, &letterbox);
	if (!error)
		error = make_folder(fd, "blobs", mode, &blobs);
	if (!error)
		error = write_keys(fd, keys, shared ? 0640 : 0600);
	if (!error)
		error = io_fsync(fd);
	return error;
}

int account_create(int accounts_fd, uint64_t account_id, struct str keys, bool shared)
{
	char name[ACCOUNT_NAME_LEN_MAX + 1], path[PATH_LEN_MAX + 1];
	account_folder_name(account_id, name);
	snprintf(path, sizeof(path), "%s%s", making, name);
	struct stat st;
	if (fstatat(accounts_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	int error = remove_tree(accounts_fd, path, DEPTH_MAX);
	if (!error)
		error = fill(accounts_fd, path, keys, shared);
	if (!error)
		error = io_rename(accounts_fd, path, accounts_fd, name);
	if (!error)
		error = io_fsync(accounts_fd);
	return error;
}

int account_remove(int accounts_fd, uint64_t account_id)
{
	char name[ACCOUNT_NAME_LEN_MAX + 1], path[PATH_LEN_MAX + 1];
	account_folder_name(account_id, name);
	snprintf(path, sizeof(path), "%s%s", removing, name);
	int error = remove_tree(accounts_fd, path, DEPTH_MAX);
	if (error)
		return error;
	error = io_rename(accounts_fd, name, accounts_fd, path);
	if (error)
		return error == -ENOENT ? 0 : error;
	error = io_fsync(accounts_fd);
	return error ? error : remove_tree(accounts_fd, path, DEPTH_MAX);
}

int account_sweep(int accounts_fd)
{
	int fd = -1;
	int error = io_open(accounts_fd, ".", O_RDONLY | O_DIRECTORY, 0, &fd);
	if (error)
		return error;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		fd_close(&fd);
		return -ENOMEM;
	}
	struct dirent *entry;
	while (!error && (entry = readdir(dir))) {
		struct str name = str_of_cstr(entry->d_name);
		if (str_starts(name, str_of_cstr(making)) ||
		    str_starts(name, str_of_cstr(removing)))
			error = remove_tree(accounts_fd, entry->d_name, DEPTH_MAX);
	}
	closedir(dir);
	return error;
}
