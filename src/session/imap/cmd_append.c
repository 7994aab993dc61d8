#include "session/imap/append.h"
#include "session/imap/commands.h"

/* APPEND, MULTIAPPEND and CATENATE (RFC 9051 §6.3.12, RFC 3502, RFC 4469): all messages or none. */
struct imap_result imap_cmd_append(struct imap_session *s, const struct imap_command *c)
{
	struct imap_result result = IMAP_RESULT_OK("APPEND done");
	struct str code;

	if (!imap_append(s, c, NULL, &code, &result))
		return result;
	if (code.len == 0)
		return IMAP_RESULT_OK("APPEND done; the message will appear soon");
	result.code = code;
	return result;
}
