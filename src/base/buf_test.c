#include "base/buf.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_content(const struct buf *b, const char *want)
{
	assert_int_equal(b->len, strlen(want));
	assert_memory_equal(b->p, want, b->len);
}

static void buf_appends_each_kind(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_done) = BUF_MAX(1000);

	assert_true(buf_add(&b, STR("ab")));
	assert_true(buf_add(&b, STR("")));
	assert_true(buf_add(&b, (struct str){NULL, 0}));
	assert_true(buf_add_c(&b, '-'));
	assert_true(buf_add_u64(&b, 0));
	assert_true(buf_add_u64(&b, UINT64_MAX));
	assert_true(buf_printf(&b, " %s=%d", "x", -1));
	assert_true(buf_printf(&b, "%s", ""));
	assert_content(&b, "ab-018446744073709551615 x=-1");
	assert_false(buf_failed(&b));
	assert_int_equal(buf_str(&b).len, b.len);
}

static void buf_adds_all_or_nothing_at_its_ceiling(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_done) = BUF_MAX(5);

	assert_true(buf_add(&b, STR("abc")));
	assert_false(buf_add(&b, STR("def")));
	assert_true(buf_failed(&b));
	assert_content(&b, "abc");
	/* What fits is still added; the failure is remembered all the same. */
	assert_true(buf_add(&b, STR("de")));
	assert_content(&b, "abcde");
	assert_true(buf_failed(&b));
	assert_false(buf_add_c(&b, 'f'));
	assert_false(buf_add_u64(&b, 1));
	assert_false(buf_printf(&b, "%d", 7));
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_content(&b, "abcde");

	buf_clear(&b);
	assert_false(buf_failed(&b));
	assert_int_equal(b.len, 0);
	assert_true(buf_printf(&b, "%s", "12345"));
	assert_content(&b, "12345");
}

static void buf_of_no_bytes_takes_nothing(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_done) = BUF_MAX(0);

	assert_true(buf_add(&b, STR("")));
	assert_false(buf_add_c(&b, 'x'));
	assert_int_equal(b.len, 0);
}

static void buf_grows_to_its_ceiling_exactly(void **state)
{
	(void)state;
	enum { MAX = 100003 };
	struct buf b CLEANUP(buf_done) = BUF_MAX(MAX);
	size_t n = 0;

	while (buf_add_c(&b, (char)(n & 0x7f)))
		n++;
	assert_int_equal(n, MAX);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(b.p[i], i & 0x7f);
	buf_done(&b);
	assert_int_equal(b.len, 0);
	assert_null(b.p);
	assert_int_equal(b.max, MAX);
	assert_true(buf_add_c(&b, 'x'));
}

static void buf_reserve_commit_consume(void **state)
{
	(void)state;
	struct buf b CLEANUP(buf_done) = BUF_MAX(10);
	char *to = buf_reserve(&b, 6);

	assert_non_null(to);
	memcpy(to, "abcdef", 6);
	assert_int_equal(b.len, 0);
	buf_commit(&b, 4);
	assert_content(&b, "abcd");
	buf_consume(&b, 1);
	assert_content(&b, "bcd");
	buf_consume(&b, 0);
	assert_content(&b, "bcd");
	buf_consume(&b, 3);
	assert_int_equal(b.len, 0);
}

/* The signal that ended `broken` in a process of its own, 0 when it came back. */
static int signal_of(void (*broken)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		broken();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void commit_too_much(void)
{
	struct buf b = BUF_MAX(4);
	if (buf_reserve(&b, 4) != NULL)
		buf_commit(&b, b.cap + 1);
}

static void consume_too_much(void)
{
	struct buf b = BUF_MAX(4);
	buf_add_c(&b, 'x');
	buf_consume(&b, 2);
}

static void buf_aborts_on_a_broken_caller(void **state)
{
	(void)state;
	assert_int_equal(signal_of(commit_too_much), SIGABRT);
	assert_int_equal(signal_of(consume_too_much), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(buf_appends_each_kind),
	    cmocka_unit_test(buf_adds_all_or_nothing_at_its_ceiling),
	    cmocka_unit_test(buf_of_no_bytes_takes_nothing),
	    cmocka_unit_test(buf_grows_to_its_ceiling_exactly),
	    cmocka_unit_test(buf_reserve_commit_consume),
	    cmocka_unit_test(buf_aborts_on_a_broken_caller),
	};
	return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
