#include "mail/summary.h"

#include <errno.h>

#include "mail/bodystructure.h"
#include "mail/encoded_word.h"
#include "mail/envelope.h"
#include "mail/header.h"
#include "mail/message_id.h"

/* What stands in for a text that would be too long. */
static const struct str plain_envelope = STR_INIT("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
static const struct str plain_body = STR_INIT("(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0)");
static const struct str plain_structure =
    STR_INIT("(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)");

/*
 * Keeps a text that was written with result `r`, or its substitute when the text's own ceiling was
 * in the way. The arena's ceiling is an error.
 */
static int keep_text(
    int r, const struct buf *text, struct str substitute, struct arena *a, struct str *ret_text)
{
	if (buf_failed(text)) {
		*ret_text = substitute;
		return 0;
	}
	if (r < 0)
		return r;
	return arena_dup(a, buf_str(text), ret_text) ? 0 : -E2BIG;
}

static int make_texts(struct mail_source *message, struct arena *a, struct summary *summary)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(SUMMARY_TEXT_MAX);

	int r = envelope_write(summary->header, &text);
	r = keep_text(r, &text, plain_envelope, a, &summary->envelope);
	if (r < 0)
		return r;
	buf_clear(&text);
	r = bodystructure_write(message, summary->root, BODYSTRUCTURE_BASIC, &text);
	r = keep_text(r, &text, plain_body, a, &summary->body);
	if (r < 0)
		return r;
	buf_clear(&text);
	r = bodystructure_write(message, summary->root, BODYSTRUCTURE_EXTENDED, &text);
	return keep_text(r, &text, plain_structure, a, &summary->bodystructure);
}

static int make_subject(struct arena *a, struct summary *summary)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(SUMMARY_SUBJECT_MAX);

	(void)encoded_word_decode(header_value(summary->header, STR("Subject")), &text);
	return arena_dup(a, buf_str(&text), &summary->subject) ? 0 : -E2BIG;
}

/* Adds the identifiers of one field. One that the last already names is left out. */
static void add_references(struct str value, struct str *list, size_t *n)
{
	struct str id;

	while (*n < MESSAGE_ID_REFERENCES_MAX && message_id_next(&value, &id)) {
		if (*n == 0 || !str_eq(list[*n - 1], id))
			list[(*n)++] = id;
	}
}

static int make_references(struct arena *a, struct summary *summary)
{
	struct str list[MESSAGE_ID_REFERENCES_MAX], id, value;
	size_t n = 0;

	value = header_value(summary->header, STR("Message-ID"));
	if (message_id_next(&value, &id))
		summary->message_id = id;
	add_references(header_value(summary->header, STR("References")), list, &n);
	summary->n_in_references = n;
	value = header_value(summary->header, STR("In-Reply-To"));
	add_references(value, list, &n);
	if (message_id_next(&value, &id))
		summary->in_reply_to_id = id;
	if (n == 0)
		return 0;
	struct str *kept = ARENA_NEW_ARRAY(a, struct str, n);
	if (kept == NULL)
		return -E2BIG;
	memcpy(kept, list, n * sizeof(list[0]));
	summary->references = kept;
	summary->n_references = n;
	return 0;
}

/* Header fields are looked up again and again: those of a large message are copied. */
static int keep_header(
    struct mail_source *message, const struct mime_part *root, struct arena *a, struct str *ret)
{
	struct buf room CLEANUP(buf_done) = BUF_MAX(HEADER_LOOK_LEN);
	struct str header;
	int r = mail_source_slice(message, root->header_at, root->header_len, &room, &header);

	if (r < 0)
		return r;
	*ret = header;
	if (mail_source_is_whole(message))
		return 0;
	return arena_dup(a, header, ret) ? 0 : -E2BIG;
}

int summary_make(struct mail_source *message, struct arena *a, struct summary *ret_summary)
{
	struct summary summary = {.message_id = STR(""), .in_reply_to_id = STR("")};

	int r = mime_read(message, a, &summary.root);
	if (r == 0)
		r = keep_header(message, summary.root, a, &summary.header);
	if (r == 0)
		r = make_texts(message, a, &summary);
	if (r == 0)
		r = make_subject(a, &summary);
	if (r == 0)
		r = make_references(a, &summary);
	if (r < 0)
		return r;
	struct str date = header_value(summary.header, STR("Date"));
	summary.has_date = date_parse(date, &summary.date);
	*ret_summary = summary;
	return 0;
}
