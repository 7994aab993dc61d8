#include "session/imap/fetch_section.h"

#include <errno.h>
#include <inttypes.h>

#include "base/num.h"
#include "mail/transfer.h"

/* A stretch of a message. */
struct range {
	uint64_t at, len;
};

void fetch_message_done(struct fetch_message *m)
{
	store_body_close(m->body);
	buf_done(&m->header);
	m->body = NULL;
	m->root = NULL;
}

static int open_body(struct fetch_message *m)
{
	if (m->body != NULL)
		return 0;
	int r = store_body_open(m->store, m->id, &m->body);
	if (r == 0)
		m->bytes = store_body_source(m->body);
	return r;
}

int fetch_message_bytes(struct fetch_message *m, struct mail_source **ret_bytes)
{
	int r = open_body(m);

	if (r == 0)
		*ret_bytes = &m->bytes;
	return r;
}

/* A header of the message or of a part of it, as far as it is looked at. */
static int look_at_header(struct fetch_message *m, struct range range, struct str *ret_header)
{
	m->header.max = HEADER_LOOK_LEN;
	return mail_source_slice(&m->bytes, range.at, range.len, &m->header, ret_header);
}

int fetch_message_header(struct fetch_message *m, struct str *ret_header)
{
	struct range range = {0, 0};
	int r = open_body(m);

	if (r == 0)
		r = header_find_end(&m->bytes, &range.len);
	return r < 0 ? r : look_at_header(m, range, ret_header);
}

int fetch_message_structure(struct fetch_message *m, const struct mime_part **ret_root)
{
	int r = open_body(m);

	if (r == 0 && m->root == NULL)
		r = mime_read(&m->bytes, m->arena, &m->root);
	if (r == 0)
		*ret_root = m->root;
	return r;
}

/* Appends bytes of a literal, NUL as 0x80 unless they go into a literal8. */
static void write_bytes(struct imap_output *out, struct str s, bool literal8)
{
	size_t at = out->buf.len;

	if (!buf_add(&out->buf, s) || literal8 || out->take != NULL)
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

static struct range cut_range(const struct imap_fetch_item *item, struct range range)
{
	if (!item->partial)
		return range;
	uint64_t skip = num_min(item->offset, range.len);
	return (struct range){range.at + skip, num_min(item->len, range.len - skip)};
}

/*
 * ` {n}` and bytes of the message, piece by piece; `label` before it. The first piece is read
 * before anything is written.
 */
static int write_range(struct fetch_message *m, const struct imap_fetch_item *item,
    struct range range, struct imap_output *out)
{
	struct str piece = {"", 0};
	int r = 0;

	range = cut_range(item, range);
	if (range.len > 0)
		r = mail_source_look(&m->bytes, range.at, &piece);
	if (r < 0)
		return r;
	imap_fetch_label_write(item, &out->buf);
	buf_printf(&out->buf, " {%" PRIu64 "}\r\n", range.len);
	while (range.len > 0) {
		piece = str_first(str_first(piece, range.len), STORE_BODY_PIECE);
		write_bytes(out, piece, false);
		imap_output_room(out);
		range.at += piece.len;
		range.len -= piece.len;
		if (range.len > 0)
			r = mail_source_look(&m->bytes, range.at, &piece);
		if (r < 0 || piece.len == 0)
			return r < 0 ? r : -EBADMSG;
	}
	return 0;
}

/* What a section of a message (the outermost, or one within) is cut from. */
struct sections {
	struct range header, body;
};

static bool is_named(const struct imap_section *section, struct str name)
{
	for (size_t i = 0; i < section->n_fields; i++)
		if (str_eq_nocase(section->fields[i], name))
			return true;
	return false;
}

/* HEADER.FIELDS and .NOT: the fields that were asked for and the empty line (RFC 9051 §6.4.5.1). */
static int write_fields(struct fetch_message *m, const struct imap_fetch_item *item,
    struct range range, struct imap_output *out)
{
	struct buf fields CLEANUP(buf_done) = BUF_MAX(2 * (size_t)HEADER_LEN_MAX);
	struct header_reader reader = {0};
	struct header_field field;
	bool want = item->section.text == SECTION_HEADER_FIELDS;
	int r = look_at_header(m, range, &reader.rest);

	if (r < 0)
		return r;
	while (header_next(&reader, &field)) {
		if (is_named(&item->section, field.name) == want)
			buf_add(&fields, field.whole);
	}
	buf_add(&fields, STR("\r\n"));
	imap_fetch_label_write(item, &out->buf);
	write_literal(out, cut_partial(item, buf_str(&fields)), false);
	return 0;
}

static int write_text_of(struct fetch_message *m, const struct imap_fetch_item *item,
    const struct sections *of, struct imap_output *out)
{
	switch (item->section.text) {
	case SECTION_HEADER:
		return write_range(m, item, of->header, out);
	case SECTION_TEXT:
		return write_range(m, item, of->body, out);
	default:
		return write_fields(m, item, of->header, out);
	}
}

static int write_root_section(
    struct fetch_message *m, const struct imap_fetch_item *item, struct imap_output *out)
{
	struct sections of = {0};
	int r = open_body(m);

	if (r == 0 && item->section.text == SECTION_ALL)
		return write_range(m, item, (struct range){0, m->bytes.len}, out);
	if (r == 0)
		r = header_find_end(&m->bytes, &of.header.len);
	if (r < 0)
		return r;
	of.body = (struct range){of.header.len, m->bytes.len - of.header.len};
	return write_text_of(m, item, &of, out);
}

static struct range header_of(const struct mime_part *part)
{
	return (struct range){part->header_at, part->header_len};
}

static struct range body_of(const struct mime_part *part)
{
	return (struct range){part->body_at, part->body_len};
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
	if (part != NULL && section->text == SECTION_ALL)
		return write_range(m, item, body_of(part), out);
	if (part != NULL && section->text == SECTION_MIME)
		return write_range(m, item, header_of(part), out);
	if (part != NULL && part->message && part->first_child != NULL) {
		struct sections of = {header_of(part->first_child), body_of(part->first_child)};
		return write_text_of(m, item, &of, out);
	}
	imap_fetch_label_write(item, &out->buf);
	buf_add(&out->buf, STR(" NIL"));
	return 0;
}

/* Going through a part without its transfer encoding: to count, or to write. */
struct binary {
	enum transfer_encoding encoding;
	struct range encoded;
	struct range wanted; /* of what is decoded */
	uint64_t n_decoded;  /* so far */
	uint64_t n_wanted;   /* of these, what is asked for */
	bool has_nul;        /* among the latter */
	bool literal8;
	struct imap_output *out; /* NULL: only counts */
};

static void add_decoded(struct binary *b, struct str piece)
{
	uint64_t skip = b->wanted.at > b->n_decoded ? b->wanted.at - b->n_decoded : 0;

	b->n_decoded += piece.len;
	piece = skip < piece.len ? str_from(piece, skip) : STR("");
	piece = str_first(piece, b->wanted.len - b->n_wanted);
	b->n_wanted += piece.len;
	if (b->out != NULL) {
		write_bytes(b->out, piece, b->literal8);
		imap_output_room(b->out);
	} else if (!b->has_nul && piece.len > 0) {
		b->has_nul = memchr(piece.p, '\0', piece.len) != NULL;
	}
}

static int go_through(struct fetch_message *m, struct binary *b)
{
	struct transfer_decoder decoder CLEANUP(transfer_decoder_done) = {.encoding = b->encoding};
	struct buf decoded CLEANUP(buf_done) = BUF_MAX(4 * STORE_BODY_PIECE);
	uint64_t at = b->encoded.at, end = at + b->encoded.len;

	b->n_decoded = b->n_wanted = 0;
	while (at < end && b->n_wanted < b->wanted.len) {
		struct str piece;
		int r = mail_source_look(&m->bytes, at, &piece);
		if (r < 0)
			return r;
		piece = str_first(str_first(piece, end - at), STORE_BODY_PIECE);
		at += piece.len;
		buf_clear(&decoded);
		(void)transfer_decoder_add(&decoder, piece, at == end, &decoded);
		add_decoded(b, buf_str(&decoded));
	}
	return 0;
}

/* The bytes of a part, or of all of it, and how they are encoded. */
static struct binary binary_of(
    const struct fetch_message *m, const struct imap_fetch_item *item, const struct mime_part *part)
{
	struct binary b = {.encoding = TRANSFER_BINARY, .wanted = {0, UINT64_MAX}};

	if (part == NULL)
		return b;
	b.encoded = (struct range){0, m->bytes.len};
	if (item->section.n_part > 0) {
		b.encoding = part->encoding;
		b.encoded = body_of(part);
	}
	if (item->partial)
		b.wanted = (struct range){item->offset, item->len};
	return b;
}

/* BINARY and BINARY.SIZE (RFC 9051 §6.4.5): of a part without its transfer encoding. */
static int write_binary(
    struct fetch_message *m, const struct imap_fetch_item *item, struct imap_output *out)
{
	const struct mime_part *root, *part;
	int r = fetch_message_structure(m, &root);

	if (r < 0)
		return r;
	part = mime_find(root, item->section.part, item->section.n_part);
	struct binary b = binary_of(m, item, part);
	if (b.encoding == TRANSFER_UNKNOWN)
		return -EOPNOTSUPP;
	r = go_through(m, &b);
	if (r < 0)
		return r;
	imap_fetch_label_write(item, &out->buf);
	if (item->kind == FETCH_BINARY_SIZE)
		buf_printf(&out->buf, " %" PRIu64, b.n_wanted);
	else if (part == NULL)
		buf_add(&out->buf, STR(" NIL"));
	if (item->kind == FETCH_BINARY_SIZE || part == NULL)
		return 0;
	buf_printf(&out->buf, b.has_nul ? " ~{%" PRIu64 "}\r\n" : " {%" PRIu64 "}\r\n", b.n_wanted);
	b.literal8 = b.has_nul;
	b.out = out;
	return go_through(m, &b);
}

int fetch_section_write(
    struct fetch_message *m, const struct imap_fetch_item *item, struct imap_output *out)
{
	if (item->kind != FETCH_SECTION)
		return write_binary(m, item, out);
	if (item->section.n_part > 0)
		return write_part_section(m, item, out);
	return write_root_section(m, item, out);
}
