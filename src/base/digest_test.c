#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* BLAKE2b with 32 bytes of output, as `b2sum -l 256` prints it. */
static void test_known(void **state UNUSED)
{
	assert_string_equal(digest_of(STR("")).text,
	    "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
	assert_string_equal(digest_of(STR("abc")).text,
	    "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
	assert_string_equal(digest_of((struct str){NULL, 0}).text, digest_of(STR("")).text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_known)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
