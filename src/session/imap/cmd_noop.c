#include "session/imap/commands.h"

/* NOOP and CHECK: what they are for is done for every command: the updates before the answer. */
struct imap_result imap_cmd_noop(struct imap_session *s, const struct imap_command *c)
{
	imap_take_in(s);
	return IMAP_RESULT_OK(c->id == IMAP_NOOP ? "NOOP done" : "CHECK done");
}
