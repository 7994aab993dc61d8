/* store_ranks.h: the tables `ranked` and `ranks`. */
#include "store/store_ranks.h"

#include <endian.h>
#include <stdlib.h>

#include "base/num.h"
#include "store/store_private.h"
#include "store/store_sorter.h"

enum { PAIR_LEN = 8, RANK_AT = 4, ROW_PAIRS = 500 };

static int look(struct store_view *v, unsigned by, uint32_t *ret_end)
{
	uint64_t end = 0;
	int error =
	    db_number(&v->store->db, DB_RANKED, &end, (int64_t)v->mailbox, by, v->uidvalidity);
	if (!error)
		*ret_end = (uint32_t)end;
	return error;
}

int store_ranks_look(struct store_view *v, unsigned by, uint32_t *ret_end)
{
	int error = db_begin_read(&v->store->db);
	if (error)
		return store_note_error(v->store, error);
	error = look(v, by, ret_end);
	db_end_read(&v->store->db);
	return error ? store_note_error(v->store, error) : 0;
}

/* --- reading --- */

struct column {
	sqlite3_stmt *stmt;
	struct str pairs; /* of its row, those that are left */
};

struct store_ranks {
	struct store *store;
	size_t n;
	struct column columns[];
};

static int open_column(struct store_view *v, unsigned by, struct column *column)
{
	struct db *db = &v->store->db;
	int result = sqlite3_prepare_v3(
	    db->handle, db_statements[DB_RANKS_SCAN], -1, 0, &column->stmt, NULL);
	if (result != SQLITE_OK)
		return db_error(db, result);
	db_bind(column->stmt, (int64_t)v->mailbox, by, 0);
	return 0;
}

static int open_columns(
    struct store_view *v, const uint8_t *by, struct store_ranks *ranks, uint32_t *ret_end)
{
	uint32_t least = UINT32_MAX, end = 0;
	int error = 0;

	for (size_t i = 0; !error && i < ranks->n; i++) {
		error = look(v, by[i], &end);
		if (!error)
			error = open_column(v, by[i], &ranks->columns[i]);
		least = end < least ? end : least;
	}
	*ret_end = least;
	return error;
}

int store_ranks_open(struct store_view *v, const uint8_t *by, size_t n, uint32_t *ret_end,
    struct store_ranks **ret_ranks)
{
	uint32_t end = 0;
	int error = db_begin_read(&v->store->db);
	if (error)
		return store_note_error(v->store, error);
	struct store_ranks *ranks = calloc(1, sizeof(*ranks) + n * sizeof(ranks->columns[0]));
	if (!ranks)
		abort();
	ranks->store = v->store;
	ranks->n = n;
	error = open_columns(v, by, ranks, &end);
	if (error) {
		store_ranks_close(ranks);
		return store_note_error(v->store, error);
	}
	*ret_end = end;
	*ret_ranks = ranks;
	return 0;
}

void store_ranks_close(struct store_ranks *ranks)
{
	if (!ranks)
		return;
	for (size_t i = 0; i < ranks->n; i++)
		sqlite3_finalize(ranks->columns[i].stmt);
	db_end_read(&ranks->store->db);
	free(ranks);
}

/* The pair of that UID, or the next higher one, is then the first that is left: 1; 0: there is
 * none. */
static int column_to(struct db *db, struct column *column, uint32_t uid)
{
	for (;;) {
		while (column->pairs.len >= PAIR_LEN && num_get32(column->pairs.p) < uid)
			column->pairs = str_from(column->pairs, PAIR_LEN);
		if (column->pairs.len >= PAIR_LEN || !column->stmt)
			return column->pairs.len >= PAIR_LEN;
		int row = db_step(db, column->stmt);
		if (row > 0) {
			column->pairs = db_column_str(column->stmt, 0);
			continue;
		}
		sqlite3_finalize(column->stmt);
		column->stmt = NULL;
		if (row < 0)
			return row;
	}
}

int store_ranks_read(struct store_ranks *ranks, uint32_t uid, uint32_t *ret_ranks)
{
	for (size_t i = 0; i < ranks->n; i++) {
		struct column *column = &ranks->columns[i];
		int found = column_to(&ranks->store->db, column, uid);
		if (found < 0)
			return store_note_error(ranks->store, found);
		bool is_there = found > 0 && num_get32(column->pairs.p) == uid;
		ret_ranks[i] = is_there ? num_get32(column->pairs.p + RANK_AT) : 0;
	}
	return 0;
}

/* --- making --- */

static void free_sorter(struct sorter **sorter)
{
	sorter_free(*sorter);
}

static void close_order(struct store_order **order)
{
	store_order_close(*order);
}

struct making {
	struct store_view *v;
	unsigned by;
	int (*step)(void *context);
	void *context;
};

/* The position of each message, by its key. */
static int sort_keys(const struct making *m, struct sorter *by_key)
{
	struct buf key CLEANUP(buf_done) = BUF_MAX(SORTER_KEY_MAX);
	struct store_order *order CLEANUP(close_order) = NULL;
	struct store_order_row row;
	int r = store_order_open(m->v, store_order_field(m->by), &order);

	for (uint32_t at = 0; r >= 0 && at < m->v->n; at++) {
		r = store_order_read(order, at, &row);
		if (r < 0)
			break;
		buf_clear(&key);
		store_order_key(m->by, &row, &key);
		r = sorter_add(by_key, buf_str(&key), at);
		if (!r)
			r = m->step(m->context);
	}
	return r < 0 ? r : sorter_finish(by_key);
}

/* The rank of each message, by its position. */
static int sort_positions(struct sorter *by_key, struct sorter *by_position)
{
	uint32_t at, rank = 0;
	bool same;
	int r;

	while ((r = sorter_next(by_key, &at, &same)) > 0) {
		uint32_t key = htobe32(at);
		rank += !same;
		r = sorter_add(by_position, str_of(&key, sizeof(key)), rank);
		if (r < 0)
			break;
	}
	return r < 0 ? r : sorter_finish(by_position);
}

static int put_row(const struct making *m, struct buf *pairs)
{
	struct db *db = &m->v->store->db;
	sqlite3_stmt *stmt;
	int error = db_get(db, DB_RANKS_ADD, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)m->v->mailbox, m->by, num_get32(pairs->p));
	db_bind_blob(stmt, 4, buf_str(pairs));
	error = db_finish(db, stmt);
	buf_clear(pairs);
	return error;
}

/* In the place of those that are there, within a transaction. */
static int put_rows(const struct making *m, struct sorter *by_position, uint32_t *ret_end)
{
	struct buf pairs CLEANUP(buf_done) = BUF_MAX(ROW_PAIRS * PAIR_LEN);
	uint32_t rank;
	bool same;
	int r;

	for (size_t at = 0; (r = sorter_next(by_position, &rank, &same)) > 0; at++) {
		uint32_t uid = store_view_entry(m->v, at).uid;
		char *pair = buf_reserve(&pairs, PAIR_LEN);
		num_put32(pair, uid);
		num_put32(pair + RANK_AT, rank);
		buf_commit(&pairs, PAIR_LEN);
		*ret_end = uid + 1;
		r = pairs.len == ROW_PAIRS * PAIR_LEN ? put_row(m, &pairs) : 0;
		if (r < 0)
			break;
	}
	return r == 0 && pairs.len > 0 ? put_row(m, &pairs) : r;
}

static int put_ranks(const struct making *m, struct sorter *by_position)
{
	struct db *db = &m->v->store->db;
	uint32_t end = 1;
	int error = db_run(db, DB_RANKS_CLEAR, (int64_t)m->v->mailbox, m->by);

	if (!error)
		error = put_rows(m, by_position, &end);
	if (!error)
		error = db_run(
		    db, DB_RANKED_PUT, (int64_t)m->v->mailbox, m->by, m->v->uidvalidity, end);
	return error;
}

/* The mailbox may be gone, and what is put there would stay for ever. */
static int put_if_there(const struct making *m, struct sorter *by_position)
{
	struct store_box box;
	int error = store_box_load(m->v->store, m->v->mailbox, &box);

	if (error || box.uidvalidity != m->v->uidvalidity)
		return error;
	return put_ranks(m, by_position);
}

int store_ranks_make(struct store_view *v, unsigned by, int (*step)(void *context), void *context)
{
	const struct making m = {.v = v, .by = by, .step = step, .context = context};
	struct sorter *by_key CLEANUP(free_sorter) = sorter_new(v->store);
	struct sorter *by_position CLEANUP(free_sorter) = sorter_new(v->store);
	int error = sort_keys(&m, by_key);

	if (!error)
		error = sort_positions(by_key, by_position);
	if (error)
		return error;
	error = db_begin(&v->store->db);
	if (!error)
		error = db_end(&v->store->db, put_if_there(&m, by_position));
	return error ? store_note_error(v->store, error) : 0;
}
