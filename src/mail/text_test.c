#include "mail/text.h"

#include "mail/expect.h"

static struct mime_part *parse(struct str message, struct arena *a)
{
	struct mime_part *root = NULL;

	assert_int_equal(mime_parse(message, a, &root), 0);
	return root;
}

/* The texts of all parts, with | between them. */
static void expect_texts(struct str message, size_t max, const char *want)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf text CLEANUP(buf_done) = BUF_MAX(max), all CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct text_reader reader = {.message = message, .next = parse(message, &a)};
	const struct mime_part *part;

	while (text_next(&reader, &text, &part)) {
		buf_add(&all, buf_str(&text));
		buf_add_c(&all, '|');
	}
	expect_buf(all, want);
}

static void text_decodes_every_text_part(void **state)
{
	(void)state;
	expect_texts(STR("Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	                 "Content-Type: text/plain; charset=iso-8859-1\n\n\xe9\n"
	                 "--b\nContent-Type: text/html; charset=utf-8\n"
	                 "Content-Transfer-Encoding: quoted-printable\n\n<p>=C3=A9</p>\n"
	                 "--b\nContent-Type: application/pdf\n\nno\n"
	                 "--b\nContent-Type: message/rfc822\n\nSubject: in\n"
	                 "Content-Transfer-Encoding: base64\n\naW5uZXI=\n--b--\n"),
	    1000, "\u00e9|<p>\u00e9</p>|inner|");
}

static void text_takes_an_undelimited_multipart_as_text(void **state)
{
	(void)state;
	expect_texts(STR("Content-Type: multipart/mixed\n\nx"), 1000, "x|");
	expect_texts(STR("Content-Type: multipart/mixed; boundary=b\n\nx"), 1000, "");
}

static void text_is_cut_at_the_ceiling(void **state)
{
	(void)state;
	expect_texts(
	    STR("Content-Type: text/plain; charset=utf-8\n\nab\u00fc\u00fc"), 5, "ab\u00fc|");
	expect_texts(STR("Content-Transfer-Encoding: base64\n\nSGVsbG8sIHdvcmxk"), 4, "Hell|");
}

static void text_of_a_part_tells_that_it_was_cut(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf text CLEANUP(buf_done) = BUF_MAX(3);
	struct str message = STR("Content-Type: application/x\n\nabcd");

	text_of_part(message, parse(message, &a), &text);
	expect_buf(text, "abc");
	assert_true(buf_failed(&text));
}

static void text_parts_are_bounded(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(16 << 20);
	struct buf message CLEANUP(buf_done) = BUF_MAX(1 << 20),
	                   text CLEANUP(buf_done) = BUF_MAX(10);
	const struct mime_part *part;
	size_t n = 0;

	buf_add(&message, STR("Content-Type: multipart/mixed; boundary=b\n\n"));
	repeat(&message, "--b\n\nx\n", TEXT_PARTS_MAX + 10);
	struct text_reader reader = {
	    .message = buf_str(&message), .next = parse(buf_str(&message), &a)};
	while (text_next(&reader, &text, &part))
		n++;
	assert_int_equal(n, TEXT_PARTS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_decodes_every_text_part),
	    cmocka_unit_test(text_takes_an_undelimited_multipart_as_text),
	    cmocka_unit_test(text_is_cut_at_the_ceiling),
	    cmocka_unit_test(text_of_a_part_tells_that_it_was_cut),
	    cmocka_unit_test(text_parts_are_bounded),
	};
	return cmocka_run_group_tests_name("mail/text", tests, NULL, NULL);
}
