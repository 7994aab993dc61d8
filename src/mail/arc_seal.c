#include "mail/arc_seal.h"

#include <inttypes.h>

#include "base/base64.h"
#include "mail/dkim_sign.h"
#include "mail/header.h"

enum {
	NAMES_MAX = DKIM_SIGN_NAMES_MAX + ARC_SIGNATURES_NAMED_MAX * sizeof(":" DKIM_FIELD),
};

#define MESSAGE_FIELD "ARC-Message-Signature"
#define SEAL_FIELD    "ARC-Seal"

bool arc_seal_results(unsigned instance, struct str results, struct buf *out)
{
	buf_printf(out, "ARC-Authentication-Results: i=%u; ", instance);
	buf_add(out, results);
	return buf_add(out, STR("\r\n")) && !buf_failed(out);
}

/* h=: what DKIM signs, and the signatures of DKIM. */
static bool add_names(struct str header, struct buf *out)
{
	struct header_reader reader = {.rest = header};
	struct header_field field;
	size_t n = 0;

	if (!dkim_sign_names(header, out))
		return false;
	while (n < ARC_SIGNATURES_NAMED_MAX && header_next(&reader, &field)) {
		if (!str_eq_nocase(field.name, STR(DKIM_FIELD)))
			continue;
		buf_add(out, STR(":" DKIM_FIELD));
		n++;
	}
	return !buf_failed(out);
}

/* The tags that both have; the instance is the first (§4.1.2, §4.1.3). */
static void begin_field(
    const struct arc_sealer *sealer, const char *name, const char *more, struct buf *field)
{
	buf_printf(field, "%s: i=%u; a=rsa-sha256; %s;\r\n\td=%.*s; s=%.*s; t=%" PRIu64 ";\r\n\t",
	    name, sealer->instance, more, STR_FMT(sealer->domain), STR_FMT(sealer->selector),
	    sealer->at);
}

bool arc_seal_message(const struct arc_sealer *sealer, struct str header,
    const uint8_t body_hash[static DKIM_HASH_LEN], struct buf *field, struct buf *text)
{
	struct buf names CLEANUP(buf_done) = BUF_MAX(NAMES_MAX);
	size_t start = field->len;

	if (!add_names(header, &names))
		return false;
	begin_field(sealer, MESSAGE_FIELD, "c=relaxed/relaxed", field);
	dkim_sign_add_names(buf_str(&names), field);
	buf_add(field, STR("\r\n\tbh="));
	base64_encode(str_of(body_hash, DKIM_HASH_LEN), field);
	buf_add(field, STR(";\r\n\tb="));
	if (buf_failed(field) || field->len - start > ARC_SEAL_FIELD_MAX)
		return false;
	return dkim_canon_header(header, buf_str(&names), DKIM_RELAXED, text) &&
	       dkim_canon_signature(DKIM_RELAXED, str_from(buf_str(field), start), text);
}

static void add_set(const struct arc_set *set, struct buf *text)
{
	dkim_canon_field(DKIM_RELAXED, set->results, text);
	dkim_canon_field(DKIM_RELAXED, set->signature, text);
	if (set->seal.len > 0)
		dkim_canon_field(DKIM_RELAXED, set->seal, text);
}

bool arc_seal_chain(const struct arc_sealer *sealer, const struct arc_chain *chain,
    enum arc_status status, const struct arc_set *set, struct buf *field, struct buf *text)
{
	struct buf more CLEANUP(buf_done) = BUF_MAX(16);
	size_t start = field->len;

	buf_printf(&more, "cv=%s%c", arc_status_word(status), '\0');
	begin_field(sealer, SEAL_FIELD, more.p, field);
	buf_add(field, STR("b="));
	if (buf_failed(field) || field->len - start > ARC_SEAL_FIELD_MAX)
		return false;
	for (size_t i = 0; status == ARC_PASS && i < chain->n; i++)
		add_set(&chain->sets[i], text);
	add_set(set, text);
	return dkim_canon_signature(DKIM_RELAXED, str_from(buf_str(field), start), text) &&
	       !buf_failed(text);
}

bool arc_seal_is_text(struct str text)
{
	size_t at = text.len;

	while (at > 0 && text.p[at - 1] != '\n')
		at--;
	/* behind a LF alone it may go on with a field of another name, for some who verify */
	bool is_line = at == 0 || str_ends(str_first(text, at), STR("\r\n"));
	struct str last = str_from(text, at);
	return is_line &&
	       (str_starts(last, STR("arc-message-signature:i=")) ||
	           str_starts(last, STR("arc-seal:i="))) &&
	       str_ends(last, STR("; b=")) && str_index(last, '\r') == last.len;
}
