#include "mail/text.h"

#include "mail/expect.h"
#include "mail/test_windows.h"

static struct mime_part *parse(struct str message, struct arena *a)
{
	struct mime_part *root = NULL;

	assert_int_equal(mime_parse(message, a, &root), 0);
	return root;
}

/* The texts of all leaves, with | between them. */
static void expect_texts(struct str message, size_t max, const char *want)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf text CLEANUP(buf_done) = BUF_MAX(max), all CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct mail_source source = mail_source_of(message);

	for (const struct mime_part *part = parse(message, &a); part; part = mime_next(part)) {
		if (part->n_children > 0)
			continue;
		buf_clear(&text);
		assert_int_equal(text_of_part(&source, part, &text), 0);
		buf_add(&all, buf_str(&text));
		buf_add_c(&all, '|');
	}
	expect_buf(all, want);
}

static void text_is_decoded(void **state)
{
	(void)state;
	expect_texts(STR("Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	                 "Content-Type: text/plain; charset=iso-8859-1\n\n\xe9\n"
	                 "--b\nContent-Type: text/html; charset=utf-8\n"
	                 "Content-Transfer-Encoding: quoted-printable\n\n<p>=C3=A9</p>\n"
	                 "--b\nContent-Type: message/rfc822\n\nSubject: in\n"
	                 "Content-Transfer-Encoding: base64\n\naW5uZXI=\n--b--\n"),
	    1000, "\u00e9|<p>\u00e9</p>|inner|");
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
	struct mail_source source = mail_source_of(message);

	assert_int_equal(text_of_part(&source, parse(message, &a), &text), 0);
	expect_buf(text, "abc");
	assert_true(buf_failed(&text));
}

/* Characters are cut by every window and every piece; the text is the same. */
static void expect_long(const char *charset, const char *letter, size_t len, const char *want)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf message CLEANUP(buf_done) = BUF_MAX(4 << 20),
	                   text CLEANUP(buf_done) = BUF_MAX(4 << 20);
	size_t n = 5 * TEXT_PIECE_LEN / len + 1;
	struct mime_part *root;

	buf_printf(&message, "Content-Type: text/plain; charset=%s\n\n", charset);
	for (size_t i = 0; i < n; i++)
		buf_add(&message, str_of(letter, len));
	struct test_windows w CLEANUP(test_windows_done) = {buf_str(&message), 1021, NULL, 0};
	struct mail_source source = test_windows_source(&w);
	assert_int_equal(mime_read(&source, &a, &root), 0);
	assert_int_equal(text_of_part(&source, root, &text), 0);
	assert_int_equal(text.len, n * strlen(want));
	for (size_t i = 0; i < n; i++)
		assert_memory_equal(text.p + i * strlen(want), want, strlen(want));
}

static void text_of_pieces_is_whole(void **state)
{
	(void)state;
	expect_long("utf-8", "\u20ac", 3, "\u20ac");
	expect_long("unknown", "\u20ac", 3, "\u20ac");
	expect_long("unknown", "\xe9 x", 3, "\u00e9 x");
	expect_long("iso-8859-1", "a\xe9!", 3, "a\u00e9!");
	expect_long("utf-16be", "\xd8\x3d\xde\x00\x00x", 6, "\U0001f600x");
	expect_long("shift_jis", "a\x8a\xbf", 3, "a\u6f22");
}

/* Of what charset a text is that does not say so, or says what nobody knows, is seen where it is no
 * longer ASCII, however late and wherever a piece ends there. */
static void text_is_judged_by_its_first_letters(void **state)
{
	(void)state;
	static const struct {
		const char *letters, *want;
	} texts[] = {{"\xe9t\xe9", "\u00e9t\u00e9"}, {"\xe9", "\u00e9"}, {"\u20ac!", "\u20ac!"},
	    {"\u20ac", "\u20ac"}, {"\xe2\x82", "\u00e2\u201a"}};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (size_t n = 2 * TEXT_PIECE_LEN - 4; n < 2 * TEXT_PIECE_LEN + 2; n++) {
			struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
			struct buf message CLEANUP(buf_done) = BUF_MAX(1 << 20),
			                   text CLEANUP(buf_done) = BUF_MAX(1 << 20);
			buf_add(&message, STR("Content-Type: text/plain\n\n"));
			for (size_t j = 0; j < n; j++)
				buf_add_c(&message, 'a');
			buf_add(&message, str_of_cstr(texts[i].letters));
			struct mail_source source = mail_source_of(buf_str(&message));
			struct mime_part *root = parse(buf_str(&message), &a);
			assert_int_equal(text_of_part(&source, root, &text), 0);
			struct str end = str_from(buf_str(&text), n);
			assert_true(str_eq(end, str_of_cstr(texts[i].want)));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_is_decoded),
	    cmocka_unit_test(text_is_cut_at_the_ceiling),
	    cmocka_unit_test(text_of_a_part_tells_that_it_was_cut),
	    cmocka_unit_test(text_of_pieces_is_whole),
	    cmocka_unit_test(text_is_judged_by_its_first_letters),
	};
	return cmocka_run_group_tests_name("mail/text", tests, NULL, NULL);
}
