#include "mail/encoded_word.h"

#include <time.h>

#include "mail/expect.h"

static void expect_decoded(struct str raw, const char *want)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 20);

	assert_true(encoded_word_decode(raw, &out));
	expect_buf(out, want);
}

static void encoded_word_leaves_plain_text(void **state)
{
	(void)state;
	expect_decoded(STR(" plain\r\n text "), "plain text");
	expect_decoded(STR(""), "");
	expect_decoded(STR("raw \u00fc"), "raw \u00fc");
	expect_decoded(STR("raw \xfc"), "raw \u00fc");
}

static void encoded_word_decodes_both_encodings(void **state)
{
	(void)state;
	expect_decoded(STR("=?utf-8?Q?caf=C3=A9_x?="), "caf\u00e9 x");
	expect_decoded(STR("=?UTF-8?b?Y2Fmw6k=?="), "caf\u00e9");
	expect_decoded(STR("=?iso-8859-1?q?=E9?="), "\u00e9");
	expect_decoded(STR("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?="), "\u65e5\u672c");
	expect_decoded(STR("=?utf-8*en?Q?x?="), "x");
	expect_decoded(STR("=?x-none?Q?=E9?="), "\u00e9");
}

/* The examples of RFC 2047 §8. */
static void encoded_word_joins_as_the_rfc_says(void **state)
{
	(void)state;
	expect_decoded(STR("(=?ISO-8859-1?Q?a?=)"), "(a)");
	expect_decoded(STR("(=?ISO-8859-1?Q?a?= b)"), "(a b)");
	expect_decoded(STR("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)"), "(ab)");
	expect_decoded(STR("(=?ISO-8859-1?Q?a?=\r\n   =?ISO-8859-1?Q?b?=)"), "(ab)");
	expect_decoded(STR("(=?ISO-8859-1?Q?a_b?=)"), "(a b)");
	expect_decoded(STR("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)"), "(a b)");
}

static void encoded_word_joins_split_characters(void **state)
{
	(void)state;
	expect_decoded(STR("=?utf-8?Q?=C3?= =?UTF-8?Q?=A9?="), "\u00e9");
	expect_decoded(STR("=?utf-8?B?ww==?=\r\n =?utf-8?B?qQ==?="), "\u00e9");
	expect_decoded(STR("=?utf-8?B?5pel5pys6A==?= =?utf-8?Q?=AA=9E?="), "\u65e5\u672c\u8a9e");
	expect_decoded(STR("=?utf-8?Q?=C3?= x =?utf-8?Q?=A9?="), "\ufffd x \ufffd");
}

static void encoded_word_leaves_what_is_none(void **state)
{
	(void)state;
	static const char *const texts[] = {"=?", "=?=", "=??Q?x?=", "=?utf-8?X?x?=", "=?utf-8?Q?x",
	    "=?utf-8?Q?x?", "=?utf 8?Q?x?=", "?=", "=?utf-8?Q", "a =? b"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		expect_decoded(str_of_cstr(texts[i]), texts[i]);
	expect_decoded(STR("=?utf-8?Q?a =?utf-8?Q?b?="), "=?utf-8?Q?a b");
}

static void encoded_word_is_lenient(void **state)
{
	(void)state;
	expect_decoded(STR("=?utf-8?Q?a b c?="), "a b c");
	expect_decoded(STR("x=?utf-8?Q?a?=y"), "xay");
	expect_decoded(STR("=?utf-8?Q?a?==?utf-8?Q?b?="), "ab");
	expect_decoded(STR("=?utf-8?Q?=ZZ=4?="), "=ZZ=4");
}

static void encoded_word_decoding_is_bounded(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(3);

	assert_false(encoded_word_decode(STR("=?utf-8?Q?=C3=A9=C3=A9?="), &out));
	expect_buf(out, "\u00e9");
	buf_clear(&out);
	assert_false(encoded_word_decode(STR("abcdef"), &out));
	expect_buf(out, "abc");
}

static void encoded_word_time_is_linear(void **state)
{
	(void)state;
	struct buf text CLEANUP(buf_done) = BUF_MAX(4 << 20);
	struct buf out CLEANUP(buf_done) = BUF_MAX(4 << 20);
	struct timespec from, to;

	repeat(&text, "=?a?q?", 500000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	assert_true(encoded_word_decode(buf_str(&text), &out));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	assert_true(str_eq(buf_str(&out), buf_str(&text)));
	assert_true(to.tv_sec - from.tv_sec < 10);
}

static void expect_encoded(struct str text, size_t column, const char *want)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 16);

	assert_true(encoded_word_encode(text, column, &out));
	expect_buf(out, want);
}

static void encoded_word_encodes(void **state)
{
	(void)state;
	expect_encoded(STR("plain text"), 9, "plain text");
	expect_encoded(STR("long caf\u00e9"), 9, "=?UTF-8?Q?long_caf=C3=A9?=");
	expect_encoded(STR("\u65e5\u672c"), 9, "=?UTF-8?B?5pel5pys?=");
	expect_encoded(STR("=?x"), 9, "=?UTF-8?B?PT94?=");
	expect_encoded(STR("a\r\nb"), 9, "ab");
}

static void encoded_word_folds_long_text(void **state)
{
	(void)state;
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct buf back CLEANUP(buf_done) = BUF_MAX(1 << 16);

	repeat(&text, "\u65e5\u672c\u8a9e \u00fc", 50);
	assert_true(encoded_word_encode(buf_str(&text), 70, &out));
	struct str rest = buf_str(&out);
	while (rest.len > 0)
		assert_true(str_cut_line(&rest).len <= 76);
	assert_true(encoded_word_decode(buf_str(&out), &back));
	assert_true(str_eq(buf_str(&text), buf_str(&back)));
	struct buf small CLEANUP(buf_done) = BUF_MAX(20);
	assert_false(encoded_word_encode(buf_str(&text), 0, &small));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(encoded_word_leaves_plain_text),
	    cmocka_unit_test(encoded_word_decodes_both_encodings),
	    cmocka_unit_test(encoded_word_joins_as_the_rfc_says),
	    cmocka_unit_test(encoded_word_joins_split_characters),
	    cmocka_unit_test(encoded_word_leaves_what_is_none),
	    cmocka_unit_test(encoded_word_is_lenient),
	    cmocka_unit_test(encoded_word_decoding_is_bounded),
	    cmocka_unit_test(encoded_word_time_is_linear),
	    cmocka_unit_test(encoded_word_encodes),
	    cmocka_unit_test(encoded_word_folds_long_text),
	};
	return cmocka_run_group_tests_name("mail/encoded_word", tests, NULL, NULL);
}
