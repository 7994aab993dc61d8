#include "session/imap/append.h"
#include "session/imap/commands.h"
#include "session/imap/message_limit.h"

/* APPEND, MULTIAPPEND and CATENATE (RFC 9051 §6.3.12, RFC 3502, RFC 4469): all messages or none. */
struct imap_result imap_cmd_append(struct imap_session *s, const struct imap_command *c)
{
	struct imap_result result = IMAP_RESULT_OK("APPEND done");
	struct str code;
	size_t n = 0;

	for (const struct imap_append_message *m = c->messages; m != NULL; m = m->next)
		n++;
	if (imap_limit_refuses_count(s, n, &result))
		return result;
	if (!imap_append(s, c, NULL, &code, &result))
		return result;
	if (code.len == 0)
		return IMAP_RESULT_OK("APPEND done; the message will appear soon");
	result.code = code;
	return result;
}
