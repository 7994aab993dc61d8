/*
 * queue/test_states.h: for tests: nothing in the queue stands still for ever. What must hold
 * between two rounds is said at enum recipient_state (queue/database.h). Only *_test.c includes it.
 */
#ifndef QUEUE_TEST_STATES_H
#define QUEUE_TEST_STATES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queue/carriage.h"
#include "queue/database_private.h"

/* Each counts what may not be. */
static const struct {
	const char *what, *sql;
} states_rules[] = {
    {"a message without a recipient that is not over",
        "SELECT count(*) FROM message m WHERE NOT EXISTS(SELECT 1 FROM recipient r"
        " WHERE r.message=m.id AND r.state<3)"},
    {"a recipient that waits, and nobody will look",
        "SELECT count(*) FROM recipient r LEFT JOIN destination d ON d.id=r.destination"
        " WHERE r.state=0 AND (d.due_at IS NULL OR d.due_at>max(r.next_at,d.blocked_until))"},
    {"a recipient without its message",
        "SELECT count(*) FROM recipient r WHERE NOT EXISTS(SELECT 1 FROM message m"
        " WHERE m.id=r.message)"},
    {"a recipient in no state", "SELECT count(*) FROM recipient WHERE state NOT BETWEEN 0 AND 6"},
    {"a message that never grows old", "SELECT count(*) FROM message WHERE look_at<=0"},
    {"a message without its bytes",
        "SELECT count(*) FROM message m WHERE file IS NULL AND NOT EXISTS(SELECT 1 FROM content c"
        " WHERE c.message=m.id)"},
};

static inline uint64_t states_count(struct queue_db *db, const char *sql)
{
	sqlite3_stmt *s = NULL;
	assert_int_equal(sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	uint64_t n = queue_db_u64(s, 0);
	sqlite3_finalize(s);
	return n;
}

/* Who will say of a carriage that it is over: exactly one, and each of them has an end. */
static inline size_t states_drivers(struct queue *q, const struct carriage *c)
{
	struct carriages *all = q->carriages;
	size_t n = c->n_asked > 0; /* questions have a time-out */
	n += c->signing != NULL;   /* and so has a scribe (queue/sign.h) */
	for (const struct courier *x = all->couriers; x; x = x->next)
		n += x->carriage == c && x->until > 0;
	for (const struct local_gate *x = all->gates; x; x = x->next)
		n += x->carriage == c && x->until > 0;
	for (const struct carriage *x = all->finished; x; x = x->next)
		n += x == c;
	for (const struct carriage *x = all->local_waiting; x; x = x->next)
		n += x == c;
	bool asks_for_policy = n == 0 && !c->place->is_local && !c->place->relay && q->lookups;
	return n + asks_for_policy;
}

static inline void states_check(struct queue *q)
{
	size_t n_active = 0, n_fresh = 0;
	for (size_t i = 0; i < ARRAY_LEN(states_rules); i++)
		if (states_count(q->db, states_rules[i].sql) > 0)
			fail_msg("%s", states_rules[i].what);
	for (const struct carriage *c = q->carriages->all; c; c = c->next_of_all) {
		n_active += c->is_fresh ? 0 : c->n;
		n_fresh += c->is_fresh;
		assert_int_equal(states_drivers(q, c), 1);
	}
	assert_int_equal(
	    states_count(q->db, "SELECT count(*) FROM recipient WHERE state=1"), n_active);
	assert_int_equal(states_count(q->db, "SELECT count(*) FROM fresh"), n_fresh);
	assert_null(q->carriages->claimed);
}

#endif
