#include <errno.h>

#include "imap/mailbox_name.h"
#include "session/imap/commands.h"
#include "session/imap/rights.h"

/*
 * The one use that is asked for (RFC 6154 §3). \All and \Flagged name virtual mailboxes, which are
 * not made by clients; a mailbox has one use. False: NO [USEATTR].
 */
static bool read_use(const struct imap_command *c, enum store_special_use *ret_use)
{
	*ret_use = STORE_NO_USE;
	if (c->n_words == 0)
		return true;
	if (c->n_words > 1)
		return false;
	for (enum store_special_use use = STORE_NO_USE + 1; use < STORE_N_USES; use++) {
		if (use == STORE_ALL || use == STORE_FLAGGED_USE ||
		    !str_eq_nocase(c->words[0], imap_special_use_name(use)))
			continue;
		*ret_use = use;
		return true;
	}
	return false;
}

/* The store refuses a name that is taken and a use that is taken with the same word. */
static struct imap_result refusal(
    struct imap_session *s, struct str name, enum store_special_use use, int error)
{
	struct store_mailbox mailbox;

	if (error == -EEXIST && use != STORE_NO_USE &&
	    store_mailbox_find(s->store, name, &s->arena, &mailbox) == -ENOENT)
		return IMAP_RESULT_NO("USEATTR", "Another mailbox has that special use");
	return imap_store_error(s, error);
}

/* With the mailbox's id (RFC 8474 §4.1). Another client may have removed it at once. */
static struct imap_result done(struct imap_session *s, struct str name)
{
	struct imap_result result = IMAP_RESULT_OK("CREATE done");
	struct buf code CLEANUP(buf_done) = BUF_MAX(64);
	struct store_mailbox mailbox;

	if (store_mailbox_find(s->store, name, &s->arena, &mailbox) < 0)
		return result;
	buf_add(&code, STR("MAILBOXID "));
	imap_mailbox_id_write(&mailbox, &code);
	if (!arena_dup(&s->arena, buf_str(&code), &result.code))
		result.code = STR("");
	return result;
}

/* RFC 9051 §6.3.4. A delimiter at the end only says that inferiors are to come. */
struct imap_result imap_cmd_create(struct imap_session *s, const struct imap_command *c)
{
	enum store_special_use use;
	struct str name = c->name;
	struct imap_result result;
	uint64_t id;

	if (!read_use(c, &use))
		return IMAP_RESULT_NO("USEATTR", "A mailbox cannot be made for that use");
	if (name.len > 1 && name.p[name.len - 1] == IMAP_DELIMITER)
		name.len--;
	if (!imap_read_name(s, name, &name, &result) || !imap_may_create(s, name, &result))
		return result;
	int r = store_mailbox_create(s->store, name, use, &id);
	if (r < 0)
		return refusal(s, name, use, r);
	imap_tell_others(s);
	return done(s, name);
}
