#include "imap/mailbox_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static void check_utf7(const char *utf7, const char *utf8)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(4096);
	struct buf back CLEANUP(buf_done) = BUF_MAX(4096);

	assert_true(imap_utf7_decode(str_of_cstr(utf7), &out));
	assert_true(str_eq(buf_str(&out), str_of_cstr(utf8)));
	assert_true(imap_utf7_encode(str_of_cstr(utf8), &back));
	assert_true(str_eq(buf_str(&back), str_of_cstr(utf7)));
}

static void test_utf7(void **state)
{
	(void)state;
	check_utf7("INBOX", "INBOX");
	check_utf7("Entw&APw-rfe", "Entwürfe");
	check_utf7("a&-b", "a&b");
	/* RFC 3501 §5.1.3's own example. */
	check_utf7("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語");
	check_utf7("&2D3eCg-", "😊");
	check_utf7("&AOkA6QDp-x", "éééx");
}

static void test_utf7_refused(void **state)
{
	static const char *const wrong[] = {
	    "&Jjo!",              /* RFC 3501: not within shift */
	    "&U,BTFw-&ZeVnLIqe-", /* superfluous shift */
	    "&AGE-",              /* 'a' needs no encoding */
	    "&",
	    "&A-",
	    "&2D0-",    /* a high surrogate alone */
	    "&3go-",    /* a low one */
	    "&APx-",    /* bits left over */
	    "\xc3\xbc", /* 8-bit */
	    "a\x01",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct buf out CLEANUP(buf_done) = BUF_MAX(4096);
		assert_false(imap_utf7_decode(str_of_cstr(wrong[i]), &out));
	}
}

static void check_name(const char *name, bool utf8, const char *expected)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(4096);
	const char *wrong = imap_mailbox_name_read(str_of_cstr(name), utf8, &out);

	assert_int_equal(wrong == NULL, expected != NULL);
	if (expected != NULL)
		assert_true(str_eq(buf_str(&out), str_of_cstr(expected)));
}

static void test_names(void **state)
{
	(void)state;
	check_name("inBox", false, "INBOX");
	check_name("inbox/sub", false, "INBOX/sub");
	check_name("inboxes", false, "inboxes");
	check_name("Entwürfe", true, "Entwürfe");
	check_name("Entwürfe", false, NULL);
	check_name("a//b", false, NULL);
	check_name("/a", false, NULL);
	check_name("a/", false, NULL);
	check_name("", false, NULL);
	check_name("a*", false, NULL);
	check_name("../x", false, NULL);
	check_name("a\tb", true, NULL);
	check_name("\xff", true, NULL);
}

static void test_name_limits(void **state)
{
	struct buf name CLEANUP(buf_done) = BUF_MAX(8192);
	struct buf out CLEANUP(buf_done) = BUF_MAX(8192);

	(void)state;
	for (int i = 0; i < IMAP_MAILBOX_NAME_LEN_MAX; i++)
		buf_add_c(&name, 'x');
	assert_null(imap_mailbox_name_read(buf_str(&name), false, &out));
	buf_add_c(&name, 'x');
	buf_clear(&out);
	assert_non_null(imap_mailbox_name_read(buf_str(&name), false, &out));
	buf_clear(&name);
	for (int i = 0; i < IMAP_MAILBOX_LEVELS_MAX; i++)
		buf_add(&name, STR("x/"));
	buf_add_c(&name, 'x');
	assert_non_null(imap_mailbox_name_check(buf_str(&name)));
	assert_null(imap_mailbox_name_check(str_from(buf_str(&name), 2)));
}

static void test_write(void **state)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(8192);

	(void)state;
	imap_mailbox_name_write(STR("plain]"), false, &out);
	imap_mailbox_name_write(STR("NIL"), false, &out);
	imap_mailbox_name_write(STR("a \"b\\"), false, &out);
	imap_mailbox_name_write(STR("ü"), false, &out);
	imap_mailbox_name_write(STR("ü"), true, &out);
	assert_true(str_eq(buf_str(&out), STR("plain]\"NIL\"\"a \\\"b\\\\\"&APw-\"ü\"")));
}

static bool matches(const char *pattern, const char *name)
{
	return imap_pattern_matches(str_of_cstr(pattern), str_of_cstr(name));
}

static void test_patterns(void **state)
{
	(void)state;
	assert_true(matches("*", "a/b/c"));
	assert_true(matches("%", "a"));
	assert_false(matches("%", "a/b"));
	assert_true(matches("%/%", "a/b"));
	assert_true(matches("a/*", "a/b/c"));
	assert_false(matches("a/*", "a"));
	assert_true(matches("a*", "a"));
	assert_true(matches("*c", "a/b/c"));
	assert_false(matches("*d", "a/b/c"));
	assert_true(matches("%*%", "a/b/c"));
	assert_true(matches("inb%", "INBOX"));
	assert_true(matches("inbox/%", "INBOX/a"));
	assert_false(matches("inbox/A", "INBOX/a"));
	assert_false(matches("inboxes", "INBOXes"));
	assert_true(matches("", ""));
	assert_false(matches("", "a"));
}

/* Wildcards in a row: each byte of the name looks at each place of the pattern once. Looking at all
 * behind it from each of them, this would take minutes. */
static void test_patterns_of_many_wildcards(void **state)
{
	char pattern[IMAP_PATTERN_LEN_MAX + 1], name[IMAP_MAILBOX_NAME_LEN_MAX + 1];

	(void)state;
	memset(pattern, '*', sizeof(pattern) - 1);
	pattern[sizeof(pattern) - 2] = 'z';
	pattern[sizeof(pattern) - 1] = '\0';
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	clock_t began = clock();
	for (int i = 0; i < 50; i++)
		assert_false(matches(pattern, name));
	assert_true(clock() - began < 20 * CLOCKS_PER_SEC);
	name[sizeof(name) - 2] = 'z';
	assert_true(matches(pattern, name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_utf7),
	    cmocka_unit_test(test_utf7_refused),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_name_limits),
	    cmocka_unit_test(test_write),
	    cmocka_unit_test(test_patterns),
	    cmocka_unit_test(test_patterns_of_many_wildcards),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
