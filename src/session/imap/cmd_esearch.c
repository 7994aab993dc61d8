/* ESEARCH: one search in several mailboxes (RFC 7377). */
#include <errno.h>

#include "session/imap/commands.h"
#include "session/imap/search_answer.h"
#include "session/imap/search_sources.h"

struct searching {
	struct imap_session *s;
	const struct imap_command *c;
	bool modseq;
	size_t n_damaged;
};

static bool copy_set(struct arena *a, struct imap_set *set)
{
	struct imap_range *ranges = ARENA_NEW_ARRAY(a, struct imap_range, set->n + 1);

	if (ranges == NULL)
		return false;
	if (set->n > 0)
		memcpy(ranges, set->ranges, set->n * sizeof(*ranges));
	set->ranges = ranges;
	return true;
}

/* Preparing changes keys in place, and each mailbox wants its own. */
static bool copy_keys(
    struct arena *a, const struct imap_search_key *from, struct imap_search_key **to)
{
	for (; from != NULL; from = from->next) {
		struct imap_search_key *key = ARENA_NEW(a, struct imap_search_key);
		if (key == NULL)
			return false;
		*key = *from;
		key->next = NULL;
		if (!copy_set(a, &key->set) || !copy_keys(a, from->child, &key->child))
			return false;
		*to = key;
		to = &key->next;
	}
	*to = NULL;
	return true;
}

static void tell(const struct searching *g, const struct imap_search *search,
    const struct store_mailbox *mailbox, const struct search_found *found)
{
	const struct search_answer answer = {.s = g->s,
	    .tag = g->c->tag,
	    .uid = true,
	    .search = search,
	    .positions = found->positions,
	    .n = found->n,
	    .scores = found->scores,
	    .modseq = search_asks_modseq(search->key),
	    .highest_modseq = found->highest_modseq,
	    .mailbox = mailbox};

	search_answer_write(&answer, STR("ESEARCH"));
}

/* In the mailbox that the session's view is of, with an arena of its own. */
static bool search_view(
    struct searching *g, const struct store_mailbox *mailbox, struct imap_result *ret_result)
{
	struct imap_search search = g->c->search;
	struct search_found found;

	search.extended = true;
	if (search.return_options == 0)
		search.return_options = RETURN_ALL; /* RFC 7377 §2.1 */
	search.key = NULL;
	if (!copy_keys(&g->s->arena, g->c->search.key, &search.key)) {
		*ret_result = imap_too_much();
		return false;
	}
	if (!search_find(g->s, &search, SEARCH_ANY, &found, ret_result))
		return false;
	tell(g, &search, mailbox, &found);
	g->n_damaged += found.n_damaged;
	return true;
}

/* A mailbox that is not selected: its view takes the place of the selected one meanwhile. */
static bool search_other(
    struct searching *g, const struct store_mailbox *mailbox, struct imap_result *ret_result)
{
	struct imap_session *s = g->s;
	struct store_view *selected = s->view;
	size_t n_saved = s->n_saved;
	struct store_view *view;

	int r = store_view_open(s->store, mailbox->id, true, &view);
	if (r == -ENOENT)
		return true; /* deleted meanwhile */
	if (r < 0) {
		*ret_result = imap_store_error(s, r);
		return false;
	}
	s->view = view;
	s->n_saved = 0; /* `$` names messages of the selected mailbox */
	bool good = search_view(g, mailbox, ret_result);
	s->view = selected;
	s->n_saved = n_saved;
	store_view_close(view);
	return good;
}

static bool search_one(
    struct searching *g, const struct store_mailbox *mailbox, struct imap_result *ret_result)
{
	struct imap_session *s = g->s;
	struct arena whole = s->arena;

	s->arena = ARENA_MAX(IMAP_SESSION_ARENA_MAX);
	bool good = s->view != NULL && s->view->mailbox == mailbox->id
	                ? search_view(g, mailbox, ret_result)
	                : search_other(g, mailbox, ret_result);
	arena_done(&s->arena);
	s->arena = whole;
	imap_output_room(&s->out);
	return good;
}

struct imap_result imap_cmd_esearch(struct imap_session *s, const struct imap_command *c)
{
	struct searching g = {.s = s, .c = c, .modseq = search_asks_modseq(c->search.key)};
	struct search_sources sources;
	struct imap_result result;

	if (!search_sources_find(s, c->search.sources, &sources, &result))
		return result;
	if (g.modseq)
		imap_enable_condstore(s); /* of the selected mailbox, not of another */
	for (size_t i = 0; i < sources.n; i++)
		if (!search_one(&g, &sources.v[i], &result))
			return result;
	const struct search_found all = {.n_damaged = g.n_damaged};
	return search_result(&all, "ESEARCH done");
}
