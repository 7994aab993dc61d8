#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void arena_gives_zeroed_aligned_memory(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);

	for (size_t len = 0; len < 300; len++) {
		char *p = arena_alloc(&a, len);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, len);
	}
}

static void arena_is_zeroed_again_after_clear(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	char *p = arena_alloc(&a, 4000);

	assert_non_null(p);
	memset(p, 0xff, 4000);
	arena_clear(&a);
	assert_int_equal(a.used, 0);
	p = arena_alloc(&a, 4000);
	assert_non_null(p);
	for (size_t i = 0; i < 4000; i++)
		assert_int_equal(p[i], 0);
}

static void arena_wipe_leaves_nothing(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	char *p = arena_alloc(&a, 4000);

	assert_non_null(p);
	memset(p, 0xff, 4000);
	arena_wipe(&a);
	assert_int_equal(a.used, 0);
	/* the block is kept, and what was in it is not */
	for (size_t i = 0; i < 4000; i++)
		assert_int_equal(p[i], 0);
	assert_ptr_equal(arena_alloc(&a, 10), p);
	arena_done(&a);
	arena_wipe(&a);
}

static void arena_holds_its_ceiling(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(100);

	assert_null(arena_alloc(&a, 200));
	assert_int_equal(a.used, 0);
	assert_non_null(arena_alloc(&a, 90));
	/* 90 bytes were rounded up to the alignment. */
	assert_int_equal(a.used, 96);
	assert_null(arena_alloc(&a, 5));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 64));
	arena_clear(&a);
	assert_non_null(arena_alloc(&a, 96));
	assert_null(arena_alloc(&a, 1));
}

static void arena_takes_pieces_larger_than_its_blocks(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	char *small = arena_alloc(&a, 16), *large = arena_alloc(&a, 100000);
	char *next = arena_alloc(&a, 16);

	assert_non_null(small);
	assert_non_null(large);
	assert_non_null(next);
	memset(large, 'L', 100000);
	assert_int_equal(small[0], 0);
	assert_int_equal(next[0], 0);
	arena_clear(&a);
	arena_clear(&a);
	assert_non_null(arena_alloc(&a, 200000));
	arena_done(&a);
	assert_int_equal(a.max, 1 << 20);
	arena_clear(&a);
	assert_non_null(arena_alloc(&a, 1));
}

static void arena_array_refuses_a_product_that_wraps(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);

	assert_null(arena_array(&a, SIZE_MAX / 2, 4));
	assert_null(arena_array(&a, (SIZE_MAX / 16) + 2, 16));
	assert_non_null(arena_array(&a, 10, 16));
	assert_int_equal(a.used, 160);
	assert_non_null(ARENA_NEW_ARRAY(&a, uint64_t, 3));
	assert_non_null(ARENA_NEW(&a, struct str));
}

static void arena_dup_copies(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(32);
	char bytes[] = "hello";
	struct str copy = STR("untouched");

	assert_true(arena_dup(&a, str_of(bytes, 5), &copy));
	bytes[0] = 'J';
	assert_true(str_eq(copy, STR("hello")));
	assert_true(arena_dup(&a, (struct str){NULL, 0}, &copy));
	assert_int_equal(copy.len, 0);
	copy = STR("untouched");
	assert_false(arena_dup(&a, STR("this is far too much for the rest of it"), &copy));
	assert_true(str_eq(copy, STR("untouched")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(arena_gives_zeroed_aligned_memory),
	    cmocka_unit_test(arena_is_zeroed_again_after_clear),
	    cmocka_unit_test(arena_wipe_leaves_nothing),
	    cmocka_unit_test(arena_holds_its_ceiling),
	    cmocka_unit_test(arena_takes_pieces_larger_than_its_blocks),
	    cmocka_unit_test(arena_array_refuses_a_product_that_wraps),
	    cmocka_unit_test(arena_dup_copies),
	};
	return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
