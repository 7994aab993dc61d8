#include "session/imap/catenate.h"

#include <errno.h>

#include "base/num.h"
#include "imap/message_url.h"
#include "mail/mime.h"
#include "session/imap/fetch_section.h"
#include "session/imap/rights.h"
#include "store/store_entry.h"

/* url-resp-text = any TEXT-CHAR except "]" (RFC 4469 §5) */
static bool may_be_told(struct str url)
{
	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.p[i] < ' ' || url.p[i] == 0x7f || url.p[i] == ']' ||
		    url.p[i] == '\\')
			return false;
	return url.len > 0 && url.len <= MESSAGE_URL_LEN_MAX;
}

static bool bad_url(struct imap_session *s, struct str url, struct imap_result *ret_result)
{
	struct buf code CLEANUP(buf_done) = BUF_MAX(MESSAGE_URL_LEN_MAX + 16);

	*ret_result = IMAP_RESULT_NO("CANNOT", "That URL names nothing here");
	if (!may_be_told(url))
		return false;
	buf_add(&code, STR("BADURL "));
	buf_add(&code, url);
	if (!arena_dup(&s->arena, buf_str(&code), &ret_result->code))
		*ret_result = imap_too_much();
	return false;
}

/* The mailbox of a URL, which must be readable; its name is UTF-8, whatever was enabled. */
static bool find_mailbox(
    struct imap_session *s, const struct message_url *url, uint64_t *ret_id, uint32_t *ret_validity)
{
	struct store_mailbox mailbox;
	struct imap_result result;

	if (!url->has_mailbox) {
		if (s->view == NULL)
			return false;
		*ret_id = s->view->mailbox;
		*ret_validity = s->view->uidvalidity;
	} else {
		if (store_mailbox_find(s->store, url->mailbox, &s->arena, &mailbox) < 0)
			return false;
		*ret_id = mailbox.id;
		*ret_validity = mailbox.uidvalidity;
	}
	return imap_may(s, STORE_RIGHT_READ, *ret_id, &result);
}

/* What FETCH would send, on its way to the message: `BODY[…] {n}CRLF` in front of it goes. */
struct section {
	struct str label;
	struct store_spool *out;
	bool begun; /* the bytes of the literal come */
};

/* The first bytes have all of what goes in front. */
static bool cut_front(const struct section *section, struct str *text)
{
	if (!str_skip(text, section->label) || !str_skip(text, STR(" ")))
		return false;
	size_t at = str_find(*text, STR("}\r\n"));
	if (at == text->len || (!str_skip(text, STR("{")) && !str_skip(text, STR("~{"))))
		return false; /* NIL: there is no such part */
	*text = str_from(*text, str_find(*text, STR("}\r\n")) + 3);
	return true;
}

static int take_section(void *context, struct str text)
{
	struct section *section = context;

	if (!section->begun && !cut_front(section, &text))
		return -ENOENT;
	section->begun = true;
	return store_spool_write(section->out, text);
}

/* 0; -ENOENT: nothing there; -EFBIG; other -errno. */
static int add_section(struct imap_session *s, uint32_t id, const struct imap_fetch_item *item,
    struct store_spool *out)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(MIME_ARENA_MAX);
	struct buf label CLEANUP(buf_done) = BUF_MAX(2 * MESSAGE_URL_LEN_MAX);
	struct fetch_message message = {.store = s->store, .id = id, .arena = &arena};
	struct section section = {.out = out};
	struct imap_output through;

	imap_fetch_label_write(item, &label);
	section.label = buf_str(&label);
	imap_output_init_to(&through, take_section, &section);
	/* Many small pieces of a large message are much work. */
	int r = imap_effort_step(s, EFFORT_LOOK);
	if (r == 0)
		r = fetch_section_write(&message, item, &through);
	fetch_message_done(&message);
	if (r == 0)
		r = imap_output_flush(&through);
	imap_output_done(&through);
	return r;
}

static bool add_url(struct imap_session *s, struct str text, struct store_spool *out,
    struct imap_result *ret_result)
{
	struct message_url url;
	uint32_t validity, id;
	uint64_t mailbox;

	if (!message_url_parse(text, &s->arena, &url) ||
	    !find_mailbox(s, &url, &mailbox, &validity) ||
	    (url.has_uidvalidity && url.uidvalidity != validity))
		return bad_url(s, text, ret_result);
	int r = store_entry_find(s->store, mailbox, url.uid, &id);
	if (r == 0)
		r = add_section(s, id, &url.item, out);
	if (r == -ENOENT)
		return bad_url(s, text, ret_result);
	if (r < 0)
		*ret_result = imap_store_error(s, r);
	return r == 0;
}

/* A text that was spooled. */
static int add_spooled(struct store_spool *from, struct store_spool *out)
{
	struct mail_source bytes;
	int r = store_spool_read(from, &bytes);

	if (r == 0)
		r = store_spool_write_all(out, &bytes);
	store_spool_end(from);
	return r;
}

static bool add_text(struct imap_session *s, const struct imap_cat_part *part,
    struct store_spool *out, struct imap_result *ret_result)
{
	struct store_spool *from = part->spooled > 0 ? imap_spool(&s->spools, part->spooled) : NULL;

	if (from != NULL && !part->binary && store_spool_has_nul(from)) {
		*ret_result = IMAP_RESULT_BAD("expected a literal without NUL, or literal8");
		return false;
	}
	int r = from != NULL ? add_spooled(from, out) : store_spool_write(out, part->text);
	if (r < 0)
		*ret_result = imap_store_error(s, r);
	return r == 0;
}

bool imap_catenate(struct imap_session *s, const struct imap_append_message *m,
    struct store_spool *out, struct imap_result *ret_result)
{
	for (size_t i = 0; i < m->n_parts; i++) {
		const struct imap_cat_part *part = &m->parts[i];
		bool added = part->is_url ? add_url(s, part->text, out, ret_result)
		                          : add_text(s, part, out, ret_result);
		if (!added)
			return false;
	}
	return true;
}
