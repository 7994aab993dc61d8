#include "mail/envelope_reader.h"

#include "base/num.h"
#include "mail/encoded_word.h"

/*
 * RFC 9051 §9:
 *   envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP
 *              env-cc SP env-bcc SP env-in-reply-to SP env-message-id ")"
 *   env-from = "(" 1*address ")" / nil
 *   address  = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
 */

/* Skips `{n}CRLF` and its bytes. */
static bool read_literal(struct str *rest, struct str *ret_text)
{
	struct str at = str_from(*rest, 1);
	size_t digits = str_index(at, '}');
	uint64_t len;

	if (!num_parse(str_first(at, digits), at.len, &len))
		return false;
	at = str_from(at, digits);
	if (!str_skip(&at, STR("}\r\n")) || at.len < len)
		return false;
	*ret_text = str_first(at, len);
	*rest = str_from(at, len);
	return true;
}

/* Skips a quoted string; `*ret_text` is what stands between the quotes. */
static bool read_quoted(struct str *rest, struct str *ret_text, bool *ret_escapes)
{
	bool escapes = false;

	for (size_t i = 1; i < rest->len; i++) {
		if (rest->p[i] == '\\') {
			escapes = true;
			i++;
		} else if (rest->p[i] == '"') {
			*ret_text = str_of(rest->p + 1, i - 1);
			*ret_escapes = escapes;
			*rest = str_from(*rest, i + 1);
			return true;
		}
	}
	return false;
}

/* nstring, as it stands between its quotes */
static bool read_raw(struct str *rest, struct str *ret_text, bool *ret_escapes)
{
	*ret_escapes = false;
	*ret_text = (struct str){NULL, 0};
	if (str_starts(*rest, STR("\"")))
		return read_quoted(rest, ret_text, ret_escapes);
	if (str_starts(*rest, STR("{")))
		return read_literal(rest, ret_text);
	return str_skip(rest, STR("NIL"));
}

static bool unescape(struct str raw, struct arena *a, struct str *ret_text)
{
	char *to = arena_alloc(a, raw.len);
	size_t len = 0;

	if (to == NULL)
		return false;
	for (size_t i = 0; i < raw.len; i++) {
		if (raw.p[i] == '\\' && i + 1 < raw.len)
			i++;
		to[len++] = raw.p[i];
	}
	*ret_text = str_of(to, len);
	return true;
}

static bool read_nstring(struct str *rest, struct arena *a, struct str *ret_text)
{
	struct str raw;
	bool escapes;

	if (!read_raw(rest, &raw, &escapes))
		return false;
	if (escapes)
		return unescape(raw, a, ret_text);
	*ret_text = raw;
	return true;
}

/* Skips what closes the parenthesis that is open, and all within. */
static bool skip_to_close(struct str *rest)
{
	struct str text;
	bool escapes;

	for (size_t depth = 1; depth > 0;) {
		if (str_skip(rest, STR(")")))
			depth--;
		else if (str_skip(rest, STR("(")))
			depth++;
		else if (!str_skip(rest, STR(" ")) && !read_raw(rest, &text, &escapes))
			return false;
	}
	return true;
}

static bool skip_value(struct str *rest)
{
	struct str text;
	bool escapes;

	if (str_skip(rest, STR("(")))
		return skip_to_close(rest) && str_skip(rest, STR(" "));
	return read_raw(rest, &text, &escapes) && str_skip(rest, STR(" "));
}

/* The first address of a list; the others are skipped. */
static bool read_first(struct str *rest, struct arena *a, struct envelope_address *ret_address)
{
	struct envelope_address address;
	struct str route;

	if (!str_skip(rest, STR("(")))
		return skip_value(rest);
	if (!str_skip(rest, STR("(")) || !read_nstring(rest, a, &address.name) ||
	    !str_skip(rest, STR(" ")) || !read_nstring(rest, a, &route) ||
	    !str_skip(rest, STR(" ")) || !read_nstring(rest, a, &address.mailbox) ||
	    !str_skip(rest, STR(" ")) || !read_nstring(rest, a, &address.host) ||
	    !str_skip(rest, STR(")")) || !skip_to_close(rest) || !str_skip(rest, STR(" ")))
		return false;
	*ret_address = address;
	return true;
}

bool envelope_read_firsts(struct str envelope, struct arena *a, struct envelope_firsts *ret_firsts)
{
	struct envelope_firsts firsts = {0};
	struct str rest = envelope;

	if (!str_skip(&rest, STR("(")) || !skip_value(&rest) || !skip_value(&rest) ||
	    !read_first(&rest, a, &firsts.from) || !skip_value(&rest) || !skip_value(&rest) ||
	    !read_first(&rest, a, &firsts.to) || !read_first(&rest, a, &firsts.cc) ||
	    !skip_value(&rest) || !read_nstring(&rest, a, &firsts.in_reply_to))
		return false;
	*ret_firsts = firsts;
	return true;
}

bool envelope_address_display(const struct envelope_address *address, struct buf *out)
{
	size_t before = out->len;

	if (address->name.len > 0 && !encoded_word_decode(address->name, out))
		return false;
	if (out->len > before || address->mailbox.p == NULL)
		return true;
	/* A host that is missing is written as "" (mail/envelope.c). */
	return buf_add(out, address->mailbox) &&
	       (address->host.len == 0 || (buf_add_c(out, '@') && buf_add(out, address->host)));
}
