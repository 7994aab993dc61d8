/* Who works on the word index, and on what: new messages, joining, forgetting. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "mail/search_text.h"
#include "seal/cipher.h"
#include "store/search_index.h"
#include "store/search_work.h"

enum { PAGES_OF_STEP = 32, SEGMENTS_MAX = 4096 };

struct search_work {
	uint64_t owner;
	struct search_builder *builder;
	uint32_t from, to; /* the builder has read the messages from < id <= to */
	struct search_left_out {
		uint32_t v[SEARCH_BATCH_MESSAGES];
		size_t n;
	} left_out;
	struct search_merge *merge;
};

/* How much there is to do. */
struct outlook {
	struct search_state state;
	bool new_messages;
	bool pages_to_remove;
	bool to_join;
	bool to_prune;
	struct search_segment next[SEARCH_FAN]; /* what is to be joined */
	size_t n_next;
};

static void work_free(struct search_work **work)
{
	struct search_work *w = *work;

	*work = NULL;
	if (!w)
		return;
	search_builder_free(w->builder);
	search_merge_free(w->merge);
	free(w);
}

void search_work_done(struct store *s)
{
	work_free(&s->search_work);
}

static struct search_work *work_of(struct store *s)
{
	if (s->search_work)
		return s->search_work;
	struct search_work *w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	cipher_random((uint8_t *)&w->owner, sizeof(w->owner));
	w->owner >>= 1;
	s->search_work = w;
	return w;
}

/* Enough new messages, or few but large ones (those with a blob are), for a segment of their own.
 */
static int look_for_new(struct store *s, struct outlook *o)
{
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;
	int error = search_sql(s,
	    "SELECT count(*), sum(length + CASE WHEN blob <> '' THEN ?3 ELSE 0 END) FROM "
	    "(SELECT length, blob FROM messages WHERE id > ?1 LIMIT ?2)",
	    &stmt);

	if (error)
		return error;
	db_bind(stmt, o->state.indexed, STORE_SEARCH_TAIL, STORE_SEARCH_TAIL_LEN);
	int row = db_step(&s->db, stmt);
	if (row > 0)
		o->new_messages = db_column_u32(stmt, 0) >= STORE_SEARCH_TAIL ||
		                  db_column_u64(stmt, 1) >= STORE_SEARCH_TAIL_LEN;
	return row < 0 ? row : 0;
}

/* SEARCH_FAN segments in a row that are of one level, and not full. */
static int look_for_row(struct store *s, struct outlook *o)
{
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;
	int row, error = search_sql(s,
	             "SELECT id, level, first, last, n_messages, state FROM search_segments "
	             "ORDER BY first",
	             &stmt);

	if (error)
		return error;
	while ((row = db_step(&s->db, stmt)) > 0) {
		struct search_segment segment = {.id = db_column_u64(stmt, 0),
		    .level = db_column_u32(stmt, 1),
		    .first = db_column_u32(stmt, 2),
		    .last = db_column_u32(stmt, 3),
		    .n_messages = db_column_u32(stmt, 4)};
		unsigned state = db_column_u32(stmt, 5);
		o->pages_to_remove |= state == SEGMENT_DEAD;
		if (state != SEGMENT_LIVE || o->n_next == SEARCH_FAN)
			continue;
		bool full = segment.n_messages >= SEARCH_SEGMENT_FULL;
		if (o->n_next > 0 && (full || segment.level != o->next[0].level))
			o->n_next = 0;
		if (!full)
			o->next[o->n_next++] = segment;
	}
	o->to_join = o->n_next == SEARCH_FAN;
	return row;
}

/* What there is to do, without the write lock. */
static int look_ahead(struct store *s, struct outlook *ret_outlook)
{
	struct outlook o = {0};
	int error = db_begin_read(&s->db);

	if (error)
		return error;
	error = search_state_load(s, &o.state);
	if (!error)
		error = look_for_new(s, &o);
	if (!error)
		error = look_for_row(s, &o);
	db_end_read(&s->db);
	if (error)
		return error;
	uint64_t now = clock_wall_ms();
	o.to_prune = o.state.pruned_ms > now || now - o.state.pruned_ms > SEARCH_PRUNE_MS;
	*ret_outlook = o;
	return 0;
}

/* Takes the work, from another session that has said nothing for long too. -EAGAIN: it is taken. */
static int claim(struct store *s, struct search_work *w)
{
	struct search_state state;
	uint64_t now = clock_wall_ms();
	int error = db_begin(&s->db);

	if (error)
		return error;
	error = search_state_load(s, &state);
	bool foreign = !error && state.owner != w->owner && state.owner != 0;
	if (foreign && state.until_ms > now && state.until_ms - now <= SEARCH_CLAIM_MS)
		error = -EAGAIN;
	/* What the one before did not finish. */
	if (!error && state.owner != w->owner)
		error = search_run(s, "UPDATE search_segments SET state = ?1 WHERE state = ?2",
		    SEGMENT_DEAD, SEGMENT_IN_MAKING);
	if (!error) {
		state.owner = w->owner;
		state.until_ms = now + SEARCH_CLAIM_MS;
		error = search_state_save(s, &state);
	}
	return db_end(&s->db, error);
}

/* The others may have it now. */
static int give_up_claim(struct store *s, struct search_work *w)
{
	struct search_state state;
	int error = search_begin(s, w->owner, &state);

	if (error)
		return error;
	state.owner = state.until_ms = 0;
	return db_end(&s->db, search_state_save(s, &state));
}

/* Begins a transaction of ours, which says that we are still at it. */
static int begin_step(struct store *s, struct search_work *w, struct search_state *ret_state)
{
	int error = search_begin(s, w->owner, ret_state);

	if (!error)
		ret_state->until_ms = clock_wall_ms() + SEARCH_CLAIM_MS;
	return error;
}

static int end_step(struct store *s, const struct search_state *state, int error)
{
	if (!error)
		error = search_state_save(s, state);
	return db_end(&s->db, error);
}

static int add_segment(
    struct store *s, const struct search_segment *segment, enum segment_state state)
{
	return search_run(s,
	    "INSERT INTO search_segments (id, state, level, first, last, n_messages) "
	    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	    (int64_t)segment->id, state, segment->level, segment->first, segment->last,
	    segment->n_messages);
}

static int set_segment(struct store *s, uint64_t id, enum segment_state state)
{
	return search_run(
	    s, "UPDATE search_segments SET state = ?2 WHERE id = ?1", (int64_t)id, state);
}

/* --- new messages --- */

/* 1: the next message after `after`; 0: there is none. */
static int next_message(struct store *s, uint32_t after, uint32_t *ret_message)
{
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;
	int error = search_sql(s, "SELECT min(id) FROM messages WHERE id > ?1", &stmt);

	if (error)
		return error;
	db_bind(stmt, after);
	int row = db_step(&s->db, stmt);
	if (row > 0 && sqlite3_column_type(stmt, 0) == SQLITE_NULL)
		return 0;
	if (row > 0)
		*ret_message = db_column_u32(stmt, 0);
	return row;
}

static int write_left_out(struct store *s, const struct search_left_out *left_out)
{
	int error = 0;

	for (size_t i = 0; !error && i < left_out->n; i++)
		error = search_run(s, "INSERT OR IGNORE INTO search_left_out (message) VALUES (?1)",
		    left_out->v[i]);
	return error;
}

static int write_segment(struct store *s, struct search_work *w, struct search_state *state)
{
	struct search_segment segment = {.id = state->next_segment++,
	    .first = search_builder_first(w->builder),
	    .last = w->to,
	    .n_messages = search_builder_n(w->builder)};
	struct search_writer writer;

	search_writer_init(&writer, s, segment.id);
	int error = add_segment(s, &segment, SEGMENT_LIVE);
	if (!error)
		error = search_builder_write(w->builder, &writer);
	search_writer_done(&writer);
	return error;
}

static int write_batch(struct store *s, struct search_work *w)
{
	struct search_state state;
	int error = begin_step(s, w, &state);

	if (error)
		return error;
	if (state.indexed != w->from)
		error = -EAGAIN;
	if (!error && search_builder_n(w->builder) > 0)
		error = write_segment(s, w, &state);
	if (!error)
		error = write_left_out(s, &w->left_out);
	state.indexed = w->to;
	return end_step(s, &state, error);
}

static void drop_batch(struct search_work *w)
{
	search_builder_free(w->builder);
	w->builder = NULL;
	w->left_out.n = 0;
}

/* Reads one message. What cannot be read, or is too much, is left to those who look for themselves.
 */
static int read_message(struct store *s, struct search_work *w, uint32_t message)
{
	int error = search_builder_add(w->builder, s, message);

	if (error == -EFBIG || (error == -EBADMSG && !s->db.damaged)) {
		w->left_out.v[w->left_out.n++] = message;
		error = 0;
	}
	if (error == -ENOENT)
		error = 0;
	if (!error)
		w->to = message;
	return error;
}

static int index_step(struct store *s, struct search_work *w, uint32_t indexed, uint64_t until_ms)
{
	bool end = false;
	int error = 0;

	if (!w->builder) {
		w->builder = search_builder_new();
		w->from = w->to = indexed;
	}
	while (!error && !end) {
		uint32_t message;
		int more = next_message(s, w->to, &message);
		end = more == 0;
		error = more > 0 ? read_message(s, w, message) : more;
		end |= search_builder_is_full(w->builder) || w->left_out.n == SEARCH_BATCH_MESSAGES;
		if (!end && clock_ms() >= until_ms)
			return error;
	}
	if (!error)
		error = write_batch(s, w);
	drop_batch(w);
	return error;
}

/* --- joining --- */

static int begin_merge(
    struct store *s, struct search_work *w, const struct search_segment *from, size_t n)
{
	struct search_state state;
	int error = begin_step(s, w, &state);

	if (error)
		return error;
	uint64_t id = state.next_segment++;
	error = search_merge_new(s, from, n, id, &w->merge);
	if (!error) {
		struct search_segment result = search_merge_result(w->merge);
		error = add_segment(s, &result, SEGMENT_IN_MAKING);
	}
	error = end_step(s, &state, error);
	if (error) {
		search_merge_free(w->merge);
		w->merge = NULL;
	}
	return error;
}

/* In one transaction the new segment comes in the place of the old ones. */
static int put_merged(struct store *s, struct search_merge *m)
{
	struct search_segment result = search_merge_result(m);
	size_t n;
	const struct search_segment *sources = search_merge_sources(m, &n);
	int error = set_segment(s, result.id, result.n_messages > 0 ? SEGMENT_LIVE : SEGMENT_DEAD);

	for (size_t i = 0; !error && i < n; i++)
		error = set_segment(s, sources[i].id, SEGMENT_DEAD);
	return error;
}

static int merge_step(struct store *s, struct search_work *w, uint64_t until_ms)
{
	struct search_state state;
	int error = begin_step(s, w, &state);

	if (error)
		return error;
	int more = search_merge_step(w->merge, until_ms);
	if (more == 0)
		more = put_merged(s, w->merge);
	error = end_step(s, &state, more < 0 ? more : 0);
	if (error || more == 0) {
		search_merge_free(w->merge);
		w->merge = NULL;
	}
	return error;
}

/* --- forgetting --- */

static int remove_pages(struct store *s, struct search_work *w, uint64_t until_ms)
{
	struct search_state state;
	int error = begin_step(s, w, &state);

	if (error)
		return error;
	do {
		error = search_run(s,
		    "DELETE FROM search_pages WHERE id IN (SELECT p.id FROM search_segments g "
		    "CROSS JOIN search_pages p ON p.id >= g.id << 28 AND p.id < (g.id + 1) << 28 "
		    "WHERE g.state = ?1 LIMIT ?2)",
		    SEGMENT_DEAD, PAGES_OF_STEP);
	} while (!error && sqlite3_changes(s->db.handle) > 0 && clock_ms() < until_ms);
	if (!error && sqlite3_changes(s->db.handle) == 0)
		error = search_run(s, "DELETE FROM search_segments WHERE state = ?1", SEGMENT_DEAD);
	return end_step(s, &state, error);
}

static int count_living(struct store *s, const struct search_segment *g, uint32_t *ret_n)
{
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;
	int error = search_sql(s,
	    "SELECT count(DISTINCT message) FROM entries WHERE message BETWEEN ?1 AND ?2", &stmt);

	if (error)
		return error;
	db_bind(stmt, g->first, g->last);
	int row = db_step(&s->db, stmt);
	if (row > 0)
		*ret_n = db_column_u32(stmt, 0);
	return row < 0 ? row : 0;
}

/* 1: a segment whose messages are gone by half or more. */
static int find_half_dead(struct store *s, struct search_segment *ret_segment)
{
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;
	int row, error = search_sql(s,
	             "SELECT id, level, first, last, n_messages FROM search_segments "
	             "WHERE state = ?1",
	             &stmt);

	if (error)
		return error;
	db_bind(stmt, SEGMENT_LIVE);
	while ((row = db_step(&s->db, stmt)) > 0) {
		struct search_segment g = {.id = db_column_u64(stmt, 0),
		    .level = db_column_u32(stmt, 1),
		    .first = db_column_u32(stmt, 2),
		    .last = db_column_u32(stmt, 3),
		    .n_messages = db_column_u32(stmt, 4)};
		uint32_t living = 0;
		error = count_living(s, &g, &living);
		if (error)
			return error;
		if (living <= g.n_messages / 2) {
			*ret_segment = g;
			return 1;
		}
	}
	return row;
}

static int forget_left_out(struct store *s, struct search_work *w)
{
	struct search_state state;
	int error = begin_step(s, w, &state);

	if (error)
		return error;
	error = search_run_ints(s,
	    "DELETE FROM search_left_out WHERE message NOT IN (SELECT message FROM entries)", NULL,
	    0);
	state.pruned_ms = clock_wall_ms();
	return end_step(s, &state, error);
}

/* One segment that is half dead is made anew; when none is left, it is done for a while. */
static int prune_step(struct store *s, struct search_work *w)
{
	struct search_segment segment;
	int error = db_begin_read(&s->db);

	if (error)
		return error;
	int found = find_half_dead(s, &segment);
	db_end_read(&s->db);
	if (found > 0)
		return begin_merge(s, w, &segment, 1);
	if (found < 0)
		return found;
	return forget_left_out(s, w);
}

/* --- all of it --- */

static int step(struct store *s, struct search_work *w, const struct outlook *o, uint64_t until_ms)
{
	if (w->builder || o->new_messages)
		return index_step(s, w, o->state.indexed, until_ms);
	if (w->merge)
		return merge_step(s, w, until_ms);
	if (o->pages_to_remove)
		return remove_pages(s, w, until_ms);
	if (o->to_join)
		return begin_merge(s, w, o->next, o->n_next);
	return prune_step(s, w);
}

static bool has_work(const struct outlook *o, const struct search_work *w)
{
	bool begun = w && (w->builder || w->merge);

	return begun || o->new_messages || o->pages_to_remove || o->to_join || o->to_prune;
}

static int work(struct store *s, uint64_t until_ms, bool *ret_more)
{
	struct outlook o;
	int error = store_check_mark(s);

	if (!error)
		error = look_ahead(s, &o);
	if (error)
		return error;
	bool more = has_work(&o, s->search_work);
	if (more) {
		struct search_work *w = work_of(s);
		bool mine = o.state.owner == w->owner &&
		            o.state.until_ms > clock_wall_ms() + SEARCH_CLAIM_MS / 2;
		error = mine ? 0 : claim(s, w);
		if (!error)
			error = step(s, w, &o, until_ms);
	} else if (s->search_work) {
		error = give_up_claim(s, s->search_work);
		search_work_done(s);
	}
	if (error == -EAGAIN) {
		search_work_done(s);
		more = false;
		error = 0;
	}
	if (!error)
		*ret_more = more;
	return error;
}

int store_search_work(struct store *s, unsigned budget_ms, bool *ret_more)
{
	int error = work(s, clock_ms() + budget_ms, ret_more);

	if (error)
		search_work_done(s);
	return error ? store_note_error(s, error) : 0;
}
