/* Password work that waits: how much of one origin, and what is asked about it before it runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "directory/work.h"
#include "seal/cipher.h"

enum { GREEDY = 7, MODEST = 8, WAIT_MS = 20000 };

struct tally {
	size_t n_asked, n_wrong, n_refused, n_opened;
};

static void on_done(int error, struct secret *master, void *ctx)
{
	struct tally *tally = ctx;
	tally->n_wrong += error == -EACCES;
	tally->n_refused += error == -EDQUOT;
	tally->n_opened += error == 0 && master;
	secret_free(&master);
}

static int refuse(void *ctx, struct secret **ret_master UNUSED)
{
	((struct tally *)ctx)->n_asked++;
	return -EDQUOT;
}

static int know(void *ctx, struct secret **ret_master)
{
	((struct tally *)ctx)->n_asked++;
	*ret_master = secret_random();
	return 0;
}

static int submit(struct works *works, uint64_t origin,
    int (*before)(void *ctx, struct secret **ret_master), struct tally *tally)
{
	struct work_caller caller = {origin, before, on_done, tally};
	return works_open(works, NULL, 0, STR("guess"), &caller);
}

static void one_origin_does_not_fill_the_queue(void **state UNUSED)
{
	struct loop *loop = NULL;
	struct works *works = NULL;
	struct tally greedy = {0}, modest = {0};
	cipher_init();
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(works_new(loop, &works), 0);
	works_set_cost(works, &slot_cost_test);
	size_t n = 0;
	while (submit(works, GREEDY, refuse, &greedy) == 0)
		assert_true(++n <= WORK_PROCESSES_MAX + WORK_ORIGIN_MAX);
	assert_true(n > WORK_ORIGIN_MAX);
	size_t n_running = n - WORK_ORIGIN_MAX;
	assert_int_equal(submit(works, GREEDY, refuse, &greedy), -EAGAIN);
	assert_int_equal(submit(works, MODEST, know, &modest), 0);
	assert_int_equal(submit(works, 0, NULL, &modest), 0);
	uint64_t until = clock_ms() + WAIT_MS;
	while (modest.n_wrong == 0 || greedy.n_wrong < n_running) {
		assert_true(clock_ms() < until);
		assert_int_equal(loop_once(loop, 10), 0);
	}
	/* what ran at once was computed, what waited was answered by what is known */
	assert_int_equal(greedy.n_wrong, n_running);
	assert_int_equal(greedy.n_asked, WORK_ORIGIN_MAX);
	assert_int_equal(greedy.n_refused, WORK_ORIGIN_MAX);
	assert_true(modest.n_asked == 1 && modest.n_opened == 1 && modest.n_wrong == 1);
	loop_free(loop);
	works_free(works);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_origin_does_not_fill_the_queue),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
