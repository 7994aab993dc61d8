#include "mail/dkim_sign.h"

#include <inttypes.h>

#include "base/base64.h"
#include "mail/dkim.h"
#include "mail/header.h"

enum { LINE_WIDTH = 72, CANON_MAX = 4 * 1024 * 1024 };

/* RFC 6376 §5.4.1, and what came since; the most important first. */
static const struct {
	struct str name;
	bool once_more;
} signed_names[] = {
    {STR_INIT("From"), true},
    {STR_INIT("Reply-To"), true},
    {STR_INIT("Subject"), true},
    {STR_INIT("Date"), true},
    {STR_INIT("To"), true},
    {STR_INIT("Cc"), true},
    {STR_INIT("Message-ID"), true},
    {STR_INIT("In-Reply-To"), true},
    {STR_INIT("References"), true},
    {STR_INIT("MIME-Version"), true},
    {STR_INIT("Content-Type"), true},
    {STR_INIT("Content-Transfer-Encoding"), true},
    {STR_INIT("Content-Disposition"), false},
    {STR_INIT("Content-Language"), false},
    {STR_INIT("Sender"), false},
    {STR_INIT("Resent-From"), false},
    {STR_INIT("Resent-Sender"), false},
    {STR_INIT("Resent-To"), false},
    {STR_INIT("Resent-Cc"), false},
    {STR_INIT("Resent-Date"), false},
    {STR_INIT("Resent-Message-ID"), false},
    {STR_INIT("List-Id"), false},
    {STR_INIT("List-Unsubscribe"), false},
    {STR_INIT("List-Unsubscribe-Post"), false},
    {STR_INIT("List-Post"), false},
    {STR_INIT("List-Help"), false},
    {STR_INIT("List-Subscribe"), false},
    {STR_INIT("List-Owner"), false},
    {STR_INIT("List-Archive"), false},
    {STR_INIT("Autocrypt"), false},
    {STR_INIT("TLS-Required"), false},
};

bool dkim_sign_names(struct str header, struct buf *out)
{
	size_t counts[ARRAY_LEN(signed_names)] = {0};
	struct header_reader reader = {.rest = header};
	struct header_field field;

	while (header_next(&reader, &field))
		for (size_t i = 0; i < ARRAY_LEN(signed_names); i++)
			counts[i] += str_eq_nocase(field.name, signed_names[i].name);
	for (size_t i = 0; i < ARRAY_LEN(signed_names); i++) {
		struct str name = signed_names[i].name;
		size_t n = counts[i] < DKIM_SIGNED_EACH_MAX ? counts[i] : DKIM_SIGNED_EACH_MAX;
		n += signed_names[i].once_more;
		for (; n > 0 && out->len + name.len + 1 <= DKIM_SIGN_NAMES_MAX; n--) {
			if (out->len > 0)
				buf_add_c(out, ':');
			buf_add(out, name);
		}
	}
	return !buf_failed(out);
}

bool dkim_sign_fold(struct str text, size_t width, struct buf *out)
{
	while (text.len > width) {
		buf_add(out, str_first(text, width));
		buf_add(out, STR("\r\n\t"));
		text = str_from(text, width);
	}
	return buf_add(out, text) && !buf_failed(out);
}

void dkim_sign_add_names(struct str names, struct buf *field)
{
	size_t width = 0;

	buf_add(field, STR("h="));
	while (names.len > 0) {
		struct str name = str_cut(&names, ':');
		if (width + name.len + 1 > LINE_WIDTH) {
			buf_add(field, STR("\r\n\t"));
			width = 0;
		}
		buf_add(field, name);
		buf_add(field, names.len > 0 ? STR(":") : STR(";"));
		width += name.len + 1;
	}
}

bool dkim_sign_prepare(const struct dkim_signer *signer, struct str header, struct str names,
    const uint8_t body_hash[static DKIM_HASH_LEN], struct buf *field,
    uint8_t ret_hash[static DKIM_HASH_LEN])
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(CANON_MAX);
	size_t start = field->len;

	buf_printf(field,
	    "%s: v=1; a=%s; c=relaxed/relaxed;\r\n\td=%.*s; s=%.*s; t=%" PRIu64 ";\r\n\t",
	    DKIM_FIELD, signer->kind == DKIM_KEY_RSA ? "rsa-sha256" : "ed25519-sha256",
	    STR_FMT(signer->domain), STR_FMT(signer->selector), signer->at);
	dkim_sign_add_names(names, field);
	buf_add(field, STR("\r\n\tbh="));
	base64_encode(str_of(body_hash, DKIM_HASH_LEN), field);
	buf_add(field, STR(";\r\n\tb="));
	if (buf_failed(field) || field->len - start > DKIM_SIGN_FIELD_MAX)
		return false;
	if (!dkim_canon_header(header, names, DKIM_RELAXED, &text) ||
	    !dkim_canon_signature(DKIM_RELAXED, str_from(buf_str(field), start), &text))
		return false;
	dkim_hash(buf_str(&text), ret_hash);
	return true;
}

bool dkim_sign_complete(struct str field, struct str signature, struct buf *out)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(2 * DKIM_SIGNATURE_LEN_MAX);

	base64_encode(signature, &text);
	buf_add(out, field);
	dkim_sign_fold(buf_str(&text), LINE_WIDTH, out);
	return buf_add(out, STR("\r\n")) && !buf_failed(out) && !buf_failed(&text);
}
