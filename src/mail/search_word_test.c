#include "mail/search_word.h"

#include <stdlib.h>

#include "mail/charset.h"
#include "mail/expect.h"

enum { TEXT_MAX = 4096, ROUNDS = 40000 };

static void expect_words(enum search_class class, const char *text, const char *want)
{
	struct search_words words = search_words_of(class, str_of_cstr(text));
	struct buf all CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
	struct str word;

	while (search_word_next(&words, &word)) {
		buf_add(&all, word);
		buf_add_c(&all, '|');
	}
	expect_buf(all, want);
}

static void words_are_runs_of_letters(void **state)
{
	(void)state;
	expect_words(
	    SEARCH_CLASS_BODY, "it's 2 words, na\u00efve_ones.", "it|s|2|words|na\u00efve|ones|");
	expect_words(SEARCH_CLASS_BODY, "", "");
	expect_words(SEARCH_CLASS_HEADER, " -- \xff\xfe ", "");
	expect_words(SEARCH_CLASS_NAME, "x-spam-flag", "x|spam|flag|");
}

static void what_has_no_spaces_is_cut_into_pairs(void **state)
{
	(void)state;
	expect_words(SEARCH_CLASS_BODY, "\u6771\u4eac\u90fd abc\u4eac",
	    "\u6771\u4eac|\u4eac\u90fd|abc|\u4eac|");
	expect_words(SEARCH_CLASS_BODY, "\u4f1a\u8b70\u306e\u30e1\u30fc\u30eb",
	    "\u4f1a\u8b70|\u8b70\u306e|\u30e1\u30fc\u30eb|");
	expect_words(SEARCH_CLASS_BODY, "\u3042\u304b\u3099 \u30ab\u3099\u30a4",
	    "\u3042\u304b|\u304b\u3099|\u30ab\u3099\u30a4|");
	expect_words(SEARCH_CLASS_BODY, "\ud55c\uad6d\uc5b4 \ub2e8\uc5b4",
	    "\ud55c\uad6d\uc5b4|\ub2e8\uc5b4|");
}

static void subjects_and_addresses_are_phrases(void **state)
{
	(void)state;
	expect_words(SEARCH_CLASS_SUBJECT, "re: [list] a, b", "re: [list] a, b|");
	expect_words(SEARCH_CLASS_FROM, "\"doe, john\" <j.doe@example.test>",
	    "doe| john| |j.doe@example.test|");
}

static void long_runs_overlap(void **state)
{
	(void)state;
	char run[161] = {0}, want[300];
	size_t n = 0;

	for (size_t i = 0; i < 160; i++)
		run[i] = (char)('a' + i % 26);
	for (size_t at = 0; at + 64 <= 160; at += 32)
		n += (size_t)snprintf(want + n, sizeof(want) - n, "%.64s|", run + at);
	expect_words(SEARCH_CLASS_BODY, run, want);
}

/* True when a word of the text holds the piece as it must. */
static bool stands_in_words(
    enum search_class class, struct str text, const struct search_piece *piece, bool anchored)
{
	struct search_words words = search_words_of(class, text);
	struct str word;

	while (search_word_next(&words, &word)) {
		assert_true(word.len > 0 && word.len <= SEARCH_WORD_LEN_MAX);
		assert_int_equal(str_index(word, '\n'), word.len);
		for (size_t at = 0; at + piece->text.len <= word.len; at++) {
			if (!str_starts(str_from(word, at), piece->text))
				continue;
			bool start = !anchored || !piece->starts || at == 0;
			bool end = !anchored || !piece->ends || at + piece->text.len == word.len;
			if (start && end)
				return true;
		}
	}
	return false;
}

static void check(enum search_class class, struct str text, struct str needle)
{
	bool holds = str_find(text, needle) < text.len, all = true;
	struct search_needle own, plain;

	search_needle_of(class, needle, &own);
	for (size_t i = 0; i < own.n; i++)
		all = all && stands_in_words(class, text, &own.pieces[i], true);
	assert_true(!holds || all);
	if (own.exact)
		assert_true(own.n == 1 && holds == all);
	/* Pieces by the rule of bodies are in the words of every class. */
	search_needle_of(SEARCH_CLASS_BODY, needle, &plain);
	for (size_t i = 0; holds && i < plain.n; i++)
		assert_true(
		    stands_in_words(class, text, &plain.pieces[i], class == SEARCH_CLASS_BODY));
}

static void add_random(struct buf *out, unsigned n)
{
	static const char *const letters[] = {"a", "b", "ab", "\u00e4", " ", " ", ",", "<", ".",
	    "@", "\u6771", "\u4eac", "\u3042", "\u304c", "\u30e1", "\u30ac", "\u3099", "\u0301",
	    "1", "\r\n", "\u2026", "abcdefghijklmnop", "\U00020000"};

	while (n-- > 0) {
		unsigned long which = (unsigned long)random();
		/* Long runs too. */
		size_t among = which & 0x1000 ? ARRAY_LEN(letters) : 3;
		buf_add(out, str_of_cstr(letters[which % among]));
	}
}

static void what_the_words_say_is_what_the_text_holds(void **state)
{
	(void)state;
	static const enum search_class classes[] = {
	    SEARCH_CLASS_BODY, SEARCH_CLASS_SUBJECT, SEARCH_CLASS_FROM};
	struct buf raw CLEANUP(buf_done) = BUF_MAX(TEXT_MAX),
	               text CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
	struct buf needle CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);

	srandom(20261123);
	for (unsigned round = 0; round < ROUNDS; round++) {
		enum search_class class = classes[round % ARRAY_LEN(classes)];
		buf_clear(&raw);
		buf_clear(&text);
		buf_clear(&needle);
		add_random(&raw, (unsigned)random() % 100);
		charset_search_key(buf_str(&raw), &text);
		size_t from = (size_t)random() % (text.len + 1);
		while (from < text.len && (text.p[from] & 0xc0) == 0x80)
			from++;
		size_t len = (size_t)random() % (round % 2 ? 12 : 80);
		struct str cut = str_first(str_from(buf_str(&text), from), len);
		while (cut.len > 0 && from + cut.len < text.len &&
		       (text.p[from + cut.len] & 0xc0) == 0x80)
			cut.len--;
		if (round % 3 == 0)
			cut = str_first(cut, 0);
		charset_search_key(cut, &needle);
		if (round % 3 == 0)
			add_random(&needle, 1 + (unsigned)random() % 4);
		if (needle.len > 0)
			check(class, buf_str(&text), buf_str(&needle));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_are_runs_of_letters),
	    cmocka_unit_test(what_has_no_spaces_is_cut_into_pairs),
	    cmocka_unit_test(subjects_and_addresses_are_phrases),
	    cmocka_unit_test(long_runs_overlap),
	    cmocka_unit_test(what_the_words_say_is_what_the_text_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
