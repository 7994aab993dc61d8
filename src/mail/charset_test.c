#include "mail/charset.h"

#include "base/utf8.h"
#include "mail/expect.h"

static void expect_utf8(struct str charset, struct str bytes, const char *want)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 20);

	assert_true(charset_to_utf8(charset, bytes, &out));
	expect_buf(out, want);
}

static void charset_converts(void **state)
{
	(void)state;
	expect_utf8(STR("utf-8"), STR("\u00fc\u20ac"), "\u00fc\u20ac");
	expect_utf8(STR("ISO-8859-2"),
	    STR("\xa3\xf3"
	        "d\xbc"),
	    "\u0141\u00f3d\u017a");
	expect_utf8(STR("koi8-r"), STR("\xd4\xc5\xd3\xd4"), "\u0442\u0435\u0441\u0442");
	expect_utf8(STR("windows-1251"), STR("\xcf\xf0\xe8"), "\u041f\u0440\u0438");
	expect_utf8(STR("iso-2022-jp"), STR("\x1b$BF|K\\\x1b(Bx"), "\u65e5\u672cx");
	expect_utf8(STR("euc-jp"), STR("\xc6\xfc\xcb\xdc"), "\u65e5\u672c");
	expect_utf8(STR("big5"), STR("\xa4\xa4\xa4\xe5"), "\u4e2d\u6587");
	expect_utf8(STR("utf-7"), STR("a+AOk-b"),
	    "a\u00e9"
	    "b");
	expect_utf8(STR("utf-16"), STR("\xff\xfe=\xd8\0\xde"), "\U0001f600");
	expect_utf8(STR("utf-16be"), STR("\0a\0b"), "ab");
}

static void charset_reads_names_as_browsers_do(void **state)
{
	(void)state;
	expect_utf8(STR("iso-8859-1"), STR("\x80\xe9"), "\u20ac\u00e9");
	expect_utf8(STR("US-ASCII"), STR("\x93x\x94"), "\u201cx\u201d");
	expect_utf8(STR("gb2312"), STR("\xd6\xd0\xce\xc4"), "\u4e2d\u6587");
	expect_utf8(STR("ks_c_5601-1987"), STR("\xc7\xd1\xb1\xdb"), "\ud55c\uae00");
	expect_utf8(STR("Shift_JIS"), STR("\x93\xfa\x87\x40"), "\u65e5\u2460");
}

static void charset_unknown_is_utf8_or_latin(void **state)
{
	(void)state;
	expect_utf8(STR("x-unknown"), STR("\u00fc"), "\u00fc");
	expect_utf8(STR("x-unknown"), STR("\xfc"), "\u00fc");
	expect_utf8(STR(""), STR("plain"), "plain");
	expect_utf8(STR(""), STR("\xe9"), "\u00e9");
	expect_utf8(STR("../../etc/passwd"), STR("x"), "x");
	expect_utf8(STR("ibm-37,swaplfnl"), STR("x"), "x");
	expect_utf8(STR("utf-8\0"), STR("\xe9"), "\u00e9");
}

static void charset_replaces_what_is_malformed(void **state)
{
	(void)state;
	expect_utf8(
	    STR("utf-8"), STR("a\xff\xc3(\xed\xa0\x80z"), "a\ufffd\ufffd(\ufffd\ufffd\ufffdz");
	expect_utf8(STR("gb18030"), STR("a\x81"), "a\ufffd");
	expect_utf8(STR("utf-16le"), STR("a\0=\xd8"), "a\ufffd");
	expect_utf8(STR("euc-jp"), STR("\xc6"), "\ufffd");
}

static void charset_long_text_keeps_its_characters(void **state)
{
	(void)state;
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf want CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf got CLEANUP(buf_done) = BUF_MAX(1 << 20);

	/* Pairs of UTF-16 fall on the boundaries of what is converted at a time. */
	buf_add(&bytes, STR("a"));
	buf_add(&want, STR("a"));
	repeat(&bytes, "\x94\x39\xfc\x36", 20000);
	repeat(&want, "\U0001f600", 20000);
	assert_true(charset_to_utf8(STR("gb18030"), buf_str(&bytes), &got));
	assert_true(str_eq(buf_str(&got), buf_str(&want)));
}

static void charset_stops_at_the_ceiling(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(4);

	assert_false(charset_to_utf8(STR("utf-8"), STR("abc\u00fcx"), &out));
	expect_buf(out, "abc");
	assert_true(buf_failed(&out));
	buf_clear(&out);
	assert_false(charset_to_utf8(STR("koi8-r"), STR("\xd4\xc5\xd3"), &out));
	expect_buf(out, "\u0442\u0435");
	buf_clear(&out);
	assert_false(charset_to_utf8(STR(""), STR("abcdef"), &out));
	expect_buf(out, "abcd");
}

static void charset_knows_names(void **state)
{
	(void)state;
	struct buf name CLEANUP(buf_done) = BUF_MAX(1000);

	charset_init();
	assert_true(charset_is_known(STR("UTF-8")));
	assert_true(charset_is_known(STR("latin1")));
	assert_true(charset_is_known(STR("iso-8859-15")));
	assert_false(charset_is_known(STR("")));
	assert_false(charset_is_known(STR("x-none")));
	assert_false(charset_is_known(STR("utf-8,x=y")));
	repeat(&name, "a", CHARSET_NAME_LEN_MAX + 1);
	assert_false(charset_is_known(buf_str(&name)));
}

static void expect_fold(struct str text, const char *want)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 20);

	assert_true(charset_fold(text, &out));
	expect_buf(out, want);
}

static void charset_folds_case(void **state)
{
	(void)state;
	expect_fold(STR(""), "");
	expect_fold(STR("Hello, WORLD 1"), "hello, world 1");
	expect_fold(STR("\u00dcBER"), "\u00fcber");
	expect_fold(STR("Stra\u00dfe"), "strasse");
	expect_fold(STR("\u0391\u03a3\u03c2"), "\u03b1\u03c3\u03c3");
	expect_fold(STR("\ufb01x"), "fix");
	expect_fold(STR("A\u0301b"), "\u00e1"
	                             "b");
	expect_fold(STR("\u00c1b"), "\u00e1"
	                            "b");
	expect_fold(STR("\xff"), "\ufffd");
}

static void expect_search_key(struct str text, const char *want)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);

	assert_true(charset_search_key(text, &out));
	expect_buf(out, want);
}

/* RFC 5255 §4.2: a letter is found where it has an accent. */
static void charset_search_keys(void **state)
{
	(void)state;
	expect_search_key(STR("Hello 1"), "hello 1");
	expect_search_key(STR("Gr\u00dc\u00dfe"), "gru\u0308sse");
	expect_search_key(STR("U\u0308"), "u\u0308");
	expect_search_key(STR("\u304c"), "\u304b\u3099");
	expect_search_key(STR("\uac01"), "\uac01");
	expect_search_key(STR("\u1100\u1161"), "\uac00");
	expect_search_key(STR("\U0001d15e"), "\U0001d157\U0001d165");
	expect_search_key(STR("x\xff"), "x\ufffd");
}

static void charset_folds_each_letter_anywhere(void **state)
{
	(void)state;
	struct buf got CLEANUP(buf_done) = BUF_MAX(1000);

	for (size_t at = 0; at < 20; at++) {
		for (int c = 1; c < 0x80; c++) {
			char text[20];
			memset(text, '-', sizeof(text));
			text[at] = (char)c;
			buf_clear(&got);
			assert_true(charset_fold(str_of(text, sizeof(text)), &got));
			text[at] = ascii_lower((char)c);
			assert_true(str_eq(buf_str(&got), str_of(text, sizeof(text))));
		}
	}
}

static void charset_folds_long_text(void **state)
{
	(void)state;
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf want CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf got CLEANUP(buf_done) = BUF_MAX(1 << 20);

	/* The decomposed letter must be put together wherever it falls. */
	repeat(&text, "\u0416A\u030a", 1000);
	repeat(&want, "\u0436\u00e5", 1000);
	assert_true(charset_fold(buf_str(&text), &got));
	assert_true(str_eq(buf_str(&got), buf_str(&want)));
	buf_clear(&text);
	buf_clear(&got);
	repeat(&text, "\u0301", 5000);
	repeat(&text, "\ufdfa", 300);
	assert_true(charset_fold(buf_str(&text), &got));
	assert_true(utf8_is_valid(buf_str(&got)));
}

static void charset_fold_stops_at_the_ceiling(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(3);

	assert_false(charset_fold(STR("ABCDEF"), &out));
	expect_buf(out, "abc");
	buf_clear(&out);
	assert_false(charset_fold(STR("\u00dc\u00dc"), &out));
	expect_buf(out, "\u00fc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(charset_converts),
	    cmocka_unit_test(charset_reads_names_as_browsers_do),
	    cmocka_unit_test(charset_unknown_is_utf8_or_latin),
	    cmocka_unit_test(charset_replaces_what_is_malformed),
	    cmocka_unit_test(charset_long_text_keeps_its_characters),
	    cmocka_unit_test(charset_stops_at_the_ceiling),
	    cmocka_unit_test(charset_knows_names),
	    cmocka_unit_test(charset_folds_case),
	    cmocka_unit_test(charset_search_keys),
	    cmocka_unit_test(charset_folds_each_letter_anywhere),
	    cmocka_unit_test(charset_folds_long_text),
	    cmocka_unit_test(charset_fold_stops_at_the_ceiling),
	};
	return cmocka_run_group_tests_name("mail/charset", tests, NULL, NULL);
}
