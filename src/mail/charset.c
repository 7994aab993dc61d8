#include "mail/charset.h"

#include <assert.h>
#include <stdlib.h>
#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>
#include <unicode/uidna.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>

#include "base/num.h"
#include "base/utf8.h"

enum { CHUNK_UNITS = 2048, REPLACEMENT = 0xfffd };

/*
 * Names whose meaning in mail is larger than what the registry says (WHATWG Encoding Standard
 * §4.2), and names that are no charsets but are used as such. Values are converters of ICU.
 */
static const struct {
	struct str name;
	const char *converter;
} overrides[] = {
    {STR_INIT("us-ascii"), "windows-1252"},
    {STR_INIT("ascii"), "windows-1252"},
    {STR_INIT("ansi_x3.4-1968"), "windows-1252"},
    {STR_INIT("iso-8859-1"), "windows-1252"},
    {STR_INIT("iso8859-1"), "windows-1252"},
    {STR_INIT("iso_8859-1"), "windows-1252"},
    {STR_INIT("latin1"), "windows-1252"},
    {STR_INIT("latin-1"), "windows-1252"},
    {STR_INIT("cp1252"), "windows-1252"},
    {STR_INIT("iso-8859-9"), "windows-1254"},
    {STR_INIT("latin5"), "windows-1254"},
    {STR_INIT("iso-8859-11"), "windows-874"},
    {STR_INIT("tis-620"), "windows-874"},
    {STR_INIT("gb2312"), "gb18030"},
    {STR_INIT("gbk"), "gb18030"},
    {STR_INIT("cp936"), "gb18030"},
    {STR_INIT("ks_c_5601-1987"), "windows-949"},
    {STR_INIT("ks_c_5601"), "windows-949"},
    {STR_INIT("euc-kr"), "windows-949"},
    {STR_INIT("shift_jis"), "ibm-943_P15A-2003"},
    {STR_INIT("shift-jis"), "ibm-943_P15A-2003"},
    {STR_INIT("sjis"), "ibm-943_P15A-2003"},
    {STR_INIT("x-sjis"), "ibm-943_P15A-2003"},
    {STR_INIT("cp932"), "ibm-943_P15A-2003"},
    {STR_INIT("windows-31j"), "ibm-943_P15A-2003"},
    {STR_INIT("unicode-1-1-utf-7"), "UTF-7"},
};

/* What ICU is asked for: letters, digits and marks; never a comma, which would give it options. */
struct converter_name {
	char text[CHARSET_NAME_LEN_MAX + 1];
};

static bool converter_name_of(struct str charset, struct converter_name *ret_name)
{
	if (charset.len == 0 || charset.len > CHARSET_NAME_LEN_MAX)
		return false;
	for (size_t i = 0; i < charset.len; i++) {
		char c = charset.p[i];
		if (!ascii_is_alpha(c) && !ascii_is_digit(c) &&
		    str_index(STR("-_.:+()"), c) == STR("-_.:+()").len)
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(overrides); i++) {
		if (str_eq_nocase(charset, overrides[i].name))
			charset = str_of_cstr(overrides[i].converter);
	}
	return str_to_cstr(charset, ret_name->text, sizeof(ret_name->text)) == 0;
}

static void close_converter(UConverter **converter)
{
	ucnv_close(*converter);
}

/*
 * NULL for an unknown name. ICU's table of names is asked first: `ucnv_open` would look for files
 * of a name that it does not know.
 */
static UConverter *open_converter(struct str charset)
{
	struct converter_name name;
	UErrorCode status = U_ZERO_ERROR;

	if (!converter_name_of(charset, &name) || ucnv_countAliases(name.text, &status) == 0 ||
	    U_FAILURE(status))
		return NULL;
	UConverter *converter = ucnv_open(name.text, &status);
	return U_SUCCESS(status) ? converter : NULL;
}

bool charset_is_known(struct str charset)
{
	UConverter *converter CLEANUP(close_converter) = open_converter(charset);

	return converter != NULL;
}

void charset_init(void)
{
	static const struct str common[] = {STR_INIT("windows-1252"), STR_INIT("utf-8"),
	    STR_INIT("iso-8859-2"), STR_INIT("iso-8859-15"), STR_INIT("koi8-r"),
	    STR_INIT("windows-1251"), STR_INIT("iso-2022-jp"), STR_INIT("shift_jis"),
	    STR_INIT("euc-jp"), STR_INIT("gb18030"), STR_INIT("big5"), STR_INIT("euc-kr"),
	    STR_INIT("iso-2022-kr"), STR_INIT("utf-16"), STR_INIT("utf-7")};
	UErrorCode status = U_ZERO_ERROR;

	for (size_t i = 0; i < ARRAY_LEN(common); i++) {
		bool known = charset_is_known(common[i]);
		assert(known);
	}
	(void)unorm2_getNFKCCasefoldInstance(&status);
	UIDNA *idna = uidna_openUTS46(UIDNA_DEFAULT, &status);
	assert(U_SUCCESS(status));
	uidna_close(idna);
}

/* Adds a code point whole or not at all. */
static bool add_code_point(struct buf *out, unsigned code_point)
{
	char bytes[4];
	size_t len = utf8_put(code_point, bytes);

	if (len == 0)
		len = utf8_put(REPLACEMENT, bytes);
	return buf_add(out, str_of(bytes, len));
}

/* Adds as many ASCII bytes as fit. */
static bool add_ascii(struct buf *out, struct str s)
{
	size_t room = out->max - num_min(out->len, out->max);

	if (s.len <= room)
		return buf_add(out, s);
	buf_add(out, str_first(s, room));
	out->failed = true;
	return false;
}

static size_t ascii_len(struct str s)
{
	size_t n = 0;

	while (n + sizeof(uint64_t) <= s.len) {
		uint64_t word;
		memcpy(&word, s.p + n, sizeof(word));
		if ((word & UINT64_C(0x8080808080808080)) != 0)
			break;
		n += sizeof(word);
	}
	while (n < s.len && (unsigned char)s.p[n] < 0x80)
		n++;
	return n;
}

bool charset_repair_utf8(struct str text, struct buf *out)
{
	while (text.len > 0) {
		size_t n = ascii_len(text);
		if (n > 0 && !add_ascii(out, str_first(text, n)))
			return false;
		text = str_from(text, n);
		if (text.len == 0)
			break;
		int code_point = utf8_next(&text);
		if (!add_code_point(
		        out, code_point == UTF8_INVALID ? REPLACEMENT : (unsigned)code_point))
			return false;
	}
	return true;
}

/* Adds the ASCII at the front of `units`. False when it does not fit. */
static bool add_ascii_units(const UChar *units, size_t n, size_t *ret_len, struct buf *out)
{
	char bytes[CHUNK_UNITS];
	size_t len = 0;

	while (len < num_min(n, sizeof(bytes)) && units[len] < 0x80) {
		bytes[len] = (char)units[len];
		len++;
	}
	*ret_len = len;
	return add_ascii(out, str_of(bytes, len));
}

/* UTF-16 of one chunk; a first half of a pair at its end waits in `*high` for the next chunk. */
static bool add_utf16(const UChar *units, size_t n, unsigned *high, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		size_t n_ascii = 0;
		if (*high == 0 && !add_ascii_units(units + i, n - i, &n_ascii, out))
			return false;
		i += n_ascii;
		if (i == n)
			break;
		unsigned unit = units[i];
		if (*high != 0) {
			bool paired = unit >= 0xdc00 && unit < 0xe000;
			unsigned whole = 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00);
			*high = 0;
			if (!add_code_point(out, paired ? whole : REPLACEMENT))
				return false;
			if (paired)
				continue;
		}
		if (unit >= 0xd800 && unit < 0xdc00)
			*high = unit;
		else if (!add_code_point(out, unit))
			return false;
	}
	return true;
}

/* ICU's own substitution writes the control U+001A for some charsets; this one never does. */
static void replace_malformed(const void *context, UConverterToUnicodeArgs *args, const char *bytes,
    int32_t len, UConverterCallbackReason reason, UErrorCode *status)
{
	const UChar replacement = REPLACEMENT;

	(void)context, (void)bytes, (void)len;
	if (reason > UCNV_IRREGULAR)
		return;
	*status = U_ZERO_ERROR;
	ucnv_cbToUWriteUChars(args, &replacement, 1, 0, status);
}

/* `*high` is the first half of a pair that stood at the end of the piece before. */
static bool convert(
    UConverter *converter, struct str bytes, bool last, unsigned *high, struct buf *out)
{
	const char *from = bytes.len > 0 ? bytes.p : "", *end = from + bytes.len;
	UErrorCode status = U_BUFFER_OVERFLOW_ERROR;

	UErrorCode set = U_ZERO_ERROR;
	ucnv_setToUCallBack(converter, replace_malformed, NULL, NULL, NULL, &set);
	while (status == U_BUFFER_OVERFLOW_ERROR) {
		UChar units[CHUNK_UNITS], *to = units;
		status = U_ZERO_ERROR;
		ucnv_toUnicode(
		    converter, &to, units + CHUNK_UNITS, &from, end, NULL, last, &status);
		if (!add_utf16(units, (size_t)(to - units), high, out))
			return false;
	}
	/* Malformed input is replaced by ICU; what remains can only be an end in mid-character. */
	if ((last && *high != 0) || U_FAILURE(status))
		return add_code_point(out, REPLACEMENT);
	return true;
}

static bool is_utf8_name(struct str charset)
{
	return str_eq_nocase(charset, STR("utf-8")) || str_eq_nocase(charset, STR("utf8"));
}

/* One byte a character, and those of ASCII are themselves: they need no converter. */
static bool extends_ascii(struct str charset)
{
	static const struct str names[] = {STR_INIT("us-ascii"), STR_INIT("iso-8859-"),
	    STR_INIT("windows-125"), STR_INIT("koi8-")};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq_nocase(str_first(charset, names[i].len), names[i]))
			return true;
	return false;
}

/* How many bytes at the end are the beginning of a character of UTF-8 and no more. */
static size_t unfinished_len(struct str bytes)
{
	for (size_t n = 1; n <= 3 && n <= bytes.len; n++) {
		unsigned char c = (unsigned char)bytes.p[bytes.len - n];
		size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
		if (c < 0x80 || want > 0)
			return c >= 0x80 && want > n ? n : 0;
	}
	return 0;
}

struct charset_decoder {
	UConverter *converter; /* NULL: UTF-8, or ASCII so far */
	bool ascii;   /* what is ASCII is itself: a converter is made when one is needed … */
	bool guesses; /* … and where the name is unknown, only if it is not UTF-8 then */
	char charset[CHARSET_NAME_LEN_MAX + 1];
	unsigned high;
};

static UConverter *converter_or_latin(struct str charset)
{
	UConverter *converter = open_converter(charset);

	if (converter == NULL)
		converter = open_converter(STR("windows-1252"));
	assert(converter != NULL);
	return converter;
}

struct charset_decoder *charset_decoder_new(struct str charset)
{
	struct charset_decoder *d = calloc(1, sizeof(*d));

	if (d == NULL)
		abort();
	if (is_utf8_name(charset))
		return d;
	if (extends_ascii(charset) && str_to_cstr(charset, d->charset, sizeof(d->charset)) == 0) {
		d->ascii = true;
		return d;
	}
	d->converter = open_converter(charset);
	d->ascii = d->guesses = d->converter == NULL;
	return d;
}

void charset_decoder_free(struct charset_decoder **decoder)
{
	if (*decoder != NULL)
		ucnv_close((*decoder)->converter);
	free(*decoder);
	*decoder = NULL;
}

/* The first that is not ASCII. */
static void decide(struct charset_decoder *d, struct str piece)
{
	if (!d->guesses || !utf8_is_valid(piece))
		d->converter = converter_or_latin(str_of_cstr(d->charset));
	d->ascii = false;
}

bool charset_decoder_add(
    struct charset_decoder *d, struct str piece, bool last, struct buf *out, size_t *ret_used)
{
	size_t n = d->ascii ? ascii_len(piece) : 0;

	*ret_used = piece.len;
	if (n > 0 && !add_ascii(out, str_first(piece, n)))
		return false;
	piece = str_from(piece, n);
	if (d->ascii && piece.len == 0)
		return true;
	size_t n_left = last ? 0 : unfinished_len(piece);
	if (d->ascii && (!d->guesses || n_left < piece.len))
		decide(d, str_first(piece, piece.len - n_left));
	if (d->converter != NULL)
		return convert(d->converter, piece, last, &d->high, out);
	*ret_used -= n_left;
	return charset_repair_utf8(str_first(piece, piece.len - n_left), out);
}

bool charset_to_utf8(struct str charset, struct str bytes, struct buf *out)
{
	if (is_utf8_name(charset))
		return charset_repair_utf8(bytes, out);
	if (extends_ascii(charset)) {
		size_t n = ascii_len(bytes);
		if (!add_ascii(out, str_first(bytes, n)))
			return false;
		bytes = str_from(bytes, n);
	}
	if (bytes.len == 0)
		return true;
	struct charset_decoder *d CLEANUP(charset_decoder_free) = charset_decoder_new(charset);
	size_t used;
	return charset_decoder_add(d, bytes, true, out, &used);
}

/* --- folding --- */

enum {
	FOLD_UNITS = 256,
	/* The longest that one UTF-16 unit becomes under NFKC_Casefold is 18 (U+FDFA). */
	FOLD_GROWTH = 18,
};

/* Eight letters of ASCII at once: of those between A and Z bit 5 is set. */
static uint64_t lower_eight(uint64_t letters)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t from_a = letters + ones * (0x80 - 'A'), behind_z = letters + ones * (0x7f - 'Z');

	return letters | ((from_a ^ behind_z) & ones * 0x80) >> 2;
}

static void lower_ascii(const char *from, size_t n, char *to)
{
	size_t i = 0;

	for (uint64_t letters; i + sizeof(letters) <= n; i += sizeof(letters)) {
		memcpy(&letters, from + i, sizeof(letters));
		letters = lower_eight(letters);
		memcpy(to + i, &letters, sizeof(letters));
	}
	for (; i < n; i++)
		to[i] = ascii_lower(from[i]);
}

static bool fold_ascii(struct str s, struct buf *out)
{
	size_t room = out->max - num_min(out->len, out->max);
	size_t n = num_min(s.len, room);
	char *to = buf_reserve(out, n);

	assert(to != NULL);
	lower_ascii(s.p, n, to);
	buf_commit(out, n);
	out->failed |= n < s.len;
	return n == s.len;
}

/*
 * Takes UTF-16 of the next run off `*rest`: up to where ASCII starts again or, in a long run, up to
 * a character that cannot combine with the one before it.
 */
static size_t take_run(const UNormalizer2 *folding, struct str *rest, UChar units[FOLD_UNITS])
{
	size_t n = 0;

	while (rest->len > 0 && n + 2 <= FOLD_UNITS) {
		struct str after = *rest;
		int code_point = utf8_next(&after);
		if (code_point == UTF8_INVALID)
			code_point = REPLACEMENT;
		if (n > 0 && code_point < 0x80)
			break;
		if (n > FOLD_UNITS / 2 && unorm2_hasBoundaryBefore(folding, code_point))
			break;
		if (code_point >= 0x10000) {
			units[n++] = (UChar)(0xd800 + ((code_point - 0x10000) >> 10));
			units[n++] = (UChar)(0xdc00 + (code_point & 0x3ff));
		} else {
			units[n++] = (UChar)code_point;
		}
		*rest = after;
	}
	return n;
}

/* Hangul syllables are letters of their own: they have no decomposition in UnicodeData.txt. */
static bool is_hangul_syllable(UChar32 c)
{
	return c >= 0xac00 && c <= 0xd7a3;
}

static bool add_apart(const UChar *units, int32_t n, struct buf *out)
{
	UErrorCode status = U_ZERO_ERROR;
	const UNormalizer2 *composing = unorm2_getNFCInstance(&status);
	unsigned high = 0;

	for (int32_t i = 0; i < n;) {
		UChar apart[FOLD_GROWTH];
		UChar32 c;
		U16_NEXT(units, i, n, c);
		int32_t n_apart = is_hangul_syllable(c) ? -1
		                                        : unorm2_getDecomposition(composing, c,
		                                              apart, FOLD_GROWTH, &status);
		assert(U_SUCCESS(status));
		if (n_apart < 0 ? !add_code_point(out, (unsigned)c)
		                : !add_utf16(apart, (size_t)n_apart, &high, out))
			return false;
	}
	return true;
}

static bool fold(struct str text, bool apart, struct buf *out)
{
	UErrorCode status = U_ZERO_ERROR;
	const UNormalizer2 *folding = unorm2_getNFKCCasefoldInstance(&status);
	assert(U_SUCCESS(status));

	while (text.len > 0) {
		size_t n = ascii_len(text);
		/* The last ASCII character may combine with what follows. */
		if (n > 0 && n < text.len)
			n--;
		if (n > 0 && !fold_ascii(str_first(text, n), out))
			return false;
		text = str_from(text, n);
		if (text.len == 0)
			break;
		UChar units[FOLD_UNITS], folded[FOLD_UNITS * FOLD_GROWTH];
		size_t n_units = take_run(folding, &text, units);
		int32_t n_folded = unorm2_normalize(
		    folding, units, (int32_t)n_units, folded, FOLD_UNITS * FOLD_GROWTH, &status);
		assert(U_SUCCESS(status));
		unsigned high = 0;
		if (apart ? !add_apart(folded, n_folded, out)
		          : !add_utf16(folded, (size_t)n_folded, &high, out))
			return false;
	}
	return true;
}

bool charset_fold(struct str text, struct buf *out)
{
	return fold(text, false, out);
}

bool charset_search_key(struct str text, struct buf *out)
{
	return fold(text, true, out);
}
