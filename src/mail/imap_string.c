#include "mail/imap_string.h"

/*
 * RFC 9051 §9:
 *   string  = quoted / literal          nstring = string / nil
 *   quoted  = DQUOTE *QUOTED-CHAR DQUOTE  (here without its UTF-8 half)
 *   literal = "{" number64 ["+"] "}" CRLF *CHAR8
 */

static bool fits_quoted(struct str s)
{
	if (s.len > IMAP_QUOTED_LEN_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c >= 0x80 || c == '\r' || c == '\n')
			return false;
	}
	return true;
}

static void write_quoted(struct str s, struct buf *out)
{
	char *to = buf_reserve(out, s.len * 2 + 2);
	size_t len = 0;

	if (to == NULL)
		return;
	to[len++] = '"';
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\0')
			continue;
		if (s.p[i] == '"' || s.p[i] == '\\')
			to[len++] = '\\';
		to[len++] = s.p[i];
	}
	to[len++] = '"';
	buf_commit(out, len);
}

static void write_literal(struct str s, struct buf *out)
{
	size_t n_nul = 0;

	for (size_t i = 0; i < s.len; i++)
		n_nul += s.p[i] == '\0';
	buf_add_c(out, '{');
	buf_add_u64(out, s.len - n_nul);
	buf_add(out, STR("}\r\n"));
	while (s.len > 0)
		buf_add(out, str_cut(&s, '\0'));
}

void imap_string_write(struct str s, struct buf *out)
{
	if (fits_quoted(s))
		write_quoted(s, out);
	else
		write_literal(s, out);
}

void imap_nstring_write(const struct str *s, struct buf *out)
{
	if (s == NULL)
		buf_add(out, STR("NIL"));
	else
		imap_string_write(*s, out);
}

void imap_nstring_write_nonempty(struct str s, struct buf *out)
{
	imap_nstring_write(s.len > 0 ? &s : NULL, out);
}
