#include "session/imap/search_fuzzy.h"

#include <errno.h>

#include "mail/search_word.h"
#include "store/store_search.h"

/* Shares of a score; together SEARCH_SCORE_MAX. */
enum { SHARE_WHOLE = 50, SHARE_SUBJECT = 20, SHARE_NEW = 30 };

static struct imap_search_key *copy_with(
    struct imap_session *s, const struct imap_search_key *key, struct str text)
{
	struct imap_search_key *copy = ARENA_NEW(&s->arena, struct imap_search_key);

	if (copy == NULL)
		return NULL;
	*copy = (struct imap_search_key){
	    .op = key->op, .field = key->field, .text = text, .by_row = key->by_row};
	return copy;
}

/* What only the score asks: the whole text where it is looked for, and in the subject. */
static int keep_whole(struct imap_session *s, struct imap_search_key *key)
{
	struct imap_search_key *whole = copy_with(s, key, key->text);
	struct imap_search_key *subject = copy_with(s, key, key->text);

	if (whole == NULL || subject == NULL)
		return -E2BIG;
	subject->op = SEARCH_HEADER;
	subject->field = STR("Subject");
	whole->next = subject;
	key->whole = whole;
	return 0;
}

int search_fuzzy_expand(struct imap_session *s, struct imap_search_key *key)
{
	struct search_words words = search_words_of(SEARCH_CLASS_BODY, key->text);
	struct imap_search_key *first = NULL, **to = &first;
	struct str word;

	if (!key->fuzzy || key->whole != NULL || key->text.len == 0)
		return 0;
	int r = keep_whole(s, key);
	for (unsigned n = 0; r == 0 && n < SEARCH_FUZZY_WORDS_MAX; n++) {
		if (!search_word_next(&words, &word))
			break;
		*to = copy_with(s, key, word);
		if (*to == NULL)
			return -E2BIG;
		to = &(*to)->next;
	}
	if (r < 0 || first == NULL)
		return r;
	key->op = SEARCH_AND;
	key->by_row = false;
	key->child = first;
	return 0;
}

/* Texts whose score counts, and what they come to for one message. */
struct scoring {
	uint32_t message;
	unsigned n, points;
};

static unsigned part_of(unsigned share, const struct store_search_answer *answer, uint32_t message)
{
	if (answer == NULL)
		return share / 2;
	switch (store_search_says(answer, message)) {
	case STORE_SEARCH_YES:
		return share;
	case STORE_SEARCH_MAYBE:
		return share / 2;
	default:
		return 0;
	}
}

static void add_points(struct scoring *g, const struct imap_search_key *key)
{
	for (; key != NULL; key = key->next) {
		add_points(g, key->child);
		if (key->whole == NULL)
			continue;
		g->n++;
		g->points += part_of(SHARE_WHOLE, key->whole->answer, g->message);
		g->points += part_of(SHARE_SUBJECT, key->whole->next->answer, g->message);
	}
}

int search_fuzzy_score(
    struct imap_session *s, const struct imap_search_key *key, struct search_found *found)
{
	if (!imap_search_is_fuzzy(key))
		return 0;
	found->scores = ARENA_NEW_ARRAY(&s->arena, uint8_t, s->view->n + 1);
	if (found->scores == NULL)
		return -E2BIG;
	for (size_t i = 0; i < found->n; i++) {
		uint32_t at = found->positions[i];
		struct scoring g = {.message = store_view_entry(s->view, at).message};
		add_points(&g, key);
		size_t score = (i + 1) * SHARE_NEW / found->n;
		score += g.n > 0 ? g.points / g.n : SHARE_WHOLE + SHARE_SUBJECT;
		found->scores[at] = (uint8_t)(score > 0 ? score : 1);
	}
	return 0;
}
