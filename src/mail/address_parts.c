/* What is asked of a single address: its halves, its domain's one spelling, its display form. */
#include "mail/address.h"

#include <unicode/uidna.h>

#include "base/utf8.h"
#include "mail/encoded_word.h"

bool address_split(struct str address, struct str *ret_local, struct str *ret_domain)
{
	bool quoted = false;
	size_t at = address.len;

	for (size_t i = 0; i < address.len; i++) {
		char c = address.p[i];
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == '@' && !quoted)
			at = i;
	}
	if (at == 0 || at + 1 >= address.len)
		return false;
	*ret_local = str_first(address, at);
	*ret_domain = str_from(address, at + 1);
	return true;
}

bool address_local_unquote(struct str local, struct buf *out)
{
	if (local.len < 2 || local.p[0] != '"' || !str_ends(local, STR("\"")))
		return buf_add(out, local);
	struct str text = str_first(str_from(local, 1), local.len - 2);
	bool fits = true;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\\' && i + 1 < text.len)
			i++;
		fits = buf_add_c(out, text.p[i]) && fits;
	}
	return fits;
}

/* atext of RFC 5322 §3.2.3 and, as RFC 6532 §3.2 adds, everything beyond ASCII. */
static bool is_atext(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c >= 0x80 ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Dot-string = Atom *("." Atom) */
static bool is_dot_string(struct str s)
{
	bool after_dot = true;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '.' ? after_dot : !is_atext(s.p[i]))
			return false;
		after_dot = s.p[i] == '.';
	}
	return !after_dot;
}

/* Quoted-string; controls, which it cannot hold, become spaces. */
static bool add_quoted(struct str s, struct buf *out)
{
	buf_add_c(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		bool control = (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f;
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_add_c(out, '\\');
		buf_add_c(out, control ? ' ' : s.p[i]);
	}
	return buf_add_c(out, '"') && !buf_failed(out);
}

bool address_local_quote(struct str local, struct buf *out)
{
	return is_dot_string(local) ? buf_add(out, local) : add_quoted(local, out);
}

bool address_subaddress(struct str local, char separator, struct str *ret_user, struct str *ret_tag)
{
	size_t at = str_index(local, separator);
	bool has_tag = at > 0 && at < local.len;

	*ret_user = has_tag ? str_first(local, at) : local;
	*ret_tag = has_tag ? str_from(local, at + 1) : STR("");
	return has_tag;
}

/* display-name as a phrase: bare where all of it is atext and spaces. */
static void add_display_name(struct str name, struct buf *out)
{
	bool bare = true;

	for (size_t i = 0; i < name.len; i++)
		bare = bare && (is_atext(name.p[i]) || name.p[i] == ' ');
	if (!utf8_is_ascii(name) || str_find(name, STR("=?")) < name.len)
		encoded_word_encode(name, 0, out);
	else if (bare)
		buf_add(out, name);
	else
		add_quoted(name, out);
}

bool address_format(const struct address *address, struct buf *out)
{
	bool named = address->name.len > 0;

	if (named) {
		add_display_name(address->name, out);
		buf_add(out, STR(" <"));
	}
	address_local_quote(address->mailbox, out);
	if (address->host.len > 0) {
		buf_add_c(out, '@');
		buf_add(out, address->host);
	}
	if (named)
		buf_add_c(out, '>');
	return !buf_failed(out);
}

/* --- domains --- */

/* RFC 1123 §2.1 and RFC 5890 §2.3.1: sub-domain = Let-dig [Ldh-str], of 1 to 63 bytes. */
static bool is_host_label(struct str label)
{
	if (label.len == 0 || label.len > ADDRESS_LABEL_LEN_MAX || label.p[0] == '-' ||
	    label.p[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		if (!ascii_is_alpha(label.p[i]) && !ascii_is_digit(label.p[i]) && label.p[i] != '-')
			return false;
	}
	return true;
}

static bool is_number(struct str label)
{
	for (size_t i = 0; i < label.len; i++) {
		if (!ascii_is_digit(label.p[i]))
			return false;
	}
	return true;
}

/* The last label is no number, so that nothing is a name and an IPv4 address at once (RFC 1123
 * §2.1). `*ret_idna`: some label is an A-label, whose inside is to be checked. */
static bool is_host_name(struct str name, bool *ret_idna)
{
	bool idna = false;

	if (name.len == 0 || name.len > ADDRESS_DOMAIN_LEN_MAX || str_ends(name, STR(".")))
		return false;
	while (name.len > 0) {
		struct str label = str_cut(&name, '.');
		if (!is_host_label(label) || (name.len == 0 && is_number(label)))
			return false;
		idna = idna || str_starts_nocase(label, STR("xn--"));
	}
	*ret_idna = idna;
	return true;
}

typedef int32_t idna_convert(
    const UIDNA *, const char *, int32_t, char *, int32_t, UIDNAInfo *, UErrorCode *);

/* UTS #46 through ICU, with STD3 rules: into `to`; the length, or 0 when it is no domain. */
static size_t convert_idna(idna_convert *convert, struct str name, char *to, size_t to_len)
{
	const uint32_t options = UIDNA_USE_STD3_RULES | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ |
	                         UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE;
	UErrorCode status = U_ZERO_ERROR;
	UIDNAInfo info = UIDNA_INFO_INITIALIZER;
	UIDNA *idna = uidna_openUTS46(options, &status);

	if (U_FAILURE(status))
		return 0;
	int32_t len = convert(idna, name.p, (int32_t)name.len, to, (int32_t)to_len, &info, &status);
	uidna_close(idna);
	return U_FAILURE(status) || info.errors != 0 || len < 0 ? 0 : (size_t)len;
}

enum { IDNA_INPUT_LEN_MAX = 4 * ADDRESS_DOMAIN_LEN_MAX };

static bool add_lower(struct str s, struct buf *out)
{
	char *to = buf_reserve(out, s.len);

	if (to == NULL)
		return false;
	for (size_t i = 0; i < s.len; i++)
		to[i] = ascii_lower(s.p[i]);
	buf_commit(out, s.len);
	return true;
}

bool address_domain_canonical(struct str domain, struct buf *out)
{
	char ascii[ADDRESS_DOMAIN_LEN_MAX + 3];
	bool idna = false;

	if (domain.len > IDNA_INPUT_LEN_MAX)
		return false;
	if (str_ends(domain, STR(".")))
		domain.len--;
	if (utf8_is_ascii(domain)) {
		if (!is_host_name(domain, &idna))
			return false;
		if (!idna)
			return add_lower(domain, out);
	}
	size_t len = convert_idna(uidna_nameToASCII_UTF8, domain, ascii, sizeof(ascii));
	return is_host_name(str_of(ascii, len), &idna) && add_lower(str_of(ascii, len), out);
}

bool address_domain_display(struct str domain, struct buf *out)
{
	struct buf canonical CLEANUP(buf_done) = BUF_MAX(ADDRESS_DOMAIN_LEN_MAX);
	char text[IDNA_INPUT_LEN_MAX];
	bool idna = false;

	if (!address_domain_canonical(domain, &canonical) ||
	    !is_host_name(buf_str(&canonical), &idna))
		return false;
	if (!idna)
		return buf_add(out, buf_str(&canonical));
	size_t len = convert_idna(uidna_nameToUnicodeUTF8, buf_str(&canonical), text, sizeof(text));
	return len > 0 && buf_add(out, str_of(text, len));
}

bool address_domain_eq(struct str a, struct str b)
{
	struct buf canonical_a CLEANUP(buf_done) = BUF_MAX(ADDRESS_DOMAIN_LEN_MAX);
	struct buf canonical_b CLEANUP(buf_done) = BUF_MAX(ADDRESS_DOMAIN_LEN_MAX);

	return address_domain_canonical(a, &canonical_a) &&
	       address_domain_canonical(b, &canonical_b) &&
	       str_eq(buf_str(&canonical_a), buf_str(&canonical_b));
}
