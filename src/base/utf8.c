#include "base/utf8.h"

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

bool utf8_is_valid(struct str s)
{
	while (s.len > 0) {
		if (utf8_next(&s) == UTF8_INVALID)
			return false;
	}
	return true;
}

bool utf8_is_ascii(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	}
	return true;
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
