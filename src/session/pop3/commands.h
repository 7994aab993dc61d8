/* session/pop3/commands.h: the handlers of the table in commands.c. They write the whole answer. */
#ifndef SESSION_POP3_COMMANDS_H
#define SESSION_POP3_COMMANDS_H

#include "session/pop3/pop3_session.h"

#define POP3_CMD(name) void pop3_cmd_##name(struct pop3_session *s, const struct pop3_command *c)

POP3_CMD(capa); /* cmd_capa.c */
POP3_CMD(noop);
POP3_CMD(stat); /* cmd_list.c */
POP3_CMD(list);
POP3_CMD(uidl);
POP3_CMD(retr); /* cmd_retr.c: and TOP */
POP3_CMD(dele); /* cmd_dele.c */
POP3_CMD(rset);
POP3_CMD(quit); /* cmd_quit.c */

#endif
