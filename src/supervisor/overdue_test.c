#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "supervisor/overdue.h"

static void own_children_alone_are_ended(void **state UNUSED)
{
	int told[2], status;
	pid_t grandchild;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		for (;;)
			pause();
	/* A process whose parent is not the one that tells. */
	assert_int_equal(pipe(told), 0);
	pid_t other = fork();
	assert_true(other >= 0);
	if (other == 0) {
		grandchild = fork();
		if (grandchild == 0)
			for (;;)
				pause();
		(void)!write(told[1], &grandchild, sizeof(grandchild));
		_exit(waitpid(grandchild, &status, 0) == grandchild && WIFSIGNALED(status)
		          ? WTERMSIG(status)
		          : 0);
	}
	assert_int_equal(read(told[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	assert_int_equal(overdue_end(grandchild, getpid()), -EPERM);
	assert_int_equal(overdue_end(child, other), -EPERM);
	assert_int_equal(overdue_end(getppid(), getpid()), -EPERM);
	assert_int_equal(overdue_end(1, 0), -EPERM);
	assert_int_equal(waitpid(child, &status, WNOHANG), 0);
	assert_int_equal(waitpid(other, &status, WNOHANG), 0);

	assert_int_equal(overdue_end(child, getpid()), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(overdue_end(child, getpid()), -ESRCH);
	assert_int_equal(overdue_end(grandchild, other), 0);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == SIGKILL);
	close(told[0]);
	close(told[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(own_children_alone_are_ended)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
