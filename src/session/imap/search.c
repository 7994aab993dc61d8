#include "session/imap/search.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "mail/date.h"
#include "mail/summary.h"
#include "session/imap/search_fuzzy.h"
#include "session/imap/search_message.h"
#include "store/store_message.h"
#include "store/store_search.h"

enum {
	SCAN_GAP_MAX = 64,   /* rows that lie no further apart are read in one go */
	ENTRIES_A_LOOK = 64, /* looked at without asking whether that takes too long */
};

/* Each level knows more, and costs more to ask. */
enum level {
	BY_ENTRY,   /* flags and numbers, and what the index says */
	BY_ROW,     /* dates, sizes, subjects */
	BY_MESSAGE, /* the message itself */
};

enum outcome { NO, YES, UNKNOWN };

/* A search under way, and what is known of the message that is looked at. */
struct searching {
	struct imap_session *s;
	enum level level;
	uint64_t now; /* seconds since 1970 */
	size_t at;
	struct store_entry e;
	const struct store_row *row;
	struct search_message message;
};

static enum outcome ask(struct searching *g, const struct imap_search_key *key);

static enum outcome outcome_of(bool matches)
{
	return matches ? YES : NO;
}

/* One that may have been cut is looked for in the header itself. */
static bool is_whole_subject(struct str subject)
{
	return subject.len < SUMMARY_SUBJECT_MAX / 2;
}

static enum outcome ask_index(const struct searching *g, const struct imap_search_key *key)
{
	if (key->text.len == 0 && key->op != SEARCH_HEADER)
		return YES;
	if (key->answer == NULL)
		return UNKNOWN;
	switch (store_search_says(key->answer, g->e.message)) {
	case STORE_SEARCH_YES:
		return YES;
	case STORE_SEARCH_NO:
		return NO;
	default:
		return UNKNOWN;
	}
}

static enum outcome ask_text(struct searching *g, const struct imap_search_key *key)
{
	enum outcome outcome = ask_index(g, key);

	if (outcome != UNKNOWN)
		return outcome;
	if (g->level >= BY_ROW && key->by_row && is_whole_subject(g->row->subject))
		return outcome_of(search_message_holds(&g->message, g->row->subject, key->text));
	if (g->level < BY_MESSAGE)
		return UNKNOWN;
	/* Each key goes through all of the message anew. */
	if (g->message.error == 0)
		g->message.error = imap_effort_spend(g->s, EFFORT_MESSAGE);
	return outcome_of(search_message_matches(&g->message, key));
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
	case SEARCH_YOUNGER:
		return row->internal_at >= (int64_t)(g->now - key->number);
	case SEARCH_OLDER:
		return row->internal_at <= (int64_t)(g->now - key->number);
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

static enum outcome ask_all(struct searching *g, const struct imap_search_key *key)
{
	enum outcome all = YES;

	for (; key != NULL; key = key->next) {
		enum outcome outcome = ask(g, key);
		if (outcome == NO)
			return NO;
		if (outcome == UNKNOWN)
			all = UNKNOWN;
	}
	return all;
}

static enum outcome ask_either(struct searching *g, const struct imap_search_key *key)
{
	enum outcome first = ask(g, key);

	if (first == YES)
		return YES;
	enum outcome second = ask(g, key->next);
	return second == NO ? first : second;
}

static enum outcome ask_not(struct searching *g, const struct imap_search_key *key)
{
	enum outcome outcome = ask(g, key);

	return outcome == UNKNOWN ? UNKNOWN : outcome_of(outcome == NO);
}

static bool is_of_row(const struct imap_search_key *key)
{
	return key->op >= SEARCH_BEFORE && key->op <= SEARCH_SMALLER;
}

static enum outcome ask(struct searching *g, const struct imap_search_key *key)
{
	if (is_of_row(key)) {
		if (g->level < BY_ROW)
			return UNKNOWN;
		return outcome_of(row_matches(g, key));
	}
	switch (key->op) {
	case SEARCH_AND:
		return ask_all(g, key->child);
	case SEARCH_OR:
		return ask_either(g, key->child);
	case SEARCH_NOT:
		return ask_not(g, key->child);
	case SEARCH_HEADER:
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return ask_text(g, key);
	default:
		return outcome_of(entry_matches(g, key));
	}
}

/* The columns that the keys need besides dates and sizes; -1: no rows at all. */
static int columns_of(const struct imap_search_key *key)
{
	int columns = -1;

	for (; key != NULL; key = key->next) {
		int needed = columns_of(key->child);
		if (key->by_row || (key->op >= SEARCH_SENT_BEFORE && key->op <= SEARCH_SENT_SINCE))
			needed = STORE_COLUMN_ORDER;
		else if (is_of_row(key) && needed < 0)
			needed = 0;
		if (needed > columns)
			columns = needed;
	}
	return columns;
}

/* What is known of each message of the view. */
struct outcomes {
	uint8_t *v;
	size_t n_unknown;
	size_t n_damaged;
};

static int look_at_entries(
    struct searching *g, const struct imap_search_key *key, struct outcomes *o)
{
	g->level = BY_ENTRY;
	for (g->at = 0; g->at < g->s->view->n; g->at++) {
		g->e = store_view_entry(g->s->view, g->at);
		bool gone = (g->e.flags & STORE_GONE) != 0;
		o->v[g->at] = (uint8_t)(gone ? NO : ask(g, key));
		o->n_unknown += o->v[g->at] == UNKNOWN;
		if (g->at % ENTRIES_A_LOOK != 0)
			continue;
		int r = imap_effort_spend(g->s, ENTRIES_A_LOOK * EFFORT_ENTRY);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One whose outcome is not known by what costs little. 0, or an error that ends the search. */
static int look_closer(
    struct searching *g, const struct imap_search_key *key, size_t at, struct outcomes *o)
{
	enum outcome outcome = UNKNOWN;

	g->at = at;
	g->e = store_view_entry(g->s->view, at);
	search_message_next(&g->message, g->e.message);
	g->level = BY_ROW;
	if (g->row != NULL)
		outcome = ask(g, key);
	g->level = BY_MESSAGE;
	if (outcome == UNKNOWN)
		outcome = ask(g, key);
	int error = g->message.error;
	search_message_next(&g->message, 0);
	o->v[at] = (uint8_t)(error < 0 ? NO : outcome);
	if (error == -EBADMSG)
		o->n_damaged++;
	if (error < 0 && error != -EBADMSG && error != -ENOENT)
		return error;
	return imap_effort_step(g->s, EFFORT_MESSAGE);
}

static void close_scan(struct store_scan **scan)
{
	if (*scan != NULL)
		store_scan_close(*scan);
}

/* The unknown ones among first ≤ i < end. A message whose row is gone is none. */
static int look_at_rows(struct searching *g, const struct imap_search_key *key, size_t first,
    size_t end, unsigned columns, struct outcomes *o)
{
	struct store_scan *scan CLEANUP(close_scan) = NULL;
	struct store_row row;
	int r = store_scan_open(
	    g->s->view, first, end, columns | STORE_COLUMN_SIZE | STORE_COLUMN_DATES, &scan);

	while (r >= 0 && (r = store_scan_next(scan, &row)) > 0) {
		g->row = &row;
		if (o->v[row.at] == UNKNOWN)
			r = look_closer(g, key, row.at, o);
	}
	g->row = NULL;
	return r;
}

static int look_at_unknown(
    struct searching *g, const struct imap_search_key *key, struct outcomes *o)
{
	int columns = columns_of(key), r = 0;

	for (size_t at = 0, n = g->s->view->n; r == 0 && at < n; at++) {
		if (o->v[at] != UNKNOWN)
			continue;
		if (columns < 0) {
			r = look_closer(g, key, at, o);
			continue;
		}
		size_t end = at + 1;
		for (size_t i = end; i < n && i < end + SCAN_GAP_MAX; i++)
			if (o->v[i] == UNKNOWN)
				end = i + 1;
		r = look_at_rows(g, key, at, end, (unsigned)columns, o);
		at = end - 1;
	}
	return r;
}

static void outcomes_done(struct outcomes *o)
{
	free(o->v);
}

/* 0 or -E2BIG. */
static int collect(struct imap_session *s, const struct outcomes *o, struct search_found *found)
{
	const struct store_view *view = s->view;
	size_t n = 0;

	for (size_t at = 0; at < view->n; at++)
		n += o->v[at] == YES;
	found->positions = ARENA_NEW_ARRAY(&s->arena, uint32_t, n + 1);
	if (found->positions == NULL)
		return -E2BIG;
	for (size_t at = 0; at < view->n; at++) {
		if (o->v[at] != YES)
			continue;
		uint64_t modseq = store_view_entry(view, at).modseq;
		found->positions[found->n++] = (uint32_t)at;
		if (modseq > found->highest_modseq)
			found->highest_modseq = modseq;
	}
	found->n_damaged = o->n_damaged;
	return 0;
}

int search_run(struct imap_session *s, struct imap_search_key *key, struct search_found *ret_found)
{
	struct searching g = {.s = s, .now = clock_wall()};
	struct search_found found = {0};
	struct outcomes outcomes CLEANUP(outcomes_done) = {.v = calloc(s->view->n + 1, 1)};
	int r = 0;

	if (s->view->n >= SEARCH_INDEX_LEAST)
		r = search_ask_index(s, key);
	if (outcomes.v == NULL)
		abort();
	if (r < 0)
		return r;
	search_message_init(&g.message, s->store);
	r = look_at_entries(&g, key, &outcomes);
	imap_effort_goal(s, outcomes.n_unknown);
	if (r == 0 && outcomes.n_unknown > 0)
		r = look_at_unknown(&g, key, &outcomes);
	search_message_done(&g.message);
	if (r < 0)
		return r;
	r = collect(s, &outcomes, &found);
	if (r == 0)
		r = search_fuzzy_score(s, key, &found);
	if (r == 0)
		*ret_found = found;
	return r;
}
