/* Reading DKIM-Signature fields (RFC 6376 §3.5), and those of ARC that are like them (RFC 8617
 * §4.1.2, §4.1.3). */
#include "base/base64.h"
#include "base/num.h"
#include "mail/address.h"
#include "mail/dkim.h"
#include "mail/tag_list.h"

enum { SIGNATURE_TEXT_MAX = 16384, DECIMAL_MAX = 12 };

static bool squeeze(struct str value, struct arena *a, struct str *ret)
{
	struct buf plain CLEANUP(buf_done) = BUF_MAX(SIGNATURE_TEXT_MAX);

	return tag_list_squeeze(value, &plain) && arena_dup(a, buf_str(&plain), ret);
}

static bool decode(struct str value, struct arena *a, struct str *ret)
{
	struct buf plain CLEANUP(buf_done) = BUF_MAX(SIGNATURE_TEXT_MAX);
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(SIGNATURE_TEXT_MAX);

	return tag_list_squeeze(value, &plain) && base64_decode(buf_str(&plain), &bytes) &&
	       bytes.len > 0 && arena_dup(a, buf_str(&bytes), ret);
}

/* §3.5: t= and x= are of at most 12 digits, l= of at most 76: as large as a number is here. */
static bool read_number(
    const struct tag_list *tags, struct str name, size_t len_max, uint64_t *value)
{
	struct str text;

	if (!tag_list_find(tags, name, &text))
		return true;
	return text.len <= len_max && num_parse(text, INT64_MAX, value);
}

static const char *read_algorithm(const struct tag_list *tags, struct dkim_signature *s)
{
	struct str text;

	if (!tag_list_find(tags, STR("a"), &text))
		return "no algorithm";
	if (str_eq_nocase(text, STR("rsa-sha256")))
		s->kind = DKIM_KEY_RSA;
	else if (str_eq_nocase(text, STR("ed25519-sha256")))
		s->kind = DKIM_KEY_ED25519;
	else if (str_eq_nocase(text, STR("rsa-sha1")))
		return "SHA-1 is not accepted"; /* RFC 8301 §3.1 */
	else
		return "unknown algorithm";
	return NULL;
}

static bool read_canon(struct str word, enum dkim_canon *ret_canon)
{
	*ret_canon = str_eq_nocase(word, STR("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE;
	return *ret_canon == DKIM_RELAXED || str_eq_nocase(word, STR("simple"));
}

static const char *read_canons(const struct tag_list *tags, struct dkim_signature *s)
{
	struct str text;

	s->header_canon = s->body_canon = DKIM_SIMPLE;
	if (!tag_list_find(tags, STR("c"), &text))
		return NULL;
	struct str header = str_cut(&text, '/');
	if (!read_canon(header, &s->header_canon) ||
	    (text.len > 0 && !read_canon(text, &s->body_canon)))
		return "unknown canonicalization";
	return NULL;
}

/* A name for the DNS: without what would end a label or a question elsewhere. */
static bool is_dns_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];
		if (c <= ' ' || c == 0x7f || c == '@' || c == '/' || c == '\\' || c == '"')
			return false;
		if (c == '.' && (i == 0 || i + 1 == name.len || name.p[i - 1] == '.'))
			return false;
	}
	return name.len > 0 && name.len <= ADDRESS_DOMAIN_LEN_MAX;
}

/* i= is of the domain d= or of one below it (§3.5). */
static bool is_within(struct str identity, struct str domain)
{
	size_t at = identity.len;

	while (at > 0 && identity.p[at - 1] != '@')
		at--;
	struct str own = str_from(identity, at);
	if (at == 0 || own.len < domain.len)
		return false;
	size_t before = own.len - domain.len;
	return str_eq_nocase(str_from(own, before), domain) &&
	       (before == 0 || own.p[before - 1] == '.');
}

static const char *read_key_name(
    const struct tag_list *tags, struct arena *a, struct dkim_signature *s)
{
	struct str text;

	if (!tag_list_find(tags, STR("d"), &text) || !squeeze(text, a, &s->domain) ||
	    !is_dns_name(s->domain))
		return "no domain";
	if (!tag_list_find(tags, STR("s"), &text) || !squeeze(text, a, &s->selector) ||
	    !is_dns_name(s->selector))
		return "no selector";
	return NULL;
}

/* h=. It must not be empty (RFC 6376 §3.5); the published cases of ARC want it taken there. */
static const char *read_names(
    const struct tag_list *tags, bool is_dkim, struct arena *a, struct dkim_signature *s)
{
	struct str text;

	if (!tag_list_find(tags, STR("h"), &text) || !squeeze(text, a, &s->names) ||
	    (is_dkim && s->names.len == 0))
		return "no list of header fields";
	return NULL;
}

static const char *read_identity(
    const struct tag_list *tags, struct arena *a, struct dkim_signature *s)
{
	struct str text;

	if (!tag_list_has_word(s->names, STR("From")))
		return "From is not signed"; /* §5.4 */
	if (!tag_list_find(tags, STR("i"), &text)) {
		struct buf at CLEANUP(buf_done) = BUF_MAX(ADDRESS_DOMAIN_LEN_MAX + 1);
		buf_add_c(&at, '@');
		buf_add(&at, s->domain);
		return arena_dup(a, buf_str(&at), &s->identity) ? NULL : "too long";
	}
	if (!squeeze(text, a, &s->identity) || !is_within(s->identity, s->domain))
		return "identity is not of the domain";
	return NULL;
}

static const char *read_body_hash(
    const struct tag_list *tags, struct arena *a, struct dkim_signature *s)
{
	struct str text;

	if (!tag_list_find(tags, STR("bh"), &text) || !decode(text, a, &s->body_hash) ||
	    s->body_hash.len != DKIM_HASH_LEN)
		return "no hash of the body";
	return NULL;
}

static const char *read_signature(
    const struct tag_list *tags, struct arena *a, struct dkim_signature *s)
{
	struct str text;

	if (!tag_list_find(tags, STR("b"), &text) || !decode(text, a, &s->signature))
		return "no signature";
	return NULL;
}

/* v= and q= */
static const char *check_kind(const struct tag_list *tags)
{
	struct str text;

	if (!tag_list_find(tags, STR("v"), &text) || !str_eq(text, STR("1")))
		return "unknown version";
	if (tag_list_find(tags, STR("q"), &text) && !tag_list_has_word(text, STR("dns/txt")))
		return "unknown way to the key";
	return NULL;
}

static const char *read_times(const struct tag_list *tags, struct dkim_signature *s)
{
	s->body_limit = DKIM_BODY_WHOLE;
	s->made_at = s->expires_at = 0;
	if (!read_number(tags, STR("t"), DECIMAL_MAX, &s->made_at) ||
	    !read_number(tags, STR("x"), DECIMAL_MAX, &s->expires_at) ||
	    !read_number(tags, STR("l"), 76, &s->body_limit))
		return "a number cannot be read";
	if (s->expires_at != 0 && s->expires_at < s->made_at)
		return "expires before it was made";
	return NULL;
}

/* What a seal has not: a hash of the body, and a choice of what is signed and how. */
static const char *read_what_is_signed(const struct tag_list *tags, enum dkim_field_kind kind,
    struct arena *a, struct dkim_signature *s)
{
	bool is_dkim = kind == DKIM_FIELD_DKIM;
	const char *why = read_names(tags, is_dkim, a, s);

	if (why == NULL && is_dkim)
		why = read_identity(tags, a, s);
	if (why == NULL)
		why = read_canons(tags, s);
	if (why == NULL)
		why = read_body_hash(tags, a, s);
	return why;
}

const char *dkim_signature_read(struct str value, enum dkim_field_kind kind, struct arena *a,
    struct dkim_signature *ret_signature)
{
	struct dkim_signature s = {0};
	struct tag_list tags;

	if (value.len > SIGNATURE_TEXT_MAX || !tag_list_parse(value, &tags))
		return "syntax error";
	const char *why = kind == DKIM_FIELD_DKIM ? check_kind(&tags) : NULL;
	if (why == NULL)
		why = read_key_name(&tags, a, &s);
	if (why == NULL && kind != DKIM_FIELD_SEAL)
		why = read_what_is_signed(&tags, kind, a, &s);
	if (why == NULL)
		why = read_algorithm(&tags, &s);
	if (why == NULL)
		why = read_times(&tags, &s);
	if (why == NULL)
		why = read_signature(&tags, a, &s);
	*ret_signature = s;
	return why;
}

const char *dkim_signature_parse(
    struct str value, struct arena *a, struct dkim_signature *ret_signature)
{
	return dkim_signature_read(value, DKIM_FIELD_DKIM, a, ret_signature);
}
