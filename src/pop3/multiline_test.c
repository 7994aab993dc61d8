#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pop3/multiline.h"

/* In one piece and byte by byte. */
static void expect(struct pop3_multiline start, struct str message, struct str sent, size_t octets)
{
	for (size_t piece = 1; piece <= message.len + 1; piece++) {
		struct buf out CLEANUP(buf_done) = BUF_MAX(4096);
		struct pop3_multiline m = start;
		struct str rest = message;
		while (rest.len > 0 && pop3_multiline_write(&m, str_first(rest, piece), &out))
			rest = str_from(rest, piece);
		pop3_multiline_end(&m, &out);
		assert_int_equal(out.len, sent.len);
		assert_memory_equal(out.p, sent.p, sent.len);
		assert_int_equal(m.octets, octets);
	}
}

static void a_message_goes_out_as_it_is(void **state)
{
	(void)state;
	expect(POP3_MULTILINE_WHOLE, STR("A: b\r\n\r\ntext\r\n"), STR("A: b\r\n\r\ntext\r\n.\r\n"),
	    14);
	expect(POP3_MULTILINE_WHOLE, STR(""), STR(".\r\n"), 0);
	expect(POP3_MULTILINE_WHOLE, STR("\xff\0\x80\r\r\n"), STR("\xff\0\x80\r\r\n.\r\n"), 6);
}

static void dots_are_doubled(void **state)
{
	(void)state;
	expect(POP3_MULTILINE_WHOLE, STR(".\r\n..\r\na.\r\n.b\r\n"),
	    STR("..\r\n...\r\na.\r\n..b\r\n.\r\n"), 15);
}

static void lines_get_their_ends(void **state)
{
	(void)state;
	expect(POP3_MULTILINE_WHOLE, STR("a"), STR("a\r\n.\r\n"), 3);
	expect(POP3_MULTILINE_WHOLE, STR("a\n.\nb\n"), STR("a\r\n..\r\nb\r\n.\r\n"), 9);
	expect(POP3_MULTILINE_WHOLE, STR("a\r"), STR("a\r\r\n.\r\n"), 4);
	/* What a client that ends lines at LF must not take for the end and a next answer. */
	expect(POP3_MULTILINE_WHOLE, STR("\n.\r\n+OK 1\r\n"), STR("\r\n..\r\n+OK 1\r\n.\r\n"), 12);
}

static void top(void **state)
{
	struct str message = STR("A: b\r\nC: d\r\n\r\n1\r\n.2\r\n\r\n4\r\n");

	(void)state;
	expect(POP3_MULTILINE_TOP(0), message, STR("A: b\r\nC: d\r\n\r\n.\r\n"), 14);
	expect(POP3_MULTILINE_TOP(2), message, STR("A: b\r\nC: d\r\n\r\n1\r\n..2\r\n.\r\n"), 21);
	expect(POP3_MULTILINE_TOP(UINT32_MAX), message,
	    STR("A: b\r\nC: d\r\n\r\n1\r\n..2\r\n\r\n4\r\n.\r\n"), 26);
	expect(POP3_MULTILINE_TOP(1), STR("A: b\n\nx\ny\n"), STR("A: b\r\n\r\nx\r\n.\r\n"), 11);
	expect(POP3_MULTILINE_TOP(1), STR("A: b\r\n"), STR("A: b\r\n.\r\n"), 6);
	expect(POP3_MULTILINE_TOP(1), STR("A: b"), STR("A: b\r\n.\r\n"), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_goes_out_as_it_is),
	    cmocka_unit_test(dots_are_doubled),
	    cmocka_unit_test(lines_get_their_ends),
	    cmocka_unit_test(top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
