#include "imap/reader.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct imap_limits small = {
    .text_len = 100, .literal_len = 20, .message_len = 1000, .messages_len = 1500};

/* Feeds byte by byte and then all at once: the results must not differ. */
static enum imap_read feed(struct imap_reader *r, const char *text, bool bytewise, size_t *ret_left)
{
	struct str rest = str_of_cstr(text);
	enum imap_read result = IMAP_READ_MORE;

	while (rest.len > 0 && (result == IMAP_READ_MORE || result == IMAP_READ_CONTINUE)) {
		struct str piece = bytewise ? str_first(rest, 1) : rest;
		size_t before = piece.len;
		result = imap_reader_feed(r, &piece);
		rest = str_from(rest, before - piece.len);
	}
	*ret_left = rest.len;
	return result;
}

static struct imap_reader *fed(const char *text, bool bytewise, enum imap_read expected)
{
	struct imap_reader *r = imap_reader_new(&small);
	size_t left;

	assert_int_equal(feed(r, text, bytewise, &left), expected);
	return r;
}

static void test_line(void **state)
{
	(void)state;
	for (int bytewise = 0; bytewise < 2; bytewise++) {
		struct imap_reader *r = imap_reader_new(&small);
		size_t left;
		assert_true(imap_reader_idle(r));
		assert_int_equal(feed(r, "a NOOP\r\nb", bytewise, &left), IMAP_READ_COMMAND);
		assert_int_equal(left, 1);
		assert_true(str_eq(imap_reader_text(r).text, STR("a NOOP")));
		assert_true(str_eq(imap_reader_tag(r), STR("a")));
		imap_reader_reset(r);
		assert_int_equal(feed(r, "b NOOP\n", bytewise, &left), IMAP_READ_COMMAND);
		assert_true(str_eq(imap_reader_text(r).text, STR("b NOOP")));
		imap_reader_free(r);
	}
}

static void test_literals(void **state)
{
	(void)state;
	for (int bytewise = 0; bytewise < 2; bytewise++) {
		struct imap_reader *r = fed(
		    "a LOGIN {3}\r\nb\nc {0+}\r\n x {2+}\r\n}}\r\n", bytewise, IMAP_READ_COMMAND);
		struct imap_text text = imap_reader_text(r);
		assert_true(str_eq(text.text, STR("a LOGIN {3}\r\n {0+}\r\n x {2+}\r\n")));
		assert_int_equal(text.n_literals, 3);
		assert_true(str_eq(text.literals[0], STR("b\nc")));
		assert_int_equal(text.literals[1].len, 0);
		assert_true(str_eq(text.literals[2], STR("}}")));
		imap_reader_free(r);
	}
}

static void test_continue(void **state)
{
	struct imap_reader *r = imap_reader_new(&small);
	struct str rest = STR("a X {4}\r\n");
	size_t room;

	(void)state;
	assert_int_equal(imap_reader_feed(r, &rest), IMAP_READ_CONTINUE);
	assert_false(imap_reader_idle(r));
	char *to = imap_reader_room(r, &room);
	assert_int_equal(room, 4);
	memcpy(to, "wxyz", 4);
	imap_reader_filled(r, 4);
	rest = STR("\r\n");
	assert_int_equal(imap_reader_feed(r, &rest), IMAP_READ_COMMAND);
	assert_true(str_eq(imap_reader_text(r).literals[0], STR("wxyz")));
	imap_reader_free(r);
}

/* What a spooler was given. */
struct spooled {
	struct buf all; /* each literal with | behind it */
	unsigned n, forgotten;
};

static void spool_begin(void *context)
{
	struct spooled *s = context;

	if (s->n++ > 0)
		buf_add_c(&s->all, '|');
}

static void spool_add(void *context, struct str piece)
{
	buf_add(&((struct spooled *)context)->all, piece);
}

static void spool_forget(void *context)
{
	((struct spooled *)context)->forgotten++;
}

static void test_spooled(void **state)
{
	(void)state;
	for (int bytewise = 0; bytewise < 2; bytewise++) {
		struct spooled s = {.all = BUF_MAX(1000)};
		const struct imap_spooler spooler = {
		    4, 5, spool_begin, spool_add, spool_forget, &s};
		struct imap_reader *r = imap_reader_new(&small);
		size_t left;
		imap_reader_spool(r, &spooler);
		/* By its length; in memory; by what is in memory already; nothing of nothing. */
		assert_int_equal(
		    feed(r, "a APPEND x {4+}\r\nabcd {3+}\r\nefg {3+}\r\nhij {0+}\r\n\r\n",
		        bytewise, &left),
		    IMAP_READ_COMMAND);
		struct imap_text text = imap_reader_text(r);
		assert_int_equal(text.n_literals, 4);
		assert_true(text.literals[0].p == NULL && text.literals[0].len == 4);
		assert_true(str_eq(text.literals[1], STR("efg")));
		assert_true(text.literals[2].p == NULL && text.literals[2].len == 3);
		assert_true(text.literals[3].len == 0);
		assert_true(str_eq(buf_str(&s.all), STR("abcd|hij")));
		assert_int_equal(s.forgotten, 0);
		imap_reader_reset(r);
		assert_int_equal(s.forgotten, 1);
		/* Only messages are. */
		assert_int_equal(
		    feed(r, "b LOGIN {5+}\r\nabcde\r\n", bytewise, &left), IMAP_READ_COMMAND);
		assert_int_equal(s.n, 2);
		imap_reader_reset(r);
		/* And not those of a command that is refused. */
		assert_int_equal(feed(r, "c APPEND x {4+}\r\nabcd {4000}\r\n", bytewise, &left),
		    IMAP_READ_REFUSED);
		assert_int_equal(s.forgotten, 2);
		imap_reader_free(r);
		assert_int_equal(s.forgotten, 2);
		buf_done(&s.all);
	}
}

static void refused(const char *text, bool too_big)
{
	for (int bytewise = 0; bytewise < 2; bytewise++) {
		struct imap_reader *r = fed(text, bytewise, IMAP_READ_REFUSED);
		assert_true(str_eq(imap_reader_tag(r), STR("tag")));
		assert_int_equal(imap_reader_too_big(r), too_big);
		assert_non_null(imap_reader_refusal(r));
		imap_reader_free(r);
	}
}

#define TEN "0123456789"

static void test_limits(void **state)
{
	(void)state;
	refused("tag X {21}\r\n", false);
	refused("tag X {15}\r\n" TEN "01234 {6}\r\n", false);
	refused("tag X {99999999999999999999}\r\n", false);
	refused("tag X {21+}\r\n" TEN TEN "x\r\n", false);
	refused("tag X {21+}\r\n" TEN TEN "x {3+}\r\nabc\r\n", false);
	refused("tag X {21+}\r\n" TEN TEN "x {3}\r\n", false);
	refused("tag APPEND x {1001}\r\n", true);
	refused("tag X " TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "\r\n", false);
	refused(
	    "tag X " TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "{3+}\r\nabc\r\n", false);
	struct imap_reader *r = fed("tag X {100000000+}\r\n", false, IMAP_READ_FATAL);
	imap_reader_free(r);
}

static void test_after_refusal(void **state)
{
	struct imap_reader *r = imap_reader_new(&small);
	size_t left;

	(void)state;
	assert_int_equal(
	    feed(r, "tag X {21+}\r\n" TEN TEN "x\r\n", false, &left), IMAP_READ_REFUSED);
	imap_reader_reset(r);
	assert_int_equal(feed(r, "t2 APPEND {800+}\r\n", false, &left), IMAP_READ_MORE);
	imap_reader_reset(r);
	assert_int_equal(feed(r, "t3 NOOP\r\n", false, &left), IMAP_READ_COMMAND);
	assert_true(str_eq(imap_reader_tag(r), STR("t3")));
	imap_reader_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_line),
	    cmocka_unit_test(test_literals),
	    cmocka_unit_test(test_continue),
	    cmocka_unit_test(test_spooled),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_after_refusal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
