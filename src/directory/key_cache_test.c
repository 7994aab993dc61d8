#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "directory/key_cache.h"

enum { IDLE_MS = 300000, START_MS = 5000000 };

static struct key_cache *new_cache(uint64_t idle_ms)
{
	struct key_cache *cache = NULL;
	clock_simulate(START_MS);
	assert_int_equal(key_cache_new(idle_ms, &cache), 0);
	return cache;
}

static bool holds(struct key_cache *cache, uint64_t account, struct str password)
{
	struct secret *found CLEANUP(secret_free) = key_cache_find(cache, account, password);
	return found != NULL;
}

static void finds_what_was_put_and_nothing_else(void **state UNUSED)
{
	struct key_cache *cache = new_cache(IDLE_MS);
	struct secret *master CLEANUP(secret_free) = secret_random();
	key_cache_put(cache, 1, STR("correct horse"), master);
	struct secret *found CLEANUP(secret_free) = key_cache_find(cache, 1, STR("correct horse"));
	assert_non_null(found);
	assert_memory_equal(found->bytes, master->bytes, SECRET_LEN);
	assert_false(holds(cache, 1, STR("correct hors")));
	assert_false(holds(cache, 1, STR("")));
	assert_false(holds(cache, 2, STR("correct horse")));
	assert_false(holds(cache, 0, STR("correct horse")));
	key_cache_free(cache);
	clock_simulate(0);
}

static void forgets_after_idling(void **state UNUSED)
{
	struct key_cache *cache = new_cache(IDLE_MS);
	struct secret *master CLEANUP(secret_free) = secret_random();
	key_cache_put(cache, 1, STR("a"), master);
	key_cache_put(cache, 2, STR("b"), master);
	clock_simulate(START_MS + IDLE_MS - 1);
	assert_true(holds(cache, 1, STR("a"))); /* and now its time counts anew */
	clock_simulate(START_MS + IDLE_MS);
	assert_false(holds(cache, 2, STR("b")));
	assert_true(holds(cache, 1, STR("a")));
	clock_simulate(START_MS + 3 * IDLE_MS);
	key_cache_expire(cache);
	clock_simulate(START_MS + IDLE_MS); /* wiped, not only old */
	assert_false(holds(cache, 1, STR("a")));
	key_cache_free(cache);
	clock_simulate(0);
}

static void forgets_an_account_that_changed(void **state UNUSED)
{
	struct key_cache *cache = new_cache(IDLE_MS);
	struct secret *master CLEANUP(secret_free) = secret_random();
	key_cache_put(cache, 1, STR("a"), master);
	key_cache_put(cache, 1, STR("b"), master);
	key_cache_put(cache, 2, STR("a"), master);
	key_cache_forget(cache, 1);
	assert_false(holds(cache, 1, STR("a")));
	assert_false(holds(cache, 1, STR("b")));
	assert_true(holds(cache, 2, STR("a")));
	key_cache_free(cache);
	clock_simulate(0);
}

static void is_bounded_and_drops_the_oldest(void **state UNUSED)
{
	struct key_cache *cache = new_cache(IDLE_MS);
	struct secret *master CLEANUP(secret_free) = secret_random();
	for (uint64_t account = 1; account <= KEY_CACHE_MAX + 1; account++) {
		clock_simulate(START_MS + account);
		key_cache_put(cache, account, STR("a"), master);
		assert_true(holds(cache, account, STR("a")));
	}
	assert_false(holds(cache, 1, STR("a")));
	assert_true(holds(cache, 2, STR("a")));
	key_cache_free(cache);
	clock_simulate(0);
}

static void can_be_switched_off(void **state UNUSED)
{
	struct key_cache *cache = new_cache(0);
	struct secret *master CLEANUP(secret_free) = secret_random();
	key_cache_put(cache, 1, STR("a"), master);
	assert_false(holds(cache, 1, STR("a")));
	key_cache_free(cache);
	clock_simulate(0);
}

static void fingerprints_differ(void **state UNUSED)
{
	struct key_cache *cache = new_cache(IDLE_MS);
	uint64_t one = key_cache_fingerprint(cache, 1, STR("ab"), STR("c"));
	assert_true(one == key_cache_fingerprint(cache, 1, STR("ab"), STR("c")));
	assert_true(one != key_cache_fingerprint(cache, 1, STR("a"), STR("bc")));
	assert_true(one != key_cache_fingerprint(cache, 2, STR("ab"), STR("c")));
	key_cache_free(cache);
	clock_simulate(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_what_was_put_and_nothing_else),
	    cmocka_unit_test(forgets_after_idling),
	    cmocka_unit_test(forgets_an_account_that_changed),
	    cmocka_unit_test(is_bounded_and_drops_the_oldest),
	    cmocka_unit_test(can_be_switched_off),
	    cmocka_unit_test(fingerprints_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
