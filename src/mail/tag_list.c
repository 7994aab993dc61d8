#include "mail/tag_list.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name(struct str name)
{
	if (name.len == 0 || !ascii_is_alpha(name.p[0]))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alpha(name.p[i]) && !ascii_is_digit(name.p[i]) && name.p[i] != '_')
			return false;
	return true;
}

static bool is_value(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.p[i];
		if (!is_space(value.p[i]) && (c < 0x21 || c == 0x7f))
			return false;
	}
	return true;
}

static bool add_tag(struct tag_list *list, struct str spec)
{
	size_t equals = str_index(spec, '=');
	struct tag tag = {str_trim(str_first(spec, equals)), str_trim(str_from(spec, equals + 1))};
	struct str other;

	if (equals == spec.len || !is_name(tag.name) || !is_value(tag.value) ||
	    list->n == TAG_LIST_MAX || tag_list_find(list, tag.name, &other))
		return false;
	list->v[list->n++] = tag;
	return true;
}

bool tag_list_parse(struct str text, struct tag_list *ret_list)
{
	struct tag_list list = {.n = 0};

	text = str_trim(text);
	while (text.len > 0) {
		if (!add_tag(&list, str_cut(&text, ';')))
			return false;
		text = str_trim(text);
	}
	*ret_list = list;
	return list.n > 0;
}

bool tag_list_find(const struct tag_list *list, struct str name, struct str *ret_value)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->v[i].name, name)) {
			*ret_value = list->v[i].value;
			return true;
		}
	*ret_value = STR("");
	return false;
}

bool tag_list_squeeze(struct str value, struct buf *out)
{
	char *to = buf_reserve(out, value.len);
	size_t len = 0;

	if (to == NULL)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (!is_space(value.p[i]))
			to[len++] = value.p[i];
	buf_commit(out, len);
	return true;
}

bool tag_list_has_word(struct str value, struct str word)
{
	while (value.len > 0)
		if (str_eq_nocase(str_trim(str_cut(&value, ':')), word))
			return true;
	return false;
}

bool tag_list_skip_comments(struct str *rest)
{
	unsigned depth = 0;

	for (; rest->len > 0; *rest = str_from(*rest, 1)) {
		char c = rest->p[0];
		if (c == '(') {
			if (++depth > TAG_COMMENT_DEPTH_MAX)
				return false;
		} else if (depth > 0 && c == ')') {
			depth--;
		} else if (depth > 0 && c == '\\') {
			*rest = str_from(*rest, 1);
		} else if (depth == 0 && !is_space(c)) {
			return true;
		}
	}
	return depth == 0;
}
