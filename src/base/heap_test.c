#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/heap.h"

enum { N = 2000 };

/* Pieces of many sizes; every second one is a hole again. */
static void make_holes(char *pieces[static N])
{
	for (size_t i = 0; i < N; i++) {
		pieces[i] = malloc(16 + i * 37 % 3000);
		assert_non_null(pieces[i]);
	}
	for (size_t i = 0; i < N; i += 2) {
		free(pieces[i]);
		pieces[i] = NULL;
	}
}

static void nothing_comes_from_a_hole(void **state)
{
	(void)state;
	static char *pieces[N];
	make_holes(pieces);
	heap_fill_holes();
#ifndef GATEPOST_ASAN
	char *highest = pieces[1];
	for (size_t i = 1; i < N; i += 2)
		highest = pieces[i] > highest ? pieces[i] : highest;
	for (size_t size = 16; size < 8192; size += 48) {
		char *p = malloc(size);
		assert_true(p > highest);
		free(p);
	}
#endif
	for (size_t i = 1; i < N; i += 2)
		free(pieces[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_comes_from_a_hole)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
