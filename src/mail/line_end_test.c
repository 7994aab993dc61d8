#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/line_end.h"

static void whole_lines_lack_nothing(void **state)
{
	(void)state;
	assert_int_equal(line_end_missing(STR("")), 0);
	assert_int_equal(line_end_missing(STR("\r\n")), 0);
	assert_int_equal(line_end_missing(STR("A: b\r\n\r\ntext\r\n")), 0);
	assert_int_equal(line_end_missing(STR("CR\rinside\r\n")), 0);
}

static void each_bare_lf_lacks_one(void **state)
{
	(void)state;
	assert_int_equal(line_end_missing(STR("\n")), 1);
	assert_int_equal(line_end_missing(STR("\n\n\n")), 3);
	assert_int_equal(line_end_missing(STR("a\nb\r\nc\n")), 2);
	assert_int_equal(line_end_missing(STR("\r\n\n")), 1);
}

static void an_open_last_line_lacks_its_end(void **state)
{
	(void)state;
	assert_int_equal(line_end_missing(STR("a")), 2);
	assert_int_equal(line_end_missing(STR("a\r")), 2);
	assert_int_equal(line_end_missing(STR("a\r\nb")), 2);
	assert_int_equal(line_end_missing(STR("a\nb")), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_lines_lack_nothing),
	    cmocka_unit_test(each_bare_lf_lacks_one),
	    cmocka_unit_test(an_open_last_line_lacks_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
