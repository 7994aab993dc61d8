#include "mail/search_text.h"

#include "mail/expect.h"
#include "mail/header.h"
#include "mail/test_windows.h"
#include "mail/text.h"

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
	struct mail_source source = mail_source_of(message);
	assert_int_equal(search_text_body(&texts, &source, root, append, &all), 1);
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
	struct mail_source source = mail_source_of(message);
	assert_int_equal(search_text_body(&texts, &source, root, count_and_stop, &n), 0);
	assert_int_equal(n, 2);
}

/* All pieces of all texts together, and what they were. */
struct gathered {
	struct buf all;
	size_t n_pieces, n_texts, n_torn, longest;
};

static bool gather(void *ctx, const struct search_text *text)
{
	struct gathered *g = ctx;

	g->n_pieces++;
	g->n_texts += !text->goes_on;
	g->n_torn += text->torn;
	g->longest = num_max(g->longest, text->text.len);
	buf_add(&g->all, text->text);
	return true;
}

static void gather_body(struct str message, size_t window, struct gathered *g)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct search_texts texts CLEANUP(search_texts_done) = {0};
	struct test_windows w CLEANUP(test_windows_done) = {message, window, NULL, 0};
	struct mail_source source = test_windows_source(&w);
	struct mime_part *root;

	g->all = BUF_MAX(64 << 20);
	assert_int_equal(mime_read(&source, &a, &root), 0);
	assert_int_equal(search_text_body(&texts, &source, root, gather, g), 1);
}

enum { LONG_LEN = 3 << 20, PIECE_MAX = SEARCH_TEXT_PIECE + 2 * TEXT_PIECE_LEN };

static void a_long_text_comes_in_pieces(void **state)
{
	(void)state;
	struct buf message CLEANUP(buf_done) = BUF_MAX(2 * LONG_LEN);
	struct gathered large = {0}, small = {0};

	buf_add(&message, STR("A: b\n\n"));
	while (message.len < LONG_LEN)
		buf_printf(&message, "word%zu ", message.len);
	gather_body(buf_str(&message), LONG_LEN, &large);
	assert_true(large.n_pieces > LONG_LEN / PIECE_MAX && large.longest <= PIECE_MAX);
	assert_int_equal(large.n_texts, 1);
	assert_int_equal(large.n_torn, 0);
	assert_true(str_eq(buf_str(&large.all), str_from(buf_str(&message), 6)));
	gather_body(buf_str(&message), 1000, &small);
	assert_true(str_eq(buf_str(&large.all), buf_str(&small.all)));
	assert_int_equal(large.n_pieces, small.n_pieces);
	buf_done(&large.all);
	buf_done(&small.all);
}

static void a_piece_without_a_word_end_is_torn(void **state)
{
	(void)state;
	struct buf message CLEANUP(buf_done) = BUF_MAX(2 * LONG_LEN);
	struct gathered g = {0};

	buf_add(&message, STR("Content-Type: text/plain; charset=utf-8\n\n"));
	size_t header_len = message.len;
	while (message.len < LONG_LEN)
		buf_add(&message, STR("\u6f22\u5b57"));
	gather_body(buf_str(&message), 4000, &g);
	assert_true(g.n_torn > 0 && g.longest <= PIECE_MAX);
	assert_true(str_eq(buf_str(&g.all), str_from(buf_str(&message), header_len)));
	buf_done(&g.all);
}

static void pieces_of_html_are_its_text(void **state)
{
	(void)state;
	struct buf message CLEANUP(buf_done) = BUF_MAX(4 * LONG_LEN);
	struct gathered g = {0};
	size_t n = 0;

	buf_add(&message, STR("Content-Type: text/html; charset=utf-8\n\n<style>"));
	repeat(&message, "p { x } ", LONG_LEN / 16);
	buf_add(&message, STR("</style><img src=\"data:"));
	repeat(&message, "AAAA>", LONG_LEN / 16);
	buf_add(&message, STR("\"><!--"));
	repeat(&message, "-- >", LONG_LEN / 16);
	buf_add(&message, STR("-->"));
	for (; n < LONG_LEN / 100; n++)
		buf_add(&message, STR("<p title='>'>a&amp;\u00fc</p>\n"));
	gather_body(buf_str(&message), 777, &g);
	assert_int_equal(g.all.len, n * strlen("a&u\u0308\n") - 1);
	for (size_t i = 0; i < n; i++)
		assert_true(str_starts(str_from(buf_str(&g.all), i * 6), STR("a&u\u0308")));
	buf_done(&g.all);
}

static void what_cannot_be_read_is_told(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct search_texts texts CLEANUP(search_texts_done) = {0};
	struct test_windows w CLEANUP(test_windows_done) = {
	    STR("A: b\n\nsome text that has to be read"), 8, NULL, 0};
	struct mail_source source = test_windows_source(&w);
	struct gathered g = {.all = BUF_MAX(1000)};
	struct mime_part *root;

	assert_int_equal(mime_read(&source, &a, &root), 0);
	w.fails_at = 20;
	assert_int_equal(search_text_body(&texts, &source, root, gather, &g), -EBADMSG);
	assert_int_equal(mime_read(&source, &a, &root), -EBADMSG);
	buf_done(&g.all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(header_fields_are_decoded_and_folded),
	    cmocka_unit_test(addresses_come_as_they_are_understood_too),
	    cmocka_unit_test(bodies_are_what_is_readable),
	    cmocka_unit_test(it_stops_when_told),
	    cmocka_unit_test(a_long_text_comes_in_pieces),
	    cmocka_unit_test(a_piece_without_a_word_end_is_torn),
	    cmocka_unit_test(pieces_of_html_are_its_text),
	    cmocka_unit_test(what_cannot_be_read_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
