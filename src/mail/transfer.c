#include "mail/transfer.h"

#include "base/num.h"

enum { CHUNK_LEN = 4096 };

/* Adds as much of `s` as fits. */
static bool add_fitting(struct buf *out, struct str s)
{
	size_t room = out->max - num_min(out->len, out->max);

	if (s.len <= room)
		return buf_add(out, s);
	buf_add(out, str_first(s, room));
	out->failed = true;
	return false;
}

enum transfer_encoding transfer_encoding_of(struct str name)
{
	static const struct {
		struct str name;
		enum transfer_encoding encoding;
	} encodings[] = {
	    {STR_INIT("7bit"), TRANSFER_7BIT},
	    {STR_INIT("8bit"), TRANSFER_8BIT},
	    {STR_INIT("binary"), TRANSFER_BINARY},
	    {STR_INIT("base64"), TRANSFER_BASE64},
	    {STR_INIT("quoted-printable"), TRANSFER_QUOTED_PRINTABLE},
	    {STR_INIT("x-uuencode"), TRANSFER_UUENCODE},
	    {STR_INIT("uuencode"), TRANSFER_UUENCODE},
	    {STR_INIT("x-uue"), TRANSFER_UUENCODE},
	};

	for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
		if (str_eq_nocase(name, encodings[i].name))
			return encodings[i].encoding;
	}
	return TRANSFER_UNKNOWN;
}

bool transfer_is_identity(enum transfer_encoding encoding)
{
	return encoding != TRANSFER_BASE64 && encoding != TRANSFER_QUOTED_PRINTABLE &&
	       encoding != TRANSFER_UUENCODE;
}

/* RFC 2045 §6.8, table 1: one more than the value of each digit; 0 for every other byte. */
static const unsigned char base64_digits[256] = {['A'] = 1,
    ['B'] = 2,
    ['C'] = 3,
    ['D'] = 4,
    ['E'] = 5,
    ['F'] = 6,
    ['G'] = 7,
    ['H'] = 8,
    ['I'] = 9,
    ['J'] = 10,
    ['K'] = 11,
    ['L'] = 12,
    ['M'] = 13,
    ['N'] = 14,
    ['O'] = 15,
    ['P'] = 16,
    ['Q'] = 17,
    ['R'] = 18,
    ['S'] = 19,
    ['T'] = 20,
    ['U'] = 21,
    ['V'] = 22,
    ['W'] = 23,
    ['X'] = 24,
    ['Y'] = 25,
    ['Z'] = 26,
    ['a'] = 27,
    ['b'] = 28,
    ['c'] = 29,
    ['d'] = 30,
    ['e'] = 31,
    ['f'] = 32,
    ['g'] = 33,
    ['h'] = 34,
    ['i'] = 35,
    ['j'] = 36,
    ['k'] = 37,
    ['l'] = 38,
    ['m'] = 39,
    ['n'] = 40,
    ['o'] = 41,
    ['p'] = 42,
    ['q'] = 43,
    ['r'] = 44,
    ['s'] = 45,
    ['t'] = 46,
    ['u'] = 47,
    ['v'] = 48,
    ['w'] = 49,
    ['x'] = 50,
    ['y'] = 51,
    ['z'] = 52,
    ['0'] = 53,
    ['1'] = 54,
    ['2'] = 55,
    ['3'] = 56,
    ['4'] = 57,
    ['5'] = 58,
    ['6'] = 59,
    ['7'] = 60,
    ['8'] = 61,
    ['9'] = 62,
    ['+'] = 63,
    ['/'] = 64};

/* The whole bytes that `n` collected digits make: an incomplete group at the end or before '='. */
static size_t base64_flush(unsigned bits, unsigned n, char *to)
{
	if (n == 2)
		to[0] = (char)(bits >> 4);
	if (n == 3) {
		to[0] = (char)(bits >> 10);
		to[1] = (char)(bits >> 2);
	}
	return n == 2 ? 1 : n == 3 ? 2 : 0;
}

/*
 * RFC 2045 §6.8: padding may be taken as the end of the data. Mailing lists add footers behind it.
 * Decodes groups of four digits until `least` bytes are there; stops only between groups, so that
 * the next call can go on from `*rest`.
 */
static bool decode_base64(struct str *rest, size_t least, struct buf *out)
{
	char chunk[CHUNK_LEN];
	size_t len = 0, added = 0, i = 0;
	unsigned bits = 0, n = 0;
	bool fits = true;

	while (i < rest->len && fits && (n > 0 || added + len < least)) {
		char c = rest->p[i++];
		unsigned digit = base64_digits[(unsigned char)c];
		if (digit > 0) {
			bits = bits << 6 | (digit - 1);
			n++;
		} else if (c == '=' && n >= 2) {
			i = rest->len;
		}
		if (n == 4) {
			chunk[len++] = (char)(bits >> 16);
			chunk[len++] = (char)(bits >> 8);
			chunk[len++] = (char)bits;
			n = 0;
		}
		if (len > CHUNK_LEN - 4) {
			fits = add_fitting(out, str_of(chunk, len));
			added += len;
			len = 0;
		}
	}
	len += base64_flush(bits, n, chunk + len);
	*rest = str_from(*rest, i);
	return add_fitting(out, str_of(chunk, len)) && fits;
}

/* Length of a line's text without its end and the white space before that. */
static size_t without_padding(struct str line)
{
	size_t len = line.len;

	while (len > 0 && (line.p[len - 1] == ' ' || line.p[len - 1] == '\t' ||
	                      line.p[len - 1] == '\r' || line.p[len - 1] == '\n'))
		len--;
	return len;
}

static struct str line_end_of(struct str line)
{
	if (str_ends(line, STR("\r\n")))
		return STR("\r\n");
	return str_ends(line, STR("\n")) ? STR("\n") : STR("");
}

/* RFC 2045 §6.7: the hexadecimal octets of one line, into `to` (no longer than the text). */
static size_t decode_qp_text(struct str text, char *to)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int high = -1, low = -1;
		if (text.p[i] == '=' && text.len - i > 2) {
			high = ascii_hex(text.p[i + 1]);
			low = ascii_hex(text.p[i + 2]);
		}
		if (high < 0 || low < 0) {
			to[len++] = text.p[i];
			continue;
		}
		to[len++] = (char)(high << 4 | low);
		i += 2;
	}
	return len;
}

/*
 * One line: white space at its end was added on the way and goes (§6.7 rule 3), "=" at the end is a
 * soft line break (rule 5). A long "line" is taken in pieces that do not cut a code.
 */
static bool decode_qp_line(struct str line, struct buf *out)
{
	char chunk[CHUNK_LEN];
	struct str end = line_end_of(line);
	struct str text = str_first(line, without_padding(line));

	/* At the very end, without a line end, spaces may well be meant. */
	if (end.len == 0 && !str_ends(text, STR("=")))
		text = line;
	else if (str_ends(text, STR("="))) {
		text.len--;
		end = STR("");
	}
	while (text.len > 0) {
		size_t n = num_min(text.len, CHUNK_LEN);
		if (n < text.len && text.p[n - 1] == '=')
			n -= 1;
		else if (n < text.len && text.p[n - 2] == '=')
			n -= 2;
		size_t len = decode_qp_text(str_first(text, n), chunk);
		if (!add_fitting(out, str_of(chunk, len)))
			return false;
		text = str_from(text, n);
	}
	return add_fitting(out, end);
}

static struct str cut_line_with_end(struct str *rest)
{
	size_t at = str_index(*rest, '\n');
	struct str line = str_first(*rest, at < rest->len ? at + 1 : at);

	*rest = str_from(*rest, line.len);
	return line;
}

static bool decode_qp(struct str *rest, size_t least, struct buf *out)
{
	size_t before = out->len;

	while (rest->len > 0 && out->len - before < least) {
		if (!decode_qp_line(cut_line_with_end(rest), out))
			return false;
	}
	return true;
}

/*
 * One line of uuencode (POSIX uuencode(1)): a length, then groups of four characters. A line that
 * claims more than it holds gives what it holds.
 */
static bool decode_uu_line(struct str line, struct buf *out)
{
	char bytes[64];
	size_t want = line.len == 0 ? 0 : (size_t)((line.p[0] - ' ') & 0x3f), len = 0;

	for (size_t at = 1; len < want && at < line.len; at += 4) {
		unsigned bits = 0;
		for (size_t i = 0; i < 4; i++) {
			unsigned c = at + i < line.len ? (unsigned char)line.p[at + i] : ' ';
			bits = bits << 6 | ((c - ' ') & 0x3f);
		}
		for (int shift = 16; shift >= 0 && len < want; shift -= 8)
			bytes[len++] = (char)(bits >> shift);
	}
	return add_fitting(out, str_of(bytes, len));
}

static bool decode_uu(struct str *rest, struct buf *out)
{
	bool begun = false;

	while (rest->len > 0) {
		struct str line = str_cut_line(rest);
		if (!begun) {
			begun = str_starts(line, STR("begin ")) && line.len > 6 &&
			        ascii_is_digit(line.p[6]);
			continue;
		}
		if (str_eq(line, STR("end")))
			break;
		if (!decode_uu_line(line, out))
			return false;
	}
	*rest = str_from(*rest, rest->len);
	return true;
}

bool transfer_decode_some(
    enum transfer_encoding encoding, struct str *rest, size_t least, struct buf *out)
{
	if (encoding == TRANSFER_BASE64)
		return decode_base64(rest, least, out);
	if (encoding == TRANSFER_QUOTED_PRINTABLE)
		return decode_qp(rest, least, out);
	if (encoding == TRANSFER_UUENCODE)
		return decode_uu(rest, out);
	struct str piece = str_first(*rest, least);
	*rest = str_from(*rest, piece.len);
	return add_fitting(out, piece);
}

bool transfer_decode(enum transfer_encoding encoding, struct str body, struct buf *out)
{
	return transfer_decode_some(encoding, &body, SIZE_MAX, out);
}

size_t transfer_decoded_len(enum transfer_encoding encoding, struct str body)
{
	struct buf piece CLEANUP(buf_done) = BUF_MAX(SIZE_MAX / 2);
	size_t len = 0;

	if (transfer_is_identity(encoding))
		return body.len;
	while (body.len > 0) {
		buf_clear(&piece);
		(void)transfer_decode_some(encoding, &body, CHUNK_LEN, &piece);
		len += piece.len;
	}
	return len;
}
