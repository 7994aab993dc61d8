#include "mail/message_id.h"

#include "base/base64.h"

/*
 * RFC 5322 §3.6.4:
 *   msg-id     = [CFWS] "<" id-left "@" id-right ">" [CFWS]
 *   references = "References:" 1*msg-id CRLF
 *   obs-in-reply-to = "In-Reply-To" *WSP ":" *(phrase / msg-id) CRLF
 */

/* Steps over a quoted string or comment that opens at the front of `*rest`. */
static void skip_enclosed(struct str *rest, char open, char close)
{
	size_t depth = 0, i = 0;

	for (; i < rest->len; i++) {
		char c = rest->p[i];
		if (c == '\\')
			i++;
		else if (c == open && (open != close || depth == 0))
			depth++;
		else if (c == close && --depth == 0)
			break;
	}
	*rest = str_from(*rest, i < rest->len ? i + 1 : i);
}

static bool is_usable(struct str id)
{
	if (id.len == 0 || id.len > MESSAGE_ID_LEN_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		unsigned char c = (unsigned char)id.p[i];
		if (c <= ' ' || c == 0x7f || c == '<')
			return false;
	}
	return true;
}

bool message_id_next(struct str *rest, struct str *ret_id)
{
	while (rest->len > 0) {
		char c = rest->p[0];
		if (c == '"') {
			skip_enclosed(rest, '"', '"');
		} else if (c == '(') {
			skip_enclosed(rest, '(', ')');
		} else if (c == '<') {
			*rest = str_from(*rest, 1);
			size_t end = str_index(*rest, '>');
			struct str id = str_trim(str_first(*rest, end));
			if (end == rest->len) {
				*rest = str_from(*rest, end);
				return false;
			}
			*rest = str_from(*rest, end + 1);
			if (is_usable(id)) {
				*ret_id = id;
				return true;
			}
		} else {
			*rest = str_from(*rest, 1);
		}
	}
	return false;
}

/* <"a b"@c> names what <a b@c> names: id-left may be written as no-fold-quote (RFC 2822 §3.6.4). */
bool message_id_normalise(struct str id, struct buf *out)
{
	bool quoted = false;

	if (!str_starts(id, STR("\"")))
		return buf_add(out, id);
	for (size_t i = 0; i < id.len; i++) {
		if (id.p[i] == '"') {
			quoted = !quoted;
			continue;
		}
		if (id.p[i] == '\\' && quoted && i + 1 < id.len)
			i++;
		if (!buf_add_c(out, id.p[i]))
			return false;
	}
	return true;
}

bool message_id_format(const unsigned char random[static 16], struct str domain, struct buf *out)
{
	buf_add_c(out, '<');
	hex_encode(str_of(random, 16), out);
	buf_add_c(out, '@');
	buf_add(out, domain);
	return buf_add_c(out, '>') && !buf_failed(out);
}
