#include "imap/message_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena arena = ARENA_MAX(1 << 20);

static bool parse(const char *text, struct message_url *url)
{
	return message_url_parse(str_of_cstr(text), &arena, url);
}

static void expect_label(const struct message_url *url, struct str expected)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);

	imap_fetch_label_write(&url->item, &out);
	assert_true(str_eq(buf_str(&out), expected));
}

static void test_good(void **state)
{
	struct message_url url;

	(void)state;
	assert_true(parse("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", &url));
	assert_true(url.has_mailbox && str_eq(url.mailbox, STR("Drafts")));
	assert_true(url.has_uidvalidity && url.uidvalidity == 385759045 && url.uid == 20);
	expect_label(&url, STR("BODY[HEADER]"));
	assert_true(parse("/Work/Pl%c3%A4ne/;UID=1", &url));
	assert_true(str_eq(url.mailbox, STR("Work/Pl\xc3\xa4ne")) && !url.has_uidvalidity);
	expect_label(&url, STR("BODY[]"));
	assert_true(parse(";UID=4294967295/;SECTION=1.2.MIME/;PARTIAL=5.10", &url));
	assert_true(!url.has_mailbox && url.uid == UINT32_MAX);
	expect_label(&url, STR("BODY[1.2.MIME]<5>"));
	assert_int_equal(url.item.len, 10);
	assert_true(parse("/a/;UID=1/;PARTIAL=7", &url));
	expect_label(&url, STR("BODY[]<7>"));
	assert_true(parse("/a/;UID=1/;SECTION=HEADER.FIELDS%20(Subject%20To)", &url));
	expect_label(&url, STR("BODY[HEADER.FIELDS (Subject To)]"));
}

static void test_bad(void **state)
{
	static const char *const bad[] = {"", "/", ";", "/a", "/a;UID=1", "/;UID=1", "/a/;UID=0",
	    "/a/;UID=", "/a/;UID=4294967296", "/a/;UID=1;SECTION=1", "/a/;UID=1/;SECTION=x",
	    "/a/;UID=1/;SECTION=1]<0.1> UID BODY[", "/a/;UID=1/;PARTIAL=", "/a/;UID=1/;PARTIAL=1.0",
	    "/a/;UID=1/;PARTIAL=1/;SECTION=1", "/a/;UID=1/;URLAUTH=anonymous",
	    "/a/;UID=1/;SECTION=1/;SECTION=2", "/a;UIDVALIDITY=0/;UID=1", "/%zz/;UID=1",
	    "/%ff/;UID=1", "/%0d/;UID=1", "/%c/;UID=1", "imap://joe@example.com/INBOX/;UID=20",
	    "//example.com/INBOX/;UID=x", "UID=1", "/a/;UID=1/"};
	struct message_url url;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (parse(bad[i], &url))
			fail_msg("\"%s\" is taken for a URL", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_done(&arena);
	return failed;
}
