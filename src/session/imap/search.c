#include "session/imap/search.h"

#include <errno.h>

#include "mail/address.h"
#include "mail/charset.h"
#include "mail/date.h"
#include "mail/encoded_word.h"
#include "mail/header.h"
#include "mail/summary.h"
#include "mail/text.h"
#include "session/imap/fetch_section.h"

/* A search under way, and what is known of the message that is looked at. */
struct searching {
	struct imap_session *s;
	bool rows; /* keys ask for dates or sizes */
	size_t at;
	struct store_entry e;
	const struct store_row *row;
	struct fetch_message message;
	struct arena arena;      /* of the message's structure */
	struct buf text, folded; /* work space */
	int error;               /* reading the message failed */
};

static bool matches(struct searching *g, const struct imap_search_key *key);

static bool holds(struct searching *g, struct str text, struct str folded_word)
{
	if (folded_word.len == 0)
		return true;
	buf_clear(&g->folded);
	charset_fold(text, &g->folded);
	return str_find(buf_str(&g->folded), folded_word) < g->folded.len;
}

/* A field's value as it is shown and as it is written: either may hold the word. */
static bool value_holds(struct searching *g, struct str value, struct str word)
{
	buf_clear(&g->text);
	encoded_word_decode(value, &g->text);
	if (holds(g, buf_str(&g->text), word))
		return true;
	if (str_find(value, STR("=?")) == value.len)
		return false;
	buf_clear(&g->text);
	header_unfold(value, &g->text);
	return holds(g, buf_str(&g->text), word);
}

/*
 * The addresses of a field as they are understood: FROM, TO, CC and BCC look at the envelope (RFC
 * 9051 §6.4.4), whatever comments and folds stand between the pieces.
 */
static bool addresses_hold(struct searching *g, struct str value, struct str word)
{
	struct address *list;

	if (address_list_parse(value, &g->arena, &list) < 0)
		return false;
	buf_clear(&g->text);
	for (; list != NULL; list = list->next) {
		encoded_word_decode(list->name, &g->text);
		buf_add(&g->text, STR(" <"));
		buf_add(&g->text, list->mailbox);
		if (list->host.len > 0)
			buf_add_c(&g->text, '@');
		buf_add(&g->text, list->host);
		buf_add(&g->text, STR("> "));
	}
	return holds(g, buf_str(&g->text), word);
}

static bool is_address_field(struct str name)
{
	static const struct str names[] = {
	    STR_INIT("From"), STR_INIT("To"), STR_INIT("Cc"), STR_INIT("Bcc")};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq_nocase(name, names[i]))
			return true;
	return false;
}

static bool field_matches(
    struct searching *g, const struct header_field *field, const struct imap_search_key *key)
{
	if (!str_eq_nocase(field->name, key->field))
		return false;
	return value_holds(g, field->value, key->text) ||
	       (is_address_field(field->name) && addresses_hold(g, field->value, key->text));
}

/* One that may have been cut is looked for in the header itself. */
static bool is_whole_subject(struct str subject)
{
	return subject.len < SUMMARY_SUBJECT_MAX / 2;
}

static bool header_matches(struct searching *g, const struct imap_search_key *key)
{
	struct str header;
	struct header_field field;

	/* The database keeps the decoded subject: mostly nothing needs to be opened. */
	if (key->by_row && is_whole_subject(g->row->subject))
		return holds(g, g->row->subject, key->text);
	g->error = fetch_message_header(&g->message, &header);
	if (g->error < 0)
		return false;
	struct header_reader reader = {.rest = header};
	while (header_next(&reader, &field))
		if (field_matches(g, &field, key))
			return true;
	return false;
}

static bool fields_hold(struct searching *g, struct str header, struct str word)
{
	struct header_reader reader = {.rest = header};
	struct header_field field;

	while (header_next(&reader, &field)) {
		if (value_holds(g, field.value, word))
			return true;
		buf_clear(&g->text);
		buf_add(&g->text, field.name);
		buf_add(&g->text, STR(": "));
		encoded_word_decode(field.value, &g->text);
		if (holds(g, buf_str(&g->text), word))
			return true;
	}
	return false;
}

/* Text parts decoded, and headers of messages within the message. */
static bool body_matches(struct searching *g, const struct imap_search_key *key)
{
	const struct mime_part *root, *part;
	struct text_reader reader;

	g->error = fetch_message_structure(&g->message, &root);
	if (g->error < 0)
		return false;
	reader = (struct text_reader){.message = g->message.whole, .next = root};
	while (text_next(&reader, &g->text, &part))
		if (holds(g, buf_str(&g->text), key->text))
			return true;
	for (part = mime_next(root); part != NULL; part = mime_next(part))
		if (mime_is_message_root(part) &&
		    fields_hold(g, mime_header(g->message.whole, part), key->text))
			return true;
	return key->text.len == 0;
}

static bool text_matches(struct searching *g, const struct imap_search_key *key)
{
	struct str header;

	g->error = fetch_message_header(&g->message, &header);
	if (g->error < 0)
		return false;
	return fields_hold(g, header, key->text) || body_matches(g, key);
}

static int32_t internal_day(const struct store_row *row)
{
	return date_day((struct date){row->internal_at, row->internal_zone});
}

/* In UTC, as FETCH SAVEDATE shows it. */
static int32_t saved_day(const struct store_row *row)
{
	return date_day((struct date){row->saved_at, 0});
}

/* A message without a readable Date field counts with its internal date. */
static int32_t sent_day(const struct store_row *row)
{
	if (!row->has_sent)
		return internal_day(row);
	return date_day((struct date){row->sent_at, row->sent_zone});
}

static bool row_matches(const struct searching *g, const struct imap_search_key *key)
{
	const struct store_row *row = g->row;

	switch (key->op) {
	case SEARCH_LARGER:
		return row->size > key->number;
	case SEARCH_SMALLER:
		return row->size < key->number;
	case SEARCH_BEFORE:
		return internal_day(row) < key->day;
	case SEARCH_ON:
		return internal_day(row) == key->day;
	case SEARCH_SINCE:
		return internal_day(row) >= key->day;
	case SEARCH_SAVED_BEFORE:
		return saved_day(row) < key->day;
	case SEARCH_SAVED_ON:
		return saved_day(row) == key->day;
	case SEARCH_SAVED_SINCE:
		return saved_day(row) >= key->day;
	case SEARCH_SENT_BEFORE:
		return sent_day(row) < key->day;
	case SEARCH_SENT_ON:
		return sent_day(row) == key->day;
	default:
		return sent_day(row) >= key->day;
	}
}

static bool entry_matches(const struct searching *g, const struct imap_search_key *key)
{
	uint64_t flags = g->e.flags;

	switch (key->op) {
	case SEARCH_FLAG:
	case SEARCH_KEYWORD:
		return (flags & key->number) != 0;
	case SEARCH_UNFLAG:
	case SEARCH_UNKEYWORD:
		return (flags & key->number) == 0;
	case SEARCH_NEW:
		return (flags & STORE_RECENT) != 0 && (flags & STORE_SEEN) == 0;
	case SEARCH_OLD:
		return (flags & STORE_RECENT) == 0;
	case SEARCH_RECENT:
		return (flags & STORE_RECENT) != 0;
	case SEARCH_SEQUENCE:
		return imap_set_has(&key->set, (uint32_t)g->at + 1);
	case SEARCH_UID:
		return imap_set_has(&key->set, g->e.uid);
	case SEARCH_OBJECT:
		return imap_set_has(&key->set, g->e.message);
	case SEARCH_MODSEQ:
		return g->e.modseq >= key->number;
	default:
		return true;
	}
}

static bool all_match(struct searching *g, const struct imap_search_key *key)
{
	for (; key != NULL; key = key->next)
		if (!matches(g, key))
			return false;
	return true;
}

static bool matches(struct searching *g, const struct imap_search_key *key)
{
	if (g->error < 0)
		return false;
	switch (key->op) {
	case SEARCH_AND:
		return all_match(g, key->child);
	case SEARCH_OR:
		return matches(g, key->child) || matches(g, key->child->next);
	case SEARCH_NOT:
		return !matches(g, key->child);
	case SEARCH_HEADER:
		return header_matches(g, key);
	case SEARCH_BODY:
		return body_matches(g, key);
	case SEARCH_TEXT:
		return text_matches(g, key);
	case SEARCH_LARGER:
	case SEARCH_SMALLER:
	case SEARCH_BEFORE:
	case SEARCH_ON:
	case SEARCH_SINCE:
	case SEARCH_SAVED_BEFORE:
	case SEARCH_SAVED_ON:
	case SEARCH_SAVED_SINCE:
	case SEARCH_SENT_BEFORE:
	case SEARCH_SENT_ON:
	case SEARCH_SENT_SINCE:
		return row_matches(g, key);
	default:
		return entry_matches(g, key);
	}
}

static bool asks_rows(const struct imap_search_key *key)
{
	for (; key != NULL; key = key->next) {
		if ((key->op >= SEARCH_BEFORE && key->op <= SEARCH_SMALLER) || key->by_row)
			return true;
		if (asks_rows(key->child))
			return true;
	}
	return false;
}

/* Looks at one message. 0, or an error that ends the search. */
static int look_at(struct searching *g, const struct imap_search_key *key, size_t at,
    const struct store_row *row, struct search_found *found)
{
	g->at = at;
	g->e = store_view_entry(g->s->view, at);
	g->row = row;
	g->error = 0;
	g->message.id = g->e.message;
	if ((g->e.flags & STORE_GONE) != 0)
		return 0;
	bool match = matches(g, key);
	fetch_message_done(&g->message);
	arena_clear(&g->arena);
	if (g->error == -EBADMSG)
		found->n_damaged++;
	else if (g->error < 0 && g->error != -ENOENT)
		return g->error;
	if (!match || g->error < 0)
		return 0;
	found->positions[found->n++] = (uint32_t)at;
	if (g->e.modseq > found->highest_modseq)
		found->highest_modseq = g->e.modseq;
	return 0;
}

static void close_scan(struct store_scan **scan)
{
	if (*scan != NULL)
		store_scan_close(*scan);
}

static int look_at_rows(
    struct searching *g, const struct imap_search_key *key, struct search_found *found)
{
	struct store_scan *scan CLEANUP(close_scan) = NULL;
	struct store_row row;
	int r = store_scan_open(g->s->view, 0, g->s->view->n, STORE_COLUMN_ORDER, &scan);

	while (r >= 0 && (r = store_scan_next(scan, &row)) > 0) {
		r = look_at(g, key, row.at, &row, found);
		if (r < 0)
			return r;
	}
	return r;
}

int search_run(
    struct imap_session *s, const struct imap_search_key *key, struct search_found *ret_found)
{
	struct searching g = {.s = s,
	    .arena = ARENA_MAX(MIME_ARENA_MAX),
	    .text = BUF_MAX(SEARCH_TEXT_MAX),
	    .folded = BUF_MAX(4 * (size_t)SEARCH_TEXT_MAX)};
	struct search_found found = {0};
	int r = 0;

	g.message.store = s->store;
	g.message.arena = &g.arena;
	found.positions = ARENA_NEW_ARRAY(&s->arena, uint32_t, s->view->n + 1);
	if (found.positions == NULL)
		return -E2BIG;
	if (asks_rows(key)) {
		r = look_at_rows(&g, key, &found);
	} else {
		for (size_t at = 0; r == 0 && at < s->view->n; at++)
			r = look_at(&g, key, at, NULL, &found);
	}
	arena_done(&g.arena);
	buf_done(&g.text);
	buf_done(&g.folded);
	if (r == 0)
		*ret_found = found;
	return r;
}
