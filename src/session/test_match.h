/* session/test_match.h: for tests of the sessions: lines with <n>, <n=word>, <$word> and <*> in
 * them (session/test_replay.h). Only *_test.c includes it. */
#ifndef SESSION_TEST_MATCH_H
#define SESSION_TEST_MATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

enum { TEST_VARIABLES = 16, TEST_WORD_MAX = 24 };

struct test_variable {
	char word[TEST_WORD_MAX], value[TEST_WORD_MAX];
};

/* That of the word, or a new one; emptied with each file. */
static inline struct test_variable *test_variable(struct str word)
{
	static struct test_variable variables[TEST_VARIABLES];
	size_t i = 0;

	if (word.len == 0) {
		memset(variables, 0, sizeof(variables));
		return NULL;
	}
	while (i < TEST_VARIABLES && variables[i].word[0] != '\0' &&
	       !str_eq(str_of_cstr(variables[i].word), word))
		i++;
	assert_true(i < TEST_VARIABLES);
	assert_int_equal(str_to_cstr(word, variables[i].word, TEST_WORD_MAX), 0);
	return &variables[i];
}

/* Puts the numbers in for <$word>. */
static inline void test_fill(struct str text, struct buf *out)
{
	while (text.len > 0) {
		size_t at = str_find(text, STR("<$"));
		buf_add(out, str_first(text, at));
		text = str_from(text, at);
		if (!str_skip(&text, STR("<$")))
			break;
		const struct test_variable *variable = test_variable(str_cut(&text, '>'));
		assert_true(variable->value[0] != '\0');
		buf_add(out, str_of_cstr(variable->value));
	}
}

/* Cuts the digits off the front of the line; empty where there are none. */
static inline struct str test_number(struct str *line)
{
	size_t n = 0;

	while (n < line->len && ascii_is_digit(line->p[n]))
		n++;
	struct str number = str_first(*line, n);
	*line = str_from(*line, n);
	return number;
}

/* <n> and <n=word> against a number. */
static inline bool test_match_number(struct str *expected, struct str *line)
{
	struct str number = test_number(line);

	if (str_skip(expected, STR("<n>")))
		return number.len > 0;
	(void)!str_skip(expected, STR("<n="));
	struct test_variable *variable = test_variable(str_cut(expected, '>'));
	return number.len > 0 && str_to_cstr(number, variable->value, TEST_WORD_MAX) == 0;
}

static inline bool test_matches(struct str expected, struct str line)
{
	while (expected.len > 0) {
		if (str_starts(expected, STR("<n>")) || str_starts(expected, STR("<n="))) {
			if (!test_match_number(&expected, &line))
				return false;
		} else if (str_skip(&expected, STR("<*>"))) {
			for (size_t i = 0; i <= line.len; i++)
				if (test_matches(expected, str_from(line, i)))
					return true;
			return false;
		} else if (line.len == 0 || line.p[0] != expected.p[0]) {
			return false;
		} else {
			line = str_from(line, 1);
			expected = str_from(expected, 1);
		}
	}
	return line.len == 0;
}

#endif
