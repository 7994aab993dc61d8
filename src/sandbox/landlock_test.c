#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "sandbox/landlock.h"
#include "sandbox/role.h"

/* A folder with `mine/file` and `other/file`; children stand in `mine`. */
static char folder[] = "/tmp/landlock-test-XXXXXX";

static int make_folder(void **state UNUSED)
{
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(mkdir("mine", 0700) | mkdir("other", 0700) | mkdir("mine/below", 0700), 0);
	assert_int_equal(fd_write_file(AT_FDCWD, "mine/file", STR("a"), 0600), 0);
	assert_int_equal(fd_write_file(AT_FDCWD, "other/file", STR("b"), 0600), 0);
	return chdir("mine");
}

static int remove_folder(void **state UNUSED)
{
	static const char *const files[] = {
	    "mine/file", "mine/new", "mine/below/linked", "other/file", "other/linked"};
	static const char *const folders[] = {"mine/below", "mine", "other"};

	assert_int_equal(chdir(folder), 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlink(files[i]);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		assert_int_equal(rmdir(folders[i]), 0);
	return rmdir(folder);
}

static _Noreturn void act_confined(unsigned files, int (*act)(void))
{
	int version = landlock_version();
	int ruleset = landlock_ruleset(version);

	if (ruleset < 0 || (files != 0 && landlock_allow(ruleset, version, ".", files) < 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || landlock_restrict(ruleset) < 0)
		_exit(200);
	_exit(act());
}

/* 0, or the errno that `act` met under a rule for the working folder. */
static int run_confined(unsigned files, int (*act)(void))
{
	int status;

	if (landlock_version() < 2)
		skip();
	pid_t pid = fork();
	if (pid == 0)
		act_confined(files, act);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int try_open(const char *path, int flags)
{
	int fd CLEANUP(fd_close) = open(path, flags, 0600);

	return fd < 0 ? errno : 0;
}

static int read_own(void)
{
	return try_open("file", O_RDONLY);
}

static int read_other(void)
{
	return try_open("../other/file", O_RDONLY);
}

static int write_own(void)
{
	return try_open("file", O_WRONLY);
}

static int truncate_own(void)
{
	return try_open("file", O_WRONLY | O_TRUNC);
}

static int list_own(void)
{
	return try_open(".", O_RDONLY | O_DIRECTORY);
}

static int make_own(void)
{
	return try_open("new", O_WRONLY | O_CREAT);
}

static int link_within(void)
{
	return link("file", "below/linked") < 0 ? errno : 0;
}

static int link_out(void)
{
	return link("file", "../other/linked") < 0 ? errno : 0;
}

static int remove_other(void)
{
	return unlink("../other/file") < 0 ? errno : 0;
}

static int symbolic_link(void)
{
	return symlink("file", "link") < 0 ? errno : 0;
}

static void nothing_is_allowed_without_a_rule(void **state UNUSED)
{
	assert_int_equal(run_confined(0, read_own), EACCES);
	assert_int_equal(run_confined(0, list_own), EACCES);
	assert_int_equal(run_confined(0, make_own), EACCES);
}

static void each_right_allows_its_own(void **state UNUSED)
{
	assert_int_equal(run_confined(FILES_READ, read_own), 0);
	assert_int_equal(run_confined(FILES_READ, write_own), EACCES);
	assert_int_equal(run_confined(FILES_READ, list_own), EACCES);
	assert_int_equal(run_confined(FILES_WRITE, write_own), 0);
	assert_int_equal(run_confined(FILES_WRITE, truncate_own), 0);
	assert_int_equal(run_confined(FILES_WRITE, read_own), EACCES);
	assert_int_equal(run_confined(FILES_WRITE, make_own), EACCES);
	assert_int_equal(run_confined(FILES_LIST, list_own), 0);
	assert_int_equal(run_confined(FILES_MAKE | FILES_WRITE, make_own), 0);
}

static void the_folder_is_the_border(void **state UNUSED)
{
	unsigned all = FILES_READ | FILES_WRITE | FILES_LIST | FILES_MAKE | FILES_REMOVE;

	assert_int_equal(run_confined(all | FILES_LINK, read_other), EACCES);
	assert_int_equal(run_confined(all | FILES_LINK, remove_other), EACCES);
	assert_int_equal(run_confined(all | FILES_LINK, link_out), EACCES);
	assert_int_equal(run_confined(all | FILES_LINK, symbolic_link), EACCES);
}

static void links_between_folders_take_their_right(void **state UNUSED)
{
	unsigned all = FILES_READ | FILES_WRITE | FILES_LIST | FILES_MAKE | FILES_REMOVE;

	assert_int_equal(run_confined(all, link_within), EXDEV);
	assert_int_equal(run_confined(all | FILES_LINK, link_within), 0);
}

static int bind_a_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd CLEANUP(fd_close) = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ? errno : 0;
}

static int signal_parent(void)
{
	return kill(getppid(), 0) < 0 ? errno : 0;
}

/* Connects to a port of this machine where nobody listens, after a rule for another and for it. */
static int connect_to(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd CLEANUP(fd_close) = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static int connect_with_a_rule(void)
{
	int version = landlock_version();
	int ruleset = landlock_ruleset(version);

	if (landlock_allow_connect(ruleset, version, 4) < 0 ||
	    landlock_allow_bind(ruleset, version, 0) < 0 || landlock_restrict(ruleset) < 0)
		return 200;
	if (bind_a_port() != 0)
		return 201;
	return connect_to(4) == ECONNREFUSED && connect_to(5) == EACCES ? 0 : 202;
}

static void ports_are_allowed_one_by_one(void **state UNUSED)
{
	int status;

	if (landlock_version() < 4)
		skip();
	pid_t pid = fork();
	if (pid == 0)
		_exit(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? 203 : connect_with_a_rule());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void newer_versions_close_the_network_and_signals(void **state UNUSED)
{
	if (landlock_version() < 6)
		skip();
	assert_int_equal(run_confined(FILES_READ, bind_a_port), EACCES);
	assert_int_equal(run_confined(FILES_READ, signal_parent), EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_allowed_without_a_rule),
	    cmocka_unit_test(each_right_allows_its_own),
	    cmocka_unit_test(the_folder_is_the_border),
	    cmocka_unit_test(links_between_folders_take_their_right),
	    cmocka_unit_test(ports_are_allowed_one_by_one),
	    cmocka_unit_test(newer_versions_close_the_network_and_signals),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
