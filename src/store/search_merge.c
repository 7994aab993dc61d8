/* Joining segments of the word index into one, in slices. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/search_index.h"

enum { PAGE_LEN_MAX = 32 << 20, WORDS_BETWEEN_LOOKS = 256 };

/* Goes through a segment's words in order, a page at a time. */
struct cursor {
	struct search_segment segment;
	int64_t page; /* id of the page at hand */
	struct buf words_of_page, postings_of_page;
	struct str words, postings; /* what is left of them */
	struct str word, list;
	unsigned class;
	bool end;
};

struct search_merge {
	struct store *store;
	struct cursor cursors[SEARCH_FAN];
	struct search_segment sources[SEARCH_FAN];
	size_t n;
	struct search_segment result;
	uint64_t *alive; /* a bit for each id from result.first on */
	struct search_writer writer;
	struct buf list;
};

/* The messages between first and last that are in a mailbox. */
static int load_alive(struct search_merge *m)
{
	struct store *s = m->store;
	uint32_t first = m->result.first, last = m->result.last;
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;
	int row, error = search_sql(s,
	             "SELECT DISTINCT message FROM entries WHERE message BETWEEN ?1 AND ?2", &stmt);

	if (error)
		return error;
	m->alive = calloc((last - first) / 64 + 1, sizeof(*m->alive));
	if (!m->alive)
		abort();
	db_bind(stmt, first, last);
	while ((row = db_step(&s->db, stmt)) > 0) {
		uint32_t at = db_column_u32(stmt, 0) - first;
		m->alive[at / 64] |= UINT64_C(1) << at % 64;
	}
	return row;
}

static bool is_alive(const struct search_merge *m, uint32_t message)
{
	uint32_t at = message - m->result.first;

	return message >= m->result.first && message <= m->result.last &&
	       (m->alive[at / 64] >> at % 64 & 1) != 0;
}

int search_merge_new(struct store *s, const struct search_segment *from, size_t n, uint64_t segment,
    struct search_merge **ret_merge)
{
	struct search_merge *m = calloc(1, sizeof(*m));

	assert(n > 0 && n <= SEARCH_FAN);
	if (!m)
		abort();
	*m = (struct search_merge){.store = s, .n = n, .list = BUF_MAX(PAGE_LEN_MAX)};
	m->result = (struct search_segment){.id = segment,
	    .level = from[0].level,
	    .first = from[0].first,
	    .last = from[n - 1].last};
	m->result.level += n > 1;
	for (size_t i = 0; i < n; i++) {
		m->sources[i] = from[i];
		m->cursors[i] = (struct cursor){.segment = from[i],
		    .page = search_page_id(from[i].id, 0, 0) - 1,
		    .words_of_page = BUF_MAX(PAGE_LEN_MAX),
		    .postings_of_page = BUF_MAX(PAGE_LEN_MAX)};
	}
	search_writer_init(&m->writer, s, segment);
	int error = load_alive(m);
	if (error) {
		search_merge_free(m);
		return error;
	}
	for (uint32_t i = 0; i <= m->result.last - m->result.first; i += 64)
		m->result.n_messages += (uint32_t)__builtin_popcountll(m->alive[i / 64]);
	*ret_merge = m;
	return 0;
}

void search_merge_free(struct search_merge *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++) {
		buf_done(&m->cursors[i].words_of_page);
		buf_done(&m->cursors[i].postings_of_page);
	}
	free(m->alive);
	search_writer_done(&m->writer);
	buf_done(&m->list);
	free(m);
}

struct search_segment search_merge_result(const struct search_merge *m)
{
	return m->result;
}

const struct search_segment *search_merge_sources(const struct search_merge *m, size_t *ret_n)
{
	*ret_n = m->n;
	return m->sources;
}

static int read_page(struct store *s, struct cursor *c)
{
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;
	int error = search_sql(s,
	    "SELECT id, words, postings FROM search_pages WHERE id > ?1 AND id < ?2 "
	    "ORDER BY id LIMIT 1",
	    &stmt);

	if (error)
		return error;
	db_bind(stmt, c->page, search_page_id(c->segment.id + 1, 0, 0));
	int row = db_step(&s->db, stmt);
	c->end = row == 0;
	if (row <= 0)
		return row;
	c->page = sqlite3_column_int64(stmt, 0);
	c->class = (unsigned)(c->page >> 24 & 0xf);
	buf_clear(&c->words_of_page);
	buf_clear(&c->postings_of_page);
	buf_add(&c->words_of_page, db_column_str(stmt, 1));
	buf_add(&c->postings_of_page, db_column_str(stmt, 2));
	c->words = buf_str(&c->words_of_page);
	c->postings = buf_str(&c->postings_of_page);
	return str_skip(&c->words, STR("\n")) ? 0 : -EBADMSG;
}

/* The next word of a segment. */
static int next_word(struct store *s, struct cursor *c)
{
	uint64_t len;

	if (c->words.len == 0) {
		int error = read_page(s, c);
		if (error || c->end)
			return error;
	}
	c->word = str_cut(&c->words, '\n');
	if (!search_next_number(&c->postings, &len) || len > c->postings.len)
		return -EBADMSG;
	c->list = str_first(c->postings, len);
	c->postings = str_from(c->postings, len);
	return 0;
}

static int compare(const struct cursor *a, const struct cursor *b)
{
	if (a->class != b->class)
		return a->class < b->class ? -1 : 1;
	return str_cmp(a->word, b->word);
}

static struct cursor *least(struct search_merge *m)
{
	struct cursor *found = NULL;

	for (size_t i = 0; i < m->n; i++)
		if (!m->cursors[i].end && (!found || compare(&m->cursors[i], found) < 0))
			found = &m->cursors[i];
	return found;
}

/* Adds a list's living messages; the ids so far end with `*before`. */
static void add_list(struct search_merge *m, const struct cursor *c, uint32_t *before)
{
	struct str list = c->list;
	uint64_t difference, message = c->segment.first;

	while (search_next_number(&list, &difference)) {
		message += difference;
		if (message > UINT32_MAX || !is_alive(m, (uint32_t)message))
			continue;
		search_put_number(&m->list, message - *before);
		*before = (uint32_t)message;
	}
}

/* One word of all segments. */
static int join_word(struct search_merge *m, struct cursor *with)
{
	struct cursor at = *with; /* its word stays readable until the page is left */
	uint32_t before = m->result.first;
	bool has_it[SEARCH_FAN];

	buf_clear(&m->list);
	for (size_t i = 0; i < m->n; i++) {
		struct cursor *c = &m->cursors[i];
		has_it[i] = !c->end && compare(c, &at) == 0;
		if (has_it[i])
			add_list(m, c, &before);
	}
	int error = 0;
	if (m->list.len > 0)
		error = search_writer_add(&m->writer, at.class, at.word, buf_str(&m->list));
	for (size_t i = 0; !error && i < m->n; i++)
		if (has_it[i])
			error = next_word(m->store, &m->cursors[i]);
	return error;
}

static int start_cursors(struct search_merge *m)
{
	int error = 0;

	for (size_t i = 0; !error && i < m->n; i++)
		if (!m->cursors[i].end && m->cursors[i].word.p == NULL)
			error = next_word(m->store, &m->cursors[i]);
	return error;
}

int search_merge_step(struct search_merge *m, uint64_t until_ms)
{
	int error = start_cursors(m);

	for (unsigned n = 1; !error; n++) {
		struct cursor *c = least(m);
		if (!c)
			break;
		error = join_word(m, c);
		if (!error && n % WORDS_BETWEEN_LOOKS == 0 && clock_ms() >= until_ms)
			return 1;
	}
	if (error == -EBADMSG)
		m->store->db.damaged = true;
	return error ? error : search_writer_flush(&m->writer);
}
