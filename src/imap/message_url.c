#include "imap/message_url.h"

#include "base/num.h"
#include "base/utf8.h"

/* pct-encoded = "%" HEXDIG HEXDIG (RFC 3986 §2.1); what is decoded is text without controls. */
static bool decode(struct str text, struct arena *a, struct str *ret)
{
	char *to = ARENA_NEW_ARRAY(a, char, text.len);
	size_t n = 0;

	if (to == NULL)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if (c == '%') {
			if (text.len - i < 3 || ascii_hex(text.p[i + 1]) < 0 ||
			    ascii_hex(text.p[i + 2]) < 0)
				return false;
			c = (unsigned char)(ascii_hex(text.p[i + 1]) << 4 |
			                    ascii_hex(text.p[i + 2]));
			i += 2;
		}
		if (c < ' ' || c == 0x7f)
			return false;
		to[n++] = (char)c;
	}
	*ret = str_of(to, n);
	return utf8_is_valid(*ret);
}

static bool take_number(struct str text, uint32_t least, uint32_t *ret)
{
	uint64_t value;

	if (!num_parse(text, UINT32_MAX, &value) || value < least)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* The piece up to the next "/;", which is skipped, or to the end. */
static struct str cut_piece(struct str *rest)
{
	size_t at = str_find(*rest, STR("/;"));
	struct str piece = str_first(*rest, at);

	*rest = str_from(*rest, at < rest->len ? at + 2 : at);
	return piece;
}

/* imailbox-ref = enc-mailbox [uidvalidity], uidvalidity = ";UIDVALIDITY=" nz-number */
static bool parse_mailbox(struct str piece, struct arena *a, struct message_url *url)
{
	struct str word = STR(";UIDVALIDITY=");
	size_t at = str_find_nocase(piece, word);

	if (at < piece.len) {
		url->has_uidvalidity = true;
		if (!take_number(str_from(piece, at + word.len), 1, &url->uidvalidity))
			return false;
	}
	url->has_mailbox = true;
	return decode(str_first(piece, at), a, &url->mailbox) && url->mailbox.len > 0;
}

/*
 * isection-only = ";SECTION=" enc-section, ipartial-only = ";PARTIAL=" partial-range,
 * partial-range = number ["." nz-number]: as FETCH writes them. Without a length all the rest is
 * meant.
 */
static bool parse_item(struct str section, struct str partial, struct arena *a, struct buf *text)
{
	struct str decoded = STR("");
	uint64_t offset = 0, len = INT64_MAX;

	if (!decode(section, a, &decoded))
		return false;
	buf_add(text, STR("BODY.PEEK["));
	buf_add(text, decoded);
	buf_add_c(text, ']');
	if (partial.len == 0)
		return !buf_failed(text);
	bool has_len = str_index(partial, '.') < partial.len;
	if (!num_parse(str_cut(&partial, '.'), INT64_MAX, &offset))
		return false;
	if (has_len && (!num_parse(partial, INT64_MAX, &len) || len == 0))
		return false;
	buf_printf(text, "<%llu.%llu>", (unsigned long long)offset, (unsigned long long)len);
	return !buf_failed(text);
}

/* The section stands in one fetch item and nothing else does. */
static bool read_item(struct buf *text, struct arena *a, struct imap_fetch_item *ret_item)
{
	struct imap_fetch_items items;
	struct str kept;

	if (!arena_dup(a, buf_str(text), &kept))
		return false;
	struct imap_parser p = imap_parser_of((struct imap_text){.text = kept}, a);
	if (!imap_parse_fetch_items(&p, &items) || !imap_at_end(&p) || items.n != 1)
		return false;
	*ret_item = items.v[0];
	return ret_item->kind == FETCH_SECTION;
}

/* iuid-only = ";UID=" nz-number, then SECTION and PARTIAL in this order, each once at most. */
static bool parse_pieces(struct str rest, struct arena *a, struct message_url *url)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(MESSAGE_URL_LEN_MAX + 64);
	struct str piece = cut_piece(&rest), section = STR(""), partial = STR("");

	if (!str_skip_nocase(&piece, STR("UID=")) || !take_number(piece, 1, &url->uid))
		return false;
	piece = cut_piece(&rest);
	if (str_skip_nocase(&piece, STR("SECTION="))) {
		section = piece;
		piece = cut_piece(&rest);
	}
	if (str_skip_nocase(&piece, STR("PARTIAL="))) {
		if (piece.len == 0)
			return false;
		partial = piece;
		piece = cut_piece(&rest);
	}
	return piece.len == 0 && rest.len == 0 && parse_item(section, partial, a, &text) &&
	       read_item(&text, a, &url->item);
}

bool message_url_parse(struct str text, struct arena *a, struct message_url *ret_url)
{
	struct message_url url = {0};

	if (text.len > MESSAGE_URL_LEN_MAX)
		return false;
	if (str_skip(&text, STR("/"))) {
		if (str_find(text, STR("/;")) == text.len)
			return false;
		if (!parse_mailbox(cut_piece(&text), a, &url))
			return false;
	} else if (!str_skip(&text, STR(";"))) {
		return false;
	}
	if (!parse_pieces(text, a, &url))
		return false;
	*ret_url = url;
	return true;
}
