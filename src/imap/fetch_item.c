#include "imap/fetch_item.h"

#include "mail/imap_string.h"

struct simple_item {
	struct str word;
	enum imap_fetch_kind kind;
};

static const struct simple_item simple_items[] = {
    {STR_INIT("ENVELOPE"), FETCH_ENVELOPE},
    {STR_INIT("FLAGS"), FETCH_FLAGS},
    {STR_INIT("INTERNALDATE"), FETCH_INTERNALDATE},
    {STR_INIT("RFC822.SIZE"), FETCH_RFC822_SIZE},
    {STR_INIT("BODYSTRUCTURE"), FETCH_BODYSTRUCTURE},
    {STR_INIT("UID"), FETCH_UID},
    {STR_INIT("MODSEQ"), FETCH_MODSEQ},
    {STR_INIT("SAVEDATE"), FETCH_SAVEDATE},
    {STR_INIT("EMAILID"), FETCH_EMAILID},
    {STR_INIT("THREADID"), FETCH_THREADID},
    {STR_INIT("PREVIEW"), FETCH_PREVIEW},
};

static const struct {
	struct str word;
	enum imap_section_text text;
	bool peek;
} rfc822_items[] = {
    {STR_INIT("RFC822"), SECTION_ALL, false},
    {STR_INIT("RFC822.HEADER"), SECTION_HEADER, true},
    {STR_INIT("RFC822.TEXT"), SECTION_TEXT, false},
};

static const struct {
	struct str word;
	enum imap_fetch_kind kinds[5];
	size_t n;
} macros[] = {
    {STR_INIT("ALL"), {FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_RFC822_SIZE, FETCH_ENVELOPE}, 4},
    {STR_INIT("FAST"), {FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_RFC822_SIZE}, 3},
    {STR_INIT("FULL"),
        {FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_RFC822_SIZE, FETCH_ENVELOPE, FETCH_BODY}, 5},
};

static const struct {
	struct str word;
	enum imap_section_text text;
} section_texts[] = {
    {STR_INIT("HEADER.FIELDS.NOT"), SECTION_HEADER_FIELDS_NOT},
    {STR_INIT("HEADER.FIELDS"), SECTION_HEADER_FIELDS},
    {STR_INIT("HEADER"), SECTION_HEADER},
    {STR_INIT("TEXT"), SECTION_TEXT},
    {STR_INIT("MIME"), SECTION_MIME},
};

/* header-list = "(" header-fld-name *(SP header-fld-name) ")", header-fld-name = astring */
static bool parse_fields(struct imap_parser *p, struct imap_section *section)
{
	struct str *fields = ARENA_NEW_ARRAY(p->arena, struct str, IMAP_SECTION_FIELDS_MAX);

	if (fields == NULL)
		return imap_fail_size(p);
	if (!imap_parse_space(p) || !imap_parse_char(p, '('))
		return false;
	do {
		if (section->n_fields == IMAP_SECTION_FIELDS_MAX)
			return imap_fail(p, "fewer header fields");
		if (!imap_parse_astring(p, &fields[section->n_fields++]))
			return false;
	} while (imap_skip(p, ' '));
	section->fields = fields;
	return imap_parse_char(p, ')');
}

/*
 * section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
 * section-text = section-msgtext / "MIME"
 */
static bool parse_section_text(struct imap_parser *p, struct imap_section *section)
{
	for (size_t i = 0; i < ARRAY_LEN(section_texts); i++) {
		if (!imap_skip_word(p, section_texts[i].word))
			continue;
		section->text = section_texts[i].text;
		if (section->text == SECTION_MIME && section->n_part == 0)
			return imap_fail(p, "a part number before MIME");
		if (section->text == SECTION_HEADER_FIELDS ||
		    section->text == SECTION_HEADER_FIELDS_NOT)
			return parse_fields(p, section);
		return true;
	}
	return imap_fail(p, "a part number, HEADER, TEXT or MIME");
}

/* section-part = nz-number *("." nz-number); `*ret_more`: a "." and another word follow. */
static bool parse_part(struct imap_parser *p, struct imap_section *section, bool *ret_more)
{
	uint32_t *part = ARENA_NEW_ARRAY(p->arena, uint32_t, IMAP_SECTION_DEPTH_MAX);
	uint64_t number;

	if (part == NULL)
		return imap_fail_size(p);
	section->part = part;
	*ret_more = true;
	while (ascii_is_digit(imap_peek(p))) {
		if (section->n_part == IMAP_SECTION_DEPTH_MAX)
			return imap_fail(p, "a section of fewer levels");
		if (!imap_parse_number(p, 1, UINT32_MAX, &number))
			return false;
		part[section->n_part++] = (uint32_t)number;
		*ret_more = imap_skip(p, '.');
		if (!*ret_more)
			return true;
	}
	return true;
}

/* section-spec = section-msgtext / (section-part ["." section-text]) */
static bool parse_section(struct imap_parser *p, bool binary, struct imap_section *section)
{
	bool more = true;

	if (!imap_parse_char(p, '['))
		return false;
	if (imap_skip(p, ']'))
		return true;
	if (!parse_part(p, section, &more))
		return false;
	if (more && binary)
		return imap_fail(p, "a part number");
	if (more && !parse_section_text(p, section))
		return false;
	return imap_parse_char(p, ']');
}

/* partial = "<" number64 "." nz-number64 ">" */
static bool parse_partial(struct imap_parser *p, struct imap_fetch_item *item)
{
	if (!imap_skip(p, '<'))
		return true;
	item->partial = true;
	if (!imap_parse_number(p, 0, INT64_MAX, &item->offset))
		return false;
	if (!imap_skip(p, '.'))
		return imap_fail(p, "'.' and a length");
	if (!imap_parse_number(p, 1, INT64_MAX, &item->len))
		return false;
	return imap_skip(p, '>') || imap_fail(p, "'>'");
}

/* A word that is followed by '[': the words themselves have no such byte. */
static bool skip_section_word(struct imap_parser *p, struct str word)
{
	if (!str_starts_nocase(p->rest, word) || p->rest.len <= word.len ||
	    p->rest.p[word.len] != '[')
		return false;
	p->rest = str_from(p->rest, word.len);
	return true;
}

/* "BODY" [".PEEK"] section [partial] / "BINARY" [".PEEK"] … / "BINARY.SIZE" section-binary */
static bool parse_section_item(struct imap_parser *p, struct imap_fetch_item *item, bool *ret_is)
{
	*ret_is = true;
	item->kind = FETCH_SECTION;
	if (skip_section_word(p, STR("BODY")))
		return parse_section(p, false, &item->section) && parse_partial(p, item);
	item->peek = true;
	if (skip_section_word(p, STR("BODY.PEEK")))
		return parse_section(p, false, &item->section) && parse_partial(p, item);
	item->kind = FETCH_BINARY_SIZE;
	if (skip_section_word(p, STR("BINARY.SIZE")))
		return parse_section(p, true, &item->section);
	item->kind = FETCH_BINARY;
	if (skip_section_word(p, STR("BINARY.PEEK")))
		return parse_section(p, true, &item->section) && parse_partial(p, item);
	item->peek = false;
	if (skip_section_word(p, STR("BINARY")))
		return parse_section(p, true, &item->section) && parse_partial(p, item);
	*ret_is = false;
	return true;
}

/*
 * "PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"], preview-mod = "LAZY" (RFC 8970 §6). Behind
 * a single item there may be modifiers of FETCH instead, in parentheses too.
 */
static bool parse_preview(struct imap_parser *p, struct imap_fetch_item *item)
{
	item->lazy = str_starts_nocase(p->rest, STR(" (LAZY"));
	if (!item->lazy)
		return true;
	p->rest = str_from(p->rest, 1);
	if (!imap_parse_char(p, '('))
		return false;
	do {
		if (!imap_skip_word(p, STR("LAZY")))
			return imap_fail(p, "LAZY");
	} while (imap_skip(p, ' '));
	return imap_parse_char(p, ')');
}

static bool parse_item(struct imap_parser *p, struct imap_fetch_item *item)
{
	bool is_section;

	if (!parse_section_item(p, item, &is_section))
		return false;
	if (is_section)
		return true;
	*item = (struct imap_fetch_item){0};
	for (size_t i = 0; i < ARRAY_LEN(simple_items); i++) {
		item->kind = simple_items[i].kind;
		if (imap_skip_word(p, simple_items[i].word))
			return item->kind != FETCH_PREVIEW || parse_preview(p, item);
	}
	item->kind = FETCH_BODY;
	if (imap_skip_word(p, STR("BODY")))
		return true;
	item->kind = FETCH_SECTION;
	for (size_t i = 0; i < ARRAY_LEN(rfc822_items); i++) {
		item->rfc822 = rfc822_items[i].word;
		item->section.text = rfc822_items[i].text;
		item->peek = rfc822_items[i].peek;
		if (imap_skip_word(p, rfc822_items[i].word))
			return true;
	}
	return imap_fail(p, "a FETCH item");
}

static bool parse_macro(struct imap_parser *p, struct imap_fetch_items *items)
{
	for (size_t i = 0; i < ARRAY_LEN(macros); i++) {
		if (!imap_skip_word(p, macros[i].word))
			continue;
		for (; items->n < macros[i].n; items->n++)
			items->v[items->n].kind = macros[i].kinds[items->n];
		return true;
	}
	return false;
}

static size_t count_items(struct str text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.len; i++)
		n += text.p[i] == ' ';
	return n < 5 ? 5 : n;
}

bool imap_parse_fetch_items(struct imap_parser *p, struct imap_fetch_items *ret_items)
{
	size_t most = count_items(p->rest);
	struct imap_fetch_items items = {0};

	if (most > IMAP_FETCH_ITEMS_MAX)
		most = IMAP_FETCH_ITEMS_MAX;
	items.v = ARENA_NEW_ARRAY(p->arena, struct imap_fetch_item, most);
	if (items.v == NULL)
		return imap_fail_size(p);
	if (parse_macro(p, &items)) {
		*ret_items = items;
		return true;
	}
	bool list = imap_skip(p, '(');
	do {
		if (items.n == most)
			return imap_fail(p, "fewer FETCH items");
		if (!parse_item(p, &items.v[items.n++]))
			return false;
	} while (list && imap_skip(p, ' '));
	*ret_items = items;
	return !list || imap_parse_char(p, ')');
}

static bool is_atom(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!imap_is_atom_char(s.p[i]))
			return false;
	return s.len > 0;
}

static void write_fields(const struct imap_section *section, struct buf *out)
{
	buf_add(out, STR(" ("));
	for (size_t i = 0; i < section->n_fields; i++) {
		if (i > 0)
			buf_add_c(out, ' ');
		if (is_atom(section->fields[i]))
			buf_add(out, section->fields[i]);
		else
			imap_string_write(section->fields[i], out);
	}
	buf_add_c(out, ')');
}

static void write_section(const struct imap_section *section, struct buf *out)
{
	for (size_t i = 0; i < section->n_part; i++) {
		if (i > 0)
			buf_add_c(out, '.');
		buf_add_u64(out, section->part[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(section_texts); i++) {
		if (section_texts[i].text != section->text)
			continue;
		if (section->n_part > 0)
			buf_add_c(out, '.');
		buf_add(out, section_texts[i].word);
	}
	if (section->n_fields > 0)
		write_fields(section, out);
}

void imap_fetch_label_write(const struct imap_fetch_item *item, struct buf *out)
{
	if (item->rfc822.len > 0) {
		buf_add(out, item->rfc822);
		return;
	}
	if (item->kind == FETCH_SECTION)
		buf_add(out, STR("BODY["));
	else
		buf_add(out, item->kind == FETCH_BINARY ? STR("BINARY[") : STR("BINARY.SIZE["));
	write_section(&item->section, out);
	buf_add_c(out, ']');
	if (!item->partial)
		return;
	buf_add_c(out, '<');
	buf_add_u64(out, item->offset);
	buf_add_c(out, '>');
}
