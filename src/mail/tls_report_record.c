/* Who wants TLS reports: the record of RFC 8460 §3. */
#include "mail/tls_report.h"

enum { NAME_LEN_MAX = 32 };

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct str trim(struct str s)
{
	while (s.len > 0 && is_space(s.p[0]))
		s = str_from(s, 1);
	while (s.len > 0 && is_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* A field's name: (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".") */
static bool is_name(struct str name)
{
	if (name.len == 0 || name.len > NAME_LEN_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];
		bool is_first_byte = ascii_is_alpha(c) || ascii_is_digit(c);
		if (!is_first_byte && (i == 0 || (c != '_' && c != '-' && c != '.')))
			return false;
	}
	return true;
}

/* Bytes of URIs (RFC 3986 §2), without those that must be encoded here: "," "!" ";". */
static bool is_uri_byte(char c)
{
	return c > ' ' && c < 0x7f && c != '!' && c != '"' && c != '<' && c != '>' && c != '\\' &&
	       c != '^' && c != '`' && c != '{' && c != '|' && c != '}';
}

static bool is_uri(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_uri_byte(s.p[i]))
			return false;
	return s.len > 0 && s.len <= TLS_REPORT_TARGET_LEN_MAX;
}

/* Appends `s` with %XX decoded; false for a "%" that begins none. */
static bool decode(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] != '%') {
			buf_add_c(out, s.p[i]);
			continue;
		}
		if (s.len - i < 3 || ascii_hex(s.p[i + 1]) < 0 || ascii_hex(s.p[i + 2]) < 0)
			return false;
		buf_add_c(out, (char)(ascii_hex(s.p[i + 1]) << 4 | ascii_hex(s.p[i + 2])));
		i += 2;
	}
	return !buf_failed(out);
}

/* Whether an address can stand in a mail's To: as it is: one "@", no space, no control. */
static bool is_plain_address(struct str address)
{
	size_t at = str_index(address, '@');

	if (at == 0 || at + 1 >= address.len || address.len > TLS_REPORT_ADDRESS_LEN_MAX ||
	    str_index(str_from(address, at + 1), '@') < address.len - at - 1)
		return false;
	for (size_t i = 0; i < address.len; i++)
		if (address.p[i] <= ' ' || address.p[i] >= 0x7f ||
		    str_index(STR("<>,\"();:\\"), address.p[i]) < strlen("<>,\"();:\\"))
			return false;
	return true;
}

/* What stands behind "https://" begins with a name, and perhaps a port. */
static bool has_host(struct str rest)
{
	struct str authority = str_cut(&rest, '/');
	struct str host = str_cut(&authority, ':');

	return host.len > 0 && host.len <= TLS_REPORT_HOST_LEN_MAX;
}

/* A URI of the record as a target; false when it is of a kind that is not sent to. */
static bool take_target(struct str uri, struct arena *a, struct tls_report_target *ret_target)
{
	struct buf address CLEANUP(buf_done) = BUF_MAX(TLS_REPORT_TARGET_LEN_MAX);
	struct str rest = uri;

	if (str_skip_nocase(&rest, STR("https://"))) {
		ret_target->is_mail = false;
		return has_host(rest) && arena_dup(a, uri, &ret_target->target);
	}
	if (!str_skip_nocase(&rest, STR("mailto:")))
		return false;
	/* What would be header fields of the mail (RFC 6068 §2) is not wanted here. */
	if (!decode(str_cut(&rest, '?'), &address) || !is_plain_address(buf_str(&address)))
		return false;
	ret_target->is_mail = true;
	return arena_dup(a, buf_str(&address), &ret_target->target);
}

/* tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri); false when one is no URI. */
static bool take_targets(struct str list, struct arena *a, struct tls_report_target *v, size_t *n)
{
	for (;;) {
		bool is_last = str_index(list, ',') == list.len;
		struct str uri = trim(str_cut(&list, ','));
		if (!is_uri(uri))
			return false;
		if (*n < TLS_REPORT_TARGETS_MAX && take_target(uri, a, &v[*n]))
			(*n)++;
		if (is_last)
			return true;
	}
}

/*
 * tlsrpt-record  = tlsrpt-version 1*(field-delim tlsrpt-field) [field-delim]
 * field-delim    = *WSP ";" *WSP
 * tlsrpt-field   = tlsrpt-rua / tlsrpt-extension
 * tlsrpt-version = %s"v=TLSRPTv1"
 * tlsrpt-rua     = %s"rua=" tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri)
 */
static size_t parse_record(struct str record, struct arena *a, struct tls_report_target *v)
{
	struct str fields = record;
	bool has_rua = false;
	size_t n = 0;

	(void)str_cut(&fields, ';');
	for (;;) {
		bool is_last = str_index(fields, ';') == fields.len;
		struct str value = trim(str_cut(&fields, ';'));
		if (value.len == 0 && is_last)
			break;
		struct str name = str_cut(&value, '=');
		if (!is_name(name) || value.len == 0)
			return 0;
		if (str_eq(name, STR("rua")) && !has_rua) {
			has_rua = true;
			if (!take_targets(value, a, v, &n))
				return 0;
		}
		if (is_last)
			break;
	}
	return n;
}

size_t tls_report_targets(const struct str *records, size_t n, struct arena *a,
    struct tls_report_target v[static TLS_REPORT_TARGETS_MAX])
{
	const struct str *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!str_starts(records[i], STR("v=TLSRPTv1;")))
			continue;
		if (found != NULL)
			return 0;
		found = &records[i];
	}
	return found != NULL ? parse_record(*found, a, v) : 0;
}
