/* Mailboxes by the names that clients give them. */
#include "session/imap/imap_session.h"

#include <errno.h>

#include "imap/mailbox_name.h"

struct imap_result imap_too_much(void)
{
	return IMAP_RESULT_NO("LIMIT", "That is too much for one command");
}

struct imap_result imap_uid_required(void)
{
	struct imap_result result = IMAP_RESULT_BAD("Messages have no numbers here, only UIDs");

	result.code = STR("UIDREQUIRED");
	return result;
}

struct imap_result imap_store_error(struct imap_session *s, int error)
{
	(void)s;
	switch (error) {
	case -ENOENT:
		return IMAP_RESULT_NO("NONEXISTENT", "There is no such mailbox");
	case -EEXIST:
		return IMAP_RESULT_NO("ALREADYEXISTS", "That mailbox exists already");
	case -ENOSPC:
	case -EDQUOT:
		return IMAP_RESULT_NO("OVERQUOTA", "There is no room left");
	case -EFBIG:
		return IMAP_RESULT_NO("TOOBIG", "That message is too big");
	case -E2BIG:
		return IMAP_RESULT_NO("LIMIT", "That is more than is kept here");
	case -ENAMETOOLONG:
	case -EINVAL:
		return IMAP_RESULT_NO("CANNOT", "That name cannot be used");
	case -EPERM:
		return IMAP_RESULT_NO("CANNOT", "INBOX cannot be removed");
	case -ETIME:
		return IMAP_RESULT_NO("LIMIT", "That takes too long; ask for less at once");
	case -EBUSY:
		return IMAP_RESULT_NO("INUSE", "The mailbox is busy, try again");
	case -EBADMSG:
		return IMAP_RESULT_NO("CORRUPTION", "Stored data is damaged; it was reported");
	default:
		return IMAP_RESULT_NO("UNAVAILABLE", "The store does not answer, try again");
	}
}

bool imap_read_name(
    struct imap_session *s, struct str name, struct str *ret_name, struct imap_result *ret_result)
{
	struct buf kept CLEANUP(buf_done) = BUF_MAX(8 * IMAP_MAILBOX_NAME_LEN_MAX);
	struct buf canonical CLEANUP(buf_done) = BUF_MAX(8 * IMAP_MAILBOX_NAME_LEN_MAX);
	const char *wrong = imap_mailbox_name_read(name, s->utf8, &kept);

	if (wrong == NULL && store_mailbox_name(buf_str(&kept), &canonical) < 0)
		wrong = "That name cannot be used";
	if (wrong != NULL) {
		*ret_result = IMAP_RESULT_NO("CANNOT", NULL);
		ret_result->text = wrong;
		return false;
	}
	if (arena_dup(&s->arena, buf_str(&canonical), ret_name))
		return true;
	*ret_result = imap_too_much();
	return false;
}

bool imap_find_mailbox(struct imap_session *s, struct str name, bool try_create,
    struct store_mailbox *ret_mailbox, struct imap_result *ret_result)
{
	struct str kept;

	if (!imap_read_name(s, name, &kept, ret_result))
		return false;
	int r = store_mailbox_find(s->store, kept, &s->arena, ret_mailbox);
	if (r == 0)
		return true;
	*ret_result = imap_store_error(s, r);
	if (r == -ENOENT && try_create)
		*ret_result = IMAP_RESULT_NO("TRYCREATE", "There is no such mailbox");
	return false;
}
