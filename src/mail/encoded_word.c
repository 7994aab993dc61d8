#include "mail/encoded_word.h"

#include "base/base64.h"
#include "base/num.h"
#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/header.h"
#include "mail/transfer.h"

/*
 * RFC 2047 §2:
 *   encoded-word = "=?" charset "?" encoding "?" encoded-text "?="
 *   charset = token          encoded-text = 1*<any printable character but "?" and SPACE>
 * RFC 2231 §5: charset may carry "*" language.
 */
struct encoded_word {
	struct str charset;
	bool base64;
	struct str text;
};

enum { CHARSET_AND_LANGUAGE_MAX = 128 };

/* Cuts a word off the front of `*rest`; false, and untouched, where none stands there. */
static bool take_word(struct str *rest, struct encoded_word *ret_word)
{
	struct str s = *rest;

	if (!str_skip(&s, STR("=?")))
		return false;
	size_t mark = str_index(str_first(s, CHARSET_AND_LANGUAGE_MAX), '?');
	if (mark == 0 || mark == num_min(s.len, CHARSET_AND_LANGUAGE_MAX) || s.len - mark < 3 ||
	    s.p[mark + 2] != '?')
		return false;
	struct str charset = str_first(s, mark);
	char encoding = ascii_lower(s.p[mark + 1]);
	if ((encoding != 'b' && encoding != 'q') || str_index(charset, ' ') < charset.len)
		return false;
	s = str_from(s, mark + 3);
	size_t end = str_index(s, '?');
	if (s.len - end < 2 || s.p[end + 1] != '=')
		return false;
	*ret_word = (struct encoded_word){
	    .charset = str_first(charset, str_index(charset, '*')),
	    .base64 = encoding == 'b',
	    .text = str_first(s, end),
	};
	*rest = str_from(s, end + 2);
	return true;
}

/* RFC 2047 §4.2: "_" is a space, "=" HEX HEX an octet. */
static void decode_q(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		int high = -1, low = -1;
		if (text.p[i] == '=' && text.len - i > 2) {
			high = ascii_hex(text.p[i + 1]);
			low = ascii_hex(text.p[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			buf_add_c(out, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_add_c(out, text.p[i] == '_' ? ' ' : text.p[i]);
		}
	}
}

/* Adjacent words of one charset are one run of bytes, converted together. */
struct run {
	struct str charset;
	struct buf bytes;
	bool open;
};

static bool end_run(struct run *run, struct buf *out)
{
	bool fits = !run->open || charset_to_utf8(run->charset, buf_str(&run->bytes), out);

	run->open = false;
	buf_clear(&run->bytes);
	return fits;
}

static bool add_word(struct run *run, const struct encoded_word *word, struct buf *out)
{
	if (run->open && !str_eq_nocase(run->charset, word->charset) && !end_run(run, out))
		return false;
	run->charset = word->charset;
	run->open = true;
	if (word->base64)
		(void)transfer_decode(TRANSFER_BASE64, word->text, &run->bytes);
	else
		decode_q(word->text, &run->bytes);
	return true;
}

/* How far plain text goes: to the next "=?" or the end. At least one byte. */
static size_t plain_len(struct str s)
{
	return 1 + str_find(str_from(s, 1), STR("=?"));
}

static bool is_blank(struct str s)
{
	return str_trim(s).len == 0;
}

static bool decode_unfolded(struct str text, struct buf *out)
{
	struct buf decoded CLEANUP(buf_done) = BUF_MAX(text.len);
	struct run run = {.bytes = decoded};
	struct str plain = {text.p, 0};
	struct encoded_word word;
	bool fits = true;

	while (fits && text.len > 0) {
		size_t n = 0;
		if (!take_word(&text, &word)) {
			n = plain_len(text);
			plain.len += n;
			text = str_from(text, n);
			continue;
		}
		/* White space between two words is not shown (RFC 2047 §6.2). */
		if (plain.len > 0 && !(run.open && is_blank(plain)))
			fits = end_run(&run, out) && charset_to_utf8(STR(""), plain, out);
		fits = fits && add_word(&run, &word, out);
		plain = (struct str){text.p, 0};
	}
	fits = fits && end_run(&run, out) && charset_to_utf8(STR(""), plain, out);
	decoded = run.bytes;
	return fits;
}

bool encoded_word_decode(struct str raw, struct buf *out)
{
	struct buf unfolded CLEANUP(buf_done) = BUF_MAX(raw.len);

	header_unfold(raw, &unfolded);
	struct str text = buf_str(&unfolded);
	if (text.len == 0)
		return true;
	if (str_find(text, STR("=?")) == text.len)
		return charset_to_utf8(STR(""), text, out);
	return decode_unfolded(text, out);
}

/* --- encoding --- */

enum {
	WORD_FRAME_LEN = sizeof("=?UTF-8?B?") - 1 + sizeof("?=") - 1,
	LINE_LEN = 76,
	WORD_TEXT_MIN = 12, /* the longest code point in Q */
};

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

/* RFC 2047 §5 (3): what may stand for itself in a phrase too. */
static bool is_q_safe(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || str_index(STR("!*+-/"), c) < 5;
}

static size_t q_len(struct str s)
{
	size_t len = 0;

	for (size_t i = 0; i < s.len; i++)
		len += is_q_safe(s.p[i]) || s.p[i] == ' ' ? 1 : 3;
	return len;
}

static size_t encoded_len(struct str s, bool base64)
{
	return base64 ? (s.len + 2) / 3 * 4 : q_len(s);
}

static void write_q(struct str s, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == ' ' || is_q_safe((char)c)) {
			buf_add_c(out, c == ' ' ? '_' : (char)c);
			continue;
		}
		char code[3] = {'=', digits[c >> 4], digits[c & 15]};
		buf_add(out, str_of(code, sizeof(code)));
	}
}

/* As many whole characters as fit into `room` bytes of encoded text; at least one. */
static struct str cut_characters(struct str *rest, size_t room, bool base64)
{
	struct str all = *rest;
	size_t len = 0;

	while (rest->len > 0) {
		struct str after = *rest;
		(void)utf8_next(&after);
		size_t with = all.len - after.len;
		if (len > 0 && encoded_len(str_first(all, with), base64) > room)
			break;
		len = with;
		*rest = after;
	}
	return str_first(all, len);
}

static void write_word(struct str s, bool base64, struct buf *out)
{
	buf_add(out, base64 ? STR("=?UTF-8?B?") : STR("=?UTF-8?Q?"));
	if (base64)
		base64_encode(s, out);
	else
		write_q(s, out);
	buf_add(out, STR("?="));
}

static bool encode_words(struct str text, size_t column, struct buf *out)
{
	bool base64 = encoded_len(text, true) < encoded_len(text, false);

	while (text.len > 0) {
		if (column + WORD_FRAME_LEN + WORD_TEXT_MIN > LINE_LEN) {
			buf_add(out, STR("\r\n "));
			column = 1;
		}
		size_t room = num_min(ENCODED_WORD_LEN_MAX, LINE_LEN - column) - WORD_FRAME_LEN;
		write_word(cut_characters(&text, room, base64), base64, out);
		column = LINE_LEN;
	}
	return !buf_failed(out);
}

bool encoded_word_encode(struct str text, size_t column, struct buf *out)
{
	struct buf printable CLEANUP(buf_done) = BUF_MAX(text.len * 3);

	charset_repair_utf8(text, &printable);
	size_t len = 0;
	for (size_t i = 0; i < printable.len; i++) {
		if (!is_control(printable.p[i]))
			printable.p[len++] = printable.p[i];
	}
	printable.len = len;
	text = buf_str(&printable);
	if (utf8_is_ascii(text) && str_find(text, STR("=?")) == text.len)
		return buf_add(out, text);
	return encode_words(text, column, out);
}
