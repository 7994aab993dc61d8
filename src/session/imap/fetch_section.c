#include "session/imap/fetch_section.h"

#include <errno.h>

#include "base/num.h"
#include "mail/header.h"
#include "mail/transfer.h"

void fetch_message_done(struct fetch_message *m)
{
	store_body_close(m->body);
	m->body = NULL;
	m->whole = (struct str){NULL, 0};
	m->root = NULL;
}

static int open_body(struct fetch_message *m)
{
	return m->body != NULL ? 0 : store_body_open(m->store, m->id, &m->body);
}

int fetch_message_whole(struct fetch_message *m, struct str *ret_whole)
{
	int r = open_body(m);

	if (r == 0 && m->whole.p == NULL)
		r = store_body_all(m->body, &m->whole);
	if (r == 0)
		*ret_whole = m->whole;
	return r;
}

/* The header usually stands in the first piece; only then the rest need not be read. */
int fetch_message_header(struct fetch_message *m, struct str *ret_header)
{
	struct str start, header, body;
	int r = open_body(m);

	if (r == 0 && m->whole.p != NULL)
		start = m->whole;
	else if (r == 0)
		r = store_body_piece(m->body, 0, &start);
	if (r < 0)
		return r;
	header_split(start, &header, &body);
	if (body.len == 0 && start.len < store_body_len(m->body)) {
		r = fetch_message_whole(m, &start);
		if (r < 0)
			return r;
		header_split(start, &header, &body);
	}
	*ret_header = header;
	return 0;
}

int fetch_message_structure(struct fetch_message *m, const struct mime_part **ret_root)
{
	struct str whole;
	int r = fetch_message_whole(m, &whole);

	if (r == 0 && m->root == NULL)
		r = mime_parse(whole, m->arena, &m->root);
	if (r == 0)
		*ret_root = m->root;
	return r;
}

/* Appends bytes of a literal, NUL as 0x80 unless they go into a literal8. */
static void write_bytes(struct imap_output *out, struct str s, bool literal8)
{
	size_t at = out->buf.len;

	if (!buf_add(&out->buf, s) || literal8 || out->fd < 0)
		return;
	char *p = out->buf.p + at, *end = p + s.len;
	while (p < end && (p = memchr(p, '\0', (size_t)(end - p))) != NULL)
		*p++ = (char)0x80;
}

static void write_literal(struct imap_output *out, struct str s, bool literal8)
{
	buf_printf(&out->buf, literal8 ? " ~{%zu}\r\n" : " {%zu}\r\n", s.len);
	write_bytes(out, s, literal8);
	imap_output_room(out);
}

static struct str cut_partial(const struct imap_fetch_item *item, struct str s)
{
	if (!item->partial)
		return s;
	if (item->offset >= s.len)
		return str_of("", 0);
	return str_first(str_from(s, item->offset), num_min(item->len, s.len));
}

/* BODY[] of the whole message goes piece by piece. */
static int write_whole(
    struct fetch_message *m, const struct imap_fetch_item *item, struct imap_output *out)
{
	struct str piece = {"", 0};
	int r = open_body(m);

	if (r < 0)
		return r;
	uint64_t len = store_body_len(m->body), at = 0, end = len;
	if (item->partial) {
		at = item->offset < len ? item->offset : len;
		end = item->len < len - at ? at + item->len : len;
	}
	if (at < end)
		r = store_body_piece(m->body, at, &piece);
	if (r < 0)
		return r;
	imap_fetch_label_write(item, &out->buf);
	buf_printf(&out->buf, " {%llu}\r\n", (unsigned long long)(end - at));
	while (at < end) {
		piece = str_first(piece, end - at);
		write_bytes(out, piece, false);
		imap_output_room(out);
		at += piece.len;
		if (at < end)
			r = store_body_piece(m->body, at, &piece);
		if (r < 0 || piece.len == 0)
			return r < 0 ? r : -EBADMSG;
	}
	return 0;
}

static bool is_named(const struct imap_section *section, struct str name)
{
	for (size_t i = 0; i < section->n_fields; i++)
		if (str_eq_nocase(section->fields[i], name))
			return true;
	return false;
}

/* HEADER.FIELDS and .NOT: the fields that were asked for and the empty line (RFC 9051 §6.4.5.1). */
static void write_fields(
    const struct imap_fetch_item *item, struct str header, struct imap_output *out)
{
	struct buf fields CLEANUP(buf_done) = BUF_MAX(2 * (size_t)HEADER_LEN_MAX);
	struct header_reader reader = {.rest = header};
	struct header_field field;
	bool want = item->section.text == SECTION_HEADER_FIELDS;

	while (header_next(&reader, &field)) {
		if (is_named(&item->section, field.name) == want)
			buf_add(&fields, field.whole);
	}
	buf_add(&fields, STR("\r\n"));
	write_literal(out, cut_partial(item, buf_str(&fields)), false);
}

/* A section of a message (the outermost, or one within) that is cut into header and body. */
static void write_text_of(
    const struct imap_fetch_item *item, struct str header, struct str body, struct imap_output *out)
{
	switch (item->section.text) {
	case SECTION_HEADER:
		write_literal(out, cut_partial(item, header), false);
		break;
	case SECTION_TEXT:
		write_literal(out, cut_partial(item, body), false);
		break;
	default:
		write_fields(item, header, out);
		break;
	}
}

static int write_root_section(
    struct fetch_message *m, const struct imap_fetch_item *item, struct imap_output *out)
{
	struct str whole, header, body = {"", 0};
	int r;

	if (item->section.text == SECTION_TEXT) {
		r = fetch_message_whole(m, &whole);
		if (r == 0)
			header_split(whole, &header, &body);
	} else {
		r = fetch_message_header(m, &header);
	}
	if (r < 0)
		return r;
	imap_fetch_label_write(item, &out->buf);
	write_text_of(item, header, body, out);
	return 0;
}

static int write_part_section(
    struct fetch_message *m, const struct imap_fetch_item *item, struct imap_output *out)
{
	const struct imap_section *section = &item->section;
	const struct mime_part *root, *part;
	int r = fetch_message_structure(m, &root);

	if (r < 0)
		return r;
	part = mime_find(root, section->part, section->n_part);
	imap_fetch_label_write(item, &out->buf);
	if (part != NULL && section->text == SECTION_ALL) {
		write_literal(out, cut_partial(item, mime_body(m->whole, part)), false);
	} else if (part != NULL && section->text == SECTION_MIME) {
		write_literal(out, cut_partial(item, mime_header(m->whole, part)), false);
	} else if (part != NULL && part->message && part->first_child != NULL) {
		const struct mime_part *child = part->first_child;
		write_text_of(item, mime_header(m->whole, child), mime_body(m->whole, child), out);
	} else {
		buf_add(&out->buf, STR(" NIL"));
	}
	return 0;
}

/* The bytes of a part, or of all of it, and how they are encoded. */
static struct str binary_of(const struct fetch_message *m, const struct imap_fetch_item *item,
    const struct mime_part *part, enum transfer_encoding *ret_encoding)
{
	*ret_encoding = TRANSFER_BINARY;
	if (part == NULL)
		return STR("");
	if (item->section.n_part == 0)
		return m->whole;
	*ret_encoding = part->encoding;
	return mime_body(m->whole, part);
}

static int write_decoded(const struct imap_fetch_item *item, enum transfer_encoding encoding,
    struct str bytes, struct imap_output *out)
{
	struct buf decoded CLEANUP(buf_done) = BUF_MAX(STORE_MESSAGE_LEN_MAX);

	if (!transfer_is_identity(encoding)) {
		if (!transfer_decode(encoding, bytes, &decoded))
			return -E2BIG;
		bytes = buf_str(&decoded);
	}
	bytes = cut_partial(item, bytes);
	write_literal(out, bytes, bytes.len > 0 && memchr(bytes.p, '\0', bytes.len) != NULL);
	return 0;
}

/* BINARY and BINARY.SIZE (RFC 9051 §6.4.5): of a part without its transfer encoding. */
static int write_binary(
    struct fetch_message *m, const struct imap_fetch_item *item, struct imap_output *out)
{
	const struct mime_part *root, *part;
	enum transfer_encoding encoding;
	int r = fetch_message_structure(m, &root);

	if (r < 0)
		return r;
	part = mime_find(root, item->section.part, item->section.n_part);
	struct str bytes = binary_of(m, item, part, &encoding);
	if (encoding == TRANSFER_UNKNOWN)
		return -EOPNOTSUPP;
	imap_fetch_label_write(item, &out->buf);
	if (item->kind == FETCH_BINARY_SIZE)
		buf_printf(&out->buf, " %zu", transfer_decoded_len(encoding, bytes));
	else if (part == NULL)
		buf_add(&out->buf, STR(" NIL"));
	else
		return write_decoded(item, encoding, bytes, out);
	return 0;
}

int fetch_section_write(
    struct fetch_message *m, const struct imap_fetch_item *item, struct imap_output *out)
{
	if (item->kind != FETCH_SECTION)
		return write_binary(m, item, out);
	if (item->section.n_part > 0)
		return write_part_section(m, item, out);
	if (item->section.text == SECTION_ALL)
		return write_whole(m, item, out);
	return write_root_section(m, item, out);
}
