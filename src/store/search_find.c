/* Asking the word index. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "mail/search_word.h"
#include "store/search_index.h"

enum { NEEDLE_MAX = SEARCH_WORD_LEN_MAX + 2 };

/* One piece that is looked for. */
struct looking {
	struct store *store;
	char needle[NEEDLE_MAX];
	size_t needle_len;
	uint64_t *found; /* bits, by message id */
	uint32_t last;   /* the highest id that has one */
};

/* The text with the line feeds that stand around words, where it must start or end one. */
static void set_needle(struct looking *l, const struct search_piece *piece, bool anchored)
{
	l->needle_len = 0;
	assert(piece->text.len <= SEARCH_WORD_LEN_MAX);
	if (anchored && piece->starts)
		l->needle[l->needle_len++] = '\n';
	memcpy(l->needle + l->needle_len, piece->text.p, piece->text.len);
	l->needle_len += piece->text.len;
	if (anchored && piece->ends)
		l->needle[l->needle_len++] = '\n';
}

static void mark(struct looking *l, struct str list, uint32_t first)
{
	uint64_t difference, message = first;

	while (search_next_number(&list, &difference)) {
		message += difference;
		if (message > l->last)
			return;
		l->found[message / 64] |= UINT64_C(1) << message % 64;
	}
}

static size_t count_lines(const char *from, const char *to)
{
	size_t n = 0;

	for (; from < to; from++)
		n += *from == '\n';
	return n;
}

/* Goes to the n-th list from here on, and takes it. */
static int take_list(struct str *postings, size_t n, struct str *ret_list)
{
	uint64_t len;

	for (;; n--) {
		if (!search_next_number(postings, &len) || len > postings->len)
			return -EBADMSG;
		if (n == 0)
			break;
		*postings = (struct str){postings->p + len, postings->len - len};
	}
	*ret_list = str_first(*postings, len);
	*postings = str_from(*postings, len);
	return 0;
}

/* Marks the messages of all words of a page that hold the needle. */
static int look_through_page(struct looking *l, sqlite3_stmt *stmt, uint32_t first)
{
	struct str words = db_column_str(stmt, 1), postings = {NULL, 0}, list;
	const char *at = words.p, *end = words.p + words.len, *counted = at, *hit;

	if (words.len < 2 || words.p[0] != '\n' || end[-1] != '\n')
		return -EBADMSG;
	while ((hit = memmem(at, (size_t)(end - at), l->needle, l->needle_len))) {
		if (!postings.p)
			postings = db_column_str(stmt, 2);
		/* From a needle's own first line feed its word begins behind it. */
		const char *in_word = hit + (hit[0] == '\n');
		size_t n = count_lines(counted, in_word) - 1;
		int error = take_list(&postings, n, &list);
		if (error)
			return error;
		mark(l, list, first);
		/* On behind this word; its last line feed is the first of the next. */
		at = memchr(in_word, '\n', (size_t)(end - in_word));
		counted = at;
		if (at + 1 == end)
			break;
	}
	return 0;
}

static int look_through_class(
    struct looking *l, const struct search_segment *segment, unsigned class)
{
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;
	int row,
	    error = search_sql(l->store,
	        "SELECT id, words, postings FROM search_pages WHERE id BETWEEN ?1 AND ?2", &stmt);

	if (error)
		return error;
	db_bind(stmt, search_page_id(segment->id, class, 0),
	    search_page_id(segment->id, class + 1, 0) - 1);
	while (!error && (row = db_step(&l->store->db, stmt)) > 0)
		error = look_through_page(l, stmt, segment->first);
	if (error == -EBADMSG)
		l->store->db.damaged = true;
	return error ? error : row;
}

/* Words of subjects and addresses hold more than the pieces of a needle: nothing to hold on to. */
static bool has_anchors(unsigned class)
{
	return class == SEARCH_CLASS_NAME || class == SEARCH_CLASS_HEADER ||
	       class == SEARCH_CLASS_BODY || class == SEARCH_CLASS_MIME;
}

/* Marks all messages with the piece in a word of one of the classes. */
static int look(struct looking *l, unsigned classes, const struct search_piece *piece)
{
	struct search_segment segment;
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;
	int row, error = search_sql(
	             l->store, "SELECT id, first FROM search_segments WHERE state = ?1", &stmt);

	if (error)
		return error;
	db_bind(stmt, SEGMENT_LIVE);
	while (!error && (row = db_step(&l->store->db, stmt)) > 0) {
		segment.id = db_column_u64(stmt, 0);
		segment.first = db_column_u32(stmt, 1);
		for (unsigned class = 0; !error && class < SEARCH_N_CLASSES; class ++) {
			if ((classes & STORE_SEARCH_BIT(class)) == 0)
				continue;
			set_needle(l, piece, has_anchors(class));
			error = look_through_class(l, &segment, class);
		}
	}
	return error ? error : row;
}

struct finding {
	struct looking looking;
	struct store_search_answer answer;
	size_t n_cells;
	uint64_t *cells; /* of the piece at hand */
};

static bool is_empty(const uint64_t *cells, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cells[i] != 0)
			return false;
	return true;
}

/* What has every piece, and is not known to have the whole, may have it. */
static int find_candidates(struct finding *f, unsigned classes, const struct search_needle *needle)
{
	uint64_t *maybe = f->answer.maybe;

	memset(maybe, 0xff, f->n_cells * sizeof(*maybe));
	for (size_t i = 0; i < needle->n; i++) {
		memset(f->cells, 0, f->n_cells * sizeof(*f->cells));
		f->looking.found = f->cells;
		int error = look(&f->looking, classes, &needle->pieces[i]);
		if (error)
			return error;
		for (size_t j = 0; j < f->n_cells; j++)
			maybe[j] &= f->cells[j];
		if (is_empty(maybe, f->n_cells))
			break;
	}
	return 0;
}

static int find_text(struct finding *f, unsigned classes, struct str text)
{
	struct search_needle needle;
	unsigned inexact = 0;

	for (unsigned class = 0; class < SEARCH_N_CLASSES; class ++) {
		if ((classes & STORE_SEARCH_BIT(class)) == 0)
			continue;
		search_needle_of(class, text, &needle);
		if (!needle.exact) {
			inexact |= STORE_SEARCH_BIT(class);
			continue;
		}
		f->looking.found = f->answer.yes;
		int error = look(&f->looking, STORE_SEARCH_BIT(class), &needle.pieces[0]);
		if (error)
			return error;
	}
	if (inexact == 0)
		return 0;
	/* Of one class by its own words, of several by those that all of them have. */
	bool alone = (inexact & (inexact - 1)) == 0 && inexact == classes;
	search_needle_of(
	    alone ? (unsigned)__builtin_ctz(inexact) : SEARCH_CLASS_BODY, text, &needle);
	return find_candidates(f, classes, &needle);
}

/* Messages that are not in the index may have anything. */
static int add_left_out(struct finding *f)
{
	struct store *s = f->looking.store;
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;
	int row, error = search_sql(s, "SELECT message FROM search_left_out", &stmt);

	if (error)
		return error;
	while ((row = db_step(&s->db, stmt)) > 0) {
		uint32_t message = db_column_u32(stmt, 0);
		if (message <= f->looking.last)
			f->answer.maybe[message / 64] |= UINT64_C(1) << message % 64;
	}
	return row;
}

static int find(struct store *s, unsigned classes, struct str text, struct arena *a,
    struct store_search_answer *ret_answer)
{
	struct search_state state;
	struct finding f = {.looking = {.store = s}};
	int error = search_state_load(s, &state);

	if (error)
		return error;
	f.looking.last = f.answer.indexed = state.indexed;
	f.n_cells = (size_t)state.indexed / 64 + 1;
	f.answer.yes = ARENA_NEW_ARRAY(a, uint64_t, f.n_cells);
	f.answer.maybe = ARENA_NEW_ARRAY(a, uint64_t, f.n_cells);
	f.cells = ARENA_NEW_ARRAY(a, uint64_t, f.n_cells);
	if (!f.answer.yes || !f.answer.maybe || !f.cells)
		return -E2BIG;
	error = find_text(&f, classes, text);
	if (!error)
		error = add_left_out(&f);
	if (!error)
		*ret_answer = f.answer;
	return error;
}

int store_search_find(struct store *s, unsigned classes, struct str text, struct arena *a,
    struct store_search_answer *ret_answer)
{
	assert(text.len > 0);
	int error = db_begin_read(&s->db);
	if (error)
		return store_note_error(s, error);
	error = find(s, classes, text, a, ret_answer);
	db_end_read(&s->db);
	return error ? store_note_error(s, error) : 0;
}
