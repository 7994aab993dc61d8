#include <errno.h>

#include "session/imap/commands.h"
#include "session/imap/rights.h"

/*
 * SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.7, §6.3.8). Only what exists can be subscribed to; a
 * subscription outlives its mailbox.
 */
struct imap_result imap_cmd_subscribe(struct imap_session *s, const struct imap_command *c)
{
	bool on = c->id == IMAP_SUBSCRIBE;
	struct store_mailbox mailbox;
	struct imap_result result;
	struct str name;

	if (!imap_read_name(s, c->name, &name, &result))
		return result;
	if (on && !imap_find_permitted(s, c->name, STORE_RIGHT_LOOKUP, &mailbox, &result))
		return result;
	int r = store_mailbox_subscribe(s->store, name, on);
	if (r < 0)
		return imap_store_error(s, r);
	imap_tell_others(s); /* those that watch it (RFC 5465 §5.5) */
	return IMAP_RESULT_OK(on ? "SUBSCRIBE done" : "UNSUBSCRIBE done");
}
