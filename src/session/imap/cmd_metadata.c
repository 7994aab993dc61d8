/* METADATA (RFC 5464): annotations of mailboxes and of the account. */
#include <errno.h>

#include "imap/mailbox_name.h"
#include "mail/imap_string.h"
#include "session/imap/commands.h"
#include "session/imap/notify.h"
#include "session/imap/rights.h"
#include "session/imap/search_filter.h"
#include "store/store_annotation.h"

/* RFC 6154 §4: what LIST says of the mailbox, for reading. */
static const struct str special_use = STR_INIT("/private/specialuse");

/* Names are the same in any case; they are kept in small letters. */
static bool read_entry(struct imap_session *s, struct str name, struct str *ret_entry)
{
	char *to = ARENA_NEW_ARRAY(&s->arena, char, name.len);

	if (to == NULL)
		return false;
	for (size_t i = 0; i < name.len; i++)
		to[i] = ascii_lower(name.p[i]);
	*ret_entry = str_of(to, name.len);
	return true;
}

/* A METADATA response that is being written. */
struct writing {
	struct imap_session *s;
	const struct store_mailbox *mailbox; /* NULL: the account */
	const struct imap_metadata *asked;
	uint64_t longest; /* value that was left out for MAXSIZE */
	bool open;        /* the response has begun */
};

static bool fits(struct writing *w, struct str value)
{
	if (!w->asked->has_max_size || value.len <= w->asked->max_size)
		return true;
	if (value.len > w->longest)
		w->longest = value.len;
	return false;
}

/* "* METADATA name (", or a space before the next entry. */
static void begin_entry(struct writing *w, struct str entry)
{
	struct buf *out = &w->s->out.buf;

	if (w->open) {
		buf_add_c(out, ' ');
	} else {
		buf_add(out, STR("* METADATA "));
		imap_mailbox_name_write(
		    w->mailbox != NULL ? w->mailbox->name : STR(""), w->s->utf8, out);
		buf_add(out, STR(" ("));
		w->open = true;
	}
	buf_add(out, entry);
	buf_add_c(out, ' ');
}

/* value = nstring / literal8: NUL stands in the latter alone. */
static void write_value(struct writing *w, struct str entry, struct str value)
{
	struct buf *out = &w->s->out.buf;

	if (!fits(w, value))
		return;
	begin_entry(w, entry);
	if (memchr(value.p, '\0', value.len) != NULL) {
		buf_printf(out, "~{%zu}\r\n", value.len);
		buf_add(out, value);
	} else {
		imap_string_write(value, out);
	}
	imap_output_room(&w->s->out);
}

static bool is_special_use(const struct writing *w, struct str entry)
{
	return w->mailbox != NULL && w->mailbox->use != STORE_NO_USE && str_eq(entry, special_use);
}

/* An entry without value is told as NIL: a response is due in any case (RFC 5464 §4.2). */
static int write_entry(struct writing *w, struct str name)
{
	const struct store_annotation *list;
	struct str entry;
	size_t n = 0;
	int r = 0;

	if (!read_entry(w->s, name, &entry))
		return -E2BIG;
	/* Private entries are the owner's alone. */
	if (w->s->subject.is_owner || str_starts(entry, STR("/shared")))
		r = store_annotations_get(w->s->store, w->mailbox != NULL ? w->mailbox->id : 0,
		    entry, (enum store_annotation_depth)w->asked->depth, &w->s->arena, &list, &n);
	if (r < 0)
		return r;
	if (is_special_use(w, entry)) {
		write_value(w, entry, imap_special_use_name(w->mailbox->use));
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		write_value(w, list[i].entry, list[i].value);
	if (n == 0 && w->asked->depth == METADATA_DEPTH_0) {
		begin_entry(w, entry);
		buf_add(&w->s->out.buf, STR("NIL"));
	}
	return 0;
}

int imap_metadata_write(struct imap_session *s, const struct store_mailbox *mailbox,
    const struct imap_metadata *asked, uint64_t *ret_longest)
{
	struct writing w = {.s = s, .mailbox = mailbox, .asked = asked};
	int r = 0;

	for (size_t i = 0; r == 0 && i < asked->n; i++)
		r = write_entry(&w, asked->entries[i].name);
	if (w.open)
		buf_add(&s->out.buf, STR(")\r\n"));
	*ret_longest = w.longest;
	return r;
}

/* The mailbox of a command, NULL for the account (the empty name); with RFC 5464 §3.3's rights. */
static bool find(struct imap_session *s, struct str name, struct store_mailbox *mailbox,
    const struct store_mailbox **ret_mailbox, struct imap_result *ret_result)
{
	const unsigned any_of = STORE_RIGHT_READ | STORE_RIGHT_SEEN | STORE_RIGHT_WRITE |
	                        STORE_RIGHT_INSERT | STORE_RIGHT_POST;
	unsigned rights = 0;

	*ret_mailbox = name.len > 0 ? mailbox : NULL;
	if (name.len == 0)
		return true;
	if (!imap_find_permitted(s, name, STORE_RIGHT_LOOKUP, mailbox, ret_result))
		return false;
	int r = authorize_rights(s->store, &s->subject, mailbox->id, &rights);
	if (r == 0 && (rights & any_of) != 0)
		return true;
	*ret_result = r < 0 ? imap_store_error(s, r)
	                    : IMAP_RESULT_NO("NOPERM", "You have no right to do that here");
	return false;
}

struct imap_result imap_cmd_getmetadata(struct imap_session *s, const struct imap_command *c)
{
	const struct store_mailbox *mailbox;
	struct store_mailbox found;
	struct imap_result result;
	uint64_t longest;

	if (!find(s, c->name, &found, &mailbox, &result))
		return result;
	int r = imap_metadata_write(s, mailbox, &c->metadata, &longest);
	if (r < 0)
		return imap_store_error(s, r);
	result = IMAP_RESULT_OK("GETMETADATA done");
	if (longest > 0) {
		struct buf code CLEANUP(buf_done) = BUF_MAX(64);
		buf_printf(&code, "METADATA LONGENTRIES %llu", (unsigned long long)longest);
		if (!arena_dup(&s->arena, buf_str(&code), &result.code))
			return imap_too_much();
	}
	return result;
}

/*
 * Shared entries of the server belong to all its users, who have no place in common here; special
 * uses are given when a mailbox is made.
 */
static bool may_set(struct imap_session *s, const struct store_mailbox *mailbox, struct str entry,
    struct imap_result *ret)
{
	bool shared = str_starts(entry, STR("/shared"));

	if (!shared && !s->subject.is_owner)
		*ret = IMAP_RESULT_NO("METADATA NOPRIVATE", "Private entries are the owner's");
	else if (mailbox == NULL && shared)
		*ret = IMAP_RESULT_NO("NOPERM", "The server's shared entries are for reading only");
	else if (str_index(str_from(entry, 1), '/') == entry.len - 1)
		*ret = IMAP_RESULT_NO("CANNOT", "That entry has no value of its own");
	else if (mailbox != NULL && str_eq(entry, special_use))
		*ret = IMAP_RESULT_NO("USEATTR", "A special use is given when a mailbox is made");
	else
		return true;
	return false;
}

static struct imap_result set_error(struct imap_session *s, int error)
{
	_Static_assert(STORE_ANNOTATION_LEN_MAX == 32768, "stands in the response code");
	switch (error) {
	case -EFBIG:
		return IMAP_RESULT_NO("METADATA MAXSIZE 32768", "A value is too long");
	case -E2BIG:
		return IMAP_RESULT_NO("METADATA TOOMANY", "There are too many entries");
	default:
		return imap_store_error(s, error);
	}
}

/* All entries or none (RFC 5464 §4.3). */
struct imap_result imap_cmd_setmetadata(struct imap_session *s, const struct imap_command *c)
{
	const struct imap_metadata *m = &c->metadata;
	struct store_annotation *list = ARENA_NEW_ARRAY(&s->arena, struct store_annotation, m->n);
	const struct store_mailbox *mailbox;
	struct store_mailbox found;
	struct imap_result result;

	if (list == NULL)
		return imap_too_much();
	if (!find(s, c->name, &found, &mailbox, &result))
		return result;
	for (size_t i = 0; i < m->n; i++) {
		if (!read_entry(s, m->entries[i].name, &list[i].entry))
			return imap_too_much();
		if (!may_set(s, mailbox, list[i].entry, &result))
			return result;
		list[i].has_value = !m->entries[i].removed;
		list[i].value = m->entries[i].value;
		if (mailbox == NULL && list[i].has_value &&
		    !search_filter_is_good(s, list[i].entry, list[i].value))
			return IMAP_RESULT_NO("CANNOT", "That is no search, or no filter's name");
	}
	int r = store_annotations_set(
	    s->store, mailbox != NULL ? mailbox->id : 0, list, m->n, &s->own_annotation);
	if (r < 0)
		return set_error(s, r);
	imap_tell_others(s);
	return IMAP_RESULT_OK("SETMETADATA done");
}

bool imap_watch_metadata(struct imap_session *s)
{
	const struct store_annotation_change *list;
	uint64_t now = UINT64_MAX; /* nothing is later: what changed before is of no interest */
	size_t n;

	if (store_annotations_changed(s->store, &now, 0, &s->arena, &list, &n) < 0)
		return false;
	s->seen_annotations = now;
	return true;
}

/* Names alone: the client asks for values it wants (RFC 5464 §4.4.2). */
void imap_send_metadata_changes(struct imap_session *s)
{
	const struct store_annotation_change *list;
	struct buf *out = &s->out.buf;
	size_t n;

	if ((!s->metadata && s->notify == NULL) || !s->subject.is_owner)
		return;
	int r = store_annotations_changed(
	    s->store, &s->seen_annotations, s->own_annotation, &s->arena, &list, &n);
	if (r == -E2BIG)
		(void)imap_end_untold(s); /* they would be as many the next time */
	if (r < 0)
		return;
	for (size_t i = 0; i < n;) {
		struct str mailbox = list[i].mailbox;
		bool told = s->metadata || imap_notify_metadata(s, mailbox);
		if (told) {
			buf_add(out, STR("* METADATA "));
			imap_mailbox_name_write(mailbox, s->utf8, out);
		}
		for (; i < n && str_eq(list[i].mailbox, mailbox); i++) {
			if (!told)
				continue;
			buf_add_c(out, ' ');
			buf_add(out, list[i].entry);
		}
		if (told)
			buf_add(out, STR("\r\n"));
	}
}
