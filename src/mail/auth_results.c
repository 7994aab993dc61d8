#include "mail/auth_results.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "mail/address.h"
#include "mail/tag_list.h"

enum { SIGNATURE_BYTES = 6 }; /* RFC 6008 §4: 8 characters of b= */

/* --- whose it is --- */

/* value = token / quoted-string (RFC 2045 §5.1). Characters above 127 are taken (RFC 8601 §2.2). */
static bool is_token_char(char c)
{
	static const char special[] = "()<>@,;:\\\"/[]?=";
	unsigned char u = (unsigned char)c;

	return u > ' ' && u != 0x7f &&
	       str_index(str_of(special, sizeof(special) - 1), c) == sizeof(special) - 1;
}

static bool read_quoted(struct str *rest, struct buf *out)
{
	*rest = str_from(*rest, 1);
	while (rest->len > 0 && rest->p[0] != '"') {
		if (rest->p[0] == '\\' && rest->len > 1)
			*rest = str_from(*rest, 1);
		buf_add_c(out, rest->p[0]);
		*rest = str_from(*rest, 1);
	}
	return str_skip(rest, STR("\"")) && !buf_failed(out);
}

static bool read_value(struct str *rest, struct buf *out)
{
	size_t n = 0;

	if (str_starts(*rest, STR("\"")))
		return read_quoted(rest, out);
	while (n < rest->len && is_token_char(rest->p[n]))
		n++;
	buf_add(out, str_first(*rest, n));
	*rest = str_from(*rest, n);
	return n > 0 && !buf_failed(out);
}

bool auth_results_claims(struct str value, struct str id)
{
	struct buf theirs CLEANUP(buf_done) = BUF_MAX(value.len + 1);

	if (!tag_list_skip_comments(&value) || !read_value(&value, &theirs))
		return true;
	if (!tag_list_skip_comments(&value))
		return true;
	size_t n = 0;
	while (n < value.len && ascii_is_digit(value.p[n])) /* authres-version */
		n++;
	value = str_from(value, n);
	if (!tag_list_skip_comments(&value) || (value.len > 0 && value.p[0] != ';'))
		return true;
	struct str name = buf_str(&theirs);
	while (str_ends(name, STR(".")))
		name.len--;
	return str_eq_nocase(name, id);
}

/* --- writing --- */

static bool is_plain_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '.' &&
		    s.p[i] != '-' && s.p[i] != '_')
			return false;
	return s.len > 0;
}

/* A name, U-labels as A-labels: the header needs no more of servers than it did before. */
static void add_property(struct str name, struct str value, struct buf *out)
{
	struct buf ascii CLEANUP(buf_done) = BUF_MAX(ADDRESS_DOMAIN_LEN_MAX);

	if (!utf8_is_ascii(value) && address_domain_canonical(value, &ascii))
		value = buf_str(&ascii);
	if (!is_plain_name(value))
		return;
	buf_add(out, name);
	buf_add(out, value);
}

static void add_reason(const char *reason, struct buf *out)
{
	if (reason != NULL)
		buf_printf(out, " reason=\"%s\"", reason); /* our own words */
}

/* RFC 6008: so that several signatures of one key can be told apart. */
static void add_signature_start(struct str signature, struct buf *out)
{
	if (signature.len < SIGNATURE_BYTES)
		return;
	buf_add(out, STR(" header.b=\""));
	base64_encode(str_first(signature, SIGNATURE_BYTES), out);
	buf_add_c(out, '"');
}

static void add_signature(const struct dkim_verdict *v, struct buf *out)
{
	const struct dkim_signature *s = &v->signature;

	buf_printf(out, ";\r\n\tdkim=%s", dkim_result_word(v->result));
	add_reason(v->reason, out);
	add_property(STR(" header.d="), s->domain, out);
	add_property(STR(" header.s="), s->selector, out);
	if (s->signature.len > 0)
		buf_add(out, s->kind == DKIM_KEY_RSA ? STR(" header.a=rsa-sha256")
		                                     : STR(" header.a=ed25519-sha256"));
	add_signature_start(s->signature, out);
}

/* What is no address is left out: digits, letters up to "f", dots and colons. */
static bool is_address(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (ascii_hex(s.p[i]) < 0 && s.p[i] != '.' && s.p[i] != ':')
			return false;
	return s.len > 0;
}

static void add_chain(const struct auth_results *r, struct buf *out)
{
	buf_printf(out, ";\r\n\tarc=%s", arc_status_word(r->chain->status));
	add_reason(r->chain->reason, out);
	if (r->chain->status == ARC_PASS)
		buf_printf(out, " header.oldest-pass=%u", r->chain->oldest_pass);
	if (!is_address(r->remote_ip))
		return;
	const char *quote = str_index(r->remote_ip, ':') < r->remote_ip.len ? "\"" : "";
	buf_printf(out, " smtp.remote-ip=%s%.*s%s", quote, STR_FMT(r->remote_ip), quote);
}

bool auth_results_format(const struct auth_results *r, struct buf *out)
{
	buf_add(out, r->id);
	if (r->n_signatures == 0)
		buf_add(out, STR(";\r\n\tdkim=none"));
	for (size_t i = 0; i < r->n_signatures; i++)
		add_signature(&r->signatures[i], out);
	add_chain(r, out);
	return !buf_failed(out);
}
