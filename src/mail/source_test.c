#include "mail/source.h"

#include "mail/expect.h"
#include "mail/test_windows.h"

static void a_message_in_memory_is_one_window(void **state)
{
	(void)state;
	struct mail_source s = mail_source_of(STR("0123456789"));
	struct buf room CLEANUP(buf_done) = BUF_MAX(4);
	struct str bytes;

	assert_true(mail_source_is_whole(&s));
	assert_int_equal(mail_source_look(&s, 4, &bytes), 0);
	expect_str(bytes, "456789");
	assert_int_equal(mail_source_look(&s, 10, &bytes), 0);
	assert_int_equal(bytes.len, 0);
	assert_int_equal(mail_source_slice(&s, 2, 7, &room, &bytes), 0);
	expect_str(bytes, "2345678");
	assert_int_equal(mail_source_slice(&s, 8, 7, &room, &bytes), 0);
	expect_str(bytes, "89");
	assert_int_equal(mail_source_slice(&s, 11, 7, &room, &bytes), 0);
	assert_int_equal(bytes.len, 0);
	s = mail_source_of(STR(""));
	assert_true(mail_source_is_whole(&s));
	assert_int_equal(mail_source_look(&s, 0, &bytes), 0);
	assert_int_equal(bytes.len, 0);
}

static void slices_are_put_together_of_windows(void **state)
{
	(void)state;
	struct test_windows w CLEANUP(test_windows_done) = {STR("0123456789"), 3, NULL, 0};
	struct mail_source s = test_windows_source(&w);
	struct buf room CLEANUP(buf_done) = BUF_MAX(6);
	struct str bytes;

	assert_false(mail_source_is_whole(&s));
	assert_int_equal(mail_source_slice(&s, 1, 2, &room, &bytes), 0);
	expect_str(bytes, "12");
	assert_int_equal(room.len, 0);
	assert_int_equal(mail_source_slice(&s, 2, 6, &room, &bytes), 0);
	expect_str(bytes, "234567");
	assert_int_equal(mail_source_slice(&s, 0, 10, &room, &bytes), 0);
	expect_str(bytes, "012345");
	assert_int_equal(mail_source_slice(&s, 9, 10, &room, &bytes), 0);
	expect_str(bytes, "9");
}

static void what_cannot_be_read_is_told(void **state)
{
	(void)state;
	struct test_windows w CLEANUP(test_windows_done) = {STR("0123456789"), 3, NULL, 7};
	struct mail_source s = test_windows_source(&w);
	struct buf room CLEANUP(buf_done) = BUF_MAX(100);
	struct str bytes = STR("before");

	assert_int_equal(mail_source_look(&s, 6, &bytes), -EBADMSG);
	assert_int_equal(mail_source_slice(&s, 0, 10, &room, &bytes), -EBADMSG);
	expect_str(bytes, "before");
	assert_int_equal(mail_source_look(&s, 3, &bytes), 0);
	expect_str(bytes, "345");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_in_memory_is_one_window),
	    cmocka_unit_test(slices_are_put_together_of_windows),
	    cmocka_unit_test(what_cannot_be_read_is_told),
	};
	return cmocka_run_group_tests_name("mail/source", tests, NULL, NULL);
}
