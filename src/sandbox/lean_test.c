#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/fd.h"
#include "sandbox/lean.h"

static void lines_of_maps(void **state)
{
	(void)state;
	struct lean_mapping m;
	assert_true(lean_read_mapping(
	    STR("7f374b617000-7f374b61a000 r--p 00000000 fe:00 12   /usr/lib/libx.so.1"), &m));
	assert_true(m.start == (char *)0x7f374b617000);
	assert_int_equal(m.len, 0x3000);
	assert_true(str_eq(m.file, STR("/usr/lib/libx.so.1")));
	assert_true(lean_read_mapping(STR("1000-2000 rw-p 00000000 00:00 0"), &m));
	assert_int_equal(m.file.len, 0);
	assert_false(m.is_heap);
	assert_true(
	    lean_read_mapping(STR("1000-2000 rw-p 00000000 00:00 0             [heap]"), &m));
	assert_true(m.is_heap);
	static const char *const bad[] = {"", "1000", "1000-", "-1000", "2000-1000 r", "10-10 r",
	    "x000-2000 r", "11112222333344445-0 r"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(lean_read_mapping(str_of_cstr(bad[i]), &m));
}

static void libraries(void **state)
{
	(void)state;
	static const char *const needed[] = {"", "[heap]", "/usr/bin/gatepost",
	    "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/libssl.so.3", "/lib/libcrypto.so.3",
	    "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "/home/lib/gatepost"};
	static const char *const foreign[] = {"/usr/lib/x86_64-linux-gnu/libicudata.so.72.1",
	    "/usr/lib/libsqlite3.so.0.8.6", "/usr/lib/libstdc++.so.6"};
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		assert_false(lean_is_foreign(str_of_cstr(needed[i])));
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		assert_true(lean_is_foreign(str_of_cstr(foreign[i])));
}

static bool maps_mention(const char *what)
{
	static char text[1 << 20];
	int fd CLEANUP(fd_close) = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	for (ssize_t n; (n = read(fd, text + len, sizeof text - len)) > 0;)
		len += (size_t)n;
	return str_find(str_of(text, len), str_of_cstr(what)) < len;
}

/* A child has what it needs and works; its parent still has everything. */
static void children_are_lean(void **state)
{
	(void)state;
	assert_true(sqlite3_libversion_number() > 0); /* links it */
	char *before = malloc(100000);                /* in the heap, whose content must stay */
	assert_non_null(before);
	memset(before, 'x', 100000);
	lean_prepare();
	assert_int_equal(before[0] + before[50000] + before[99999], 3 * 'x');
	before[50000] = 'y';
	pid_t pid = fork(); /* the child has no test library any more */
	if (pid == 0) {
		char *p = malloc(100000);
		bool lean = !maps_mention("libsqlite3");
#ifdef GATEPOST_ASAN
		lean = true;
#endif
		bool same = before[0] == 'x' && before[50000] == 'y' && before[99999] == 'x';
		_exit(p && lean && same && maps_mention("libc.so") ? 0 : 1);
	}
	int status;
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(before[50000], 'y');
	free(before);
	assert_true(maps_mention("libsqlite3"));
	assert_true(sqlite3_libversion_number() > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_of_maps),
	    cmocka_unit_test(libraries),
	    cmocka_unit_test(children_are_lean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
