#include "mail/preview.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(struct str message, struct str expected)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf out CLEANUP(buf_done) = BUF_MAX(PREVIEW_LEN_MAX);
	struct mime_part *root;

	assert_int_equal(mime_parse(message, &arena, &root), 0);
	struct mail_source source = mail_source_of(message);
	assert_int_equal(preview_write(&source, root, &out), 0);
	assert_false(buf_failed(&out));
	assert_int_equal(out.len, expected.len);
	if (out.len > 0)
		assert_memory_equal(out.p, expected.p, out.len);
}

static void test_plain(void **state)
{
	(void)state;
	expect(STR("Subject: x\r\n\r\nHello,\r\n\r\n  how  are\tyou?\r\n"),
	    STR("Hello, how are you?"));
	expect(STR("Subject: x\r\n\r\n"), STR(""));
	expect(STR("Content-Type: text/plain; charset=iso-8859-1\r\n"
	           "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe=A0!\r\n"),
	    STR("Gr\xc3\xbc\xc3\x9f"
	        "e !"));
}

static void test_quotes_and_signature(void **state)
{
	(void)state;
	expect(STR("\r\n> old words\r\n>> older\r\nnew words\r\n-- \r\nMe\r\n"), STR("new words"));
	expect(STR("\r\n> only old words\r\n"), STR("> only old words"));
	expect(STR("\r\n-- \r\nMe\r\n"), STR(""));
}

static void test_parts(void **state)
{
	(void)state;
	expect(STR("Content-Type: multipart/alternative; boundary=b\r\n\r\n"
	           "--b\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n"
	           "--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b--\r\n"),
	    STR("plain"));
	expect(STR("Content-Type: text/html\r\n\r\n<style>p {}</style><p>One <b>t</b>wo</p>\r\n"
	           "<p>three&amp;</p>\r\n"),
	    STR("One two three&"));
	expect(STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	           "--b\r\nContent-Disposition: attachment\r\n\r\nno\r\n"
	           "--b\r\nContent-Type: image/png\r\n\r\nno\r\n--b--\r\n"),
	    STR(""));
}

static void test_invisible(void **state)
{
	(void)state;
	expect(STR("Content-Type: text/plain; charset=utf-8\r\n\r\n\xe2\x80\x8b"
	           "a\x07\xe2\x80\xae"
	           "b\xff"
	           "c\r\n"),
	    STR("abc"));
}

/* 200 characters, whatever their bytes, and never half a character. */
static void test_limit(void **state)
{
	struct buf message CLEANUP(buf_done) = BUF_MAX(4096);
	struct buf expected CLEANUP(buf_done) = BUF_MAX(4096);

	(void)state;
	buf_add(&message, STR("Content-Type: text/plain; charset=utf-8\r\n\r\n"));
	for (size_t i = 0; i < 300; i++)
		buf_add(&message, STR("\xf0\x9f\x98\x80"));
	for (size_t i = 0; i < PREVIEW_CHARACTERS_MAX; i++)
		buf_add(&expected, STR("\xf0\x9f\x98\x80"));
	assert_int_equal(expected.len, PREVIEW_LEN_MAX);
	expect(buf_str(&message), buf_str(&expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_quotes_and_signature),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_invisible),
	    cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
