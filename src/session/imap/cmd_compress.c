#include "session/imap/commands.h"

/* COMPRESS DEFLATE (RFC 4978 §3): compression begins behind the tagged OK (dialogue.c). */
struct imap_result imap_cmd_compress(struct imap_session *s, const struct imap_command *c)
{
	if (!str_eq_nocase(c->mechanism, STR("DEFLATE")))
		return IMAP_RESULT_NO("CANNOT", "Only DEFLATE is known here");
	if (s->compression != NULL)
		return IMAP_RESULT_NO("COMPRESSIONACTIVE", "DEFLATE is active already");
	s->compress = true;
	return IMAP_RESULT_OK("DEFLATE active");
}
