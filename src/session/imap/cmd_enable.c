#include "session/imap/commands.h"

/*
 * RFC 5161, RFC 9051 §6.3.1: words that are unknown or cannot be enabled are passed over. The
 * response names what this command newly enabled.
 */
struct imap_result imap_cmd_enable(struct imap_session *s, const struct imap_command *c)
{
	struct buf *out = &s->out.buf;
	bool enables = false;

	buf_add(out, STR("* ENABLED"));
	for (size_t i = 0; i < c->n_words; i++) {
		if (str_eq_nocase(c->words[i], STR("IMAP4rev2")) && !s->rev2) {
			s->rev2 = true;
			buf_add(out, STR(" IMAP4rev2"));
		} else if (str_eq_nocase(c->words[i], STR("CONDSTORE")) && !s->condstore &&
		           !enables) {
			enables = true;
			buf_add(out, STR(" CONDSTORE"));
		}
	}
	buf_add(out, STR("\r\n"));
	if (enables)
		imap_enable_condstore(s);
	return IMAP_RESULT_OK("ENABLE done");
}
