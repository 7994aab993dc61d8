#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

bool base64_encode(struct str s, struct buf *out)
{
	char *to = buf_reserve(out, (s.len + 2) / 3 * 4);

	if (to == NULL)
		return false;
	for (size_t i = 0; i < s.len; i += 3) {
		size_t n = s.len - i < 3 ? s.len - i : 3;
		unsigned v = (unsigned)(unsigned char)s.p[i] << 16;
		if (n > 1)
			v |= (unsigned)(unsigned char)s.p[i + 1] << 8;
		if (n > 2)
			v |= (unsigned char)s.p[i + 2];
		*to++ = alphabet[v >> 18];
		*to++ = alphabet[v >> 12 & 63];
		*to++ = n > 1 ? alphabet[v >> 6 & 63] : '=';
		*to++ = n > 2 ? alphabet[v & 63] : '=';
	}
	buf_commit(out, (s.len + 2) / 3 * 4);
	return true;
}

/* One group of `n` significant digits (2 to 4) to n-1 bytes; false for another byte or bits left
 * over. */
static bool decode_group(const char *p, size_t n, char *to)
{
	unsigned v = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit = i < n ? value_of(p[i]) : 0;
		if (digit < 0)
			return false;
		v = v << 6 | (unsigned)digit;
	}
	if ((n == 2 && (v & 0xffff) != 0) || (n == 3 && (v & 0xff) != 0))
		return false;
	for (size_t i = 0; i + 1 < n; i++)
		to[i] = (char)(v >> (16 - 8 * i));
	return true;
}

bool base64_decode(struct str s, struct buf *out)
{
	if (s.len % 4 != 0)
		return false;
	char *to = buf_reserve(out, s.len / 4 * 3);
	if (to == NULL)
		return false;
	size_t len = 0;
	for (size_t i = 0; i < s.len; i += 4) {
		size_t n = 4;
		if (i + 4 == s.len && s.p[i + 3] == '=')
			n = s.p[i + 2] == '=' ? 2 : 3;
		if (!decode_group(s.p + i, n, to + len))
			return false;
		len += n - 1;
	}
	buf_commit(out, len);
	return true;
}

bool hex_encode(struct str s, struct buf *out)
{
	static const char digits[] = "0123456789abcdef";
	char *to = buf_reserve(out, s.len * 2);

	if (to == NULL)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		*to++ = digits[(unsigned char)s.p[i] >> 4];
		*to++ = digits[(unsigned char)s.p[i] & 15];
	}
	buf_commit(out, s.len * 2);
	return true;
}

bool hex_decode(struct str s, struct buf *out)
{
	if (s.len % 2 != 0)
		return false;
	char *to = buf_reserve(out, s.len / 2);
	if (to == NULL)
		return false;
	for (size_t i = 0; i < s.len; i += 2) {
		int high = ascii_hex(s.p[i]), low = ascii_hex(s.p[i + 1]);
		if (high < 0 || low < 0)
			return false;
		*to++ = (char)(high << 4 | low);
	}
	buf_commit(out, s.len / 2);
	return true;
}
