#include "session/imap/commands.h"

/* RFC 2971. No version: it would only help an attacker choose. */
struct imap_result imap_cmd_id(struct imap_session *s, const struct imap_command *c)
{
	(void)c;
	buf_add(&s->out.buf, STR("* ID (\"name\" \"Gatepost\")\r\n"));
	return IMAP_RESULT_OK("ID done");
}
