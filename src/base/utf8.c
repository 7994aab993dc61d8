#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* How long a sequence is that starts with `c`, and the bits of the code point in it; 0 for no start
 * byte. */
static size_t sequence_len(unsigned char c, unsigned *ret_bits, unsigned *ret_least)
{
	if (c < 0x80) {
		*ret_bits = c;
		*ret_least = 0;
		return 1;
	}
	if (c >= 0xc2 && c < 0xe0) {
		*ret_bits = c & 0x1f;
		*ret_least = 0x80;
		return 2;
	}
	if (c >= 0xe0 && c < 0xf0) {
		*ret_bits = c & 0x0f;
		*ret_least = 0x800;
		return 3;
	}
	if (c >= 0xf0 && c < 0xf5) {
		*ret_bits = c & 0x07;
		*ret_least = 0x10000;
		return 4;
	}
	return 0;
}

int utf8_next(struct str *rest)
{
	unsigned code_point = 0, least = 0;
	size_t len = sequence_len((unsigned char)rest->p[0], &code_point, &least);
	struct str all = *rest;

	*rest = str_from(all, 1);
	if (len == 0 || len > all.len)
		return UTF8_INVALID;
	for (size_t i = 1; i < len; i++) {
		unsigned char c = (unsigned char)all.p[i];
		if ((c & 0xc0) != 0x80)
			return UTF8_INVALID;
		code_point = code_point << 6 | (c & 0x3f);
	}
	if (code_point < least || code_point > 0x10ffff ||
	    (code_point >= 0xd800 && code_point < 0xe000))
		return UTF8_INVALID;
	*rest = str_from(all, len);
	return (int)code_point;
}

/* How many bytes of ASCII there are in front: most text is nothing else. */
static size_t ascii_len(struct str s)
{
	size_t n = 0;

	for (uint64_t word; n + sizeof(word) <= s.len; n += sizeof(word)) {
		memcpy(&word, s.p + n, sizeof(word));
		if ((word & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	while (n < s.len && (unsigned char)s.p[n] < 0x80)
		n++;
	return n;
}

bool utf8_is_valid(struct str s)
{
	for (;;) {
		s = str_from(s, ascii_len(s));
		if (s.len == 0)
			return true;
		if (utf8_next(&s) == UTF8_INVALID)
			return false;
	}
}

bool utf8_is_ascii(struct str s)
{
	return ascii_len(s) == s.len;
}

size_t utf8_put(unsigned code_point, char to[static 4])
{
	if (code_point < 0x80) {
		to[0] = (char)code_point;
		return 1;
	}
	if (code_point < 0x800) {
		to[0] = (char)(0xc0 | code_point >> 6);
		to[1] = (char)(0x80 | (code_point & 0x3f));
		return 2;
	}
	if (code_point >= 0xd800 && code_point < 0xe000)
		return 0;
	if (code_point < 0x10000) {
		to[0] = (char)(0xe0 | code_point >> 12);
		to[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
		to[2] = (char)(0x80 | (code_point & 0x3f));
		return 3;
	}
	if (code_point > 0x10ffff)
		return 0;
	to[0] = (char)(0xf0 | code_point >> 18);
	to[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
	to[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
	to[3] = (char)(0x80 | (code_point & 0x3f));
	return 4;
}
