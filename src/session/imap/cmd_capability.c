#include "imap/capability.h"
#include "session/imap/commands.h"

struct imap_result imap_cmd_capability(struct imap_session *s, const struct imap_command *c)
{
	const struct imap_offer offer = {.append_limit = s->append_limit,
	    .unauthenticate = s->may_unauthenticate,
	    .message_limit = s->message_limit};

	(void)c;
	buf_add(&s->out.buf, STR("* CAPABILITY "));
	imap_capability_write(IMAP_STAGE_SIGNED_IN, &offer, &s->out.buf);
	buf_add(&s->out.buf, STR("\r\n"));
	return IMAP_RESULT_OK("CAPABILITY done");
}
