/*
 * Any bytes as a searched string (up to the first line end) and a message: what the words of each
 * of its texts say of the string is what the text holds.
 */
#include <assert.h>
#include <stdint.h>

#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/header.h"
#include "mail/search_text.h"
#include "mail/search_word.h"

enum { FUZZ_ARENA_MAX = 64 << 20, NEEDLE_LEN_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool has_piece(
    enum search_class class, struct str text, const struct search_piece *piece, size_t *n_words)
{
	struct search_words words = search_words_of(class, text);
	struct str word;
	bool found = false;

	while (search_word_next(&words, &word)) {
		++*n_words;
		assert(word.len > 0 && word.len <= SEARCH_WORD_LEN_MAX);
		assert(str_index(word, '\n') == word.len);
		found |= (!piece->starts || str_starts(word, piece->text)) &&
		         (!piece->ends || str_ends(word, piece->text)) &&
		         str_find(word, piece->text) < word.len;
	}
	return found;
}

static bool check(void *ctx, const struct search_text *text)
{
	struct str wanted = *(const struct str *)ctx;
	bool holds = str_find(text->text, wanted) < text->text.len;
	struct search_needle needle;
	size_t n_words = 0;
	bool all = true;

	assert(utf8_is_valid(text->joined));
	assert(str_starts(text->joined, text->name) && str_ends(text->joined, text->text));
	search_needle_of(text->class, wanted, &needle);
	for (size_t i = 0; i < needle.n; i++)
		all &= has_piece(text->class, text->text, &needle.pieces[i], &n_words);
	assert(!holds || all);
	assert(!needle.exact || (needle.n == 1 && holds == all));
	assert(n_words <= SEARCH_PIECES_MAX * (text->text.len + 1));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str message = str_of(data, len), line = str_cut_line(&message), header, body;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(FUZZ_ARENA_MAX);
	struct buf folded CLEANUP(buf_done) = BUF_MAX(NEEDLE_LEN_MAX);
	struct search_texts texts CLEANUP(search_texts_done) = {0};
	struct mime_part *root;

	if (!charset_search_key(line, &folded) || folded.len == 0)
		return 0;
	struct str needle = buf_str(&folded);
	header_split(message, &header, &body);
	assert(search_text_header(&texts, header, STR(""), &a, check, &needle));
	struct mail_source source = mail_source_of(message);
	if (mime_parse(message, &a, &root) == 0)
		assert(search_text_body(&texts, &source, root, check, &needle) == 1);
	return 0;
}
