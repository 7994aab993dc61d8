#include "session/imap/append.h"

#include <errno.h>

#include "session/imap/catenate.h"
#include "session/imap/rights.h"
#include "store/store_append.h"

struct appending {
	struct imap_session *s;
	struct store_append *append;
	uint64_t permitted;         /* flags */
	struct imap_result *result; /* of what a message's pieces came to */
	bool failed;                /* it is set */
};

static void free_append(struct store_append **append)
{
	store_append_free(*append);
}

/* Flags that the user may not set there are left out (RFC 4314 §4). */
static int add_bytes(struct appending *a, const struct imap_append_message *m, struct str bytes,
    struct store_spool *spool)
{
	struct store_append_message to = {.bytes = bytes, .spool = spool};
	bool may_name = (a->permitted & ~(uint64_t)STORE_SYSTEM_FLAGS) != 0;
	int r = imap_flags_to_store(a->s, &m->flags, may_name, &to.flags);

	if (r < 0)
		return r;
	to.flags &= a->permitted;
	to.has_date = m->has_date;
	to.internal_at = m->date.epoch_s;
	to.internal_zone = m->date.zone_minutes;
	return store_append_add(a->append, &to);
}

static int fail(struct appending *a, struct imap_result result)
{
	*a->result = result;
	a->failed = true;
	return -ECANCELED;
}

static int add_message(struct appending *a, const struct imap_append_message *m)
{
	struct imap_session *s = a->s;

	if (m->n_parts == 0 && m->spooled == 0)
		return add_bytes(a, m, m->message, NULL);
	if (m->n_parts == 0) {
		struct store_spool *spool = imap_spool(&s->spools, m->spooled);
		if (!m->binary && store_spool_has_nul(spool))
			return fail(
			    a, IMAP_RESULT_BAD("expected a literal without NUL, or literal8"));
		return add_bytes(a, m, STR(""), spool);
	}
	struct store_spool *whole CLEANUP(store_spool_free) =
	    store_spool_new(s->store, s->append_limit, STORE_SPOOL_HERE_MAX);
	a->failed = !imap_catenate(s, m, whole, a->result);
	if (a->failed)
		return -ECANCELED;
	if (store_spool_len(whole) == 0)
		return fail(a, IMAP_RESULT_NO("CANNOT", "An empty message is none"));
	return add_bytes(a, m, STR(""), whole);
}

static int append_all(struct appending *a, uint64_t mailbox, const struct imap_command *c,
    const struct imap_replaced *replaced, uint32_t *ret_uidvalidity, struct store_uids *ret_uids)
{
	struct store_append *append CLEANUP(free_append) = NULL;
	unsigned rights = 0;
	int r = authorize_rights(a->s->store, &a->s->subject, mailbox, &rights);

	a->permitted = imap_rights_flags(rights);
	if (r == 0)
		r = store_append_begin(a->s->store, mailbox, &append);
	a->append = append;
	if (r == 0 && replaced != NULL)
		r = store_append_replace(append, replaced->mailbox, replaced->uid);
	for (const struct imap_append_message *m = c->messages; r == 0 && m != NULL; m = m->next)
		r = add_message(a, m);
	if (r < 0)
		return r;
	return store_append_commit(append, &a->s->arena, ret_uidvalidity, ret_uids);
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

static bool check_messages(
    struct imap_session *s, const struct imap_command *c, struct imap_result *ret_result)
{
	for (const struct imap_append_message *m = c->messages; m != NULL; m = m->next) {
		if (m->utf8 && !s->utf8) {
			*ret_result = IMAP_RESULT_BAD("ENABLE UTF8=ACCEPT comes before that");
			return false;
		}
		if (m->n_parts == 0 && m->message.len == 0) {
			/* RFC 3502 §6.3.11: the client gave up */
			*ret_result = IMAP_RESULT_NO("CANNOT", "An empty message is none");
			return false;
		}
	}
	return true;
}

static struct imap_result error_of(struct imap_session *s, int error)
{
	if (error == -ENOENT)
		return IMAP_RESULT_NO("TRYCREATE", "There is no such mailbox");
	if (error == -ESTALE)
		return IMAP_RESULT_NO("EXPUNGEISSUED", "The message to be replaced is gone");
	return imap_store_error(s, error);
}

bool imap_append(struct imap_session *s, const struct imap_command *c,
    const struct imap_replaced *replaced, struct str *ret_code, struct imap_result *ret_result)
{
	struct appending a = {.s = s, .result = ret_result};
	struct store_mailbox mailbox;
	struct store_uids uids;
	uint32_t uidvalidity;

	if (!imap_find_target(s, c->name, &mailbox, ret_result) ||
	    !check_messages(s, c, ret_result))
		return false;
	int r = append_all(&a, mailbox.id, c, replaced, &uidvalidity, &uids);
	s->appended_to = mailbox.id;
	imap_tell_others(s);
	if (r < 0 && r != -EINPROGRESS) {
		if (!a.failed)
			*ret_result = error_of(s, r);
		return false;
	}
	*ret_code = r == 0 ? append_code(s, uidvalidity, uids) : STR("");
	return true;
}
