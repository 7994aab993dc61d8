#include "mail/search_text.h"

#include "mail/expect.h"
#include "mail/header.h"

enum { ALL_MAX = 4096 };

static bool append(void *ctx, const struct search_text *text)
{
	struct buf *all = ctx;

	buf_printf(
	    all, "%u %.*s=%.*s", (unsigned)text->class, STR_FMT(text->name), STR_FMT(text->text));
	buf_add(all, STR("|"));
	assert_true(str_ends(text->joined, text->text) && str_starts(text->joined, text->name));
	return true;
}

static void expect_header(struct str header, struct str only, const char *want)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf all CLEANUP(buf_done) = BUF_MAX(ALL_MAX);
	struct search_texts texts CLEANUP(search_texts_done) = {0};

	assert_true(search_text_header(&texts, header, only, &a, append, &all));
	expect_buf(all, want);
}

static void expect_body(struct str message, const char *want)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf all CLEANUP(buf_done) = BUF_MAX(ALL_MAX);
	struct search_texts texts CLEANUP(search_texts_done) = {0};
	struct mime_part *root;

	assert_int_equal(mime_parse(message, &a, &root), 0);
	assert_true(search_text_body(&texts, message, root, append, &all));
	expect_buf(all, want);
}

static void header_fields_are_decoded_and_folded(void **state)
{
	(void)state;
	expect_header(STR("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= X\r\nX-A: b\r\n C\r\nSubject: "
	                  "Second\r\n\r\n"),
	    STR(""), "1 subject=gru\u0308sse x|6 x-a=b c|6 subject=second|");
	expect_header(STR("A: 1\r\nB: 2\r\na: 3\r\n\r\n"), STR("A"), "6 a=1|6 a=3|");
}

static void addresses_come_as_they_are_understood_too(void **state)
{
	(void)state;
	expect_header(
	    STR("From: \"D\\oe, J\" <(c)j@X.test>\r\nTo: =?utf-8?q?=C3=A4?= <a@b>\r\n\r\n"),
	    STR(""),
	    "2 from=\"d\\oe, j\" <(c)j@x.test>|2 =doe, j <j@x.test> |3 to=a\u0308 <a@b>|3 =a\u0308 "
	    "<a@b> |");
	expect_header(
	    STR("Cc: a@b\r\nBcc: c@d\r\nSender: e@f\r\n\r\n"), STR("bcc"), "5 bcc=c@d|5 = <c@d> |");
}

static void bodies_are_what_is_readable(void **state)
{
	(void)state;
	expect_body(
	    STR("Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	        "Content-Type: text/html\n\n<p>H<b>T</b>ML &amp;<br>x</p>\n--b\n"
	        "Content-Type: text/calendar\n\nSUMMARY:Lo\r\n ng\r\nEND\n--b\n"
	        "Content-Type: application/pdf; name=Report.PDF\n\nno text\n--b\n"
	        "Content-Type: application/octet-stream\n"
	        "Content-Disposition: attachment; filename*=utf-8''%C3%84.txt\n\nno\n--b\n"
	        "Content-Type: message/rfc822\n\nSubject: =?utf-8?q?In?=\n\nInner\n--b--\n"),
	    "8 content-type=text/html|7 =html &\nx|8 content-type=text/calendar|"
	    "7 =summary:long\r\nend|8 content-type=application/pdf; name=report.pdf|7 =report.pdf|"
	    "8 content-type=application/octet-stream|"
	    "8 content-disposition=attachment; filename*=utf-8''%c3%84.txt|7 =a\u0308.txt|"
	    "8 content-type=message/rfc822|7 =subject: in|7 =inner|");
	expect_body(STR("Content-Type: multipart/mixed\n\nX"), "7 =x|");
	expect_body(STR("Content-Type: application/json\n\n{\"A\": 1}"), "7 ={\"a\": 1}|");
	expect_body(STR("\n"), "");
}

static bool count_and_stop(void *ctx, const struct search_text *text)
{
	(void)text;
	++*(unsigned *)ctx;
	return false;
}

static void it_stops_when_told(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct search_texts texts CLEANUP(search_texts_done) = {0};
	struct str message = STR("A: 1\nB: 2\n\nbody");
	struct mime_part *root;
	struct str header, body;
	unsigned n = 0;

	header_split(message, &header, &body);
	assert_false(search_text_header(&texts, header, STR(""), &a, count_and_stop, &n));
	assert_int_equal(mime_parse(message, &a, &root), 0);
	assert_false(search_text_body(&texts, message, root, count_and_stop, &n));
	assert_int_equal(n, 2);
}

static void a_text_is_cut_at_its_limit(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct search_texts texts CLEANUP(search_texts_done) = {0};
	struct buf message CLEANUP(buf_done) = BUF_MAX(SEARCH_TEXT_LEN_MAX + 1000);
	struct mime_part *root;
	unsigned n = 0;

	buf_add(&message, STR("A: b\n\n"));
	char *p = buf_reserve(&message, SEARCH_TEXT_LEN_MAX + 100);
	memset(p, 'x', SEARCH_TEXT_LEN_MAX + 100);
	buf_commit(&message, SEARCH_TEXT_LEN_MAX + 100);
	assert_int_equal(mime_parse(buf_str(&message), &a, &root), 0);
	assert_false(search_text_body(&texts, buf_str(&message), root, count_and_stop, &n));
	assert_int_equal(texts.folded.len, SEARCH_TEXT_LEN_MAX);
	assert_false(search_text_header(&texts, STR("A: b\n\n"), STR(""), &a, count_and_stop, &n));
	assert_true(texts.folded.cap <= SEARCH_TEXT_KEEP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(header_fields_are_decoded_and_folded),
	    cmocka_unit_test(addresses_come_as_they_are_understood_too),
	    cmocka_unit_test(bodies_are_what_is_readable),
	    cmocka_unit_test(it_stops_when_told),
	    cmocka_unit_test(a_text_is_cut_at_its_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
