#include "mail/bodystructure.h"

#include <errno.h>

#include "mail/envelope.h"
#include "mail/header.h"
#include "mail/imap_string.h"

/*
 * RFC 9051 §9:
 *   body             = "(" (body-type-1part / body-type-mpart) ")"
 *   body-type-1part  = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part]
 *   body-type-mpart  = 1*body SP media-subtype [SP body-ext-mpart]
 *   body-type-msg    = media-message SP body-fields SP envelope SP body SP body-fld-lines
 *   body-type-text   = media-text SP body-fields SP body-fld-lines
 *   body-fields      = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP
 *                      body-fld-octets
 *   body-ext-1part   = body-fld-md5 [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc ...]]]
 *   body-ext-mpart   = body-fld-param [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc ...]]]
 */
struct writer {
	struct mail_source *message;
	enum bodystructure_form form;
	struct buf *out;
};

static void space(struct writer *w)
{
	buf_add_c(w->out, ' ');
}

/* body-fld-param = "(" string SP string *(SP string SP string) ")" / nil */
static void write_params(struct writer *w, const struct mime_params *params)
{
	if (params->n == 0) {
		buf_add(w->out, STR("NIL"));
		return;
	}
	for (size_t i = 0; i < params->n; i++) {
		buf_add_c(w->out, i == 0 ? '(' : ' ');
		imap_string_write(params->list[i].name, w->out);
		space(w);
		imap_string_write(params->list[i].value, w->out);
	}
	buf_add_c(w->out, ')');
}

/* Unfolded, NIL where the field is missing or empty. */
static void write_value(struct writer *w, struct str value)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(HEADER_LEN_MAX);

	header_unfold(value, &text);
	imap_nstring_write_nonempty(buf_str(&text), w->out);
}

/* body-fld-dsp = "(" string SP body-fld-param ")" / nil */
static void write_disposition(struct writer *w, const struct mime_part *part)
{
	if (part->disposition.len == 0) {
		buf_add(w->out, STR("NIL"));
		return;
	}
	buf_add_c(w->out, '(');
	imap_string_write(part->disposition, w->out);
	space(w);
	write_params(w, &part->disposition_params);
	buf_add_c(w->out, ')');
}

/* body-fld-lang = nstring / "(" string *(SP string) ")" */
static void write_language(struct writer *w, struct str value)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(HEADER_LEN_MAX);

	header_unfold(value, &text);
	struct str rest = buf_str(&text);
	if (str_index(rest, ',') == rest.len) {
		imap_nstring_write_nonempty(rest, w->out);
		return;
	}
	buf_add_c(w->out, '(');
	while (rest.len > 0) {
		imap_string_write(str_trim(str_cut(&rest, ',')), w->out);
		if (rest.len > 0)
			space(w);
	}
	buf_add_c(w->out, ')');
}

static void write_extension(struct writer *w, const struct mime_part *part)
{
	if (w->form != BODYSTRUCTURE_EXTENDED)
		return;
	space(w);
	if (part->multipart)
		write_params(w, &part->type_params);
	else
		write_value(w, part->md5);
	space(w);
	write_disposition(w, part);
	space(w);
	write_language(w, part->language);
	space(w);
	write_value(w, part->location);
}

/* RFC 2045 §5.2: without a Content-Type it is plain text in US-ASCII. */
static void write_type_params(struct writer *w, const struct mime_part *part)
{
	if (!part->has_type && mime_is(part, STR("text"), STR("")))
		buf_add(w->out, STR("(\"charset\" \"us-ascii\")"));
	else
		write_params(w, &part->type_params);
}

static void write_fields(struct writer *w, const struct mime_part *part)
{
	space(w);
	write_type_params(w, part);
	space(w);
	write_value(w, part->content_id);
	space(w);
	write_value(w, part->description);
	space(w);
	imap_string_write(part->encoding_name, w->out);
	space(w);
	buf_add_u64(w->out, part->body_len);
}

struct media {
	struct str type, subtype;
};

/*
 * What a leaf is called. The grammar ties "message/rfc822" to an envelope and has no leaf called
 * "multipart", so those that were not looked into go by other names: an undelimited multipart as
 * the text that it is to a reader.
 */
static struct media media_of(const struct mime_part *part)
{
	if (mime_is(part, STR("multipart"), STR("")))
		return (struct media){STR("text"), STR("plain")};
	if (!part->message && (mime_is(part, STR("message"), STR("rfc822")) ||
	                          mime_is(part, STR("message"), STR("global"))))
		return (struct media){STR("application"), STR("octet-stream")};
	return (struct media){part->type, part->subtype};
}

static int write_body(struct writer *w, const struct mime_part *part);

static int write_message(struct writer *w, const struct mime_part *part)
{
	struct buf room CLEANUP(buf_done) = BUF_MAX(HEADER_LOOK_LEN);
	const struct mime_part *inner = part->first_child;
	struct str header;

	space(w);
	int r = mail_source_slice(w->message, inner->header_at, inner->header_len, &room, &header);
	if (r == 0)
		r = envelope_write(header, w->out);
	if (r < 0)
		return r;
	space(w);
	return write_body(w, inner);
}

static int write_leaf(struct writer *w, const struct mime_part *part)
{
	struct media media = media_of(part);

	imap_string_write(media.type, w->out);
	space(w);
	imap_string_write(media.subtype, w->out);
	write_fields(w, part);
	int r = part->message ? write_message(w, part) : 0;
	if (r < 0)
		return r;
	if (part->message || str_eq_nocase(media.type, STR("text"))) {
		space(w);
		buf_add_u64(w->out, part->n_lines);
	}
	return 0;
}

static int write_multipart(struct writer *w, const struct mime_part *part)
{
	if (part->first_child == NULL) {
		const struct mime_part empty = {
		    .type = STR("text"), .subtype = STR("plain"), .encoding_name = STR("7bit")};
		int r = write_body(w, &empty);
		if (r < 0)
			return r;
	}
	for (const struct mime_part *child = part->first_child; child != NULL;
	     child = child->next) {
		int r = write_body(w, child);
		if (r < 0)
			return r;
	}
	space(w);
	imap_string_write(part->subtype, w->out);
	return 0;
}

static int write_body(struct writer *w, const struct mime_part *part)
{
	buf_add_c(w->out, '(');
	int r = part->multipart ? write_multipart(w, part) : write_leaf(w, part);
	if (r < 0)
		return r;
	write_extension(w, part);
	buf_add_c(w->out, ')');
	/* Once it does not fit there is no use in going on. */
	return buf_failed(w->out) ? -E2BIG : 0;
}

int bodystructure_write(struct mail_source *message, const struct mime_part *root,
    enum bodystructure_form form, struct buf *out)
{
	struct writer w = {.message = message, .form = form, .out = out};

	return write_body(&w, root);
}
