#include "imap/mailbox_name.h"
#include "session/imap/commands.h"

/* RFC 9051 §6.3.4. A delimiter at the end only says that inferiors are to come. */
struct imap_result imap_cmd_create(struct imap_session *s, const struct imap_command *c)
{
	struct str name = c->name;
	struct imap_result result;
	uint64_t id;

	if (name.len > 1 && name.p[name.len - 1] == IMAP_DELIMITER)
		name.len--;
	if (!imap_read_name(s, name, &name, &result))
		return result;
	int r = store_mailbox_create(s->store, name, STORE_NO_USE, &id);
	if (r < 0)
		return imap_store_error(s, r);
	imap_tell_others(s);
	return IMAP_RESULT_OK("CREATE done");
}
