#include "mail/casemap.h"

#include <assert.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>

#include "base/utf8.h"

/* The longest decomposition of one character is 18 units (U+FDFA). */
enum { DECOMPOSED_MAX = 32, REPLACEMENT = 0xfffd };

static bool add_code_point(unsigned code_point, struct buf *out)
{
	char bytes[4];

	return buf_add(out, str_of(bytes, utf8_put(code_point, bytes)));
}

/* RFC 5051 §2: title case first, then decomposition. */
static bool add_mapped(const UNormalizer2 *decomposing, int code_point, struct buf *out)
{
	UErrorCode status = U_ZERO_ERROR;
	UChar units[DECOMPOSED_MAX];
	UChar32 mapped = u_totitle(code_point);
	int32_t n = unorm2_getDecomposition(decomposing, mapped, units, DECOMPOSED_MAX, &status);

	assert(U_SUCCESS(status));
	if (n < 0)
		return add_code_point((unsigned)mapped, out);
	for (int32_t i = 0; i < n;) {
		UChar32 part;
		U16_NEXT(units, i, n, part);
		if (!add_code_point((unsigned)part, out))
			return false;
	}
	return true;
}

bool casemap_key(struct str text, struct buf *out)
{
	UErrorCode status = U_ZERO_ERROR;
	const UNormalizer2 *decomposing = unorm2_getNFKDInstance(&status);

	assert(U_SUCCESS(status));
	while (text.len > 0) {
		unsigned char c = (unsigned char)text.p[0];
		if (c < 0x80) {
			if (c != '\0' && !buf_add_c(out, ascii_upper((char)c)))
				return false;
			text = str_from(text, 1);
			continue;
		}
		int code_point = utf8_next(&text);
		if (code_point == UTF8_INVALID)
			code_point = REPLACEMENT;
		if (!add_mapped(decomposing, code_point, out))
			return false;
	}
	return true;
}
