#include <errno.h>

#include "session/pop3/commands.h"

/* Only marked; QUIT removes (RFC 1939 §5). */
void pop3_cmd_dele(struct pop3_session *s, const struct pop3_command *c)
{
	size_t at;

	if (!pop3_find(s, c->message, &at))
		return;
	if ((s->rights & POP3_RIGHTS_TO_REMOVE) != POP3_RIGHTS_TO_REMOVE) {
		pop3_store_error(s, -EACCES);
		return;
	}
	s->marks[at] |= POP3_DELETED;
	buf_printf(&s->out.buf, "+OK Message %u will be removed by QUIT\r\n", c->message);
}

void pop3_cmd_rset(struct pop3_session *s, const struct pop3_command *c)
{
	(void)c;
	for (size_t i = 0; i < s->view->n; i++)
		s->marks[i] &= (uint8_t)~POP3_DELETED;
	buf_add(&s->out.buf, STR("+OK No message is marked as deleted\r\n"));
}
