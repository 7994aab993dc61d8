#include "mail/message_id.h"

#include "mail/expect.h"

/* All identifiers of a value, joined by spaces. */
static void expect_ids(struct str value, const char *want)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct str id;

	while (message_id_next(&value, &id)) {
		if (out.len > 0)
			buf_add_c(&out, ' ');
		buf_add(&out, id);
	}
	expect_buf(out, want);
}

static void message_id_reads_references(void **state)
{
	(void)state;
	expect_ids(STR(" <a@b>"), "a@b");
	expect_ids(STR("<a@b> <c@d>\r\n\t<e@f>"), "a@b c@d e@f");
	expect_ids(STR("<a@b><c@d>,<e@f>"), "a@b c@d e@f");
	expect_ids(STR(""), "");
}

static void message_id_steps_over_phrases(void **state)
{
	(void)state;
	expect_ids(STR("Your message of \"<x@y> \\\" <x@y>\" (<n@o> (\\) <n@o>)) <a@b>"), "a@b");
	expect_ids(STR("a@b"), "");
}

static void message_id_leaves_broken_ones_out(void **state)
{
	(void)state;
	expect_ids(STR("<> <a b@c> < d@e > <f@g"), "d@e");
	expect_ids(STR("<<a@b>> <c@d>"), "c@d");
	expect_ids(STR("(open <a@b>"), "");
}

static void message_id_length_is_bounded(void **state)
{
	(void)state;
	struct buf value CLEANUP(buf_done) = BUF_MAX(4000);

	buf_add(&value, STR("<"));
	repeat(&value, "x", MESSAGE_ID_LEN_MAX + 1);
	buf_add(&value, STR("> <a@b>"));
	expect_ids(buf_str(&value), "a@b");
}

static void message_id_is_made(void **state)
{
	(void)state;
	static const unsigned char random[16] = {0, 1, 0xab};
	struct buf out CLEANUP(buf_done) = BUF_MAX(100);

	assert_true(message_id_format(random, STR("example.test"), &out));
	expect_buf(out, "<0001ab00000000000000000000000000@example.test>");
	struct buf small CLEANUP(buf_done) = BUF_MAX(40);
	assert_false(message_id_format(random, STR("example.test"), &small));
}

static void check_normal(const char *id, const char *want)
{
	struct buf normal CLEANUP(buf_done) = BUF_MAX(100);

	assert_true(message_id_normalise(str_of_cstr(id), &normal));
	expect_buf(normal, want);
}

/* RFC 5256 §3 */
static void test_normalise(void **state)
{
	struct buf small CLEANUP(buf_done) = BUF_MAX(3);

	(void)state;
	check_normal("01KF8JCEOCBS0045PS@xxx.yyy.com", "01KF8JCEOCBS0045PS@xxx.yyy.com");
	check_normal("\"01KF8JCEOCBS0045PS\"@xxx.yyy.com", "01KF8JCEOCBS0045PS@xxx.yyy.com");
	check_normal("\"a\\\"b\"@c", "a\"b@c");
	check_normal("a\"b\"@c", "a\"b\"@c");
	check_normal("\"open", "open");
	check_normal("", "");
	assert_false(message_id_normalise(STR("\"a@bc"), &small));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(message_id_reads_references),
	    cmocka_unit_test(message_id_steps_over_phrases),
	    cmocka_unit_test(message_id_leaves_broken_ones_out),
	    cmocka_unit_test(message_id_length_is_bounded),
	    cmocka_unit_test(message_id_is_made),
	    cmocka_unit_test(test_normalise),
	};
	return cmocka_run_group_tests_name("mail/message_id", tests, NULL, NULL);
}
