#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void utf8_goes_there_and_back_for_every_code_point(void **state)
{
	(void)state;
	for (unsigned c = 0; c <= 0x110000; c++) {
		char bytes[4];
		size_t len = utf8_put(c, bytes);
		if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
			assert_int_equal(len, 0);
			continue;
		}
		size_t want = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		assert_int_equal(len, want);
		struct str rest = str_of(bytes, len);
		assert_int_equal(utf8_next(&rest), c);
		assert_int_equal(rest.len, 0);
	}
}

static void utf8_put_refuses_large_numbers(void **state)
{
	(void)state;
	char bytes[4];

	assert_int_equal(utf8_put(0x110000, bytes), 0);
	assert_int_equal(utf8_put(0xffffffff, bytes), 0);
}

static void utf8_refuses_every_malformed_form(void **state)
{
	(void)state;
	static const struct str bad[] = {
	    STR_INIT("\x80"),
	    STR_INIT("\xbf"), /* a continuation alone */
	    STR_INIT("\xc0\x80"),
	    STR_INIT("\xc1\xbf"), /* overlong, 2 bytes */
	    STR_INIT("\xe0\x80\x80"),
	    STR_INIT("\xe0\x9f\xbf"), /* overlong, 3 bytes */
	    STR_INIT("\xf0\x80\x80\x80"),
	    STR_INIT("\xf0\x8f\xbf\xbf"), /* overlong, 4 bytes */
	    STR_INIT("\xed\xa0\x80"),
	    STR_INIT("\xed\xbf\xbf"), /* surrogates */
	    STR_INIT("\xf4\x90\x80\x80"),
	    STR_INIT("\xf5\x80\x80\x80"), /* beyond U+10FFFF */
	    STR_INIT("\xf8\x88\x80\x80\x80"),
	    STR_INIT("\xfe"),
	    STR_INIT("\xff"),
	    STR_INIT("\xc3"),
	    STR_INIT("\xe2\x82"),
	    STR_INIT("\xf0\x9f\x98"), /* cut off */
	    STR_INIT("\xc3("),
	    STR_INIT("\xe2\x28\xa1"),
	    STR_INIT("\xf0\x9f\x98("),
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct str rest = bad[i];
		assert_int_equal(utf8_next(&rest), UTF8_INVALID);
		assert_int_equal(rest.len, bad[i].len - 1);
		assert_false(utf8_is_valid(bad[i]));
	}
}

static void utf8_goes_on_after_a_bad_byte(void **state)
{
	(void)state;
	struct str rest = STR("\xc3"
	                      "A\xe2\x82\xac");

	assert_int_equal(utf8_next(&rest), UTF8_INVALID);
	assert_int_equal(utf8_next(&rest), 'A');
	assert_int_equal(utf8_next(&rest), 0x20ac);
	assert_int_equal(rest.len, 0);
}

static void utf8_knows_valid_and_ascii(void **state)
{
	(void)state;
	assert_true(utf8_is_valid(STR("")));
	assert_true(utf8_is_valid(STR("Gr\xc3\xbc\xc3\x9f"
	                              "e \xf0\x9f\x93\xac \0 end")));
	assert_false(utf8_is_valid(STR("latin \xfc")));
	assert_true(utf8_is_ascii(STR("plain\x7f\0")));
	assert_true(utf8_is_ascii((struct str){NULL, 0}));
	assert_false(utf8_is_ascii(STR("caf\xc3\xa9")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(utf8_goes_there_and_back_for_every_code_point),
	    cmocka_unit_test(utf8_put_refuses_large_numbers),
	    cmocka_unit_test(utf8_refuses_every_malformed_form),
	    cmocka_unit_test(utf8_goes_on_after_a_bad_byte),
	    cmocka_unit_test(utf8_knows_valid_and_ascii),
	};
	return cmocka_run_group_tests_name("base/utf8", tests, NULL, NULL);
}
