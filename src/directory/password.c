#include "directory/password.h"

#include <stdlib.h>

#include <sodium.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "base/utf8.h"

enum { UNITS_MAX = 4 * PASSWORD_LEN_MAX };

/* RFC 8265 §4.2.1: no code points of the category control or unassigned. */
static bool is_permitted(struct str password)
{
	struct str rest = password;
	while (rest.len > 0) {
		int c = utf8_next(&rest);
		if (c == UTF8_INVALID)
			return false;
		int8_t category = u_charType(c);
		if (category == U_CONTROL_CHAR || category == U_UNASSIGNED)
			return false;
	}
	return true;
}

static void map_spaces(UChar *text, int32_t len)
{
	for (int32_t i = 0; i < len; i++)
		if (u_charType(text[i]) == U_SPACE_SEPARATOR)
			text[i] = ' ';
}

static bool normalise(struct str password, UChar *from, UChar *to, struct buf *out)
{
	UErrorCode error = U_ZERO_ERROR;
	int32_t len;
	const UNormalizer2 *nfc = unorm2_getNFCInstance(&error);
	u_strFromUTF8(from, UNITS_MAX, &len, password.p, (int32_t)password.len, &error);
	if (U_FAILURE(error))
		return false;
	map_spaces(from, len);
	len = unorm2_normalize(nfc, from, len, to, UNITS_MAX, &error);
	char text[3 * PASSWORD_LEN_MAX];
	int32_t text_len;
	u_strToUTF8(text, sizeof(text), &text_len, to, len, &error);
	bool is_done = U_SUCCESS(error) && text_len > 0 && text_len <= PASSWORD_LEN_MAX &&
	               buf_add(out, str_of(text, (size_t)text_len));
	sodium_memzero(text, sizeof(text));
	return is_done;
}

bool password_prepare(struct str password, struct buf *out)
{
	if (password.len == 0 || password.len > PASSWORD_LEN_MAX || !is_permitted(password))
		return false;
	if (utf8_is_ascii(password))
		return buf_add(out, password);
	UChar from[UNITS_MAX];
	UChar to[UNITS_MAX];
	bool is_done = normalise(password, from, to, out);
	sodium_memzero(from, sizeof(from));
	sodium_memzero(to, sizeof(to));
	return is_done;
}
