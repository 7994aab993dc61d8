#include "directory/name.h"

#include "base/utf8.h"
#include "mail/address.h"
#include "mail/charset.h"

static bool has_controls(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

bool name_parse_local(struct str local, struct arena *a, struct str *ret_local)
{
	struct buf plain CLEANUP(buf_done) = BUF_MAX(NAME_LOCAL_LEN_MAX);
	struct buf folded CLEANUP(buf_done) = BUF_MAX(NAME_FOLDED_LEN_MAX);
	if (!address_local_unquote(local, &plain) || plain.len == 0 ||
	    has_controls(buf_str(&plain)) || !utf8_is_valid(buf_str(&plain)) ||
	    !charset_fold(buf_str(&plain), &folded) || folded.len == 0)
		return false;
	return arena_dup(a, buf_str(&folded), ret_local);
}

bool name_parse_domain(struct str domain, struct arena *a, struct str *ret_domain)
{
	struct buf canonical CLEANUP(buf_done) = BUF_MAX(ADDRESS_DOMAIN_LEN_MAX);
	return address_domain_canonical(domain, &canonical) &&
	       arena_dup(a, buf_str(&canonical), ret_domain);
}

bool name_parse(struct str address, struct arena *a, struct name *ret_name)
{
	struct str local;
	struct str domain;
	struct name name;
	if (address.len > NAME_LEN_MAX || !address_split(address, &local, &domain) ||
	    !name_parse_local(local, a, &name.local) || !name_parse_domain(domain, a, &name.domain))
		return false;
	*ret_name = name;
	return true;
}

bool name_parse_outside(struct str address, struct arena *a, struct name *ret_name)
{
	struct buf plain CLEANUP(buf_done) = BUF_MAX(NAME_LOCAL_LEN_MAX);
	struct str local;
	struct str domain;
	struct name name;
	if (address.len > NAME_LEN_MAX || !address_split(address, &local, &domain) ||
	    domain.p[0] == '[' || !address_local_unquote(local, &plain) || plain.len == 0 ||
	    has_controls(buf_str(&plain)) || !utf8_is_valid(buf_str(&plain)) ||
	    !arena_dup(a, buf_str(&plain), &name.local) ||
	    !name_parse_domain(domain, a, &name.domain))
		return false;
	*ret_name = name;
	return true;
}

bool name_fold(const struct name *name, struct arena *a, struct name *ret_name)
{
	struct buf folded CLEANUP(buf_done) = BUF_MAX(NAME_FOLDED_LEN_MAX);
	struct name same = {.domain = name->domain};
	if (!charset_fold(name->local, &folded) || !arena_dup(a, buf_str(&folded), &same.local))
		return false;
	*ret_name = same;
	return true;
}

bool name_format(const struct name *name, struct buf *out)
{
	return address_local_quote(name->local, out) && buf_add_c(out, '@') &&
	       buf_add(out, name->domain);
}

bool name_may_be_new(const struct name *name)
{
	/* dot-string or quoted: what SMTP could not carry was refused by name_parse */
	return str_index(name->local, NAME_SUBADDRESS_SEPARATOR) == name->local.len;
}

bool name_without_tag(const struct name *name, struct name *ret_name)
{
	struct str user;
	struct str tag;
	if (!address_subaddress(name->local, NAME_SUBADDRESS_SEPARATOR, &user, &tag))
		return false;
	*ret_name = (struct name){user, name->domain};
	return true;
}

bool name_display(const struct name *name, struct buf *out)
{
	return address_local_quote(name->local, out) && buf_add_c(out, '@') &&
	       (address_domain_display(name->domain, out) || buf_add(out, name->domain));
}

bool name_eq(const struct name *a, const struct name *b)
{
	return str_eq(a->local, b->local) && str_eq(a->domain, b->domain);
}
