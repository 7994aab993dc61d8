/* sandbox_enter_owner: what a child of the command line can do that looks at somebody else's files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "sandbox/sandbox.h"

enum { SOMEBODY = 65533, OTHERS_GROUP = 65532 };

/* A folder with `mine/file` and `other`; the working folder is `mine`. */
static char folder[] = "/tmp/owner-test-XXXXXX";

static int make_folder(void **state UNUSED)
{
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(mkdir("mine", 0700), 0);
	assert_int_equal(chmod("mine", 0770), 0);
	assert_int_equal(fd_write_file(AT_FDCWD, "mine/file", STR("a"), 0600), 0);
	assert_int_equal(fd_write_file(AT_FDCWD, "other", STR("b"), 0644), 0);
	if (geteuid() == 0) {
		assert_int_equal(chmod(folder, 0755), 0);
		assert_int_equal(chown("mine", 0, OTHERS_GROUP), 0);
		assert_int_equal(chown("mine/file", SOMEBODY, OTHERS_GROUP), 0);
	}
	return chdir("mine");
}

static int remove_folder(void **state UNUSED)
{
	assert_int_equal(chdir(folder), 0);
	unlink("mine/file");
	unlink("mine/new");
	unlink("other");
	rmdir("mine");
	return rmdir(folder);
}

/* How a child ended that entered and then acted. */
static int run_inside(const char *of, int (*act)(void))
{
	int status;
	pid_t self = getpid(), pid = fork();

	if (pid == 0) {
		static const int keep = STDERR_FILENO;
		sandbox_enter_owner(ROLE_SESSION, of, self, &keep, 1);
		_exit(act());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int try_open(const char *path, int flags)
{
	int fd CLEANUP(fd_close) = open(path, flags | O_CLOEXEC, 0600);

	return fd < 0 ? errno : 0;
}

static int use_the_folder(void)
{
	int error = try_open("file", O_RDWR);

	return error != 0 ? error : try_open("new", O_RDWR | O_CREAT);
}

static int read_outside(void)
{
	return try_open("../other", O_RDONLY);
}

static int who_is_it(void)
{
	return getuid() == SOMEBODY && geteuid() == SOMEBODY && getgid() == OTHERS_GROUP ? 0 : 1;
}

static int has_no_other_descriptor(void)
{
	return fcntl(STDERR_FILENO + 1, F_GETFD) < 0 && errno == EBADF ? 0 : 1;
}

static int make_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

static int make_process(void)
{
	return fork() < 0;
}

static int change_owner(void)
{
	return chown("file", 0, 0) < 0;
}

static void the_folder_is_its_own(void **state UNUSED)
{
	int outside = run_inside("file", read_outside);

	assert_int_equal(run_inside("file", use_the_folder), 0);
	if (sandbox_landlock_version() < SANDBOX_LANDLOCK_LEAST)
		skip();
	assert_true(WIFEXITED(outside));
	assert_int_equal(WEXITSTATUS(outside), EACCES);
}

static void root_becomes_the_owner(void **state UNUSED)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(run_inside("file", who_is_it), 0);
	/* No such file: the folder's owner, which is root, without its powers. */
	int status = run_inside("nothing", use_the_folder);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EACCES);
}

static void nothing_else_is_at_hand(void **state UNUSED)
{
	static int (*const acts[])(void) = {make_socket, make_process, change_owner};

	assert_int_equal(run_inside("file", has_no_other_descriptor), 0);
	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		int status = run_inside("file", acts[i]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_folder_is_its_own),
	    cmocka_unit_test(root_becomes_the_owner),
	    cmocka_unit_test(nothing_else_is_at_hand),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
