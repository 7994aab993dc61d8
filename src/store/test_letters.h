/*
 * store/test_letters.h: for tests of searching: random messages with many kinds of text in them,
 * and strings that may be there. Only *_test.c includes it.
 */
#ifndef STORE_TEST_LETTERS_H
#define STORE_TEST_LETTERS_H

#include <stdlib.h>

#include "base/buf.h"
#include "base/utf8.h"

enum { TEST_NEEDLE_MAX = 4096 };

/* The same numbers in each run (a linear congruential generator, Knuth's MMIX). */
static uint64_t test_random_state;

static inline void test_seed(uint64_t seed)
{
	test_random_state = seed;
}

static inline long test_random(void)
{
	test_random_state =
	    test_random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (long)(test_random_state >> 33);
}

static const char *const test_vocabulary[] = {"apple", "Apples", "pineapple", "banana",
    "na\u00efve", "NAIVE", "stra\u00dfe", "STRASSE", "\u6771\u4eac\u90fd", "\u4eac\u90fd",
    "\u4f1a\u8b70\u5ba4", "\u30e1\u30fc\u30eb", "\u3042\u308a\u304c\u3068\u3046",
    "\u043f\u0440\u0438\u0432\u0435\u0442", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "e-mail",
    "john.doe@example.test", "a", "I", "x1y2", "123456789", "under_score",
    "averylongwordthatgoesonandonandonandonandonandonandonandonandonandonandonandonandon",
    "\ud55c\uad6d\uc5b4", "\u0639\u0631\u0628\u064a", "&", "--", "subject", "from:"};

static inline const char *test_word(void)
{
	return test_vocabulary[(size_t)test_random() % ARRAY_LEN(test_vocabulary)];
}

static inline void test_add_words(struct buf *out, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		buf_add(out, str_of_cstr(test_word()));
		buf_add(out, test_random() % 8 == 0 ? STR("\r\n") : STR(" "));
		if (test_random() % 6 == 0)
			buf_printf(out, "unique%ld ", test_random() % 500);
	}
}

/* A message of many kinds of text. */
static inline void test_make_letter(struct buf *m)
{
	buf_clear(m);
	buf_printf(m, "From: \"%s, %s\" <%ld@example.test>\r\n", test_word(), test_word(),
	    test_random() % 50);
	buf_printf(m, "To: %s <%ld@example.test>, b@c\r\nCc: (%s) d@e\r\n", test_word(),
	    test_random() % 50, test_word());
	buf_printf(m, "Subject: %s=?utf-8?q?_=C3=9C%ld?= %s\r\nX-Spam-Note: %s %ld\r\n",
	    test_word(), test_random() % 300, test_word(), test_word(), test_random() % 500);
	if (test_random() % 5 == 0)
		buf_printf(m, "Subject: %s\r\n", test_word());
	buf_add(m, STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	               "Content-Type: text/plain; charset=utf-8\r\n\r\n"));
	test_add_words(m, (unsigned)test_random() % 20);
	buf_add(m, STR("\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>"));
	test_add_words(m, (unsigned)test_random() % 5);
	buf_printf(m,
	    "b<b>ol</b>d</p>\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in %s"
	    "\r\n\r\n%s\r\n--b\r\nContent-Type: image/png; name=\"%s "
	    "%ld.png\"\r\n\r\nx\r\n--b--\r\n",
	    test_word(), test_word(), test_word(), test_random() % 100);
}

/* Not folded. */
static inline void test_random_needle(struct buf *needle)
{
	struct buf raw CLEANUP(buf_done) = BUF_MAX(TEST_NEEDLE_MAX);

	buf_clear(needle);
	while (needle->len == 0) {
		struct str cut;
		buf_clear(&raw);
		test_add_words(&raw, 1 + (unsigned)test_random() % 3);
		cut = str_from(buf_str(&raw), (size_t)test_random() % 6);
		cut = str_first(cut, 1 + (size_t)test_random() % (test_random() % 2 ? 6 : 60));
		while (cut.len > 0 && (cut.p[0] & 0xc0) == 0x80)
			cut = str_from(cut, 1);
		while (cut.len > 0 && !utf8_is_valid(cut))
			cut.len--;
		buf_add(needle, cut);
	}
}

#endif
