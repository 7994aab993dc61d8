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
	buf_done(&t->header);
}

static void begin(struct search_texts *t, search_text_fn fn, void *ctx)
{
	t->fn = fn;
	t->ctx = ctx;
	shrink(&t->raw, HEADER_LEN_MAX);
	shrink(&t->text, HEADER_LEN_MAX);
	shrink(&t->folded, SEARCH_TEXT_FOLDED_MAX);
	shrink(&t->header, HEADER_LOOK_LEN);
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

/*
 * A line that begins with white space continues the one before (RFC 5545 §3.1). Returns how many
 * bytes were used: of what is not the last only lines behind which another one is seen to begin,
 * unless there is none.
 */
static size_t unfold_lines(struct str lines, bool last, struct buf *out)
{
	size_t len = lines.len;

	while (lines.len > 0) {
		size_t n = str_index(lines, '\n');
		bool open = n + 1 >= lines.len && !last;
		if (open && lines.len < len)
			break;
		struct str line = str_first(lines, n + 1);
		lines = str_from(lines, n + 1);
		if (lines.len > 0 && (lines.p[0] == ' ' || lines.p[0] == '\t')) {
			line = str_trim(line);
			lines = str_from(lines, 1);
		}
		buf_add(out, line);
	}
	return len - lines.len;
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

static bool is_word_end(char c)
{
	return (unsigned char)c < 0x80 && !ascii_is_alpha(c) && !ascii_is_digit(c);
}

/*
 * Where a piece can be cut off: before ASCII that is in no word, with which nothing before it
 * combines; else before any ASCII, or at least before a character.
 */
static size_t cut_of(struct str text, bool *ret_torn)
{
	size_t ascii = 0, character = 0;

	for (size_t i = text.len; i-- > 1;) {
		unsigned char c = (unsigned char)text.p[i];
		if (is_word_end(text.p[i])) {
			*ret_torn = false;
			return i;
		}
		if (ascii == 0 && c < 0x80)
			ascii = i;
		if (character == 0 && (c & 0xc0) != 0x80)
			character = i;
	}
	*ret_torn = true;
	return ascii > 0 ? ascii : character > 0 ? character : text.len;
}

/* A leaf whose text is given out. */
struct leaf {
	struct text_stream stream;
	struct html_text html;
	enum { LEAF_PLAIN, LEAF_HTML, LEAF_OF_LINES } kind;
	bool goes_on;
};

static void leaf_done(struct leaf *leaf)
{
	text_stream_done(&leaf->stream);
}

/* The next piece of text behind what `t->text` has. 1: there is more. */
static int read_leaf(struct search_texts *t, struct leaf *leaf)
{
	size_t used;

	if (leaf->kind == LEAF_PLAIN)
		return text_stream_next(&leaf->stream, &t->text);
	int more = text_stream_next(&leaf->stream, &t->raw);
	if (more < 0)
		return more;
	if (leaf->kind == LEAF_HTML)
		(void)html_text_add(&leaf->html, buf_str(&t->raw), more == 0, &t->text, &used);
	else
		used = unfold_lines(buf_str(&t->raw), more == 0, &t->text);
	buf_consume(&t->raw, used);
	return more;
}

/* Gives out what is there of a leaf's text, up to a good place to cut it. */
static bool give_piece(struct search_texts *t, struct leaf *leaf, bool last)
{
	struct search_text text = {.class = SEARCH_CLASS_BODY, .goes_on = leaf->goes_on};
	size_t len = last ? t->text.len : cut_of(buf_str(&t->text), &text.torn);

	if (len == 0)
		return true;
	buf_clear(&t->folded);
	charset_search_key(str_first(buf_str(&t->text), len), &t->folded);
	text.text = text.joined = buf_str(&t->folded);
	leaf->goes_on = true;
	buf_consume(&t->text, len);
	return t->fn(t->ctx, &text);
}

static int give_part(
    struct search_texts *t, struct mail_source *message, const struct mime_part *part)
{
	struct leaf leaf CLEANUP(leaf_done) = {.kind = is_html(part)       ? LEAF_HTML
	                                               : is_of_lines(part) ? LEAF_OF_LINES
	                                                                   : LEAF_PLAIN};
	int more = 1;

	buf_clear(&t->raw);
	buf_clear(&t->text);
	text_stream_begin(&leaf.stream, message, part);
	while (more > 0) {
		more = read_leaf(t, &leaf);
		if (more < 0)
			return more;
		if ((more == 0 || t->text.len >= SEARCH_TEXT_PIECE) &&
		    !give_piece(t, &leaf, more == 0))
			return 0;
	}
	return 1;
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

static int give_of_part(struct search_texts *t, struct mail_source *message,
    const struct mime_part *part, const struct mime_part *root)
{
	enum search_class class =
	    mime_is_message_root(part) ? SEARCH_CLASS_BODY : SEARCH_CLASS_MIME;
	struct str header = STR("");
	int r = part == root ? 0
	                     : mail_source_slice(
	                           message, part->header_at, part->header_len, &t->header, &header);

	if (r < 0)
		return r;
	if (!give_inner_header(t, header, class) || !give_file_name(t, part))
		return 0;
	return is_text(part) ? give_part(t, message, part) : 1;
}

int search_text_body(struct search_texts *t, struct mail_source *message,
    const struct mime_part *root, search_text_fn fn, void *ctx)
{
	begin(t, fn, ctx);
	for (const struct mime_part *part = root; part != NULL; part = mime_next(part)) {
		int r = give_of_part(t, message, part, root);
		if (r <= 0)
			return r;
	}
	return 1;
}
