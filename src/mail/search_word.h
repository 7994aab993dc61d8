/*
 * mail/search_word.h: folded texts cut into the words of an index, and searched strings into pieces
 * of such words, so that whoever knows the words can tell where a string may stand.
 *
 * How a text is cut depends on its class:
 *   - subjects into lines, addresses at commas, brackets and quotes: so spaces, points and @ are
 *     part of their words, and nearly every string that is looked for there is within one word;
 *   - all else into the longest runs of letters, digits and marks (Unicode's general categories).
 *     Where writing has no spaces, Han and Hiragana, every two neighbours are a word (a single one
 *     where it has no neighbour).
 *
 * A run of more than SEARCH_WORD_POINTS code points is cut into words of that length which overlap
 * by half: every string of up to half the length is whole in one of them.
 *
 * So: a text holds an `exact` needle if and only if one of its words holds the needle's one piece.
 * If it holds any other needle, then each piece is in one of its words; the reverse need not be
 * true. No word has a line feed in it.
 *
 * It does not fold; texts and needles are keys of charset_search_key.
 */
#ifndef MAIL_SEARCH_WORD_H
#define MAIL_SEARCH_WORD_H

#include "base/attr.h"
#include "base/str.h"
#include "mail/search_text.h"

enum {
	SEARCH_WORD_POINTS = 64,
	SEARCH_PIECE_POINTS = SEARCH_WORD_POINTS / 2,
	SEARCH_WORD_LEN_MAX = 4 * SEARCH_WORD_POINTS,
	SEARCH_PIECES_MAX = 16, /* of a needle; what is behind them is not looked at */
};

/* An iteration: `search_words_of(class, text)`. */
struct search_words {
	struct str rest;
	struct str run; /* what is left of a long run, or of one without spaces */
	enum search_class class;
	bool pairs; /* `run` is without spaces */
};

struct search_words search_words_of(enum search_class class, struct str text);
/* The next word, borrowed from the text; false at the end. */
bool search_word_next(struct search_words *words, struct str *ret_word);

struct search_piece {
	struct str text; /* borrowed from the needle */
	bool starts;     /* a word starts with it */
	bool ends;       /* a word ends with it */
};

struct search_needle {
	struct search_piece pieces[SEARCH_PIECES_MAX];
	size_t n; /* 0: it may stand anywhere */
	bool exact;
};

/* What to look for in the words of texts of a class; `needle` is not empty. */
void search_needle_of(enum search_class class, struct str needle, struct search_needle *ret_needle);

#endif
