#include "mail/text.h"

#include "base/num.h"
#include "mail/charset.h"

/* What clients show as text: text/…, and a multipart that has no delimiter. */
static bool is_text(const struct mime_part *part)
{
	return mime_is(part, STR("text"), STR("")) ||
	       (mime_is(part, STR("multipart"), STR("")) && !part->multipart);
}

void text_of_part(struct str message, const struct mime_part *part, struct buf *text)
{
	/* No charset needs more than six bytes for what becomes one byte of UTF-8 (UTF-7). */
	size_t raw_max = text->max > SIZE_MAX / 8 ? SIZE_MAX : text->max * 6;
	struct buf decoded CLEANUP(buf_done) = BUF_MAX(raw_max);
	struct str raw = mime_body(message, part), charset = STR("");
	bool whole = true;

	if (!transfer_is_identity(part->encoding)) {
		whole = mime_decode(message, part, &decoded);
		raw = buf_str(&decoded);
	}
	(void)mime_param_raw(&part->type_params, STR("charset"), &charset);
	if (!charset_to_utf8(str_trim(charset), raw, text) || !whole)
		text->failed = true;
}

bool text_next(struct text_reader *reader, struct buf *text, const struct mime_part **ret_part)
{
	while (reader->next != NULL && reader->n_read < TEXT_PARTS_MAX) {
		const struct mime_part *part = reader->next;
		reader->next = mime_next(part);
		if (!is_text(part))
			continue;
		reader->n_read++;
		buf_clear(text);
		text_of_part(reader->message, part, text);
		*ret_part = part;
		return true;
	}
	return false;
}
