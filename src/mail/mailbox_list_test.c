#include "mail/mailbox_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_as_written(void **state)
{
	static const char *const good[] = {
	    " a@example.org",
	    "A <a@example.org>",
	    "<a@example.org>",
	    "\"Doe, J.\" <a@example.org>",
	    "J. Doe <a@example.org> (at work)",
	    "a@example.org (A. \\( (nested))",
	    "A <a@example.org>,\r\n B <b@example.org>",
	    "a@example.org, , b@example.org,",
	    "=?utf-8?q?=C3=A4?= <a@example.org>",
	    "\xc3\xa4 <\xc3\xa4@example.org>",
	    "\"b@evil.example\" <a@example.org>",
	    "\"a b\"@example.org",
	    "< a@example.org\r\n >",
	    "a@[192.0.2.1], b@[IPv6:2001:db8::1]",
	    "Both: A <a@example.org>, b@example.org;, c@example.org",
	    "Nobody:;",
	    "",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!mailbox_list_is_strict(str_of_cstr(good[i])))
			fail_msg("refused: %s", good[i]);
}

static void test_more_than_one_reading(void **state)
{
	static const char *const bad[] = {
	    "<a@example.org> <b@evil.example>",
	    "b@evil.example <a@example.org>",
	    "a@example.org <b@evil.example>",
	    "a@example.org b@evil.example",
	    "a@example.org B <b@evil.example>",
	    "B b@evil.example",
	    "<a@example.org> b@evil.example",
	    "<a@example.org>b@evil.example",
	    "<a@example.org; b@evil.example",
	    "a@example.org; b@evil.example",
	    "<a@example.org, b@evil.example>",
	    "<@evil.example:a@example.org>",
	    "a(b@evil.example)@example.org",
	    "a@(b@evil.example,)example.org",
	    "a @example.org",
	    "a@example .org",
	    "a@b@example.org",
	    "<a@example.org@evil.example>",
	    "<a@example.org> (b@evil.example",
	    "\"a@example.org> <b@evil.example>",
	    "A: B: b@evil.example;;",
	    "A: a@example.org",
	    "a@[192.0.2.1",
	    "a@[192.0.2.1> <b@evil.example>]",
	    "b\\@evil.example <a@example.org>",
	    ": a@example.org;",
	    "a",
	    "<a>",
	    "<>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (mailbox_list_is_strict(str_of_cstr(bad[i])))
			fail_msg("taken: %s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_as_written),
	    cmocka_unit_test(test_more_than_one_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
