#include "base/base64.h"

#include <setjmp.h>

#include <cmocka.h>

struct pair {
	struct str plain, coded;
};

/* RFC 4648 §10, and the digits that differ in the URL alphabet. */
static const struct pair base64_vectors[] = {
    {STR_INIT(""), STR_INIT("")},
    {STR_INIT("f"), STR_INIT("Zg==")},
    {STR_INIT("fo"), STR_INIT("Zm8=")},
    {STR_INIT("foo"), STR_INIT("Zm9v")},
    {STR_INIT("foob"), STR_INIT("Zm9vYg==")},
    {STR_INIT("fooba"), STR_INIT("Zm9vYmE=")},
    {STR_INIT("foobar"), STR_INIT("Zm9vYmFy")},
    {STR_INIT("\xff\xff\xff\xfb\xef\xbe\0"), STR_INIT("////++++AA==")},
};

static void base64_takes_the_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(base64_vectors); i++) {
		struct buf coded CLEANUP(buf_done) = BUF_MAX(100);
		struct buf plain CLEANUP(buf_done) = BUF_MAX(100);
		struct str want = base64_vectors[i].plain;

		assert_true(base64_encode(want, &coded));
		assert_true(str_eq(buf_str(&coded), base64_vectors[i].coded));
		assert_true(base64_decode(base64_vectors[i].coded, &plain));
		assert_true(str_eq(buf_str(&plain), want));
	}
}

static void base64_goes_there_and_back_for_every_byte(void **state)
{
	(void)state;
	char bytes[256];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct buf coded CLEANUP(buf_done) = BUF_MAX(1000);
		struct buf plain CLEANUP(buf_done) = BUF_MAX(1000);
		assert_true(base64_encode(str_of(bytes, len), &coded));
		assert_int_equal(coded.len, (len + 2) / 3 * 4);
		assert_true(base64_decode(buf_str(&coded), &plain));
		assert_true(str_eq(buf_str(&plain), str_of(bytes, len)));
	}
}

static void base64_refuses_what_is_not_strict(void **state)
{
	(void)state;
	static const struct str bad[] = {STR_INIT("Zg="), STR_INIT("Zg"), STR_INIT("Z"),
	    STR_INIT("Z==="), STR_INIT("===="), STR_INIT("Zh=="), STR_INIT("Zm9="),
	    STR_INIT("Zg==Zg=="), STR_INIT("Zg=a"), STR_INIT("Zm9v\n"), STR_INIT("Zm 9vYQ="),
	    STR_INIT("Zm-v"), STR_INIT("Zm_v"), STR_INIT("Zm9\0"), STR_INIT("Zm9\xff")};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf out CLEANUP(buf_done) = BUF_MAX(100);
		buf_add(&out, STR("kept"));
		assert_false(base64_decode(bad[i], &out));
		assert_true(str_eq(buf_str(&out), STR("kept")));
	}
}

static void base64_and_hex_hold_the_ceiling(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(3);

	assert_false(base64_encode(STR("a"), &out));
	assert_true(buf_failed(&out));
	buf_clear(&out);
	assert_false(base64_decode(STR("Zm9vYmFy"), &out));
	assert_int_equal(out.len, 0);
	buf_clear(&out);
	assert_true(base64_decode(STR("Zm9v"), &out));
	buf_clear(&out);
	assert_false(hex_encode(STR("ab"), &out));
	assert_false(hex_decode(STR("00112233"), &out));
	assert_int_equal(out.len, 0);
}

static void hex_goes_there_and_back(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(100);

	assert_true(hex_encode(STR("\x00\x7f\xff\xa5"), &out));
	assert_true(str_eq(buf_str(&out), STR("007fffa5")));
	buf_clear(&out);
	assert_true(hex_decode(STR("007FffA5"), &out));
	assert_true(str_eq(buf_str(&out), STR("\x00\x7f\xff\xa5")));
	buf_clear(&out);
	assert_false(hex_decode(STR("0"), &out));
	assert_false(hex_decode(STR("0g"), &out));
	assert_false(hex_decode(STR("g0"), &out));
	assert_false(hex_decode(STR(" 0"), &out));
	assert_int_equal(out.len, 0);
	assert_true(hex_decode(STR(""), &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(base64_takes_the_vectors),
	    cmocka_unit_test(base64_goes_there_and_back_for_every_byte),
	    cmocka_unit_test(base64_refuses_what_is_not_strict),
	    cmocka_unit_test(base64_and_hex_hold_the_ceiling),
	    cmocka_unit_test(hex_goes_there_and_back),
	};
	return cmocka_run_group_tests_name("base/base64", tests, NULL, NULL);
}
