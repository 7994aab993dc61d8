#include "session/imap/commands.h"

struct imap_result imap_cmd_logout(struct imap_session *s, const struct imap_command *c)
{
	(void)c;
	imap_unselect(s, false);
	buf_add(&s->out.buf, STR("* BYE Good-bye\r\n"));
	s->ending = true;
	return IMAP_RESULT_OK("LOGOUT done");
}
