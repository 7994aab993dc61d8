/* The slow check beside a session: when it begins, how fast it goes, and that it tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/clock.h"
#include "seal/vfs.h"
#include "session/checking.h"
#include "store/test_account.h"
#include "store/test_expect.h"

static struct test_account t;

static int setup(void **state UNUSED)
{
	test_account_make(&t);
	return 0;
}

static int teardown(void **state UNUSED)
{
	clock_simulate(0);
	test_account_remove(&t);
	return 0;
}

/* Runs a day as an idle session would; how many slices it took. */
static unsigned live_for(struct checking *c, struct store *s, uint64_t *now, uint64_t ms)
{
	unsigned n_slices = 0;
	for (uint64_t until = *now + ms; c->next_ms < until;) {
		uint64_t before = c->next_ms;
		clock_simulate(*now = c->next_ms);
		n_slices += checking_step(c, s);
		assert_true(c->next_ms >= before + CHECKING_PAUSE_MS);
	}
	return n_slices;
}

static void test_once_a_day(void **state UNUSED)
{
	uint64_t now = 1800000000000;
	struct checking c;
	clock_simulate(now);
	struct store *s = test_open(&t);
	checking_init(&c);
	assert_in_range(c.next_ms, now + CHECKING_AFTER_MS, now + 2 * CHECKING_AFTER_MS);
	live_for(&c, s, &now, 2 * CHECKING_AFTER_MS + CHECKING_ASK_MS);
	assert_null(c.check);
	assert_int_equal(t.n_damage, 0);
	/* A page that nobody reads: found the next day, not before. */
	store_close(s);
	test_flip("mailbox.db", 4 * VFS_PAGE_LEN + 100);
	s = test_open(&t);
	live_for(&c, s, &now, 20 * (uint64_t)CHECKING_ASK_MS);
	assert_int_equal(t.n_damage, 0);
	live_for(&c, s, &now, 5 * (uint64_t)CHECKING_ASK_MS);
	assert_int_equal(t.n_damage, 1);
	assert_string_equal(t.damaged_file, "mailbox.db");
	checking_done(&c);
	store_close(s);
}

/* Much to do is done slowly, and what one session leaves the next one does. */
static void test_slices(void **state UNUSED)
{
	enum { LARGE_LEN = 3 << 20 };
	uint64_t now = 1800000000000;
	struct checking c;
	char *bytes = malloc(LARGE_LEN);
	assert_non_null(bytes);
	cipher_random(bytes, LARGE_LEN);
	test_deliver(&t, str_of(bytes, LARGE_LEN));
	free(bytes);
	clock_simulate(now);
	struct store *s = test_open(&t);
	checking_init(&c);
	clock_simulate(now = c.next_ms);
	assert_true(checking_step(&c, s));
	checking_done(&c);
	checking_init(&c);
	assert_true(live_for(&c, s, &now, 3 * STORE_CHECK_ABANDONED_S * 1000ull) < 2);
	clock_simulate(now += STORE_CHECK_ABANDONED_S * 1000ull);
	c.next_ms = now;
	assert_in_range(live_for(&c, s, &now, CHECKING_ASK_MS / 2), 8, 16);
	assert_null(c.check);
	checking_done(&c);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_once_a_day, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_slices, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
