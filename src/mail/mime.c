#include "mail/mime.h"

#include <errno.h>

#include "mail/header.h"
#include "mail/mime_scan.h"

struct parse {
	struct mime_scan scan;
	struct arena *arena;
	struct buf header; /* of the part under way, of a message that is not one window */
	size_t n_parts, n_params, text_len;
	size_t depth;
};

enum field {
	FIELD_TYPE,
	FIELD_ENCODING,
	FIELD_DISPOSITION,
	FIELD_ID,
	FIELD_DESCRIPTION,
	FIELD_LANGUAGE,
	FIELD_LOCATION,
	FIELD_MD5,
	N_FIELDS,
};

/* Each behind "Content-". */
static const struct str field_names[N_FIELDS] = {
    [FIELD_TYPE] = STR_INIT("Type"),
    [FIELD_ENCODING] = STR_INIT("Transfer-Encoding"),
    [FIELD_DISPOSITION] = STR_INIT("Disposition"),
    [FIELD_ID] = STR_INIT("ID"),
    [FIELD_DESCRIPTION] = STR_INIT("Description"),
    [FIELD_LANGUAGE] = STR_INIT("Language"),
    [FIELD_LOCATION] = STR_INIT("Location"),
    [FIELD_MD5] = STR_INIT("MD5"),
};

/* The raw values of the fields above; where one stands twice, the first. */
static void collect_fields(struct str header, struct str values[N_FIELDS])
{
	struct header_reader reader = {.rest = header};
	struct header_field field;

	while (header_next(&reader, &field)) {
		if (!str_skip_nocase(&field.name, STR("Content-")))
			continue;
		for (size_t i = 0; i < N_FIELDS; i++) {
			if (values[i].p == NULL && str_eq_nocase(field.name, field_names[i]))
				values[i] = str_trim(field.value);
		}
	}
}

/*
 * RFC 2045 §5.1: token := 1*<any CHAR except SPACE, CTLs, or tspecials>. Comments about it are
 * stepped over. What other bytes stand in it is not judged.
 */
static struct str take_token(struct str *rest)
{
	size_t n = 0;

	mime_skip_cfws(rest);
	while (n < rest->len && (unsigned char)rest->p[n] > ' ' &&
	       str_index(STR("()<>@,;:\\\"/[]?="), rest->p[n]) == 15)
		n++;
	struct str token = str_first(*rest, n);
	*rest = str_from(*rest, n);
	mime_skip_cfws(rest);
	return token;
}

static int read_params(struct parse *parse, struct str text, struct mime_params *ret_params)
{
	size_t n_left = MIME_PARAMS_TOTAL_MAX - parse->n_params;
	struct mime_params params = {0};
	int r = mime_params_parse(text, parse->arena, n_left, &params);

	parse->n_params += params.n;
	*ret_params = params;
	return r;
}

/* content := "Content-Type" ":" type "/" subtype *(";" parameter) */
static int read_type(struct parse *parse, struct str value, struct mime_part *part, bool in_digest)
{
	part->type = in_digest ? STR("message") : STR("text");
	part->subtype = in_digest ? STR("rfc822") : STR("plain");
	struct str type = take_token(&value);
	if (type.len == 0 || !str_skip(&value, STR("/")))
		return 0;
	struct str subtype = take_token(&value);
	if (subtype.len == 0)
		return 0;
	part->has_type = true;
	part->type = type;
	part->subtype = subtype;
	(void)str_cut(&value, ';');
	return read_params(parse, value, &part->type_params);
}

/* RFC 2183 §2: disposition := "Content-Disposition" ":" disposition-type *(";" parm) */
static int read_disposition(struct parse *parse, struct str value, struct mime_part *part)
{
	part->disposition = take_token(&value);
	if (part->disposition.len == 0)
		return 0;
	(void)str_cut(&value, ';');
	return read_params(parse, value, &part->disposition_params);
}

/* The values outlive the window: they are copied where the message is not all in it. */
static int keep_values(struct parse *parse, bool borrowed, struct str values[N_FIELDS])
{
	size_t len = 0;

	for (size_t i = 0; i < N_FIELDS; i++)
		len += values[i].len;
	bool fits = len <= MIME_TEXT_TOTAL_MAX - parse->text_len;
	parse->text_len += fits ? len : 0;
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (!fits)
			values[i] = (struct str){0};
		else if (!borrowed && values[i].len > 0 &&
		         !arena_dup(parse->arena, values[i], &values[i]))
			return -E2BIG;
	}
	return 0;
}

static int read_fields(struct parse *parse, struct mime_part *part, bool in_digest)
{
	struct str values[N_FIELDS] = {0};
	bool borrowed = parse->scan.header == NULL;

	collect_fields(
	    borrowed ? mime_header(parse->scan.source->window, part) : buf_str(&parse->header),
	    values);
	int r = keep_values(parse, borrowed, values);
	if (r < 0)
		return r;
	r = read_type(parse, values[FIELD_TYPE], part, in_digest);
	if (r == 0)
		r = read_disposition(parse, values[FIELD_DISPOSITION], part);
	if (r < 0)
		return r;
	part->encoding_name = take_token(&values[FIELD_ENCODING]);
	if (part->encoding_name.len == 0)
		part->encoding_name = STR("7bit");
	part->encoding = transfer_encoding_of(part->encoding_name);
	part->content_id = values[FIELD_ID];
	part->description = values[FIELD_DESCRIPTION];
	part->language = values[FIELD_LANGUAGE];
	part->location = values[FIELD_LOCATION];
	part->md5 = values[FIELD_MD5];
	return 0;
}

bool mime_is(const struct mime_part *part, struct str type, struct str subtype)
{
	return str_eq_nocase(part->type, type) &&
	       (subtype.len == 0 || str_eq_nocase(part->subtype, subtype));
}

bool mime_is_message_root(const struct mime_part *part)
{
	return part->parent == NULL || part->parent->message;
}

/* 0 with an empty boundary where there is none that could delimit anything. */
static int find_boundary(const struct mime_part *part, struct arena *a, struct str *ret_boundary)
{
	struct buf joined CLEANUP(buf_done) = BUF_MAX(HEADER_LEN_MAX);
	struct str boundary = STR("");

	if (!mime_param_raw(&part->type_params, STR("boundary"), &boundary) &&
	    mime_param(&part->type_params, STR("boundary"), &joined) &&
	    !arena_dup(a, buf_str(&joined), &boundary))
		return -E2BIG;
	/* RFC 2046 §5.1.1: a boundary does not end with white space. */
	while (boundary.len > 0 && boundary.p[boundary.len - 1] == ' ')
		boundary.len--;
	*ret_boundary = boundary.len <= MIME_BOUNDARY_MAX ? boundary : STR("");
	return 0;
}

static int parse_part(struct parse *parse, struct mime_part *part, bool in_digest);

/* A new last child; `last` is the one before it or NULL. */
static struct mime_part *add_child(
    struct parse *parse, struct mime_part *parent, struct mime_part *last)
{
	struct mime_part *child = ARENA_NEW(parse->arena, struct mime_part);

	if (child == NULL)
		return NULL;
	child->parent = parent;
	child->number = ++parent->n_children;
	if (last == NULL)
		parent->first_child = child;
	else
		last->next = child;
	parse->n_parts++;
	return child;
}

/*
 * RFC 2046 §5.1.1:
 *   multipart-body := [preamble CRLF] dash-boundary transport-padding CRLF body-part
 *                     *encapsulation close-delimiter transport-padding [CRLF epilogue]
 */
static int parse_multipart(struct parse *parse, struct mime_part *part, struct str boundary)
{
	struct mime_scan *scan = &parse->scan;
	struct mime_part *child = NULL;
	int level = (int)scan->n_boundaries;
	bool digest = str_eq_nocase(part->subtype, STR("digest"));

	part->multipart = true;
	mime_scan_open(scan, boundary);
	mime_scan_to_delimiter(scan);
	while (scan->level == level && !scan->closes) {
		mime_scan_pass_line(scan);
		if (parse->n_parts >= MIME_PARTS_MAX) {
			mime_scan_to_delimiter(scan);
			continue;
		}
		child = add_child(parse, part, child);
		int r = child == NULL ? -E2BIG : parse_part(parse, child, digest);
		if (r < 0)
			return r;
	}
	mime_scan_close(scan);
	if (scan->level == level) {
		mime_scan_pass_line(scan);
		mime_scan_to_delimiter(scan);
	}
	return 0;
}

static int parse_message(struct parse *parse, struct mime_part *part)
{
	struct mime_part *child = add_child(parse, part, NULL);

	part->message = true;
	return child == NULL ? -E2BIG : parse_part(parse, child, false);
}

static bool holds_message(const struct mime_part *part)
{
	return (mime_is(part, STR("message"), STR("rfc822")) ||
	           mime_is(part, STR("message"), STR("global"))) &&
	       transfer_is_identity(part->encoding);
}

static int parse_body(struct parse *parse, struct mime_part *part)
{
	bool within_limits = parse->depth <= MIME_DEPTH_MAX && parse->n_parts < MIME_PARTS_MAX;
	struct str boundary = STR("");

	if (within_limits && mime_is(part, STR("multipart"), STR(""))) {
		int r = find_boundary(part, parse->arena, &boundary);
		if (r < 0)
			return r;
	}
	if (boundary.len > 0)
		return parse_multipart(parse, part, boundary);
	if (within_limits && holds_message(part))
		return parse_message(parse, part);
	mime_scan_to_delimiter(&parse->scan);
	return 0;
}

/*
 * The body ends before the line end that belongs to the delimiter (RFC 2046 §5.1.1). A last line
 * without line end counts.
 */
static void end_body(const struct mime_scan *scan, size_t n_lines_before, struct mime_part *part)
{
	size_t line_end = scan->at > part->body_at ? scan->last.end_len : 0;

	part->body_len = scan->at - part->body_at;
	part->n_lines = scan->n_lines - n_lines_before;
	if (scan->level == SCAN_NO_LEVEL) {
		part->n_lines += part->body_len > 0 && line_end == 0;
		return;
	}
	part->body_len -= line_end;
	part->n_lines -= line_end > 0;
	part->n_lines += part->body_len > 0 && scan->last.len > line_end;
}

static int parse_part(struct parse *parse, struct mime_part *part, bool in_digest)
{
	struct mime_scan *scan = &parse->scan;

	buf_clear(&parse->header);
	part->header_at = scan->at;
	bool has_body = mime_scan_header(scan);
	part->header_len = scan->at - part->header_at;
	part->body_at = scan->at;
	int r = read_fields(parse, part, in_digest);
	if (r < 0 || !has_body)
		return r;
	size_t n_lines_before = scan->n_lines;
	parse->depth++;
	r = parse_body(parse, part);
	parse->depth--;
	end_body(scan, n_lines_before, part);
	return r;
}

int mime_read(struct mail_source *message, struct arena *a, struct mime_part **ret_root)
{
	struct parse parse = {.scan = {.source = message},
	    .header = BUF_MAX(HEADER_LOOK_LEN),
	    .arena = a,
	    .n_parts = 1};
	struct mime_part *root = ARENA_NEW(a, struct mime_part);
	struct str start;

	if (root == NULL)
		return -E2BIG;
	root->number = 1;
	int r = mail_source_look(message, 0, &start);
	if (r < 0)
		return r;
	if (!mail_source_is_whole(message))
		parse.scan.header = &parse.header;
	r = parse_part(&parse, root, false);
	buf_done(&parse.header);
	if (r == 0)
		r = parse.scan.error;
	if (r < 0)
		return r;
	*ret_root = root;
	return 0;
}

int mime_parse(struct str message, struct arena *a, struct mime_part **ret_root)
{
	struct mail_source source = mail_source_of(message);

	return mime_read(&source, a, ret_root);
}

static const struct mime_part *child_at(const struct mime_part *part, uint32_t number)
{
	const struct mime_part *child = part->first_child;

	while (child != NULL && child->number != number)
		child = child->next;
	return child;
}

const struct mime_part *mime_find(
    const struct mime_part *root, const uint32_t *numbers, size_t n_numbers)
{
	const struct mime_part *part = root;
	bool fresh = true; /* `part` is a message's outermost part that no number has named yet */

	for (size_t i = 0; i < n_numbers && part != NULL; i++) {
		if (part->message && !fresh) {
			part = part->first_child;
			fresh = true;
		}
		if (part->multipart)
			part = child_at(part, numbers[i]);
		else if (!fresh || numbers[i] != 1)
			part = NULL;
		fresh = false;
	}
	return part;
}

const struct mime_part *mime_next(const struct mime_part *part)
{
	if (part->first_child != NULL)
		return part->first_child;
	while (part != NULL && part->next == NULL)
		part = part->parent;
	return part == NULL ? NULL : part->next;
}

bool mime_decode(struct str message, const struct mime_part *part, struct buf *out)
{
	return transfer_decode(part->encoding, mime_body(message, part), out);
}
