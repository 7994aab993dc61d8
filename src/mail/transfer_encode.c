#include "base/base64.h"
#include "mail/transfer.h"

bool transfer_encode_base64(struct str bytes, struct buf *out)
{
	enum { LINE_BYTES = TRANSFER_LINE_LEN / 4 * 3 };

	for (; bytes.len > 0; bytes = str_from(bytes, LINE_BYTES)) {
		if (!base64_encode(str_first(bytes, LINE_BYTES), out) || !buf_add(out, STR("\r\n")))
			return false;
	}
	return true;
}

/* RFC 2045 §6.7 rules 1 to 3: what may stand for itself; white space not at the end of a line. */
static bool stands_for_itself(char c, bool last)
{
	if (c == ' ' || c == '\t')
		return !last;
	return c > ' ' && c <= '~' && c != '=';
}

static bool encode_line(struct str line, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t column = 0;

	for (size_t i = 0; i < line.len; i++) {
		char c = line.p[i];
		bool plain = stands_for_itself(c, i + 1 == line.len);
		char code[3] = {'=', digits[(unsigned char)c >> 4], digits[c & 15]};
		size_t len = plain ? 1 : sizeof(code);
		/* Rule 5: room for the "=" of a soft line break stays on each line. */
		if (column + len > TRANSFER_LINE_LEN - 1) {
			buf_add(out, STR("=\r\n"));
			column = 0;
		}
		buf_add(out, plain ? str_of(&c, 1) : str_of(code, sizeof(code)));
		column += len;
	}
	return !buf_failed(out);
}

bool transfer_encode_quoted_printable(struct str text, struct buf *out)
{
	while (text.len > 0) {
		bool ends = str_index(text, '\n') < text.len;
		if (!encode_line(str_cut_line(&text), out))
			return false;
		if (ends && !buf_add(out, STR("\r\n")))
			return false;
	}
	return true;
}
