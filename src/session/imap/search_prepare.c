#include <errno.h>
#include <stdlib.h>

#include "mail/charset.h"
#include "session/imap/effort.h"
#include "session/imap/search_fuzzy.h"
#include "store/store_object.h"
#include "store/store_search.h"

enum { STRING_MAX = 512 * 1024 };

struct preparing {
	struct imap_session *s;
	struct str charset;
	struct imap_result result;
};

/* How dear a key is to ask: entries, rows, headers, bodies. */
static int cost_of(const struct imap_search_key *key)
{
	int cost = 0;

	switch (key->op) {
	case SEARCH_AND:
	case SEARCH_OR:
	case SEARCH_NOT:
		for (const struct imap_search_key *child = key->child; child; child = child->next) {
			int of_child = cost_of(child); /* once: asked twice, it doubles a level */
			cost = of_child > cost ? of_child : cost;
		}
		return cost;
	case SEARCH_LARGER:
	case SEARCH_SMALLER:
	case SEARCH_YOUNGER:
	case SEARCH_OLDER:
	case SEARCH_BEFORE:
	case SEARCH_ON:
	case SEARCH_SINCE:
	case SEARCH_SAVED_BEFORE:
	case SEARCH_SAVED_ON:
	case SEARCH_SAVED_SINCE:
	case SEARCH_SENT_BEFORE:
	case SEARCH_SENT_ON:
	case SEARCH_SENT_SINCE:
		return 1;
	case SEARCH_HEADER:
		return key->by_row ? 1 : 2;
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return 3;
	default:
		return 0;
	}
}

/* Cheap ones first; a stable insertion, for lists are short. */
static void sort_children(struct imap_search_key *key)
{
	struct imap_search_key *sorted = NULL;

	while (key->child != NULL) {
		struct imap_search_key *child = key->child, **to = &sorted;
		int cost = cost_of(child);
		key->child = child->next;
		while (*to != NULL && cost_of(*to) <= cost)
			to = &(*to)->next;
		child->next = *to;
		*to = child;
	}
	key->child = sorted;
}

static bool fold_text(struct preparing *p, struct str *text)
{
	struct buf utf8 CLEANUP(buf_done) = BUF_MAX(STRING_MAX);
	struct buf folded CLEANUP(buf_done) = BUF_MAX(STRING_MAX);

	if (charset_to_utf8(p->charset, *text, &utf8) &&
	    charset_search_key(buf_str(&utf8), &folded) &&
	    arena_dup(&p->s->arena, buf_str(&folded), text))
		return true;
	p->result = imap_too_much();
	return false;
}

static bool prepare_text(struct preparing *p, struct imap_search_key *key)
{
	if (!fold_text(p, &key->text))
		return false;
	if (search_fuzzy_expand(p->s, key) == 0)
		return true;
	p->result = imap_too_much();
	return false;
}

/* Sets become sorted UIDs or message numbers. */
static bool resolve_set(struct preparing *p, struct imap_search_key *key)
{
	const struct store_view *v = p->s->view;

	if (key->set.saved) {
		key->op = SEARCH_UID;
		key->set = (struct imap_set){.ranges = p->s->saved, .n = p->s->n_saved};
		return true;
	}
	if (key->op == SEARCH_UID) {
		imap_set_resolve(&key->set, v->n > 0 ? store_view_entry(v, v->n - 1).uid : 0);
		return true;
	}
	if (p->s->uidonly) {
		p->result = imap_uid_required();
		return false;
	}
	/* A number beyond the mailbox is no error here: it names nothing that could be found. */
	imap_set_resolve(&key->set, (uint32_t)v->n);
	return true;
}

static bool keyword_bit(struct preparing *p, struct imap_search_key *key)
{
	int r = store_keyword(p->s->store, key->text, false, &key->number);

	if (r < 0)
		key->number = 0; /* no message has it */
	return true;
}

/* The set of messages (store_entry.message) that have the id. */
static bool find_object(struct preparing *p, struct imap_search_key *key)
{
	const uint32_t *messages = NULL;
	size_t n = 0;
	int r = 0;

	if ((unsigned char)key->text.p[0] == key->number)
		r = store_object_find(p->s->store, key->text, &p->s->arena, &messages, &n);
	key->set.ranges = ARENA_NEW_ARRAY(&p->s->arena, struct imap_range, n + 1);
	if (r < 0 || key->set.ranges == NULL) {
		p->result = r < 0 ? imap_store_error(p->s, r) : imap_too_much();
		return false;
	}
	for (size_t i = 0; i < n; i++)
		key->set.ranges[key->set.n++] = (struct imap_range){messages[i], messages[i]};
	return true;
}

static uint64_t flag_bit(uint64_t flag)
{
	switch (flag) {
	case IMAP_ANSWERED:
		return STORE_ANSWERED;
	case IMAP_FLAGGED:
		return STORE_FLAGGED;
	case IMAP_DELETED:
		return STORE_DELETED;
	case IMAP_SEEN:
		return STORE_SEEN;
	default:
		return STORE_DRAFT;
	}
}

static bool prepare_key(struct preparing *p, struct imap_search_key *key)
{
	for (struct imap_search_key *child = key->child; child != NULL; child = child->next)
		if (!prepare_key(p, child))
			return false;
	switch (key->op) {
	case SEARCH_AND:
	case SEARCH_OR:
		sort_children(key);
		return true;
	case SEARCH_FLAG:
	case SEARCH_UNFLAG:
		key->number = flag_bit(key->number);
		return true;
	case SEARCH_KEYWORD:
	case SEARCH_UNKEYWORD:
		return keyword_bit(p, key);
	case SEARCH_SEQUENCE:
	case SEARCH_UID:
		return resolve_set(p, key);
	case SEARCH_OBJECT:
		return find_object(p, key);
	case SEARCH_HEADER:
		/* The empty string asks whether the field is there, which the row does not say. */
		key->by_row = str_eq_nocase(key->field, STR("Subject")) && key->text.len > 0;
		return prepare_text(p, key);
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return prepare_text(p, key);
	default:
		return true;
	}
}

bool search_prepare(struct imap_session *s, struct str charset, struct imap_search_key *key,
    struct imap_result *ret_result)
{
	struct preparing p = {.s = s, .charset = charset};

	if (s->utf8_only && charset.len > 0) {
		*ret_result = IMAP_RESULT_BAD("No CHARSET after ENABLE UTF8=ACCEPT");
		return false;
	}
	if (charset.len == 0)
		p.charset = STR("utf-8");
	else if (!charset_is_known(charset)) {
		*ret_result =
		    IMAP_RESULT_NO("BADCHARSET (UTF-8 US-ASCII)", "That charset is unknown");
		return false;
	}
	if (prepare_key(&p, key))
		return true;
	*ret_result = p.result;
	return false;
}

bool search_asks_modseq(const struct imap_search_key *key)
{
	for (; key != NULL; key = key->next)
		if (key->op == SEARCH_MODSEQ || search_asks_modseq(key->child))
			return true;
	return false;
}

/* Where a key looks; 0: not at texts. */
static unsigned classes_of(const struct imap_search_key *key)
{
	const unsigned all = STORE_SEARCH_BIT(SEARCH_N_CLASSES) - 1;

	switch (key->op) {
	case SEARCH_HEADER:
		return STORE_SEARCH_BIT(search_class_of(key->field));
	case SEARCH_BODY:
		return STORE_SEARCH_BIT(SEARCH_CLASS_BODY);
	case SEARCH_TEXT:
		return all;
	default:
		return 0;
	}
}

/* "HEADER X-Field …" asks for one of many fields that the index does not keep apart. */
static bool is_of_many(const struct imap_search_key *key)
{
	return key->op == SEARCH_HEADER &&
	       (key->text.len == 0 || search_class_of(key->field) == SEARCH_CLASS_HEADER);
}

static void yes_is_maybe(struct store_search_answer *answer)
{
	for (size_t i = 0; i <= answer->indexed / 64; i++) {
		answer->maybe[i] |= answer->yes[i];
		answer->yes[i] = 0;
	}
}

static int ask_index(struct imap_session *s, struct imap_search_key *key)
{
	unsigned classes = classes_of(key);
	struct str text = key->text;
	struct buf name CLEANUP(buf_done) = BUF_MAX(STRING_MAX);

	if (classes != 0 && key->op == SEARCH_HEADER && text.len == 0) {
		classes = STORE_SEARCH_BIT(SEARCH_CLASS_NAME);
		charset_search_key(key->field, &name);
		text = buf_str(&name);
	}
	if (classes == 0 || text.len == 0 || key->answer != NULL)
		return 0;
	struct store_search_answer *answer = ARENA_NEW(&s->arena, struct store_search_answer);
	if (answer == NULL)
		return -E2BIG;
	int r = store_search_find(s->store, classes, text, &s->arena, answer);
	if (r < 0)
		return r;
	if (is_of_many(key))
		yes_is_maybe(answer);
	key->answer = answer;
	return imap_effort_step(s, EFFORT_LOOK);
}

int search_ask_index(struct imap_session *s, struct imap_search_key *key)
{
	int r = 0;

	for (; r == 0 && key != NULL; key = key->next) {
		r = ask_index(s, key);
		if (r == 0)
			r = search_ask_index(s, key->child);
		if (r == 0)
			r = search_ask_index(s, key->whole);
	}
	return r;
}
