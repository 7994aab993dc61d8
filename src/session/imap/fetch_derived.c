#include "session/imap/fetch_derived.h"

#include <errno.h>

#include "mail/imap_string.h"
#include "mail/preview.h"
#include "store/store_object.h"
#include "store/store_preview.h"

/* "EMAILID" SP "(" objectid ")" (RFC 8474 §7) */
static int write_id(struct fetch_message *m, enum imap_fetch_kind kind, struct buf *out)
{
	struct store_object_ids ids;
	int r = store_object_ids(m->store, m->id, &ids);

	if (r < 0)
		return r;
	buf_add(out, kind == FETCH_EMAILID ? STR("EMAILID (") : STR("THREADID ("));
	buf_add(out, str_of_cstr(kind == FETCH_EMAILID ? ids.email : ids.thread));
	buf_add_c(out, ')');
	return 0;
}

/* One that is not kept is made now, unless the client would not wait for it (RFC 8970 §4.1). */
static int make_preview(struct fetch_message *m, struct buf *preview)
{
	const struct mime_part *root;
	int r = fetch_message_structure(m, &root);

	return r < 0 ? r : preview_write(&m->bytes, root, preview);
}

/* "PREVIEW" SP nstring (RFC 8970 §6) */
static int write_preview(struct fetch_message *m, bool lazy, struct buf *out)
{
	struct buf preview CLEANUP(buf_done) = BUF_MAX(PREVIEW_LEN_MAX);
	int r = store_preview(m->store, m->id, &preview);
	bool kept = r != -ENOENT;

	if (!kept)
		r = lazy ? 0 : make_preview(m, &preview);
	if (r < 0)
		return r;
	buf_add(out, STR("PREVIEW "));
	if (!kept && lazy)
		buf_add(out, STR("NIL"));
	else
		imap_string_write(buf_str(&preview), out);
	return 0;
}

int fetch_derived_write(
    struct fetch_message *m, const struct imap_fetch_item *item, struct imap_output *out)
{
	if (item->kind == FETCH_PREVIEW)
		return write_preview(m, item->lazy, &out->buf);
	return write_id(m, item->kind, &out->buf);
}
