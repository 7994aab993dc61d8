#include "session/imap/commands.h"

/* What each word switches on; false where it is on already. */
static bool enable(struct imap_session *s, struct str word, struct str *ret_name)
{
	const struct {
		struct str name;
		bool *on;
	} words[] = {
	    {STR_INIT("IMAP4rev2"), &s->rev2},
	    {STR_INIT("CONDSTORE"), &s->condstore},
	    {STR_INIT("QRESYNC"), &s->qresync},
	    {STR_INIT("UIDONLY"), &s->uidonly},
	    {STR_INIT("UTF8=ACCEPT"), &s->utf8_only},
	    {STR_INIT("METADATA"), &s->metadata},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!str_eq_nocase(word, words[i].name) || *words[i].on)
			continue;
		*words[i].on = true;
		*ret_name = words[i].name;
		return true;
	}
	return false;
}

/*
 * RFC 5161, RFC 9051 §6.3.1: words that are unknown or cannot be enabled are passed over. The
 * response names what this command newly enabled. QRESYNC is CONDSTORE too (RFC 7162 §3.2.3).
 */
struct imap_result imap_cmd_enable(struct imap_session *s, const struct imap_command *c)
{
	struct buf *out = &s->out.buf;
	bool condstore = s->condstore, metadata = s->metadata;
	struct str name;

	buf_add(out, STR("* ENABLED"));
	for (size_t i = 0; i < c->n_words; i++) {
		if (!enable(s, c->words[i], &name))
			continue;
		buf_add_c(out, ' ');
		buf_add(out, name);
	}
	buf_add(out, STR("\r\n"));
	if (!condstore && (s->condstore || s->qresync)) {
		s->condstore = false; /* so that it says where the client stands */
		imap_enable_condstore(s);
	}
	s->utf8 = s->rev2 || s->utf8_only;
	if (s->metadata && !metadata)
		s->metadata = imap_watch_metadata(s);
	return IMAP_RESULT_OK("ENABLE done");
}
