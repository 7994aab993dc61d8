#include "imap/filter.h"
#include "imap/search_key.h"

#include "imap/flags.h"
#include "mail/date.h"

enum { OBJECT_ID_MAX = 255 };

/* What follows a key's word. */
enum argument {
	NONE,
	KEYWORD,
	STRING,
	OBJECT_ID,
	NUMBER,
	INTERVAL,
	DAY,
	SET,
	FILTER_NAME,
	AFTER,
	BEFORE,
	FIELD_AND_STRING,
	ONE_KEY,
	FUZZY_KEY,
	TWO_KEYS,
	VALUE
};

struct key_word {
	struct str word;
	enum imap_search_op op;
	enum argument argument;
	unsigned flag;
	struct str field;
};

/* search-key, RFC 9051 §9; OLDER, YOUNGER from RFC 5032; NEW, OLD, RECENT from RFC 3501; MODSEQ
 * from RFC 7162 §7; SAVED… from RFC 8514. */
static const struct key_word key_words[] = {
    {STR_INIT("ALL"), SEARCH_ALL, NONE, 0, {0}},
    {STR_INIT("ANSWERED"), SEARCH_FLAG, NONE, IMAP_ANSWERED, {0}},
    {STR_INIT("BCC"), SEARCH_HEADER, STRING, 0, STR_INIT("Bcc")},
    {STR_INIT("BEFORE"), SEARCH_BEFORE, DAY, 0, {0}},
    {STR_INIT("BODY"), SEARCH_BODY, STRING, 0, {0}},
    {STR_INIT("CC"), SEARCH_HEADER, STRING, 0, STR_INIT("Cc")},
    {STR_INIT("DELETED"), SEARCH_FLAG, NONE, IMAP_DELETED, {0}},
    {STR_INIT("DRAFT"), SEARCH_FLAG, NONE, IMAP_DRAFT, {0}},
    {STR_INIT("EMAILID"), SEARCH_OBJECT, OBJECT_ID, 'M', {0}},
    {STR_INIT("FILTER"), SEARCH_FILTER, FILTER_NAME, 0, {0}},
    {STR_INIT("FLAGGED"), SEARCH_FLAG, NONE, IMAP_FLAGGED, {0}},
    {STR_INIT("FROM"), SEARCH_HEADER, STRING, 0, STR_INIT("From")},
    {STR_INIT("FUZZY"), SEARCH_AND, FUZZY_KEY, 0, {0}},
    {STR_INIT("HEADER"), SEARCH_HEADER, FIELD_AND_STRING, 0, {0}},
    {STR_INIT("KEYWORD"), SEARCH_KEYWORD, KEYWORD, 0, {0}},
    {STR_INIT("LARGER"), SEARCH_LARGER, NUMBER, 0, {0}},
    {STR_INIT("MODSEQ"), SEARCH_MODSEQ, VALUE, 0, {0}},
    {STR_INIT("NEW"), SEARCH_NEW, NONE, 0, {0}},
    {STR_INIT("NOT"), SEARCH_NOT, ONE_KEY, 0, {0}},
    {STR_INIT("OLD"), SEARCH_OLD, NONE, 0, {0}},
    {STR_INIT("OLDER"), SEARCH_OLDER, INTERVAL, 0, {0}},
    {STR_INIT("ON"), SEARCH_ON, DAY, 0, {0}},
    {STR_INIT("OR"), SEARCH_OR, TWO_KEYS, 0, {0}},
    {STR_INIT("RECENT"), SEARCH_RECENT, NONE, 0, {0}},
    {STR_INIT("SAVEDATESUPPORTED"), SEARCH_ALL, NONE, 0, {0}},
    {STR_INIT("SAVEDBEFORE"), SEARCH_SAVED_BEFORE, DAY, 0, {0}},
    {STR_INIT("SAVEDON"), SEARCH_SAVED_ON, DAY, 0, {0}},
    {STR_INIT("SAVEDSINCE"), SEARCH_SAVED_SINCE, DAY, 0, {0}},
    {STR_INIT("SEEN"), SEARCH_FLAG, NONE, IMAP_SEEN, {0}},
    {STR_INIT("SENTBEFORE"), SEARCH_SENT_BEFORE, DAY, 0, {0}},
    {STR_INIT("SENTON"), SEARCH_SENT_ON, DAY, 0, {0}},
    {STR_INIT("SENTSINCE"), SEARCH_SENT_SINCE, DAY, 0, {0}},
    {STR_INIT("SINCE"), SEARCH_SINCE, DAY, 0, {0}},
    {STR_INIT("SMALLER"), SEARCH_SMALLER, NUMBER, 0, {0}},
    {STR_INIT("SUBJECT"), SEARCH_HEADER, STRING, 0, STR_INIT("Subject")},
    {STR_INIT("TEXT"), SEARCH_TEXT, STRING, 0, {0}},
    {STR_INIT("THREADID"), SEARCH_OBJECT, OBJECT_ID, 'T', {0}},
    {STR_INIT("TO"), SEARCH_HEADER, STRING, 0, STR_INIT("To")},
    {STR_INIT("UID"), SEARCH_UID, SET, 0, {0}},
    {STR_INIT("UIDAFTER"), SEARCH_UID, AFTER, 0, {0}},
    {STR_INIT("UIDBEFORE"), SEARCH_UID, BEFORE, 0, {0}},
    {STR_INIT("UNANSWERED"), SEARCH_UNFLAG, NONE, IMAP_ANSWERED, {0}},
    {STR_INIT("UNDELETED"), SEARCH_UNFLAG, NONE, IMAP_DELETED, {0}},
    {STR_INIT("UNDRAFT"), SEARCH_UNFLAG, NONE, IMAP_DRAFT, {0}},
    {STR_INIT("UNFLAGGED"), SEARCH_UNFLAG, NONE, IMAP_FLAGGED, {0}},
    {STR_INIT("UNKEYWORD"), SEARCH_UNKEYWORD, KEYWORD, 0, {0}},
    {STR_INIT("UNSEEN"), SEARCH_UNFLAG, NONE, IMAP_SEEN, {0}},
    {STR_INIT("YOUNGER"), SEARCH_YOUNGER, INTERVAL, 0, {0}},
};

struct key_reader {
	struct imap_parser *p;
	unsigned depth;
	unsigned n_keys;
	unsigned n_fuzzy; /* FUZZY words around this */
};

static bool parse_key(struct key_reader *r, struct imap_search_key **ret_key);

/* date = date-text / DQUOTE date-text DQUOTE */
static bool parse_day(struct imap_parser *p, int32_t *ret_day)
{
	struct str text;

	if (imap_peek(p) == '"' ? !imap_parse_string(p, &text) : !imap_parse_atom(p, &text))
		return false;
	if (!date_parse_day(text, ret_day))
		return imap_fail(p, "a date such as 1-Feb-1994 before this");
	return true;
}

/*
 * search-modsequence = "MODSEQ" [search-modseq-ext] SP mod-sequence-valzer
 * search-modseq-ext = SP entry-name SP entry-type-req
 */
static bool parse_modseq(struct imap_parser *p, uint64_t *ret_modseq)
{
	struct str entry;

	if (imap_peek(p) == '"') {
		if (!imap_parse_string(p, &entry) || !imap_parse_space(p))
			return false;
		if (!imap_skip_word(p, STR("all")) && !imap_skip_word(p, STR("priv")) &&
		    !imap_skip_word(p, STR("shared")))
			return imap_fail(p, "all, priv or shared");
		if (!imap_parse_space(p))
			return false;
	}
	return imap_parse_number(p, 0, INT64_MAX, ret_modseq);
}

/* objectid = 1*255(ALPHA / DIGIT / "_" / "-") (RFC 8474 §7) */
static bool parse_object_id(struct imap_parser *p, struct str *ret_id)
{
	struct str id;

	if (!imap_parse_atom(p, &id))
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alpha(id.p[i]) && !ascii_is_digit(id.p[i]) && id.p[i] != '_' &&
		    id.p[i] != '-')
			return imap_fail(p, "an object id before this");
	if (id.len > OBJECT_ID_MAX)
		return imap_fail(p, "a shorter object id before this");
	*ret_id = id;
	return true;
}

/* "UIDAFTER" SP uniqueid and "UIDBEFORE" SP uniqueid (RFC 9738 §6), as the set of those beyond */
static bool parse_beyond(struct imap_parser *p, bool after, struct imap_set *ret_set)
{
	struct imap_range *range = ARENA_NEW(p->arena, struct imap_range);
	uint64_t uid;

	if (range == NULL)
		return imap_fail_size(p);
	if (!imap_parse_number(p, 1, UINT32_MAX, &uid))
		return false;
	bool none = uid == (after ? UINT32_MAX : 1);
	*range = after ? (struct imap_range){(uint32_t)uid + 1, UINT32_MAX}
	               : (struct imap_range){1, (uint32_t)uid - 1};
	*ret_set = (struct imap_set){.ranges = range, .n = none ? 0 : 1};
	return true;
}

static bool parse_two_keys(struct key_reader *r, struct imap_search_key *key)
{
	return parse_key(r, &key->child) && imap_parse_space(r->p) &&
	       parse_key(r, &key->child->next);
}

/* "FUZZY" SP search-key (RFC 6203 §7) */
static bool parse_fuzzy(struct key_reader *r, struct imap_search_key *key)
{
	key->fuzzy = true;
	r->n_fuzzy++;
	bool good = parse_key(r, &key->child);
	r->n_fuzzy--;
	return good;
}

/* Keys that are arguments of a key, and UIDs that stand for a set. */
static bool parse_inner(struct key_reader *r, enum argument argument, struct imap_search_key *key)
{
	switch (argument) {
	case ONE_KEY:
		return parse_key(r, &key->child);
	case FUZZY_KEY:
		return parse_fuzzy(r, key);
	case AFTER:
	case BEFORE:
		return parse_beyond(r->p, argument == AFTER, &key->set);
	default:
		return parse_two_keys(r, key);
	}
}

static bool parse_argument(
    struct key_reader *r, enum argument argument, struct imap_search_key *key)
{
	struct imap_parser *p = r->p;

	if (argument == NONE)
		return true;
	if (!imap_parse_space(p))
		return false;
	switch (argument) {
	case KEYWORD:
		return imap_parse_keyword(p, &key->text);
	case STRING:
		return imap_parse_astring(p, &key->text);
	case FILTER_NAME:
		return imap_parse_filter_name(p, &key->text);
	case OBJECT_ID:
		return parse_object_id(p, &key->text);
	case NUMBER:
		return imap_parse_number(p, 0, INT64_MAX, &key->number);
	case INTERVAL: /* nz-number, RFC 5032 §3 */
		return imap_parse_number(p, 1, UINT32_MAX, &key->number);
	case DAY:
		return parse_day(p, &key->day);
	case SET:
		return imap_parse_set(p, &key->set);
	case FIELD_AND_STRING:
		return imap_parse_astring(p, &key->field) && imap_parse_space(p) &&
		       imap_parse_astring(p, &key->text);
	case VALUE:
		return parse_modseq(p, &key->number);
	default:
		return parse_inner(r, argument, key);
	}
}

static bool parse_list(struct key_reader *r, char end, struct imap_search_key **ret_first)
{
	struct imap_search_key **to = ret_first;

	do {
		if (!parse_key(r, to))
			return false;
		to = &(*to)->next;
	} while (imap_skip(r->p, ' '));
	return end == '\0' ? imap_parse_end(r->p) : imap_parse_char(r->p, end);
}

static bool parse_word_key(struct key_reader *r, struct imap_search_key *key)
{
	for (size_t i = 0; i < ARRAY_LEN(key_words); i++) {
		const struct key_word *word = &key_words[i];
		if (!imap_skip_word(r->p, word->word))
			continue;
		key->op = word->op;
		key->number = word->flag;
		key->field = word->field;
		key->fuzzy = r->n_fuzzy > 0;
		return parse_argument(r, word->argument, key);
	}
	return imap_fail(r->p, "a search key");
}

static bool parse_key_inside(struct key_reader *r, struct imap_search_key *key)
{
	char c = imap_peek(r->p);

	if (imap_skip(r->p, '(')) {
		key->op = SEARCH_AND;
		return parse_list(r, ')', &key->child);
	}
	if (ascii_is_digit(c) || c == '*' || c == '$') {
		key->op = SEARCH_SEQUENCE;
		return imap_parse_set(r->p, &key->set);
	}
	return parse_word_key(r, key);
}

static bool parse_key(struct key_reader *r, struct imap_search_key **ret_key)
{
	struct imap_search_key *key = ARENA_NEW(r->p->arena, struct imap_search_key);

	if (key == NULL)
		return imap_fail_size(r->p);
	if (++r->n_keys > IMAP_SEARCH_KEYS_MAX || r->depth == IMAP_SEARCH_DEPTH_MAX)
		return imap_fail(r->p, "a simpler search");
	r->depth++;
	bool good = parse_key_inside(r, key);
	r->depth--;
	if (good)
		*ret_key = key;
	return good;
}

bool imap_parse_search_keys(struct imap_parser *p, struct imap_search_key **ret_key)
{
	struct imap_search_key *key = ARENA_NEW(p->arena, struct imap_search_key);
	struct key_reader r = {.p = p};

	if (key == NULL)
		return imap_fail_size(p);
	key->op = SEARCH_AND;
	if (!parse_list(&r, '\0', &key->child))
		return false;
	*ret_key = key;
	return true;
}

bool imap_search_is_fuzzy(const struct imap_search_key *key)
{
	for (; key != NULL; key = key->next)
		if (key->fuzzy || imap_search_is_fuzzy(key->child))
			return true;
	return false;
}
