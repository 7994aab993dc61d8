#include "session/imap/search_filter.h"

#include "imap/filter.h"
#include "store/store_annotation.h"

static const struct str private_values = STR_INIT("/private/filters/values/");
static const struct str shared_values = STR_INIT("/shared/filters/values/");

struct expanding {
	struct imap_session *s;
	size_t n_keys;
	struct imap_result result;
};

static bool has_filter(const struct imap_search_key *key)
{
	for (; key != NULL; key = key->next)
		if (key->op == SEARCH_FILTER || has_filter(key->child))
			return true;
	return false;
}

static size_t count(const struct imap_search_key *key)
{
	size_t n = 0;

	for (; key != NULL; key = key->next)
		n += 1 + count(key->child);
	return n;
}

/* RFC 5466 §3.1: the response code names it. */
static bool undefined(struct expanding *e, struct str name)
{
	struct buf code CLEANUP(buf_done) = BUF_MAX(1 << 16);

	e->result = IMAP_RESULT_NO("", "There is no such filter");
	buf_add(&code, STR("UNDEFINED-FILTER "));
	buf_add(&code, name);
	if (buf_failed(&code) || !arena_dup(&e->s->arena, buf_str(&code), &e->result.code))
		e->result = imap_too_much();
	return false;
}

/* The value of the entry: 1, 0 there is none, or the store's error. Entries are in small letters.
 */
static int look_up(struct imap_session *s, struct str root, struct str name, struct str *ret_value)
{
	struct buf entry CLEANUP(buf_done) = BUF_MAX(STORE_ANNOTATION_NAME_MAX);
	const struct store_annotation *list;
	size_t n = 0;

	buf_add(&entry, root);
	for (size_t i = 0; i < name.len; i++)
		buf_add_c(&entry, ascii_lower(name.p[i]));
	if (buf_failed(&entry))
		return 0;
	int r = store_annotations_get(
	    s->store, 0, buf_str(&entry), ANNOTATION_ALONE, &s->arena, &list, &n);
	if (r < 0 || n == 0)
		return r;
	*ret_value = list[0].value;
	return 1;
}

/* One FILTER key becomes what it stands for. */
static bool replace(struct expanding *e, struct imap_search_key *key)
{
	struct imap_session *s = e->s;
	struct imap_search_key *kept;
	struct str value;
	/* Private entries are the owner's alone. */
	int r = s->subject.is_owner ? look_up(s, private_values, key->text, &value) : 0;

	if (r == 0)
		r = look_up(s, shared_values, key->text, &value);
	if (r < 0)
		e->result = imap_store_error(s, r);
	if (r <= 0)
		return r == 0 ? undefined(e, key->text) : false;
	if (!imap_parse_filter(value, &s->arena, &kept)) {
		e->result = IMAP_RESULT_NO("CANNOT", "What that filter holds is no search");
		return false;
	}
	e->n_keys += count(kept);
	if (e->n_keys > IMAP_SEARCH_KEYS_MAX) {
		e->result = IMAP_RESULT_NO("LIMIT", "These filters make too large a search");
		return false;
	}
	/* A kept search is one criterion, wherever it stands. */
	key->op = SEARCH_AND;
	key->child = kept->child;
	return true;
}

static bool expand(struct expanding *e, struct imap_search_key *key, unsigned passes)
{
	for (; key != NULL; key = key->next) {
		bool is_filter = key->op == SEARCH_FILTER;
		if (is_filter && passes == SEARCH_FILTER_PASSES)
			return undefined(e, key->text);
		if (is_filter && !replace(e, key))
			return false;
		if (!expand(e, key->child, passes + is_filter))
			return false;
	}
	return true;
}

bool search_expand_filters(struct imap_session *s, struct imap_search_key *key, struct str *charset,
    struct imap_result *ret_result)
{
	struct expanding e = {.s = s, .n_keys = count(key)};

	if (!has_filter(key))
		return true;
	/* §3.1: what is kept is UTF-8, and so is the command then. */
	if (charset->len > 0 && !str_eq_nocase(*charset, STR("UTF-8")) &&
	    !str_eq_nocase(*charset, STR("US-ASCII"))) {
		*ret_result = IMAP_RESULT_BAD("With FILTER the charset is UTF-8");
		ret_result->code = STR("BADCHARSET (UTF-8 US-ASCII)");
		return false;
	}
	if (charset->len > 0)
		*charset = STR("UTF-8");
	if (expand(&e, key, 0))
		return true;
	*ret_result = e.result;
	return false;
}

bool search_filter_is_good(struct imap_session *s, struct str entry, struct str value)
{
	struct imap_search_key *key;

	if (!str_skip(&entry, private_values) && !str_skip(&entry, shared_values))
		return true;
	return imap_is_filter_name(entry) && imap_parse_filter(value, &s->arena, &key);
}
