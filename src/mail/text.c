#include "mail/text.h"

#include "base/num.h"

enum { PIECE_MORE = 64 };

void text_stream_begin(
    struct text_stream *t, struct mail_source *message, const struct mime_part *part)
{
	struct str charset = STR("");

	(void)mime_param_raw(&part->type_params, STR("charset"), &charset);
	*t = (struct text_stream){.message = message,
	    .charset = str_trim(charset),
	    .at = part->body_at,
	    .end = part->body_at + part->body_len,
	    .transfer = {.encoding = part->encoding},
	    .piece_len = TEXT_PIECE_LEN,
	    .raw = BUF_MAX(SIZE_MAX)};
}

void text_stream_done(struct text_stream *t)
{
	transfer_decoder_done(&t->transfer);
	charset_decoder_free(&t->decoder);
	buf_done(&t->raw);
}

/*
 * Decodes until a piece of the length is there, or the end. Pieces are the same whatever the
 * windows are, and whatever was decoded before: then so is what becomes of them.
 */
static int fill(struct text_stream *t)
{
	while (t->at < t->end && t->raw.len < t->piece_len) {
		struct str bytes;
		int r = mail_source_look(t->message, t->at, &bytes);
		if (r < 0)
			return r;
		bytes = str_first(bytes, num_min(t->piece_len, t->end - t->at));
		t->at += bytes.len;
		(void)transfer_decoder_add(&t->transfer, bytes, t->at == t->end, &t->raw);
	}
	return 0;
}

int text_stream_next(struct text_stream *t, struct buf *text)
{
	size_t used;
	int r = fill(t);

	if (r < 0)
		return r;
	bool last = t->at == t->end && t->raw.len <= t->piece_len;
	struct str piece = str_first(buf_str(&t->raw), t->piece_len);
	if (t->decoder == NULL)
		t->decoder = charset_decoder_new(t->charset);
	bool fits = charset_decoder_add(t->decoder, piece, last, text, &used);
	buf_consume(&t->raw, used);
	return fits && !last;
}

int text_of_part(struct mail_source *message, const struct mime_part *part, struct buf *text)
{
	struct text_stream t CLEANUP(text_stream_done) = {0};
	int r = 1;

	text_stream_begin(&t, message, part);
	/* Few charsets need more than four bytes for what becomes one of UTF-8. */
	t.piece_len = num_min(TEXT_PIECE_LEN, 4 * num_min(text->max, TEXT_PIECE_LEN) + PIECE_MORE);
	while (r > 0)
		r = text_stream_next(&t, text);
	return r;
}
