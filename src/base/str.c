#include "base/str.h"

#include <errno.h>

struct str str_of_cstr(const char *cstr)
{
	return (struct str){cstr, cstr ? strlen(cstr) : 0};
}

bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool str_eq_nocase(struct str a, struct str b)
{
	return a.len == b.len && str_starts_nocase(a, b);
}

int str_cmp(struct str a, struct str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len == 0 ? 0 : memcmp(a.p, b.p, len);

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, struct str prefix)
{
	return str_eq(str_first(s, prefix.len), prefix);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
	if (s.len < prefix.len)
		return false;
	for (size_t i = 0; i < prefix.len; i++) {
		if (ascii_lower(s.p[i]) != ascii_lower(prefix.p[i]))
			return false;
	}
	return true;
}

bool str_ends(struct str s, struct str suffix)
{
	return s.len >= suffix.len && str_eq(str_from(s, s.len - suffix.len), suffix);
}

size_t str_index(struct str s, char c)
{
	const char *hit = s.len == 0 ? NULL : memchr(s.p, c, s.len);

	return hit ? (size_t)(hit - s.p) : s.len;
}

size_t str_find(struct str s, struct str needle)
{
	if (needle.len == 0)
		return 0;
	if (s.len < needle.len)
		return s.len;
	const char *hit = memmem(s.p, s.len, needle.p, needle.len);
	return hit ? (size_t)(hit - s.p) : s.len;
}

size_t str_find_nocase(struct str s, struct str needle)
{
	if (s.len < needle.len)
		return s.len;
	for (size_t i = 0; i <= s.len - needle.len; i++) {
		if (str_starts_nocase(str_from(s, i), needle))
			return i;
	}
	return s.len;
}

struct str str_from(struct str s, size_t from)
{
	if (from >= s.len)
		return (struct str){s.p ? s.p + s.len : NULL, 0};
	return (struct str){s.p + from, s.len - from};
}

struct str str_first(struct str s, size_t len)
{
	return (struct str){s.p, len < s.len ? len : s.len};
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.len > 0 && is_space(s.p[0]))
		s = str_from(s, 1);
	while (s.len > 0 && is_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct str str_cut(struct str *rest, char sep)
{
	size_t at = str_index(*rest, sep);
	struct str piece = str_first(*rest, at);

	*rest = str_from(*rest, at < rest->len ? at + 1 : at);
	return piece;
}

struct str str_cut_line(struct str *rest)
{
	struct str line = str_cut(rest, '\n');

	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

bool str_skip(struct str *rest, struct str prefix)
{
	if (!str_starts(*rest, prefix))
		return false;
	*rest = str_from(*rest, prefix.len);
	return true;
}

bool str_skip_nocase(struct str *rest, struct str prefix)
{
	if (!str_starts_nocase(*rest, prefix))
		return false;
	*rest = str_from(*rest, prefix.len);
	return true;
}

int str_to_cstr(struct str s, char *dst, size_t dst_len)
{
	if (dst_len == 0)
		return -ENAMETOOLONG;
	dst[0] = '\0';
	if (str_index(s, '\0') < s.len)
		return -EINVAL;
	if (s.len >= dst_len)
		return -ENAMETOOLONG;
	if (s.len > 0)
		memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
	return 0;
}

int ascii_hex(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
