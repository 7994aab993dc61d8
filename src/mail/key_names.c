#include "mail/key_names.h"

#include "mail/header.h"

#define KEY_LABEL "_domainkey"

enum { LABEL_MAX = 63 };

static bool is_label(struct str label)
{
	for (size_t i = 0; i < label.len; i++) {
		char c = label.p[i];
		bool is_small = c >= 'a' && c <= 'z';
		if (!is_small && !ascii_is_digit(c) && c != '-' && c != '_')
			return false;
	}
	return label.len > 0 && label.len <= LABEL_MAX;
}

bool key_name_is_valid(struct str name)
{
	size_t before = 0, after = 0;
	bool is_found = false;

	if (name.len == 0 || name.len > KEY_NAME_LEN_MAX || name.p[name.len - 1] == '.')
		return false;
	while (name.len > 0) {
		struct str label = str_cut(&name, '.');
		if (!is_label(label))
			return false;
		if (!is_found && before > 0 && str_eq(label, STR(KEY_LABEL)))
			is_found = true;
		else if (is_found)
			after++;
		else
			before++;
	}
	return is_found && after >= 2;
}

size_t key_names_find(const struct key_names *names, struct str name)
{
	size_t i = 0;

	while (i < names->n && !str_eq_nocase(names->v[i], name))
		i++;
	return i;
}

struct collecting {
	struct key_names *names;
	struct arena *arena;
};

static bool add(void *ctx, const struct dkim_signature *s)
{
	struct collecting *c = ctx;
	struct buf name CLEANUP(buf_done) = BUF_MAX(KEY_NAME_LEN_MAX);

	if (!dkim_key_name(s, &name) || !key_name_is_valid(buf_str(&name)) ||
	    key_names_find(c->names, buf_str(&name)) < c->names->n)
		return true;
	if (c->names->n == KEY_NAMES_MAX ||
	    !arena_dup(c->arena, buf_str(&name), &c->names->v[c->names->n]))
		return false;
	c->names->n++;
	return true;
}

void key_names_collect(
    struct str header, const struct arc_chain *chain, struct arena *a, struct key_names *ret_names)
{
	struct collecting c = {ret_names, a};
	struct header_reader reader = {.rest = header};
	struct header_field field;
	struct dkim_signature s;
	size_t n = 0;

	ret_names->n = 0;
	arc_key_names(chain, a, add, &c);
	while (n < DKIM_SIGNATURES_MAX && header_next(&reader, &field)) {
		if (!str_eq_nocase(field.name, STR(DKIM_FIELD)))
			continue;
		n++;
		if (dkim_signature_parse(field.value, a, &s) == NULL && !add(&c, &s))
			return;
	}
}
