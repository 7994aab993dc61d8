#include "store/expunged.h"

#include <errno.h>

/* The MODSEQ of the row that has so many later ones; 0: there is none. */
static int find_cut(struct store *s, uint64_t mailbox, int64_t n_later, uint64_t *ret_modseq)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_EXPUNGED_CUT, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)mailbox, n_later);
	int row = db_step(&s->db, stmt);
	if (row < 0)
		return row;
	*ret_modseq = row > 0 ? db_column_u64(stmt, 0) : 0;
	sqlite3_reset(stmt);
	return 0;
}

static int trim(struct store *s, struct store_box *box)
{
	uint64_t full = 0, cut = 0;
	int error = find_cut(s, box->id, EXPUNGED_MAX, &full);
	if (error || full == 0)
		return error;
	error = find_cut(s, box->id, EXPUNGED_KEPT, &cut);
	if (!error)
		error = db_run(&s->db, DB_EXPUNGED_TRIM, (int64_t)box->id, (int64_t)cut);
	if (!error)
		box->expunged_since = cut;
	return error;
}

int expunged_trim(struct store *s, struct store_box *box, size_t n)
{
	s->n_expunged += n;
	if (s->n_expunged < EXPUNGED_LOOK_AFTER)
		return 0;
	s->n_expunged = 0;
	return trim(s, box);
}

/* The next mailbox that has too many; 0: none. */
static int find_full(struct store *s, uint64_t *ret_mailbox)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_EXPUNGED_FULL, &stmt);
	if (error)
		return error;
	db_bind(stmt, EXPUNGED_MAX);
	int row = db_step(&s->db, stmt);
	if (row < 0)
		return row;
	*ret_mailbox = row > 0 ? db_column_u64(stmt, 0) : 0;
	sqlite3_reset(stmt);
	return 0;
}

static int trim_all(struct store *s)
{
	for (;;) {
		struct store_box box;
		uint64_t mailbox = 0;
		int error = find_full(s, &mailbox);
		if (error || mailbox == 0)
			return error;
		error = store_box_load(s, mailbox, &box);
		if (!error)
			error = trim(s, &box);
		if (!error)
			error = store_box_save(s, &box);
		if (error)
			return error;
	}
}

int expunged_trim_all(struct store *s)
{
	int error = db_begin(&s->db);
	return error ? error : db_end(&s->db, trim_all(s));
}
