#include "imap/flags.h"

static const struct {
	enum imap_flag flag;
	struct str name;
} system_flags[] = {
    {IMAP_ANSWERED, STR_INIT("\\Answered")},
    {IMAP_FLAGGED, STR_INIT("\\Flagged")},
    {IMAP_DELETED, STR_INIT("\\Deleted")},
    {IMAP_SEEN, STR_INIT("\\Seen")},
    {IMAP_DRAFT, STR_INIT("\\Draft")},
};

struct str imap_flag_name(enum imap_flag flag)
{
	for (size_t i = 0; i < ARRAY_LEN(system_flags); i++)
		if (system_flags[i].flag == flag)
			return system_flags[i].name;
	return STR("");
}

void imap_system_flags_write(unsigned system, bool space, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(system_flags); i++) {
		if ((system & system_flags[i].flag) == 0)
			continue;
		if (space)
			buf_add_c(out, ' ');
		buf_add(out, system_flags[i].name);
		space = true;
	}
}

bool imap_parse_keyword(struct imap_parser *p, struct str *ret_keyword)
{
	struct str keyword;

	if (!imap_parse_atom(p, &keyword))
		return false;
	if (keyword.len > IMAP_KEYWORD_LEN_MAX)
		return imap_fail(p, "a shorter keyword");
	*ret_keyword = keyword;
	return true;
}

static bool has_keyword(const struct str *keywords, size_t n, struct str keyword)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq_nocase(keywords[i], keyword))
			return true;
	return false;
}

/* flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / … */
static bool parse_flag(struct imap_parser *p, struct str *keywords, struct imap_flags *flags)
{
	struct str keyword;

	if (imap_peek(p) != '\\') {
		if (!imap_parse_keyword(p, &keyword))
			return false;
		if (flags->n_keywords == IMAP_FLAGS_MAX)
			return imap_fail(p, "fewer flags");
		if (!has_keyword(keywords, flags->n_keywords, keyword))
			keywords[flags->n_keywords++] = keyword;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(system_flags); i++) {
		if (!imap_skip_word(p, system_flags[i].name))
			continue;
		flags->system |= system_flags[i].flag;
		return true;
	}
	return imap_fail(p, "a flag that can be set");
}

static bool parse_flags(struct imap_parser *p, struct imap_flags *ret_flags)
{
	struct str *keywords = ARENA_NEW_ARRAY(p->arena, struct str, IMAP_FLAGS_MAX);
	struct imap_flags flags = {.keywords = keywords};

	if (keywords == NULL)
		return imap_fail_size(p);
	do {
		if (!parse_flag(p, keywords, &flags))
			return false;
	} while (imap_skip(p, ' '));
	*ret_flags = flags;
	return true;
}

bool imap_parse_flag_list(struct imap_parser *p, struct imap_flags *ret_flags)
{
	if (!imap_parse_char(p, '('))
		return false;
	if (imap_skip(p, ')')) {
		*ret_flags = (struct imap_flags){0};
		return true;
	}
	return parse_flags(p, ret_flags) && imap_parse_char(p, ')');
}

/* store-att-flags = … (flag-list / (flag *(SP flag))) */
bool imap_parse_store_flags(struct imap_parser *p, struct imap_flags *ret_flags)
{
	return imap_peek(p) == '(' ? imap_parse_flag_list(p, ret_flags) : parse_flags(p, ret_flags);
}
