#include "store/changed.h"

#include <errno.h>

/* The first number is of the oldest row that has so many later ones; 0: there is none. */
static int trim(struct store *s, uint64_t mailbox)
{
	uint64_t full = 0, cut = 0;
	int error = db_number(&s->db, DB_CHANGES_CUT, &full, (int64_t)mailbox, CHANGED_MAX);
	if (error || full == 0)
		return error;
	error = db_number(&s->db, DB_CHANGES_CUT, &cut, (int64_t)mailbox, CHANGED_KEPT);
	return error ? error : changed_note_all(s, mailbox, cut);
}

int changed_note(struct store *s, uint64_t mailbox, uint64_t modseq, uint32_t first, uint32_t last)
{
	int error = db_run(&s->db, DB_CHANGES_ADD, (int64_t)mailbox, (int64_t)modseq, first, last);
	if (error || ++s->n_changes < CHANGED_LOOK_AFTER)
		return error;
	s->n_changes = 0;
	return trim(s, mailbox);
}

int changed_note_all(struct store *s, uint64_t mailbox, uint64_t modseq)
{
	int error = db_run(&s->db, DB_CHANGES_TRIM, (int64_t)mailbox, (int64_t)modseq);
	if (!error)
		error = db_run(&s->db, DB_CHANGES_ADD, (int64_t)mailbox, (int64_t)modseq, 0, 0);
	return error;
}

static int each_of_run(struct store *s, uint64_t mailbox, uint64_t modseq, uint32_t first,
    uint32_t last, int (*fn)(void *ctx, sqlite3_stmt *row), void *ctx)
{
	sqlite3_stmt *stmt;
	int row = 0, error = db_get(&s->db, DB_ENTRIES_CHANGED, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)mailbox, first, last, (int64_t)modseq);
	while (!error && (row = db_step(&s->db, stmt)) > 0)
		error = fn(ctx, stmt);
	sqlite3_reset(stmt);
	return error ? error : row;
}

int changed_each(struct store *s, uint64_t mailbox, uint64_t modseq,
    int (*fn)(void *ctx, sqlite3_stmt *row), void *ctx)
{
	sqlite3_stmt *runs;
	int row = 0, error = db_get(&s->db, DB_CHANGES_SINCE, &runs);
	if (error)
		return error;
	db_bind(runs, (int64_t)mailbox, (int64_t)modseq);
	while (!error && (row = db_step(&s->db, runs)) > 0) {
		uint32_t first = db_column_u32(runs, 0), last = db_column_u32(runs, 1);
		if (first == 0)
			last = UINT32_MAX;
		error = each_of_run(s, mailbox, modseq, first, last, fn, ctx);
		if (first == 0)
			break; /* that was everything */
	}
	sqlite3_reset(runs);
	return error || row > 0 ? error : row;
}

static int trim_all(struct store *s)
{
	for (;;) {
		uint64_t mailbox = 0;
		int error = db_number(&s->db, DB_CHANGES_FULL, &mailbox, CHANGED_MAX);
		if (!error && mailbox != 0)
			error = trim(s, mailbox);
		if (error || mailbox == 0)
			return error;
	}
}

int changed_trim_all(struct store *s)
{
	int error = db_begin(&s->db);
	return error ? error : db_end(&s->db, trim_all(s));
}
