#include "pop3/capability.h"
#include "session/pop3/commands.h"

void pop3_cmd_capa(struct pop3_session *s, const struct pop3_command *c)
{
	(void)c;
	pop3_capability_write(POP3_STAGE_SIGNED_IN, &s->out.buf);
}

void pop3_cmd_noop(struct pop3_session *s, const struct pop3_command *c)
{
	(void)c;
	buf_add(&s->out.buf, STR("+OK Nothing was done\r\n"));
}
