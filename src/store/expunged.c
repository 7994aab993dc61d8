#include "store/expunged.h"

#include <errno.h>

/* The first number is of the oldest row that has so many later ones; 0: there is none. */
static int trim(struct store *s, struct store_box *box)
{
	uint64_t full = 0, cut = 0;
	int error = db_number(&s->db, DB_EXPUNGED_CUT, &full, (int64_t)box->id, EXPUNGED_MAX);
	if (error || full == 0)
		return error;
	error = db_number(&s->db, DB_EXPUNGED_CUT, &cut, (int64_t)box->id, EXPUNGED_KEPT);
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

static int trim_all(struct store *s)
{
	for (;;) {
		struct store_box box;
		uint64_t mailbox = 0;
		int error = db_number(&s->db, DB_EXPUNGED_FULL, &mailbox, EXPUNGED_MAX);
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
