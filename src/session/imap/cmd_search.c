#include "session/imap/commands.h"
#include "session/imap/search_answer.h"

struct imap_result imap_cmd_search(struct imap_session *s, const struct imap_command *c)
{
	struct search_found found;
	struct imap_result result;

	if (!search_find(s, &c->search, SEARCH_SOME, &found, &result))
		return result;
	const struct search_answer answer = {.s = s,
	    .tag = c->tag,
	    .uid = c->uid,
	    .search = &c->search,
	    .positions = found.positions,
	    .n = found.n,
	    .scores = found.scores,
	    .modseq = search_asks_modseq(c->search.key),
	    .highest_modseq = found.highest_modseq};
	search_answer_write(&answer, STR("SEARCH"));
	return search_result(&found, "SEARCH done");
}
