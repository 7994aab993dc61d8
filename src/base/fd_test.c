#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Each test stands in an empty folder of its own. */
static char folder[] = "/tmp/gatepost-fd-XXXXXX";

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int enter_folder(void **state)
{
	(void)state;
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
	return mkdtemp(folder) == NULL || chdir(folder) < 0 ? -1 : 0;
}

static int leave_folder(void **state)
{
	(void)state;
	return chdir("/") < 0 || nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS) < 0 ? -1 : 0;
}

static void fd_close_and_take(void **state)
{
	(void)state;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	int taken = fd_take(&fd);
	assert_int_equal(fd, -1);
	fd_close(&fd);
	assert_int_equal(fcntl(taken, F_GETFD), FD_CLOEXEC);
	int number = taken;
	fd_close(&taken);
	assert_int_equal(taken, -1);
	assert_int_equal(fcntl(number, F_GETFD), -1);
}

static void fd_reads_and_writes_whole(void **state)
{
	(void)state;
	char got[8] = {0};
	int fd CLEANUP(fd_close) = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, STR("abcdef")), 0);
	assert_int_equal(fd_write_all(fd, STR("")), 0);
	assert_int_equal(fd_pwrite_all(fd, STR("XY"), 2), 0);
	assert_int_equal(fd_pread_all(fd, got, 6, 0), 0);
	assert_string_equal(got, "abXYef");
	assert_int_equal(fd_pread_all(fd, got, 7, 0), -ENODATA);
	assert_int_equal(fd_pread_all(fd, got, 1, 6), -ENODATA);
	assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
	assert_int_equal(fd_read_all(fd, got, 2), 0);
	assert_memory_equal(got, "ef", 2);
	assert_int_equal(fd_read_all(fd, got, 1), -ENODATA);
	assert_int_equal(fd_read_all(fd, got, 0), 0);
	assert_int_equal(fd_read_all(-1, got, 1), -EBADF);
	assert_int_equal(fd_pread_all(-1, got, 1, 0), -EBADF);
	assert_int_equal(fd_write_all(-1, STR("x")), -EBADF);
	assert_int_equal(fd_pwrite_all(-1, STR("x"), 0), -EBADF);
}

static void fd_reads_a_pipe_piece_by_piece(void **state)
{
	(void)state;
	int ends[2];
	char got[6];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (const char *p = "abcdef"; *p != '\0'; p++) {
			ssize_t put UNUSED = write(ends[1], p, 1);
			usleep(1000);
		}
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(fd_read_all(ends[0], got, 6), 0);
	assert_memory_equal(got, "abcdef", 6);
	assert_int_equal(fd_read_all(ends[0], got, 1), -ENODATA);
	close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void fd_read_file_holds_its_limit(void **state)
{
	(void)state;
	char *p = NULL;
	size_t len = 7;

	assert_int_equal(fd_write_file(AT_FDCWD, "f", STR("12345"), 0600), 0);
	assert_int_equal(fd_read_file(AT_FDCWD, "f", 4, &p, &len), -EFBIG);
	assert_int_equal(fd_read_file(AT_FDCWD, "absent", 4, &p, &len), -ENOENT);
	assert_int_equal(fd_read_file(AT_FDCWD, ".", 1 << 20, &p, &len), -EINVAL);
	assert_null(p);
	assert_int_equal(len, 7);
	assert_int_equal(fd_read_file(AT_FDCWD, "f", 5, &p, &len), 0);
	assert_int_equal(len, 5);
	assert_string_equal(p, "12345");
	free(p);
}

static void fd_read_plain_file_reads_nothing_else(void **state)
{
	(void)state;
	char *p = NULL;
	size_t len = 7;

	assert_int_equal(fd_write_file(AT_FDCWD, "f", STR("12345"), 0600), 0);
	assert_int_equal(symlink("f", "link"), 0);
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_int_equal(fd_read_plain_file(AT_FDCWD, "link", 5, &p, &len), -ELOOP);
	assert_int_equal(fd_read_plain_file(AT_FDCWD, "pipe", 5, &p, &len), -EINVAL);
	assert_int_equal(fd_read_file(AT_FDCWD, "pipe", 5, &p, &len), -EINVAL);
	assert_null(p);
	assert_int_equal(fd_read_file(AT_FDCWD, "link", 5, &p, &len), 0);
	free(p);
	assert_int_equal(fd_read_plain_file(AT_FDCWD, "f", 5, &p, &len), 0);
	assert_string_equal(p, "12345");
	free(p);
}

static void fd_write_file_replaces_whole(void **state)
{
	(void)state;
	char *p;
	size_t len;
	struct stat st;

	assert_int_equal(mkdir("sub", 0700), 0);
	assert_int_equal(fd_write_file(AT_FDCWD, "sub/f", STR("first version"), 0640), 0);
	assert_int_equal(stat("sub/f", &st), 0);
	assert_int_equal(st.st_mode & 07777 & ~022u, 0640);
	assert_int_equal(fd_write_file(AT_FDCWD, "sub/f", STR("2nd"), 0640), 0);
	assert_int_equal(fd_read_file(AT_FDCWD, "sub/f", 100, &p, &len), 0);
	assert_string_equal(p, "2nd");
	free(p);
	assert_int_equal(access("sub/f.new", F_OK), -1);
	assert_int_equal(fd_write_file(AT_FDCWD, "absent/f", STR("x"), 0600), -ENOENT);

	int dir CLEANUP(fd_close) = open("sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fd_write_file(dir, "g", STR(""), 0600), 0);
	assert_int_equal(stat("sub/g", &st), 0);
	assert_int_equal(st.st_size, 0);
}

static void fd_write_file_does_not_follow_a_link(void **state)
{
	(void)state;
	struct stat st;

	assert_int_equal(fd_write_file(AT_FDCWD, "victim", STR("mine"), 0600), 0);
	assert_int_equal(symlink("victim", "f.new"), 0);
	assert_int_equal(fd_write_file(AT_FDCWD, "f", STR("x"), 0600), -ELOOP);
	assert_int_equal(stat("victim", &st), 0);
	assert_int_equal(st.st_size, 4);

	/* A link in the place of the file itself is replaced, not followed. */
	assert_int_equal(symlink("victim", "g"), 0);
	assert_int_equal(fd_write_file(AT_FDCWD, "g", STR("x"), 0600), 0);
	assert_int_equal(stat("victim", &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(lstat("g", &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void fd_write_file_refuses_a_name_that_is_too_long(void **state)
{
	(void)state;
	char name[5000];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(fd_write_file(AT_FDCWD, name, STR("x"), 0600), -ENAMETOOLONG);
}

static void fd_sets_flags(void **state)
{
	(void)state;
	int fd CLEANUP(fd_close) = open("/dev/null", O_RDWR);

	assert_int_equal(fd_set_cloexec(fd, true), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fd_set_cloexec(fd, false), 0);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(fd_set_nonblocking(fd, true), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_NONBLOCK | O_RDWR);
	assert_int_equal(fd_set_nonblocking(fd, false), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fd_set_cloexec(-1, true), -EBADF);
	assert_int_equal(fd_set_nonblocking(-1, true), -EBADF);
}

static void fd_sealed_memfd_cannot_change(void **state)
{
	(void)state;
	int fd CLEANUP(fd_close) = -1;
	char got[5];
	size_t len = 0;

	assert_int_equal(fd_sealed_memfd("t", STR("hello"), &fd), 0);
	assert_int_equal(fd_check_sealed(fd, &len), 0);
	assert_int_equal(len, 5);
	assert_int_equal(fd_pread_all(fd, got, 5, 0), 0);
	assert_memory_equal(got, "hello", 5);
	assert_int_equal(fd_pwrite_all(fd, STR("x"), 0), -EPERM);
	assert_int_equal(ftruncate(fd, 3), -1);
	assert_int_equal(ftruncate(fd, 30), -1);
	assert_ptr_equal(mmap(NULL, 5, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

static void fd_check_sealed_refuses_everything_else(void **state)
{
	(void)state;
	size_t len = 7;
	int file CLEANUP(fd_close) = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int open_memory CLEANUP(fd_close) = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int unsealable CLEANUP(fd_close) = memfd_create("t", MFD_CLOEXEC);

	assert_int_equal(fd_check_sealed(file, &len), -EPERM);
	assert_int_equal(fd_check_sealed(open_memory, &len), -EPERM);
	assert_int_equal(fd_check_sealed(unsealable, &len), -EPERM);
	assert_int_equal(fd_check_sealed(-1, &len), -EPERM);
	assert_int_equal(fcntl(open_memory, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW), 0);
	assert_int_equal(fd_check_sealed(open_memory, &len), -EPERM);
	assert_int_equal(len, 7);
	assert_int_equal(fd_seal(open_memory), 0);
	assert_int_equal(fd_check_sealed(open_memory, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(fd_seal(file), -EINVAL);
	assert_int_equal(fd_seal(unsealable), -EPERM);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fd_close_and_take),
	    IN_FOLDER(fd_reads_and_writes_whole),
	    cmocka_unit_test(fd_reads_a_pipe_piece_by_piece),
	    IN_FOLDER(fd_read_file_holds_its_limit),
	    IN_FOLDER(fd_read_plain_file_reads_nothing_else),
	    IN_FOLDER(fd_write_file_replaces_whole),
	    IN_FOLDER(fd_write_file_does_not_follow_a_link),
	    IN_FOLDER(fd_write_file_refuses_a_name_that_is_too_long),
	    cmocka_unit_test(fd_sets_flags),
	    cmocka_unit_test(fd_sealed_memfd_cannot_change),
	    IN_FOLDER(fd_check_sealed_refuses_everything_else),
	};
	return cmocka_run_group_tests_name("base/fd", tests, NULL, NULL);
}
