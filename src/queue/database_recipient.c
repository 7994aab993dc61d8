#include <errno.h>

#include "queue/database_private.h"

int queue_db_destination_by_name(struct queue_db *db, struct str name, uint64_t *ret_id)
{
	sqlite3_stmt *s = db->statements[DESTINATION_FIND];
	queue_db_bind(s, 1, name);
	return queue_db_number(s, ret_id);
}

int queue_db_destination_of(struct queue_db *db, struct str name, uint64_t *ret_id)
{
	int error = queue_db_destination_by_name(db, name, ret_id);
	if (error != -ENOENT)
		return error;
	sqlite3_stmt *s = db->statements[DESTINATION_ADD];
	queue_db_bind(s, 1, name);
	error = queue_db_run(s);
	if (!error)
		*ret_id = (uint64_t)sqlite3_last_insert_rowid(db->handle);
	return error;
}

int queue_db_add_recipient(struct queue_db *db, const struct queued_recipient *r, struct str domain)
{
	uint64_t destination = 0;
	int error = queue_db_destination_of(db, domain, &destination);
	if (error)
		return error;
	sqlite3_stmt *s = db->statements[RECIPIENT_ADD];
	queue_db_bind_u64(s, 1, r->message);
	queue_db_bind_u64(s, 2, destination);
	queue_db_bind(s, 3, r->address);
	queue_db_bind(s, 4, r->original);
	queue_db_bind(s, 5, r->via);
	queue_db_bind_u64(s, 6, r->hops);
	queue_db_bind_u64(s, 7, r->notify);
	queue_db_bind_u64(s, 8, r->state);
	queue_db_bind_u64(s, 9, r->next_at);
	queue_db_bind(s, 10, r->sender);
	error = queue_db_run(s);
	return error ? error : queue_db_settle(db, destination);
}

static int read_recipient(sqlite3_stmt *s, struct arena *a, struct queued_recipient *ret_r)
{
	struct queued_recipient r = {
	    .id = queue_db_u64(s, 0),
	    .message = queue_db_u64(s, 1),
	    .destination = queue_db_u64(s, 2),
	    .hops = queue_db_u64(s, 6),
	    .notify = (uint8_t)queue_db_u64(s, 7),
	    .state = (uint8_t)queue_db_u64(s, 8),
	    .attempts = queue_db_u64(s, 9),
	    .tried_at = queue_db_u64(s, 10),
	    .next_at = queue_db_u64(s, 11),
	    .code = queue_db_u64(s, 12),
	    .crashes = queue_db_u64(s, 18),
	};
	if (!queue_db_text(s, 3, a, &r.address) || !queue_db_text(s, 4, a, &r.original) ||
	    !queue_db_text(s, 5, a, &r.via) || !queue_db_text(s, 13, a, &r.status) ||
	    !queue_db_text(s, 14, a, &r.mta) || !queue_db_text(s, 15, a, &r.text) ||
	    !queue_db_text(s, 16, a, &r.domain) || !queue_db_text(s, 17, a, &r.sender))
		return -ENOMEM;
	*ret_r = r;
	return 0;
}

static int read_recipients(
    sqlite3_stmt *s, struct arena *a, struct queued_recipient *ret_v, size_t max, size_t *ret_n)
{
	size_t n = 0;
	int result = 0;
	while (n < max && (result = queue_db_step(s)) > 0) {
		result = read_recipient(s, a, &ret_v[n]);
		if (result)
			break;
		n++;
	}
	queue_db_end(s);
	*ret_n = n;
	return result < 0 ? result : 0;
}

int queue_db_recipients(struct queue_db *db, uint64_t message, uint64_t after, struct arena *a,
    struct queued_recipient *ret_v, size_t max, size_t *ret_n)
{
	sqlite3_stmt *s = db->statements[RECIPIENTS_OF];
	queue_db_bind_u64(s, 1, message);
	queue_db_bind_u64(s, 2, after);
	queue_db_bind_u64(s, 3, max);
	return read_recipients(s, a, ret_v, max, ret_n);
}

int queue_db_has_recipient(struct queue_db *db, uint64_t message, struct str address)
{
	sqlite3_stmt *s = db->statements[RECIPIENT_FIND];
	queue_db_bind_u64(s, 1, message);
	queue_db_bind(s, 2, address);
	int result = queue_db_step(s);
	queue_db_end(s);
	return result;
}

int queue_db_is_open(struct queue_db *db, uint64_t message)
{
	sqlite3_stmt *s = db->statements[RECIPIENTS_OPEN];
	queue_db_bind_u64(s, 1, message);
	int result = queue_db_step(s);
	queue_db_end(s);
	return result;
}

int queue_db_set_recipient(struct queue_db *db, const struct queued_recipient *r)
{
	sqlite3_stmt *s = db->statements[RECIPIENT_SET];
	queue_db_bind_u64(s, 1, r->id);
	queue_db_bind_u64(s, 2, r->state);
	queue_db_bind_u64(s, 3, r->attempts);
	queue_db_bind_u64(s, 4, r->tried_at);
	queue_db_bind_u64(s, 5, r->next_at);
	queue_db_bind_u64(s, 6, r->code);
	queue_db_bind(s, 7, r->status);
	queue_db_bind(s, 8, r->mta);
	queue_db_bind(s, 9, r->text);
	queue_db_bind_u64(s, 10, r->crashes);
	return queue_db_run(s);
}

int queue_db_move_recipient(
    struct queue_db *db, const struct queued_recipient *r, struct str destination)
{
	uint64_t id = 0;
	int error = queue_db_destination_of(db, destination, &id);
	if (error)
		return error;
	sqlite3_stmt *s = db->statements[RECIPIENT_MOVE];
	queue_db_bind_u64(s, 1, r->id);
	queue_db_bind_u64(s, 2, id);
	error = queue_db_run(s);
	if (!error)
		error = queue_db_settle(db, r->destination);
	return error ? error : queue_db_settle(db, id);
}

/* --- destinations --- */

static int read_destination(sqlite3_stmt *s, struct arena *a, struct queued_destination *ret_d)
{
	struct queued_destination d = {.id = queue_db_u64(s, 0),
	    .blocked_until = queue_db_u64(s, 2),
	    .failures = queue_db_u64(s, 3),
	    .due_at = queue_db_u64(s, 5)};
	if (!queue_db_text(s, 1, a, &d.name) || !queue_db_text(s, 4, a, &d.reason))
		return -ENOMEM;
	*ret_d = d;
	return 0;
}

int queue_db_each_due(struct queue_db *db, uint64_t now,
    int (*visit)(const struct queued_destination *d, void *ctx), void *ctx)
{
	enum { TEXTS_MAX = 16 << 10 };
	struct arena a CLEANUP(arena_done) = ARENA_MAX(TEXTS_MAX);
	sqlite3_stmt *s = db->statements[DESTINATIONS_DUE];
	queue_db_bind_u64(s, 1, now);
	int result;
	while ((result = queue_db_step(s)) > 0) {
		struct queued_destination d;
		arena_clear(&a);
		result = read_destination(s, &a, &d);
		if (!result)
			result = visit(&d, ctx);
		if (result)
			break;
	}
	queue_db_end(s);
	return result < 0 ? result : 0;
}

int queue_db_next_due(struct queue_db *db, uint64_t *ret_at)
{
	return queue_db_number(db->statements[DESTINATION_NEXT], ret_at);
}

/* The longest due message, and under which reverse-path: -ENOENT. */
static int first_due(struct queue_db *db, uint64_t destination, uint64_t now, struct arena *a,
    uint64_t *ret_message, struct str *ret_sender)
{
	sqlite3_stmt *s = db->statements[RECIPIENT_DUE];
	queue_db_bind_u64(s, 1, destination);
	queue_db_bind_u64(s, 2, now);
	int result = queue_db_step(s);
	if (result > 0) {
		*ret_message = queue_db_u64(s, 0);
		result = queue_db_text(s, 1, a, ret_sender) ? 1 : -ENOMEM;
	}
	queue_db_end(s);
	return result < 0 ? result : result == 0 ? -ENOENT : 0;
}

int queue_db_claim(struct queue_db *db, uint64_t destination, uint64_t now, struct arena *a,
    struct queued_recipient *ret_v, size_t max, size_t *ret_n)
{
	uint64_t message = 0;
	struct str sender;
	size_t n = 0;
	int error = first_due(db, destination, now, a, &message, &sender);
	if (error) {
		*ret_n = 0;
		/* of a large message that was removed not each destination was settled */
		return error == -ENOENT ? queue_db_settle(db, destination) : error;
	}
	sqlite3_stmt *s = db->statements[RECIPIENTS_DUE];
	queue_db_bind_u64(s, 1, message);
	queue_db_bind_u64(s, 2, destination);
	queue_db_bind_u64(s, 3, now);
	queue_db_bind_u64(s, 4, max);
	queue_db_bind(s, 5, sender);
	error = read_recipients(s, a, ret_v, max, &n);
	for (size_t i = 0; !error && i < n; i++) {
		ret_v[i].state = RECIPIENT_ACTIVE;
		error = queue_db_set_recipient(db, &ret_v[i]);
	}
	if (!error)
		error = queue_db_settle(db, destination);
	*ret_n = n;
	return error;
}

static bool is_same(sqlite3_stmt *s, int a, int b)
{
	return sqlite3_column_type(s, a) == sqlite3_column_type(s, b) &&
	       queue_db_u64(s, a) == queue_db_u64(s, b);
}

/* A page less is written where nothing changes. */
int queue_db_settle(struct queue_db *db, uint64_t destination)
{
	sqlite3_stmt *s = db->statements[DESTINATION_DUE];
	queue_db_bind_u64(s, 1, destination);
	int result = queue_db_step(s);
	bool changes = result > 0 && !is_same(s, 0, 1);
	bool waits = changes && sqlite3_column_type(s, 0) != SQLITE_NULL;
	uint64_t due_at = waits ? queue_db_u64(s, 0) : 0;
	queue_db_end(s);
	if (result <= 0 || !changes)
		return result < 0 ? result : 0;
	s = db->statements[DESTINATION_SET_DUE];
	queue_db_bind_u64(s, 1, destination);
	if (waits)
		queue_db_bind_u64(s, 2, due_at);
	return queue_db_run(s);
}

/* Piece by piece, so that a transaction stays short however many there are. */
int queue_db_forget_destinations(struct queue_db *db, uint64_t now, uint64_t *cursor)
{
	enum { AT_ONCE = 10000 };
	uint64_t last = 0;
	int error = queue_db_number(db->statements[DESTINATION_LAST], &last);
	if (error)
		return error == -ENOENT ? 0 : error;
	sqlite3_stmt *s = db->statements[DESTINATION_FORGET];
	queue_db_bind_u64(s, 1, *cursor);
	queue_db_bind_u64(s, 2, *cursor + AT_ONCE);
	queue_db_bind_u64(s, 3, now);
	error = queue_db_run(s);
	*cursor = *cursor + AT_ONCE >= last ? 0 : *cursor + AT_ONCE;
	return error;
}

int queue_db_set_destination(struct queue_db *db, const struct queued_destination *d)
{
	sqlite3_stmt *s = db->statements[DESTINATION_SET];
	queue_db_bind_u64(s, 1, d->id);
	queue_db_bind_u64(s, 2, d->blocked_until);
	queue_db_bind_u64(s, 3, d->failures);
	queue_db_bind(s, 4, d->reason);
	int error = queue_db_run(s);
	return error ? error : queue_db_settle(db, d->id);
}

int queue_db_destination(
    struct queue_db *db, uint64_t id, struct arena *a, struct queued_destination *ret_d)
{
	sqlite3_stmt *s = db->statements[DESTINATION_GET];
	queue_db_bind_u64(s, 1, id);
	int result = queue_db_step(s);
	int error = result < 0 ? result : result == 0 ? -ENOENT : read_destination(s, a, ret_d);
	queue_db_end(s);
	return error;
}
