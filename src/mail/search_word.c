#include "mail/search_word.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include "base/num.h"
#include "base/utf8.h"

enum kind { BETWEEN, LETTER, PAIRED };

static bool is_separator_of(enum search_class class, char c)
{
	switch (c) {
	case '\n':
	case '\r':
		return true;
	case ',':
	case ';':
	case ':':
	case '<':
	case '>':
	case '(':
	case ')':
	case '"':
		return class != SEARCH_CLASS_SUBJECT;
	default:
		return false;
	}
}

/* Classes whose words are phrases: all but some separators belongs to them. */
static bool is_of_phrases(enum search_class class)
{
	return class >= SEARCH_CLASS_SUBJECT && class <= SEARCH_CLASS_BCC;
}

static enum kind kind_of_wide(UChar32 c)
{
	const uint32_t letters = U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK;
	UErrorCode status = U_ZERO_ERROR;

	if ((U_GET_GC_MASK(c) & letters) == 0)
		return BETWEEN;
	UScriptCode script = c < 0x2e80 ? USCRIPT_COMMON : uscript_getScript(c, &status);
	/* The voice marks of kana are characters of their own in a key. */
	bool is_voice_mark = c == 0x3099 || c == 0x309a;
	return script == USCRIPT_HAN || script == USCRIPT_HIRAGANA || is_voice_mark ? PAIRED
	                                                                            : LETTER;
}

/* The kind of the character at the front, and its length. */
static enum kind kind_at(enum search_class class, struct str rest, size_t *ret_len)
{
	unsigned char c = (unsigned char)rest.p[0];

	*ret_len = 1;
	if (is_of_phrases(class)) {
		return is_separator_of(class, (char)c) ? BETWEEN : LETTER;
	}
	if (c < 0x80)
		return ascii_is_alpha((char)c) || ascii_is_digit((char)c) ? LETTER : BETWEEN;
	struct str after = rest;
	int code_point = utf8_next(&after);
	*ret_len = rest.len - after.len;
	return code_point == UTF8_INVALID ? BETWEEN : kind_of_wide(code_point);
}

/* The sound marks of Kana belong to the character that they stand behind, whichever writing it is.
 */
static bool is_sound_mark(struct str rest)
{
	return str_starts(rest, STR("\u3099")) || str_starts(rest, STR("\u309a"));
}

/* Steps over what is between, and cuts the next run of one kind off; empty at the end. */
static struct str next_run(enum search_class class, struct str *rest, enum kind *ret_kind)
{
	size_t at = 0, start = 0, len = 0;
	enum kind kind = BETWEEN;

	while (at < rest->len) {
		enum kind here = kind_at(class, str_from(*rest, at), &len);
		if (kind != BETWEEN && here != BETWEEN && is_sound_mark(str_from(*rest, at)))
			here = kind;
		if (kind != BETWEEN && here != kind)
			break;
		at += len;
		if (here == BETWEEN)
			start = at;
		kind = here;
	}
	struct str run = str_from(str_first(*rest, at), start);
	*rest = str_from(*rest, at);
	*ret_kind = kind;
	return run;
}

/* Bytes of the first `n` code points, or of all. */
static size_t points_len(struct str s, size_t n)
{
	size_t at = 0;

	while (at < s.len) {
		if (((unsigned char)s.p[at] & 0xc0) != 0x80 && n-- == 0)
			break;
		at++;
	}
	return at;
}

struct search_words search_words_of(enum search_class class, struct str text)
{
	return (struct search_words){.rest = text, .class = class};
}

bool search_word_next(struct search_words *words, struct str *ret_word)
{
	if (words->run.len == 0) {
		enum kind kind;
		words->run = next_run(words->class, &words->rest, &kind);
		words->pairs = kind == PAIRED;
	}
	struct str run = words->run;
	if (run.len == 0)
		return false;
	size_t len = points_len(run, words->pairs ? 2 : SEARCH_WORD_POINTS);
	*ret_word = str_first(run, len);
	if (len == run.len)
		words->run = (struct str){NULL, 0};
	else
		words->run = str_from(run, points_len(run, words->pairs ? 1 : SEARCH_PIECE_POINTS));
	return true;
}

static void add_piece(struct search_needle *needle, struct search_piece piece)
{
	if (needle->n < SEARCH_PIECES_MAX)
		needle->pieces[needle->n++] = piece;
}

/* A run of the needle that is longer than a piece may be: piece beside piece. */
static void add_run(
    struct search_needle *needle, struct str run, enum kind kind, bool starts, bool ends)
{
	size_t max = kind == PAIRED ? 2 : SEARCH_PIECE_POINTS;
	size_t step = kind == PAIRED ? 1 : SEARCH_PIECE_POINTS;

	if (points_len(run, max) == run.len) {
		/* One of a pair may be the second of it, and stand at no word's start. */
		bool whole = kind == LETTER;
		add_piece(needle, (struct search_piece){run, starts && whole, ends && whole});
		return;
	}
	needle->exact = false;
	while (run.len > 0 && needle->n < SEARCH_PIECES_MAX) {
		size_t len = points_len(run, max);
		add_piece(needle, (struct search_piece){.text = str_first(run, len)});
		if (len == run.len)
			break;
		run = str_from(run, points_len(run, step));
	}
}

void search_needle_of(enum search_class class, struct str needle, struct search_needle *ret_needle)
{
	struct str rest = needle;
	enum kind kind;

	*ret_needle = (struct search_needle){0};
	/* What they stand behind in the text, and so in which word, is not known. */
	while (!is_of_phrases(class) && is_sound_mark(rest))
		rest = str_from(rest, STR("\u3099").len);
	const char *start = rest.p;
	ret_needle->exact = rest.len == needle.len;
	for (;;) {
		struct str run = next_run(class, &rest, &kind);
		if (run.len == 0)
			break;
		bool at_start = run.p == start;
		bool at_end = run.p + run.len == needle.p + needle.len;
		ret_needle->exact = ret_needle->exact && at_start && at_end;
		add_run(ret_needle, run, kind, !at_start, !at_end);
	}
	if (ret_needle->n == 0)
		ret_needle->exact = false;
}
