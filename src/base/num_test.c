#include "base/num.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void num_adds_and_multiplies_without_wrapping(void **state)
{
	(void)state;
	size_t n = 7;
	uint64_t wide = 7;

	assert_true(num_add(SIZE_MAX - 1, 1, &n));
	assert_true(n == SIZE_MAX);
	n = 7;
	assert_false(num_add(SIZE_MAX, 1, &n));
	assert_int_equal(n, 7);
	assert_true(num_mul(SIZE_MAX / 3, 3, &n));
	assert_true(n == SIZE_MAX);
	n = 7;
	assert_false(num_mul(SIZE_MAX / 3 + 1, 3, &n));
	assert_int_equal(n, 7);
	assert_true(num_mul(SIZE_MAX, 0, &n));
	assert_int_equal(n, 0);
	assert_true(num_add64(UINT64_MAX - 5, 5, &wide));
	assert_true(wide == UINT64_MAX);
	wide = 7;
	assert_false(num_add64(UINT64_MAX, UINT64_MAX, &wide));
	assert_int_equal(wide, 7);
}

static void num_min_and_max(void **state)
{
	(void)state;
	assert_int_equal(num_min(1, 2), 1);
	assert_int_equal(num_min(2, 1), 1);
	assert_int_equal(num_max(1, 2), 2);
	assert_int_equal(num_max(2, 1), 2);
	assert_int_equal(num_max(3, 3), 3);
}

static void num_is_little_endian_and_unaligned(void **state)
{
	(void)state;
	unsigned char bytes[9] = {0};

	num_put16(bytes + 1, 0x0102);
	assert_memory_equal(bytes, "\0\2\1\0", 4);
	assert_int_equal(num_get16(bytes + 1), 0x0102);
	num_put32(bytes + 1, 0x01020304);
	assert_memory_equal(bytes, "\0\4\3\2\1\0", 6);
	assert_int_equal(num_get32(bytes + 1), 0x01020304);
	num_put64(bytes + 1, 0xf102030405060708);
	assert_memory_equal(bytes, "\0\x08\x07\x06\x05\x04\x03\x02\xf1", 9);
	assert_true(num_get64(bytes + 1) == 0xf102030405060708);
}

static void num_parses_decimal_numbers_only(void **state)
{
	(void)state;
	static const struct str bad[] = {STR_INIT(""), STR_INIT("-1"), STR_INIT("+1"),
	    STR_INIT(" 1"), STR_INIT("1 "), STR_INIT("0x1"), STR_INIT("1.0"), STR_INIT("1\0"),
	    STR_INIT("18446744073709551616"), STR_INIT("99999999999999999999999")};
	uint64_t value = 7;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(num_parse(bad[i], UINT64_MAX, &value));
		assert_int_equal(value, 7);
	}
	assert_true(num_parse(STR("0"), 0, &value));
	assert_int_equal(value, 0);
	assert_true(num_parse(STR("000042"), 42, &value));
	assert_int_equal(value, 42);
	assert_true(num_parse(STR("18446744073709551615"), UINT64_MAX, &value));
	assert_true(value == UINT64_MAX);
}

static void num_parse_holds_its_maximum(void **state)
{
	(void)state;
	uint64_t value = 7;

	assert_false(num_parse(STR("43"), 42, &value));
	assert_false(num_parse(STR("4200000"), 42, &value));
	assert_int_equal(value, 7);
	assert_true(num_parse(STR("4294967295"), UINT32_MAX, &value));
	assert_false(num_parse(STR("4294967296"), UINT32_MAX, &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(num_adds_and_multiplies_without_wrapping),
	    cmocka_unit_test(num_min_and_max),
	    cmocka_unit_test(num_is_little_endian_and_unaligned),
	    cmocka_unit_test(num_parses_decimal_numbers_only),
	    cmocka_unit_test(num_parse_holds_its_maximum),
	};
	return cmocka_run_group_tests_name("base/num", tests, NULL, NULL);
}
