#include "smtp/path.h"

#include <arpa/inet.h>

#include "base/num.h"
#include "base/utf8.h"

static bool is_non_ascii(char c)
{
	return (unsigned char)c >= 0x80;
}

static bool is_let_dig(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

/* atext of RFC 5322 §3.2.3, with UTF8-non-ascii of RFC 6531 §3.3. */
static bool is_atext(char c)
{
	return is_let_dig(c) || is_non_ascii(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/*
 *   sub-domain = Let-dig [Ldh-str]        ; or U-label
 *   Ldh-str    = *( ALPHA / DIGIT / "-" ) Let-dig
 */
static bool label_is_valid(struct str label, bool underscores)
{
	if (label.len == 0 || label.len > SMTP_LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.len; i++) {
		char c = label.p[i];
		bool hyphen = c == '-' && i > 0 && i + 1 < label.len;
		if (!is_let_dig(c) && !is_non_ascii(c) && !hyphen && !(underscores && c == '_'))
			return false;
	}
	return true;
}

/*   Domain = sub-domain *("." sub-domain) */
static bool labels_are_valid(struct str s, bool underscores)
{
	if (s.len == 0 || s.len > SMTP_DOMAIN_MAX || s.p[s.len - 1] == '.')
		return false;
	while (s.len > 0) {
		if (!label_is_valid(str_cut(&s, '.'), underscores))
			return false;
	}
	return true;
}

bool smtp_domain_is_valid(struct str s)
{
	return labels_are_valid(s, false) && utf8_is_valid(s);
}

/*   General-address-literal = Standardized-tag ":" 1*dcontent */
static bool general_literal_is_valid(struct str s)
{
	struct str content = s;
	struct str tag = str_cut(&content, ':');
	if (tag.len == s.len || content.len == 0 || !label_is_valid(tag, false))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		if (c < 33 || c > 126 || c == '[' || c == ']' || c == '\\')
			return false;
	}
	return true;
}

/*
 *   address-literal = "[" ( IPv4-address-literal / IPv6-address-literal /
 *                     General-address-literal ) "]"
 *   IPv6-address-literal = "IPv6:" IPv6-addr
 */
bool smtp_literal_is_valid(struct str s)
{
	if (s.len < 3 || s.p[0] != '[' || s.p[s.len - 1] != ']' || s.len > SMTP_DOMAIN_MAX)
		return false;
	struct str inner = str_of(s.p + 1, s.len - 2);
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN];
	if (str_skip_nocase(&inner, STR("IPv6:")))
		return str_to_cstr(inner, text, sizeof text) == 0 &&
		       inet_pton(AF_INET6, text, &address) == 1;
	if (str_to_cstr(inner, text, sizeof text) == 0 && inet_pton(AF_INET, text, &address) == 1)
		return true;
	return general_literal_is_valid(inner);
}

bool smtp_hello_name_is_valid(struct str s)
{
	if (smtp_literal_is_valid(s))
		return true;
	if (s.len > 1 && s.p[s.len - 1] == '.')
		s.len--;
	return utf8_is_ascii(s) && labels_are_valid(s, true);
}

/*
 *   Quoted-string  = DQUOTE *QcontentSMTP DQUOTE
 *   QcontentSMTP   = qtextSMTP / quoted-pairSMTP
 *   quoted-pairSMTP = %d92 %d32-126
 *   qtextSMTP      = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii
 */
static size_t quoted_string_len(struct str s)
{
	if (s.len < 2 || s.p[0] != '"')
		return 0;
	for (size_t i = 1; i < s.len; i++) {
		char c = s.p[i];
		if (c == '"')
			return i + 1;
		if (c == '\\' && (++i == s.len || s.p[i] < 32 || s.p[i] > 126))
			return 0;
		if (!is_non_ascii(c) && (c < 32 || c > 126))
			return 0;
	}
	return 0;
}

/*   Dot-string = Atom *("." Atom) */
static size_t dot_string_len(struct str s)
{
	size_t len = 0;
	bool after_atom = false;
	while (len < s.len && (is_atext(s.p[len]) || (s.p[len] == '.' && after_atom))) {
		after_atom = s.p[len] != '.';
		len++;
	}
	return after_atom ? len : 0;
}

/*   Local-part = Dot-string / Quoted-string */
static size_t local_part_len(struct str s)
{
	size_t len = s.len > 0 && s.p[0] == '"' ? quoted_string_len(s) : dot_string_len(s);
	return len <= SMTP_LOCAL_MAX ? len : 0;
}

/* The end of a domain within a path: what cannot stand in one. A literal ends with its bracket. */
static size_t domain_len(struct str s)
{
	if (s.len > 0 && s.p[0] == '[') {
		size_t close = str_index(s, ']');
		return close < s.len ? close + 1 : 0;
	}
	size_t len = 0;
	while (len < s.len && (is_let_dig(s.p[len]) || is_non_ascii(s.p[len]) || s.p[len] == '-' ||
	                          s.p[len] == '.'))
		len++;
	return len;
}

static bool domain_or_literal_is_valid(struct str s)
{
	return s.len > 0 && s.p[0] == '[' ? smtp_literal_is_valid(s) : smtp_domain_is_valid(s);
}

/*   Mailbox = Local-part "@" ( Domain / address-literal ) */
static bool mailbox_cut(struct str *rest, struct smtp_path *ret_path)
{
	struct str s = *rest;
	size_t local = local_part_len(s);
	if (local == 0 || local == s.len || s.p[local] != '@')
		return false;
	struct str domain = str_from(s, local + 1);
	domain = str_first(domain, domain_len(domain));
	struct str mailbox = str_first(s, local + 1 + domain.len);
	if (!domain_or_literal_is_valid(domain) || mailbox.len > SMTP_MAILBOX_MAX ||
	    !utf8_is_valid(mailbox))
		return false;
	*ret_path = (struct smtp_path){
	    .mailbox = mailbox,
	    .local = str_first(s, local),
	    .domain = domain,
	    .non_ascii = !utf8_is_ascii(mailbox),
	};
	*rest = str_from(s, mailbox.len);
	return true;
}

bool smtp_mailbox_is_valid(struct str s)
{
	struct smtp_path path;
	return mailbox_cut(&s, &path) && s.len == 0;
}

/*
 * Skips a source route, which is read and ignored (RFC 5321 §3.3, appendix C).
 *
 *   A-d-l     = At-domain *( "," At-domain )
 *   At-domain = "@" Domain
 */
static bool skip_source_route(struct str *rest)
{
	struct str s = *rest;
	do {
		if (!str_skip(&s, STR("@")))
			return false;
		size_t len = domain_len(s);
		if (!domain_or_literal_is_valid(str_first(s, len)))
			return false;
		s = str_from(s, len);
	} while (str_skip(&s, STR(",")));
	if (!str_skip(&s, STR(":")))
		return false;
	*rest = s;
	return true;
}

static bool path_cut(struct str *rest, struct smtp_path *ret_path)
{
	struct str s = *rest;
	struct smtp_path path;
	if (!str_skip(&s, STR("<")))
		return false;
	if (s.len > 0 && s.p[0] == '@' && !skip_source_route(&s))
		return false;
	if (!mailbox_cut(&s, &path) || !str_skip(&s, STR(">")))
		return false;
	*ret_path = path;
	*rest = s;
	return true;
}

bool smtp_reverse_path_cut(struct str *rest, struct smtp_path *ret_path)
{
	if (str_skip(rest, STR("<>"))) {
		*ret_path = (struct smtp_path){.mailbox = STR("")};
		return true;
	}
	return path_cut(rest, ret_path);
}

bool smtp_forward_path_cut(struct str *rest, struct smtp_path *ret_path)
{
	if (str_skip_nocase(rest, STR("<postmaster>"))) {
		*ret_path =
		    (struct smtp_path){.mailbox = STR("postmaster"), .local = STR("postmaster")};
		return true;
	}
	return path_cut(rest, ret_path);
}
