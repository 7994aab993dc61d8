#include "store/search_index.h"

#include <assert.h>
#include <errno.h>

enum { PAGE_MAX = 1 << 24, POSTINGS_MAX = 16 << 20 };

int search_sql(struct store *s, const char *sql, sqlite3_stmt **ret_stmt)
{
	sqlite3_stmt *stmt = NULL;
	int result = sqlite3_prepare_v3(s->db.handle, sql, -1, 0, &stmt, NULL);

	assert(result != SQLITE_ERROR && result != SQLITE_MISUSE);
	if (result != SQLITE_OK)
		return db_error(&s->db, result);
	*ret_stmt = stmt;
	return 0;
}

void search_sql_done(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

int search_run_ints(struct store *s, const char *sql, const int64_t *values, size_t n)
{
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;
	int error = search_sql(s, sql, &stmt);

	if (error)
		return error;
	db_bind_ints(stmt, values, n);
	return db_finish(&s->db, stmt);
}

int search_state_load(struct store *s, struct search_state *ret_state)
{
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;
	int error = search_sql(
	    s, "SELECT indexed, owner, until_ms, next_segment, pruned_ms FROM search_state", &stmt);

	if (error)
		return error;
	int row = db_step(&s->db, stmt);
	if (row == 0)
		s->db.damaged = true;
	if (row <= 0)
		return row < 0 ? row : -EBADMSG;
	*ret_state = (struct search_state){.indexed = db_column_u32(stmt, 0),
	    .owner = db_column_u64(stmt, 1),
	    .until_ms = db_column_u64(stmt, 2),
	    .next_segment = db_column_u64(stmt, 3),
	    .pruned_ms = db_column_u64(stmt, 4)};
	return 0;
}

int search_state_save(struct store *s, const struct search_state *state)
{
	return search_run(s,
	    "UPDATE search_state SET indexed = ?1, owner = ?2, until_ms = ?3, next_segment = ?4, "
	    "pruned_ms = ?5",
	    state->indexed, (int64_t)state->owner, (int64_t)state->until_ms,
	    (int64_t)state->next_segment, (int64_t)state->pruned_ms);
}

int search_begin(struct store *s, uint64_t owner, struct search_state *ret_state)
{
	struct search_state state;
	int error = db_begin(&s->db);

	if (error)
		return error;
	error = search_state_load(s, &state);
	if (!error && state.owner != owner)
		error = -EAGAIN;
	if (error)
		return db_end(&s->db, error);
	*ret_state = state;
	return 0;
}

void search_put_number(struct buf *b, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		buf_add_c(b, (char)(number | 0x80));
	buf_add_c(b, (char)number);
}

void search_writer_init(struct search_writer *w, struct store *s, uint64_t segment)
{
	*w = (struct search_writer){.store = s,
	    .segment = segment,
	    .words = BUF_MAX(2 * SEARCH_PAGE_WORDS),
	    .postings = BUF_MAX(POSTINGS_MAX)};
}

void search_writer_done(struct search_writer *w)
{
	buf_done(&w->words);
	buf_done(&w->postings);
}

int search_writer_flush(struct search_writer *w)
{
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;

	if (w->words.len == 0)
		return 0;
	if (w->page == PAGE_MAX || buf_failed(&w->words) || buf_failed(&w->postings))
		return -EFBIG;
	int error = search_sql(
	    w->store, "INSERT INTO search_pages (id, words, postings) VALUES (?1, ?2, ?3)", &stmt);
	if (error)
		return error;
	db_bind(stmt, search_page_id(w->segment, w->class, w->page++));
	db_bind_blob(stmt, 2, buf_str(&w->words));
	db_bind_blob(stmt, 3, buf_str(&w->postings));
	error = db_finish(&w->store->db, stmt);
	buf_clear(&w->words);
	buf_clear(&w->postings);
	return error;
}

int search_writer_add(struct search_writer *w, unsigned class, struct str word, struct str list)
{
	bool full = w->words.len >= SEARCH_PAGE_WORDS || w->postings.len >= SEARCH_PAGE_POSTINGS;

	if (full || class != w->class) {
		int error = search_writer_flush(w);
		if (error)
			return error;
	}
	if (class != w->class)
		w->page = 0;
	w->class = class;
	if (w->words.len == 0)
		buf_add_c(&w->words, '\n');
	buf_add(&w->words, word);
	buf_add_c(&w->words, '\n');
	search_put_number(&w->postings, list.len);
	buf_add(&w->postings, list);
	return 0;
}
