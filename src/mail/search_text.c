#include "mail/search_text.h"

#include "mail/address.h"
#include "mail/charset.h"
#include "mail/encoded_word.h"
#include "mail/header.h"
#include "mail/html_text.h"
#include "mail/text.h"

static const struct {
	struct str name;
	enum search_class class;
} field_classes[] = {
    {STR_INIT("Subject"), SEARCH_CLASS_SUBJECT},
    {STR_INIT("From"), SEARCH_CLASS_FROM},
    {STR_INIT("To"), SEARCH_CLASS_TO},
    {STR_INIT("Cc"), SEARCH_CLASS_CC},
    {STR_INIT("Bcc"), SEARCH_CLASS_BCC},
};

enum search_class search_class_of(struct str field_name)
{
	for (size_t i = 0; i < ARRAY_LEN(field_classes); i++)
		if (str_eq_nocase(field_name, field_classes[i].name))
			return field_classes[i].class;
	return SEARCH_CLASS_HEADER;
}

static void shrink(struct buf *b, size_t max)
{
	if (b->cap > SEARCH_TEXT_KEEP)
		buf_done(b);
	b->max = max;
	buf_clear(b);
}

void search_texts_done(struct search_texts *t)
{
	buf_done(&t->raw);
	buf_done(&t->text);
	buf_done(&t->folded);
}

static void begin(struct search_texts *t, search_text_fn fn, void *ctx)
{
	t->fn = fn;
	t->ctx = ctx;
	shrink(&t->raw, SEARCH_TEXT_LEN_MAX);
	shrink(&t->text, SEARCH_TEXT_LEN_MAX);
	shrink(&t->folded, SEARCH_TEXT_FOLDED_MAX);
}

/* "name: value", both folded by themselves, so that the value is a piece of the whole. */
static struct search_text join(struct search_texts *t, struct str name, struct str value)
{
	struct search_text text = {0};

	buf_clear(&t->folded);
	charset_search_key(name, &t->folded);
	size_t name_len = t->folded.len;
	buf_add(&t->folded, STR(": "));
	size_t value_at = t->folded.len;
	charset_search_key(value, &t->folded);
	text.joined = buf_str(&t->folded);
	text.name = str_first(text.joined, name_len);
	text.text = str_from(text.joined, value_at);
	return text;
}

static bool give_plain(struct search_texts *t, enum search_class class, struct str plain)
{
	if (plain.len == 0)
		return true;
	buf_clear(&t->folded);
	charset_search_key(plain, &t->folded);
	struct search_text text = {.class = class};
	text.text = text.joined = buf_str(&t->folded);
	return t->fn(t->ctx, &text);
}

static bool give_field(
    struct search_texts *t, const struct header_field *field, enum search_class class)
{
	buf_clear(&t->text);
	encoded_word_decode(field->value, &t->text);
	struct search_text text = join(t, field->name, buf_str(&t->text));
	text.class = class;
	if (class == SEARCH_CLASS_BODY) {
		text.name = (struct str){NULL, 0};
		text.text = text.joined;
	}
	return t->fn(t->ctx, &text);
}

/* FROM, TO, CC and BCC look at the envelope (RFC 9051 §6.4.4). */
static bool give_addresses(
    struct search_texts *t, enum search_class class, struct str value, struct arena *a)
{
	struct address *list;

	if (address_list_parse(value, a, &list) < 0)
		return true;
	buf_clear(&t->text);
	for (; list != NULL; list = list->next) {
		encoded_word_decode(list->name, &t->text);
		buf_add(&t->text, STR(" <"));
		buf_add(&t->text, list->mailbox);
		if (list->host.len > 0)
			buf_add_c(&t->text, '@');
		buf_add(&t->text, list->host);
		buf_add(&t->text, STR("> "));
	}
	return give_plain(t, class, buf_str(&t->text));
}

bool search_text_header(struct search_texts *t, struct str header, struct str only, struct arena *a,
    search_text_fn fn, void *ctx)
{
	struct header_reader reader = {.rest = header};
	struct header_field field;
	bool had_subject = false;

	begin(t, fn, ctx);
	while (header_next(&reader, &field)) {
		if (only.len > 0 && !str_eq_nocase(field.name, only))
			continue;
		enum search_class class = search_class_of(field.name);
		if (class == SEARCH_CLASS_SUBJECT && had_subject)
			class = SEARCH_CLASS_HEADER;
		had_subject |= class == SEARCH_CLASS_SUBJECT;
		if (!give_field(t, &field, class))
			return false;
		if (class >= SEARCH_CLASS_FROM && class <= SEARCH_CLASS_BCC &&
		    !give_addresses(t, class, field.value, a))
			return false;
	}
	return true;
}

/* A line that begins with white space continues the one before (RFC 5545 §3.1). */
static void unfold_lines(struct str lines, struct buf *out)
{
	while (lines.len > 0) {
		size_t n = str_index(lines, '\n');
		struct str line = str_first(lines, n + 1);
		lines = str_from(lines, n + 1);
		if (lines.len > 0 && (lines.p[0] == ' ' || lines.p[0] == '\t')) {
			line = str_trim(line);
			lines = str_from(lines, 1);
		}
		buf_add(out, line);
	}
}

static bool is_html(const struct mime_part *part)
{
	return mime_is(part, STR("text"), STR("html")) ||
	       mime_is(part, STR("application"), STR("xhtml+xml"));
}

static bool is_of_lines(const struct mime_part *part)
{
	return mime_is(part, STR("text"), STR("calendar")) ||
	       mime_is(part, STR("text"), STR("vcard")) ||
	       mime_is(part, STR("text"), STR("x-vcard")) ||
	       mime_is(part, STR("text"), STR("x-vcalendar")) ||
	       mime_is(part, STR("application"), STR("ics"));
}

static bool is_text(const struct mime_part *part)
{
	return mime_is(part, STR("text"), STR("")) ||
	       (mime_is(part, STR("multipart"), STR("")) && !part->multipart) || is_html(part) ||
	       is_of_lines(part) || mime_is(part, STR("application"), STR("json")) ||
	       mime_is(part, STR("application"), STR("xml"));
}

static bool give_part(struct search_texts *t, struct str message, const struct mime_part *part)
{
	struct buf *text = &t->raw;

	buf_clear(&t->raw);
	buf_clear(&t->text);
	text_of_part(message, part, &t->raw);
	if (is_html(part)) {
		html_to_text(buf_str(&t->raw), &t->text);
		text = &t->text;
	} else if (is_of_lines(part)) {
		unfold_lines(buf_str(&t->raw), &t->text);
		text = &t->text;
	}
	return give_plain(t, SEARCH_CLASS_BODY, buf_str(text));
}

static bool give_file_name(struct search_texts *t, const struct mime_part *part)
{
	buf_clear(&t->text);
	if (!mime_filename(part, &t->text))
		return true;
	return give_plain(t, SEARCH_CLASS_BODY, buf_str(&t->text));
}

static bool give_inner_header(struct search_texts *t, struct str header, enum search_class class)
{
	struct header_reader reader = {.rest = header};
	struct header_field field;

	while (header_next(&reader, &field))
		if (!give_field(t, &field, class))
			return false;
	return true;
}

bool search_text_body(struct search_texts *t, struct str message, const struct mime_part *root,
    search_text_fn fn, void *ctx)
{
	size_t n = 0;

	begin(t, fn, ctx);
	for (const struct mime_part *part = root; part != NULL && n < SEARCH_TEXT_PARTS_MAX;
	     part = mime_next(part), n++) {
		enum search_class class =
		    mime_is_message_root(part) ? SEARCH_CLASS_BODY : SEARCH_CLASS_MIME;
		if (part != root && !give_inner_header(t, mime_header(message, part), class))
			return false;
		if (!give_file_name(t, part))
			return false;
		if (is_text(part) && !give_part(t, message, part))
			return false;
	}
	return true;
}
