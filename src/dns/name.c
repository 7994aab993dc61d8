#include "dns/name.h"

static bool is_label_byte(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

/* Appends a label in lower case, with a dot in front of it where it is not the first. */
static bool add_label(struct dns_name *name, size_t *len, struct str label)
{
	size_t dot = *len > 0 ? 1 : 0;

	if (label.len == 0 || label.len > DNS_LABEL_MAX ||
	    *len + dot + label.len > DNS_TEXT_NAME_MAX)
		return false;
	if (dot > 0)
		name->text[(*len)++] = '.';
	for (size_t i = 0; i < label.len; i++) {
		if (!is_label_byte(label.p[i]))
			return false;
		name->text[(*len)++] = ascii_lower(label.p[i]);
	}
	return true;
}

bool dns_name_parse(struct str text, struct dns_name *ret_name)
{
	struct dns_name name = {{0}};
	size_t len = 0;

	if (text.len == 0)
		return false;
	if (text.p[text.len - 1] == '.')
		text.len--;
	while (text.len > 0) {
		bool is_last = str_index(text, '.') == text.len;
		if (!add_label(&name, &len, str_cut(&text, '.')) || (!is_last && text.len == 0))
			return false;
	}
	*ret_name = name;
	return true;
}

bool dns_name_cut(struct str *rest, struct dns_name *ret_name)
{
	struct dns_name name = {{0}};
	struct str s = *rest;
	size_t len = 0;

	for (;;) {
		size_t label = s.len > 0 ? (unsigned char)s.p[0] : DNS_LABEL_MAX + 1;
		if (label > DNS_LABEL_MAX || label >= s.len + (label == 0))
			return false;
		if (label == 0)
			break;
		if (!add_label(&name, &len, str_first(str_from(s, 1), label)))
			return false;
		s = str_from(s, 1 + label);
	}
	*rest = str_from(s, 1);
	*ret_name = name;
	return true;
}

bool dns_name_add(const struct dns_name *name, struct buf *out)
{
	struct str text = str_of_cstr(name->text);

	while (text.len > 0) {
		struct str label = str_cut(&text, '.');
		buf_add_c(out, (char)label.len);
		buf_add(out, label);
	}
	buf_add_c(out, 0);
	return !buf_failed(out);
}
