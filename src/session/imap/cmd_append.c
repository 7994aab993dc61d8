#include <errno.h>

#include "session/imap/commands.h"
#include "session/imap/rights.h"
#include "store/store_append.h"

static void free_append(struct store_append **append)
{
	store_append_free(*append);
}

/* Flags that the user may not set there are left out (RFC 4314 §4). */
static int add_message(struct imap_session *s, struct store_append *append,
    const struct imap_append_message *m, uint64_t permitted)
{
	struct store_append_message to = {.bytes = m->message};
	int r = imap_flags_to_store(s, &m->flags, true, &to.flags);

	if (r < 0)
		return r;
	to.flags &= permitted;
	to.has_date = m->has_date;
	to.internal_at = m->date.epoch_s;
	to.internal_zone = m->date.zone_minutes;
	return store_append_add(append, &to);
}

static int append_all(struct imap_session *s, uint64_t mailbox,
    const struct imap_append_message *first, uint32_t *ret_uidvalidity, struct store_uids *ret_uids)
{
	struct store_append *append CLEANUP(free_append) = NULL;
	unsigned rights = 0;
	int r = authorize_rights(s->store, &s->subject, mailbox, &rights);
	uint64_t permitted = imap_rights_flags(rights);

	if (r == 0)
		r = store_append_begin(s->store, mailbox, &append);

	for (const struct imap_append_message *m = first; r == 0 && m != NULL; m = m->next)
		r = add_message(s, append, m, permitted);
	if (r < 0)
		return r;
	return store_append_commit(append, &s->arena, ret_uidvalidity, ret_uids);
}

/* "APPENDUID validity uids" (RFC 4315 §3) */
static struct str append_code(struct imap_session *s, uint32_t uidvalidity, struct store_uids uids)
{
	struct imap_set_builder set CLEANUP(imap_set_builder_done) = {0};
	struct buf text CLEANUP(buf_done) = BUF_MAX(16384);
	struct str code;

	for (size_t i = 0; i < uids.n; i++)
		imap_set_builder_add(&set, uids.v[i]);
	struct imap_set whole = imap_set_builder_set(&set);
	buf_printf(&text, "APPENDUID %u ", uidvalidity);
	imap_set_write(&whole, &text);
	if (buf_failed(&text) || !arena_dup(&s->arena, buf_str(&text), &code))
		return STR("");
	return code;
}

/* APPEND and MULTIAPPEND (RFC 9051 §6.3.12, RFC 3502): all messages or none. */
struct imap_result imap_cmd_append(struct imap_session *s, const struct imap_command *c)
{
	struct imap_result result = IMAP_RESULT_OK("APPEND done");
	struct store_mailbox mailbox;
	struct store_uids uids;
	uint32_t uidvalidity;

	if (!imap_find_mailbox(s, c->name, true, &mailbox, &result) ||
	    !imap_may(s, STORE_RIGHT_INSERT, mailbox.id, &result))
		return result;
	for (const struct imap_append_message *m = c->messages; m != NULL; m = m->next) {
		if (m->utf8 && !s->utf8)
			return IMAP_RESULT_BAD("ENABLE UTF8=ACCEPT comes before that");
		if (m->message.len == 0) /* RFC 3502 §6.3.11: the client gave up */
			return IMAP_RESULT_NO("CANNOT", "An empty message is none");
	}
	int r = append_all(s, mailbox.id, c->messages, &uidvalidity, &uids);
	imap_tell_others(s);
	if (r == -EINPROGRESS)
		return IMAP_RESULT_OK("APPEND done; the message will appear soon");
	if (r == -ENOENT)
		return IMAP_RESULT_NO("TRYCREATE", "There is no such mailbox");
	if (r < 0)
		return imap_store_error(s, r);
	result = IMAP_RESULT_OK("APPEND done");
	result.code = append_code(s, uidvalidity, uids);
	return result;
}
