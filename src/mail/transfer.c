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
 */
static bool add_base64(struct transfer_decoder *d, struct str piece, bool last, struct buf *out)
{
	char chunk[CHUNK_LEN];
	size_t len = 0;
	unsigned bits = d->bits, n = d->n_digits;

	for (size_t i = 0; i < piece.len && !d->ended; i++) {
		char c = piece.p[i];
		unsigned digit = base64_digits[(unsigned char)c];
		if (digit > 0) {
			bits = bits << 6 | (digit - 1);
			n++;
		} else if (c == '=' && n >= 2) {
			d->ended = true;
		}
		if (n == 4) {
			chunk[len++] = (char)(bits >> 16);
			chunk[len++] = (char)(bits >> 8);
			chunk[len++] = (char)bits;
			n = 0;
		}
		if (len > CHUNK_LEN - 4) {
			if (!add_fitting(out, str_of(chunk, len)))
				return false;
			len = 0;
		}
	}
	if (last || d->ended) {
		len += base64_flush(bits, n, chunk + len);
		n = 0;
	}
	d->bits = bits;
	d->n_digits = n;
	return add_fitting(out, str_of(chunk, len));
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

/* Text of a line, in pieces that do not cut a code. */
static bool add_qp_text(struct str text, struct buf *out)
{
	char chunk[CHUNK_LEN];

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
	return true;
}

/*
 * One line: white space at its end was added on the way and goes (§6.7 rule 3), "=" at the end is a
 * soft line break (rule 5).
 */
static bool decode_qp_line(struct str line, struct buf *out)
{
	struct str end = line_end_of(line);
	struct str text = str_first(line, without_padding(line));

	/* At the very end, without a line end, spaces may well be meant. */
	if (end.len == 0 && !str_ends(text, STR("=")))
		text = line;
	else if (str_ends(text, STR("="))) {
		text.len--;
		end = STR("");
	}
	return add_qp_text(text, out) && add_fitting(out, end);
}

/*
 * The front of a line whose end is far away: but for what the end may change, or what may be half a
 * code. White space alone is text in the end.
 */
static bool flush_qp(struct buf *held, struct buf *out)
{
	struct str line = buf_str(held);
	size_t n = without_padding(line);

	if (n > 0 && line.p[n - 1] == '=')
		n -= 1;
	else if (n > 1 && line.p[n - 2] == '=')
		n -= 2;
	n = n > 0 ? n : line.len;
	if (!add_qp_text(str_first(line, n), out))
		return false;
	buf_consume(held, n);
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

static bool add_uu_line(struct transfer_decoder *d, struct str line, struct buf *out)
{
	line = str_cut_line(&line);
	if (d->ended)
		return true;
	if (!d->begun) {
		d->begun =
		    str_starts(line, STR("begin ")) && line.len > 6 && ascii_is_digit(line.p[6]);
		return true;
	}
	d->ended = str_eq(line, STR("end"));
	return d->ended || decode_uu_line(line, out);
}

static bool add_line(struct transfer_decoder *d, struct str line, struct buf *out)
{
	return d->encoding == TRANSFER_UUENCODE ? add_uu_line(d, line, out)
	                                        : decode_qp_line(line, out);
}

/* A piece of a line whose end is not there yet. */
static bool hold(struct transfer_decoder *d, struct str piece, struct buf *out)
{
	d->held.max = TRANSFER_LINE_HELD;
	while (piece.len > 0) {
		struct str fits = str_first(piece, TRANSFER_LINE_HELD - d->held.len);
		buf_add(&d->held, fits);
		piece = str_from(piece, fits.len);
		if (piece.len == 0 || d->encoding == TRANSFER_UUENCODE)
			return true;
		if (!flush_qp(&d->held, out))
			return false;
	}
	return true;
}

static bool add_lines(struct transfer_decoder *d, struct str piece, bool last, struct buf *out)
{
	while (piece.len > 0) {
		size_t end = str_index(piece, '\n');
		bool whole = end < piece.len;
		struct str line = str_first(piece, whole ? end + 1 : end);
		bool fits = true;
		piece = str_from(piece, line.len);
		if (d->held.len == 0 && (whole || last)) {
			if (!add_line(d, line, out))
				return false;
			continue;
		}
		fits = hold(d, line, out);
		if (fits && whole) {
			fits = add_line(d, buf_str(&d->held), out);
			buf_clear(&d->held);
		}
		if (!fits)
			return false;
	}
	bool fits = !last || d->held.len == 0 || add_line(d, buf_str(&d->held), out);
	if (last)
		buf_clear(&d->held);
	return fits;
}

bool transfer_decoder_add(struct transfer_decoder *d, struct str piece, bool last, struct buf *out)
{
	if (d->encoding == TRANSFER_BASE64)
		return add_base64(d, piece, last, out);
	if (!transfer_is_identity(d->encoding))
		return add_lines(d, piece, last, out);
	return add_fitting(out, piece);
}

void transfer_decoder_done(struct transfer_decoder *d)
{
	buf_done(&d->held);
}

bool transfer_decode(enum transfer_encoding encoding, struct str body, struct buf *out)
{
	struct transfer_decoder d CLEANUP(transfer_decoder_done) = {.encoding = encoding};

	return transfer_decoder_add(&d, body, true, out);
}

size_t transfer_decoded_len(enum transfer_encoding encoding, struct str body)
{
	struct transfer_decoder d CLEANUP(transfer_decoder_done) = {.encoding = encoding};
	struct buf piece CLEANUP(buf_done) = BUF_MAX(SIZE_MAX / 2);
	size_t len = 0;

	if (transfer_is_identity(encoding))
		return body.len;
	while (body.len > 0) {
		struct str some = str_first(body, CHUNK_LEN);
		body = str_from(body, some.len);
		buf_clear(&piece);
		(void)transfer_decoder_add(&d, some, body.len == 0, &piece);
		len += piece.len;
	}
	return len;
}
