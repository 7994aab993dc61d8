#include "sieve/encoded_character.h"

#include <errno.h>

#include "base/utf8.h"

enum { CODE_POINT_MAX = 0x10ffff };

/* What is written so far; a sequence is never shorter than what it stands for. */
struct writing {
	char *p;
	size_t len;
};

static size_t blanks(struct str s)
{
	size_t len = 0;

	while (len < s.len && memchr(" \t\r\n", s.p[len], 4) != NULL)
		len++;
	return len;
}

/* 1*HEXDIG; how many digits. A value beyond Unicode stays beyond it. */
static size_t hexadecimal(struct str s, unsigned *ret_value)
{
	unsigned value = 0;
	size_t len = 0;

	while (len < s.len && ascii_hex(s.p[len]) >= 0) {
		if (value <= CODE_POINT_MAX)
			value = value * 16 + (unsigned)ascii_hex(s.p[len]);
		len++;
	}
	*ret_value = value;
	return len;
}

/*
 * hex-pair-seq    = *blank hex-pair *(1*blank hex-pair) *blank        ; hex-pair = 1*2HEXDIG
 * unicode-hex-seq = *blank unicode-hex *(1*blank unicode-hex) *blank  ; unicode-hex = 1*HEXDIG
 *
 * Reads up to the "}" and writes what stands there: 1. 0: not well-formed. -EINVAL: no character.
 */
static int decode_sequence(struct str *rest, bool is_unicode, struct writing *to)
{
	bool is_character = true;
	size_t n = 0;

	for (;;) {
		size_t skipped = blanks(*rest);
		unsigned value;
		*rest = str_from(*rest, skipped);
		size_t len = hexadecimal(*rest, &value);
		if (len == 0)
			break;
		if ((n > 0 && skipped == 0) || (!is_unicode && len > 2))
			return 0;
		*rest = str_from(*rest, len);
		n++;
		if (!is_unicode) {
			to->p[to->len++] = (char)value;
			continue;
		}
		char bytes[4] = {0};
		size_t written = value <= CODE_POINT_MAX ? utf8_put(value, bytes) : 0;
		is_character = is_character && written > 0;
		if (is_character) /* with less bytes than "${unicode:" and digits before it */
			memcpy(to->p + to->len, bytes, written);
		to->len += is_character ? written : 0;
	}
	if (n == 0 || !str_skip(rest, STR("}")))
		return 0;
	return is_character ? 1 : -EINVAL;
}

int sieve_decode_characters(struct str text, struct arena *arena, struct str *ret_text)
{
	struct str rest = text;

	if (str_find(text, STR("${")) == text.len) {
		*ret_text = text;
		return 0;
	}
	/* of n digits a character takes at most 4 bytes: "1 2 3" is the densest, of one byte each
	 */
	struct writing to = {.p = arena_alloc(arena, text.len)};
	if (to.p == NULL)
		return -E2BIG;
	while (rest.len > 0) {
		struct str sequence = rest;
		size_t begun = to.len;
		bool is_unicode = str_skip_nocase(&sequence, STR("${unicode:"));
		if (is_unicode || str_skip_nocase(&sequence, STR("${hex:"))) {
			int result = decode_sequence(&sequence, is_unicode, &to);
			if (result < 0)
				return result;
			if (result == 1) {
				rest = sequence;
				continue;
			}
			to.len = begun;
		}
		to.p[to.len++] = rest.p[0];
		rest = str_from(rest, 1);
	}
	*ret_text = str_of(to.p, to.len);
	return 0;
}
