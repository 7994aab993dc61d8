/* Rows of an answer: bounded, and nothing in them moves a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

static void expect_visible(const char *text, const char *expected)
{
	char copy[64];
	assert_int_equal(str_to_cstr(str_of_cstr(text), copy, sizeof(copy)), 0);
	cli_make_visible(copy);
	assert_string_equal(copy, expected);
}

static void nothing_moves_a_terminal(void **state UNUSED)
{
	expect_visible("", "");
	expect_visible("a b~", "a b~");
	expect_visible("\033]0;title\007\r\n\t\177", "?]0;title?????");
	expect_visible("\xc2\x9b"
	               "31m",
	    "??31m");
	expect_visible("j\xc3\xb6rg \xc2\xa0", "j\xc3\xb6rg \xc2\xa0");
	expect_visible("\xc2", "\xc2");
}

static void rows_are_copied_visibly(void **state UNUSED)
{
	struct cli_rows rows CLEANUP(cli_rows_done) = {0};
	struct str names[] = {STR("name"), STR("id")};
	struct str values[] = {STR("\033[2Jann"), STR("1")};
	const struct ipc_control_row row = {{names, 2}, {values, 2}},
	                             other = {{names, 1}, {values, 1}};
	const struct ipc_control_row uneven = {{names, 2}, {values, 1}};

	assert_true(cli_rows_add(&rows, &row));
	assert_false(cli_rows_add(&rows, &other));
	assert_false(cli_rows_add(&rows, &uneven));
	assert_true(cli_rows_add(&rows, &row));
	assert_int_equal(rows.n_rows, 2);
	assert_string_equal(rows.cells[1][0], "?[2Jann");
	size_t n = rows.n_rows;
	rows.n_rows = CLI_ROWS_MAX;
	assert_false(cli_rows_add(&rows, &row));
	rows.n_rows = n;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_moves_a_terminal),
	    cmocka_unit_test(rows_are_copied_visibly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
