#include "mail/html_text.h"

#include "mail/expect.h"
#include "mail/html_entity.h"

static void expect_text(struct str html, const char *want)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);

	assert_true(html_to_text(html, &out));
	expect_buf(out, want);
}

static void tags_go_and_words_stay_whole(void **state)
{
	(void)state;
	expect_text(STR("<p>f<b>oo</b> <i>bar</i></p><p>next"), "foo bar\nnext");
	expect_text(STR("one<br>two<BR/>three<td>four"), "one\ntwo\nthree\nfour");
	expect_text(STR("  a \r\n\t b  "), "a b");
	expect_text(STR("<a title=\"1 > 0\" href='>'>x</a>y"), "xy");
	expect_text(STR("it's <b title=it's>bold</b>"), "it's bold");
}

static void what_is_not_shown_is_left_out(void **state)
{
	(void)state;
	expect_text(STR("a<!-- no <b> -->b<!DOCTYPE html><?xml no?>c"), "abc");
	expect_text(STR("<style>p { x }</style>x<SCRIPT>if (a < b) '</b>'</Script >y"), "x\ny");
	expect_text(STR("x<!-- never ends"), "x");
	expect_text(STR("x<b title=\"never ends"), "x");
	expect_text(STR("x<script>never ends"), "x");
}

static void references_are_decoded(void **state)
{
	(void)state;
	expect_text(STR("&auml;&#228;&#xE4;&lt;b&gt;&amp;lt;"), "\u00e4\u00e4\u00e4<b>&lt;");
	expect_text(STR("a&nbsp;b&euro c&#128;&#0;&#xd800;&#x110000;&#99999999999;"),
	    "a b\u20ac c\u20ac\ufffd\ufffd\ufffd\ufffd");
	expect_text(STR("A&B &; &unknown; &#; &#x; &"), "A&B &; &unknown; &#; &#x; &");
}

static void what_is_no_markup_is_text(void **state)
{
	(void)state;
	expect_text(STR("1 < 2 <3 </ > <"), "1 < 2 <3 </ > <");
	expect_text(STR(""), "");
}

static void it_is_cut_at_the_ceiling(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(3);

	assert_false(html_to_text(STR("<p>ab<p>cd"), &out));
	expect_buf(out, "ab\n");
}

static void every_name_is_found(void **state)
{
	(void)state;
	struct str first = STR("&AElig;"), last = STR("&zwnj;rest"), none = STR("x");

	assert_int_equal(html_entity_next(&first), 0xc6);
	assert_int_equal(html_entity_next(&last), 0x200c);
	assert_true(str_eq(last, STR("rest")));
	assert_int_equal(html_entity_next(&none), 0);
	assert_int_equal(none.len, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tags_go_and_words_stay_whole),
	    cmocka_unit_test(what_is_not_shown_is_left_out),
	    cmocka_unit_test(references_are_decoded),
	    cmocka_unit_test(what_is_no_markup_is_text),
	    cmocka_unit_test(it_is_cut_at_the_ceiling),
	    cmocka_unit_test(every_name_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
