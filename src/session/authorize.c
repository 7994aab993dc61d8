#include "session/authorize.h"

#include <errno.h>

#include "base/utf8.h"
#include "mail/charset.h"

static const struct str anyone = AUTHORIZE_ANYONE;

/* 0 and the rights of one identifier; none where the list does not name it. */
static int granted(
    struct store *s, uint64_t mailbox, struct str identifier, bool *ret_named, unsigned *ret_rights)
{
	unsigned rights = 0;
	int error = store_rights_get(s, mailbox, identifier, &rights);
	if (error && error != -ENOENT)
		return error;
	*ret_named = error == 0;
	*ret_rights = rights;
	return 0;
}

int authorize_rights(
    struct store *s, const struct subject *subject, uint64_t mailbox, unsigned *ret_rights)
{
	unsigned own = 0, everybodys = 0;
	bool named = false, ignored;
	int error = granted(s, mailbox, subject->user, &named, &own);
	if (!error && !subject->is_owner)
		error = granted(s, mailbox, anyone, &ignored, &everybodys);
	if (error)
		return error;
	if (!subject->is_owner)
		*ret_rights = own | everybodys;
	else
		*ret_rights = named ? own | AUTHORIZE_OWNER_ALWAYS : STORE_RIGHTS_ALL;
	return 0;
}

int authorize_mailbox(
    struct store *s, const struct subject *subject, unsigned rights, uint64_t mailbox)
{
	unsigned has = 0;
	int error = authorize_rights(s, subject, mailbox, &has);
	if (error)
		return error;
	return (has & rights) == rights ? 0 : -EACCES;
}

bool authorize_spell(struct str identifier, struct buf *out)
{
	if (identifier.len == 0 || identifier.len > STORE_IDENTIFIER_LEN_MAX ||
	    identifier.p[0] == '-')
		return false;
	for (struct str rest = identifier; rest.len > 0;) {
		int c = utf8_next(&rest);
		if (c == UTF8_INVALID || c <= ' ' || c == 0x7f)
			return false;
	}
	size_t before = out->len;
	charset_fold(identifier, out);
	return !buf_failed(out) && out->len > before &&
	       out->len - before <= STORE_IDENTIFIER_LEN_MAX;
}
