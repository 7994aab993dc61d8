#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/attr.h"
#include "queue/pace.h"

enum { MOST = 3, START = 1000000 };

static struct pace *new_pace(void)
{
	struct pace *p = calloc(1, sizeof(*p));
	assert_non_null(p);
	return p;
}

static void what_is_too_much_goes_in_the_hours_after(void **state UNUSED)
{
	struct pace *p = new_pace();
	for (uint64_t i = 0; i < 4 * MOST; i++)
		assert_int_equal(pace_take(p, STR("a@example.org"), START, MOST),
		    START + i / MOST * PACE_HOUR_MS);
	/* Another name is another matter; letters are all one. */
	assert_int_equal(pace_take(p, STR("b@example.org"), START, MOST), START);
	assert_int_equal(pace_take(p, STR("A@example.ORG"), START, MOST), START + 4 * PACE_HOUR_MS);
	free(p);
}

static void time_passes(void **state UNUSED)
{
	struct pace *p = new_pace();
	uint64_t now = START;
	for (int i = 0; i < 2 * MOST; i++)
		(void)pace_take(p, STR("a"), now, MOST);
	now += PACE_HOUR_MS + 5;
	/* The second hour is full with what waited for it. */
	assert_int_equal(pace_take(p, STR("a"), now, MOST), START + 2 * PACE_HOUR_MS);
	now += 9 * (uint64_t)PACE_HOUR_MS;
	assert_int_equal(pace_take(p, STR("a"), now, MOST), now);
	/* A clock that is set back starves nobody. */
	assert_int_equal(pace_take(p, STR("a"), START / 2, MOST), START / 2);
	free(p);
}

static void very_many_names(void **state UNUSED)
{
	struct pace *p = new_pace();
	char name[32];
	size_t late = 0;
	for (int i = 0; i < PACE_NAMES / 2; i++) {
		snprintf(name, sizeof(name), "alias%d", i);
		late += pace_take(p, str_of_cstr(name), START, MOST) > START;
	}
	assert_int_equal(late, 0);
	for (int i = 0; i < 20 * PACE_NAMES; i++) {
		snprintf(name, sizeof(name), "other%d", i);
		assert_true(pace_take(p, str_of_cstr(name), START, MOST) >= START);
	}
	/* An hour later there is room again. */
	uint64_t later = START + 100 * (uint64_t)PACE_HOUR_MS;
	assert_int_equal(pace_take(p, STR("new"), later, MOST), later);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_too_much_goes_in_the_hours_after),
	    cmocka_unit_test(time_passes),
	    cmocka_unit_test(very_many_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
