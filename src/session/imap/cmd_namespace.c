#include "session/imap/commands.h"

/* One personal namespace without a prefix (RFC 2342, RFC 9051 §6.3.10). */
struct imap_result imap_cmd_namespace(struct imap_session *s, const struct imap_command *c)
{
	(void)c;
	buf_add(&s->out.buf, STR("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"));
	return IMAP_RESULT_OK("NAMESPACE done");
}
