#include "imap/mailbox_name.h"

#include "base/utf8.h"

enum { INBOX_LEN = 5 };

static const char utf7_alphabet[65] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int utf7_value(char c)
{
	const char *at = c != '\0' ? strchr(utf7_alphabet, c) : NULL;

	return at != NULL ? (int)(at - utf7_alphabet) : -1;
}

struct utf16 {
	unsigned high; /* a high surrogate that waits for its partner, or 0 */
};

static bool add_utf16(struct utf16 *state, unsigned unit, struct buf *out)
{
	char bytes[4];
	unsigned code_point = unit;

	if (unit >= 0xd800 && unit < 0xdc00) {
		bool alone = state->high != 0;
		state->high = unit;
		return !alone;
	}
	if (unit >= 0xdc00 && unit < 0xe000) {
		if (state->high == 0)
			return false;
		code_point = 0x10000 + ((state->high - 0xd800) << 10) + (unit - 0xdc00);
	} else if (state->high != 0) {
		return false;
	}
	state->high = 0;
	size_t len = utf8_put(code_point, bytes);
	return len > 0 && buf_add(out, str_of(bytes, len));
}

/* Between "&" and "-": modified BASE64 of UTF-16 (RFC 3501 §5.1.3). */
static bool decode_shifted(struct str shifted, struct buf *out)
{
	struct utf16 state = {0};
	unsigned bits = 0, n_bits = 0;

	for (size_t i = 0; i < shifted.len; i++) {
		int value = utf7_value(shifted.p[i]);
		if (value < 0)
			return false;
		bits = bits << 6 | (unsigned)value;
		n_bits += 6;
		if (n_bits >= 16) {
			n_bits -= 16;
			if (!add_utf16(&state, bits >> n_bits & 0xffff, out))
				return false;
			bits &= (1U << n_bits) - 1;
		}
	}
	return state.high == 0 && n_bits < 6 && bits == 0;
}

static bool decode_any(struct str name, struct buf *out)
{
	struct str rest = name;

	while (rest.len > 0) {
		char c = rest.p[0];
		rest = str_from(rest, 1);
		if ((unsigned char)c < ' ' || (unsigned char)c >= 0x7f)
			return false;
		if (c != '&') {
			if (!buf_add_c(out, c))
				return false;
			continue;
		}
		size_t end = str_index(rest, '-');
		if (end == rest.len)
			return false;
		struct str shifted = str_first(rest, end);
		rest = str_from(rest, end + 1);
		if (!(shifted.len == 0 ? buf_add_c(out, '&') : decode_shifted(shifted, out)))
			return false;
	}
	return true;
}

bool imap_utf7_decode(struct str name, struct buf *out)
{
	struct buf again CLEANUP(buf_done) = BUF_MAX(name.len + 16);
	size_t start = out->len;

	if (!decode_any(name, out))
		return false;
	struct str decoded = str_from(buf_str(out), start);
	return imap_utf7_encode(decoded, &again) && str_eq(buf_str(&again), name);
}

struct shift {
	bool on;
	unsigned bits, n_bits;
};

static void shift_unit(struct shift *s, unsigned unit, struct buf *out)
{
	s->bits = (s->bits & 0x3f) << 16 | unit;
	s->n_bits += 16;
	while (s->n_bits >= 6) {
		s->n_bits -= 6;
		buf_add_c(out, utf7_alphabet[s->bits >> s->n_bits & 0x3f]);
	}
}

static void shift_end(struct shift *s, struct buf *out)
{
	if (!s->on)
		return;
	if (s->n_bits > 0)
		buf_add_c(out, utf7_alphabet[s->bits << (6 - s->n_bits) & 0x3f]);
	buf_add_c(out, '-');
	*s = (struct shift){0};
}

static void shift_code_point(struct shift *s, unsigned code_point, struct buf *out)
{
	if (!s->on)
		buf_add_c(out, '&');
	s->on = true;
	if (code_point >= 0x10000) {
		code_point -= 0x10000;
		shift_unit(s, 0xd800 + (code_point >> 10), out);
		code_point = 0xdc00 + (code_point & 0x3ff);
	}
	shift_unit(s, code_point, out);
}

bool imap_utf7_encode(struct str name, struct buf *out)
{
	struct shift shift = {0};

	while (name.len > 0) {
		int code_point = utf8_next(&name);
		if (code_point == UTF8_INVALID)
			return false;
		if (code_point < ' ' || code_point > '~') {
			shift_code_point(&shift, (unsigned)code_point, out);
			continue;
		}
		shift_end(&shift, out);
		buf_add_c(out, (char)code_point);
		if (code_point == '&')
			buf_add_c(out, '-');
	}
	shift_end(&shift, out);
	return !buf_failed(out);
}

/* The first level is INBOX, in any case. */
static bool is_below_inbox(struct str name)
{
	return str_starts_nocase(name, STR("INBOX")) &&
	       (name.len == INBOX_LEN || name.p[INBOX_LEN] == IMAP_DELIMITER);
}

static const char *decode_name(struct str name, bool utf8, struct buf *out)
{
	size_t start = out->len;

	if (name.len > 4 * IMAP_MAILBOX_NAME_LEN_MAX)
		return "Mailbox name too long";
	if (!utf8 && !imap_utf7_decode(name, out))
		return "Mailbox name is not valid modified UTF-7";
	if (utf8 && !utf8_is_valid(name))
		return "Mailbox name is not valid UTF-8";
	if (utf8)
		buf_add(out, name);
	struct str decoded = str_from(buf_str(out), start);
	if (buf_failed(out) || decoded.len > IMAP_MAILBOX_NAME_LEN_MAX)
		return "Mailbox name too long";
	if (is_below_inbox(decoded))
		memcpy(out->p + start, "INBOX", INBOX_LEN);
	return NULL;
}

static const char *check_level(struct str level)
{
	if (level.len == 0)
		return "Mailbox name has an empty level";
	if (str_eq(level, STR(".")) || str_eq(level, STR("..")))
		return "Mailbox name has a level . or ..";
	for (size_t i = 0; i < level.len; i++) {
		if ((unsigned char)level.p[i] < ' ' || level.p[i] == 0x7f)
			return "Mailbox name has a control character";
		if (level.p[i] == '*' || level.p[i] == '%')
			return "Mailbox name has a wildcard";
	}
	return NULL;
}

const char *imap_mailbox_name_check(struct str name)
{
	size_t n_levels = 0;
	bool more = true;

	if (name.len == 0)
		return "Mailbox name is empty";
	if (!utf8_is_valid(name))
		return "Mailbox name is not valid UTF-8";
	while (more) {
		more = str_index(name, IMAP_DELIMITER) < name.len;
		const char *wrong = check_level(str_cut(&name, IMAP_DELIMITER));
		if (wrong != NULL)
			return wrong;
		if (++n_levels > IMAP_MAILBOX_LEVELS_MAX)
			return "Mailbox name has too many levels";
	}
	return NULL;
}

const char *imap_mailbox_name_read(struct str name, bool utf8, struct buf *out)
{
	size_t start = out->len;
	const char *wrong = decode_name(name, utf8, out);

	return wrong != NULL ? wrong : imap_mailbox_name_check(str_from(buf_str(out), start));
}

const char *imap_mailbox_pattern_read(struct str pattern, bool utf8, struct buf *out)
{
	return decode_name(pattern, utf8, out);
}

static bool is_plain(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~' ||
		    memchr("(){%*\"\\", name.p[i], 7) != NULL)
			return false;
	return name.len > 0 && !str_eq_nocase(name, STR("NIL"));
}

/* Quoted wherever an atom would not do. Kept names have no controls: no literal is ever needed. */
void imap_mailbox_name_write(struct str name, bool utf8, struct buf *out)
{
	struct buf encoded CLEANUP(buf_done) = BUF_MAX(8 * IMAP_MAILBOX_NAME_LEN_MAX);

	if (!utf8 && imap_utf7_encode(name, &encoded))
		name = buf_str(&encoded);
	if (is_plain(name)) {
		buf_add(out, name);
		return;
	}
	buf_add_c(out, '"');
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			buf_add_c(out, '\\');
		buf_add_c(out, name.p[i]);
	}
	buf_add_c(out, '"');
}

/* A wildcard may stand for nothing: what lies behind it is reached too. */
static void reach(struct str pattern, size_t at, bool *reached)
{
	while (!reached[at]) { /* what lies behind one reached before was reached with it */
		reached[at] = true;
		if (at == pattern.len || (pattern.p[at] != '*' && pattern.p[at] != '%'))
			return;
		at++;
	}
}

static bool same_char(char pattern, char name, bool nocase)
{
	return pattern == name || (nocase && ascii_upper(pattern) == ascii_upper(name));
}

/* Positions of the pattern are the states of an automaton that the name's bytes drive. */
bool imap_pattern_matches(struct str pattern, struct str name)
{
	bool states[2][IMAP_PATTERN_LEN_MAX + 1] = {{false}};
	bool inbox = is_below_inbox(name);

	if (pattern.len > IMAP_PATTERN_LEN_MAX)
		return false;
	reach(pattern, 0, states[0]);
	for (size_t i = 0; i < name.len; i++) {
		bool *now = states[i % 2], *then = states[(i + 1) % 2];
		memset(then, 0, pattern.len + 1);
		for (size_t at = 0; at < pattern.len; at++) {
			if (!now[at])
				continue;
			char c = pattern.p[at];
			if (c == '*' || (c == '%' && name.p[i] != IMAP_DELIMITER))
				reach(pattern, at, then);
			else if (same_char(c, name.p[i], inbox && i < INBOX_LEN))
				reach(pattern, at + 1, then);
		}
	}
	return states[name.len % 2][pattern.len];
}
