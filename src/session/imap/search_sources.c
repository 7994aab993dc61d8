#include "session/imap/search_sources.h"

#include "imap/mailbox_name.h"
#include "session/imap/rights.h"

enum { INBOX_AT = 0 }; /* it stands first */

struct choosing {
	struct imap_session *s;
	struct store_mailbox *list; /* all there are, by name, but INBOX first */
	size_t n;
	uint8_t *chosen; /* for each of the list: bits */
	struct imap_result result;
};

enum { CHOSEN = 1, NAMED = 2 };

static int compare_names(struct str a, struct str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.p, b.p, len) : 0;

	return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

/* The first behind INBOX whose name is not before this one. */
static size_t first_from(const struct choosing *c, struct str name)
{
	size_t low = INBOX_AT + 1, high = c->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_names(c->list[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void choose_one(struct choosing *c, struct str name)
{
	size_t at = first_from(c, name);

	if (c->n > 0 && str_eq(c->list[INBOX_AT].name, name))
		c->chosen[INBOX_AT] |= CHOSEN | NAMED;
	else if (at < c->n && str_eq(c->list[at].name, name))
		c->chosen[at] |= CHOSEN | NAMED;
}

/* Those below a mailbox; with `one`, on the next level only. */
static void choose_below(struct choosing *c, struct str name, bool one)
{
	struct buf above CLEANUP(buf_done) = BUF_MAX(STORE_MAILBOX_NAME_MAX + 1);

	buf_add(&above, name);
	buf_add_c(&above, IMAP_DELIMITER);
	struct str prefix = buf_str(&above);
	for (size_t at = first_from(c, prefix); at < c->n; at++) {
		if (!str_starts(c->list[at].name, prefix))
			break;
		struct str below = str_from(c->list[at].name, prefix.len);
		if (!one || str_index(below, IMAP_DELIMITER) == below.len)
			c->chosen[at] |= CHOSEN;
	}
}

static bool choose_names(struct choosing *c, const struct imap_mailbox_filter *filter)
{
	struct str name;

	for (size_t i = 0; i < filter->n_names; i++) {
		if (!imap_read_name(c->s, filter->names[i], &name, &c->result))
			return false;
		choose_one(c, name);
		if (filter->kind != FILTER_MAILBOXES)
			choose_below(c, name, filter->kind == FILTER_SUBTREE_ONE);
	}
	return true;
}

static bool choose_selected(struct choosing *c)
{
	if (c->s->view == NULL) {
		c->result = IMAP_RESULT_BAD("No mailbox is selected");
		return false;
	}
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].id == c->s->view->mailbox)
			c->chosen[i] |= CHOSEN | NAMED;
	return true;
}

static bool choose(struct choosing *c, const struct imap_mailbox_filter *filter)
{
	switch (filter->kind) {
	case FILTER_SELECTED:
	case FILTER_SELECTED_DELAYED:
		return choose_selected(c);
	case FILTER_INBOXES:
		if (c->n > 0)
			c->chosen[INBOX_AT] |= CHOSEN;
		return true;
	case FILTER_PERSONAL:
	case FILTER_SUBSCRIBED:
		for (size_t i = 0; i < c->n; i++)
			if (filter->kind == FILTER_PERSONAL || c->list[i].subscribed)
				c->chosen[i] |= CHOSEN;
		return true;
	default:
		return choose_names(c, filter);
	}
}

/* A name that is only subscribed has no mailbox. */
static bool may_search(const struct choosing *c, size_t i)
{
	unsigned rights = STORE_RIGHT_READ;
	struct imap_result ignored;

	if ((c->chosen[i] & NAMED) == 0)
		rights |= STORE_RIGHT_LOOKUP;
	return c->chosen[i] != 0 && c->list[i].id != 0 &&
	       imap_may(c->s, rights, c->list[i].id, &ignored);
}

bool search_sources_find(struct imap_session *s, const struct imap_mailbox_filter *filters,
    struct search_sources *ret_sources, struct imap_result *ret_result)
{
	static const struct imap_mailbox_filter selected = {.kind = FILTER_SELECTED};
	struct choosing c = {.s = s};
	bool good = true;

	int r = store_mailbox_list(s->store, &s->arena, &c.list, &c.n);
	if (r < 0) {
		*ret_result = imap_store_error(s, r);
		return false;
	}
	c.chosen = ARENA_NEW_ARRAY(&s->arena, uint8_t, c.n + 1);
	if (c.chosen == NULL) {
		*ret_result = imap_too_much();
		return false;
	}
	if (filters == NULL)
		filters = &selected;
	for (; good && filters != NULL; filters = filters->next)
		good = choose(&c, filters);
	if (!good) {
		*ret_result = c.result;
		return false;
	}
	ret_sources->v = c.list;
	ret_sources->n = 0;
	for (size_t i = 0; i < c.n; i++)
		if (may_search(&c, i))
			ret_sources->v[ret_sources->n++] = c.list[i];
	return true;
}
