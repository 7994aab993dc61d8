/*
 * Clients of one mailbox that change it at random, and see it through views of their own: what each
 * was told makes the list that it has, message by message and flag by flag, the mailbox's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "store/store_change.h"
#include "store/store_ingest.h"
#include "store/test_account.h"
#include "store/test_expect.h"
#include "store/view_entries.h"

enum { INBOX = 1, CLIENTS = 4, ROUNDS = 12000, MESSAGES_MAX = 60, LIST_MAX = 4096 };

struct known {
	uint32_t uid;
	uint64_t flags;
};

/* What a client knows by what it was told. */
struct client {
	struct store_view *view;
	struct known list[LIST_MAX];
	size_t n;
};

static struct test_account t;
static struct store *s;
static struct arena arena = ARENA_MAX(64 << 20);
static struct client clients[CLIENTS];
static struct known truth[LIST_MAX];
static unsigned n_delivered;

static unsigned below(unsigned n)
{
	return (unsigned)random() % n;
}

static uint64_t kept_flags(struct store_entry e)
{
	return e.flags & STORE_FLAGS_MASK;
}

/* What the table says, without any view. */
static size_t list_truth(void)
{
	sqlite3_stmt *stmt;
	size_t n = 0;
	int row;
	assert_int_equal(db_begin_read(&s->db), 0);
	assert_int_equal(db_get(&s->db, DB_ENTRIES, &stmt), 0);
	db_bind(stmt, INBOX, UINT32_MAX, 1);
	while ((row = db_step(&s->db, stmt)) > 0) {
		assert_true(n < LIST_MAX);
		truth[n++] = (struct known){db_column_u32(stmt, 0), db_column_u64(stmt, 2)};
	}
	assert_int_equal(row, 0);
	db_end_read(&s->db);
	return n;
}

static void select_inbox(struct client *c)
{
	store_view_close(c->view);
	c->view = NULL;
	assert_int_equal(store_view_select(s, INBOX, below(2) == 0, &c->view), 0);
	c->n = list_truth();
	assert_int_equal(c->view->n, c->n);
	memcpy(c->list, truth, c->n * sizeof(*truth));
}

static void load(struct client *c)
{
	assert_int_equal(store_view_load(c->view), 0);
	assert_int_equal(c->view->n, c->n);
	for (size_t i = 0; i < c->n; i++)
		assert_int_equal(store_view_entry(c->view, i).uid, c->list[i].uid);
}

/* Keeps the list for those who come later; or one from which nobody may take anything. */
static void keep_list(struct client *c)
{
	load(c);
	assert_int_equal(view_keep(c->view), 0);
	if (below(20) == 0)
		assert_int_equal(sqlite3_exec(s->db.handle, "UPDATE lists SET entries = x'01'",
		                     NULL, NULL, NULL),
		    SQLITE_OK);
}

static void hear(struct client *c, const struct store_changes *changes)
{
	for (size_t i = changes->n_gone; i > 0; i--) {
		size_t at = changes->gone[i - 1];
		assert_true(at < c->n);
		assert_int_equal(c->list[at].uid, changes->gone_uids[i - 1]);
		memmove(&c->list[at], &c->list[at + 1], (c->n - at - 1) * sizeof(*c->list));
		c->n--;
	}
	assert_int_equal(c->n + changes->n_new, c->view->n);
	for (; c->n < c->view->n; c->n++) {
		struct store_entry e = store_view_entry(c->view, c->n);
		c->list[c->n] = (struct known){e.uid, kept_flags(e)};
	}
	for (size_t i = 0; i < changes->n_changed; i++) {
		size_t at = changes->changed[i];
		assert_true(at < c->n);
		c->list[at].flags = kept_flags(store_view_entry(c->view, at));
	}
}

static void refresh(struct client *c, bool keep)
{
	struct store_changes changes;
	assert_int_equal(store_view_refresh(c->view, keep, &arena, &changes), 0);
	assert_true(!keep || changes.n_gone == 0);
	hear(c, &changes);
	if (keep)
		return;
	size_t n = list_truth();
	assert_int_equal(c->n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(c->list[i].uid, truth[i].uid);
		assert_int_equal(c->list[i].flags, truth[i].flags);
	}
}

/* UIDs that the client knows, some of which may be gone. */
static struct store_uids some_uids(const struct client *c, uint32_t *uids)
{
	size_t n = 0;
	unsigned one_of = 1 + below(6);
	for (size_t i = 0; i < c->n; i++)
		if (below(one_of) == 0)
			uids[n++] = c->list[i].uid;
	return (struct store_uids){uids, n};
}

static void change_flags(struct client *c)
{
	uint32_t uids[LIST_MAX];
	struct store_flag_result result;
	const struct store_flag_change change = {.mode = (enum store_flag_mode)below(3),
	    .flags = below(32) & STORE_SYSTEM_FLAGS,
	    .conditional = below(3) == 0,
	    .unchanged_since = c->view->highest_modseq};
	load(c);
	assert_int_equal(store_flags(c->view, some_uids(c, uids), &change, &arena, &result), 0);
	for (size_t i = 0; i < result.n_changed; i++) {
		size_t at = result.changed[i];
		assert_true(at < c->n);
		c->list[at].flags = kept_flags(store_view_entry(c->view, at));
	}
}

static void remove_some(struct client *c)
{
	uint32_t uids[LIST_MAX];
	struct store_uids removed;
	assert_int_equal(store_remove(c->view, some_uids(c, uids), &arena, &removed), 0);
}

static void copy_or_move(struct client *c)
{
	uint32_t uids[LIST_MAX];
	struct store_copy_result copied;
	struct store_uids some = some_uids(c, uids);
	some.n = some.n > 5 ? 5 : some.n;
	assert_int_equal(store_copy(c->view, some, 1 + below(2), below(2) ? STORE_MOVE : STORE_COPY,
	                     UINT64_MAX, &arena, &copied),
	    0);
}

static void deliver(void)
{
	size_t n;
	for (unsigned i = 0; i < 1 + below(4); i++)
		test_deliver_number(&t, n_delivered++);
	assert_int_equal(store_ingest(s, &n), 0);
}

static void do_something(struct client *c)
{
	switch (below(10)) {
	case 9:
		keep_list(c);
		break;
	case 0:
		select_inbox(c);
		break;
	case 1:
		load(c);
		break;
	case 2:
		change_flags(c);
		break;
	case 3:
		if (c->n > MESSAGES_MAX / 2 || below(4) == 0)
			remove_some(c);
		break;
	case 4:
		copy_or_move(c);
		break;
	case 5:
		if (c->n < MESSAGES_MAX)
			deliver();
		break;
	default:
		refresh(c, below(2) == 0);
	}
}

static void test_random(void **state UNUSED)
{
	char name[32];
	srandom(1);
	test_account_make(&t);
	s = test_open(&t);
	deliver();
	for (size_t i = 0; i < CLIENTS; i++)
		select_inbox(&clients[i]);
	for (unsigned round = 0; round < ROUNDS; round++) {
		do_something(&clients[below(CLIENTS)]);
		if (round % 500 == 499) {
			snprintf(name, sizeof(name), "Old %u", round);
			uint32_t rest = 1;
			assert_int_equal(
			    store_mailbox_rename(s, STR("INBOX"), str_of_cstr(name), &rest), 0);
			assert_int_equal(rest, 0);
		}
		arena_clear(&arena);
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		refresh(&clients[i], false);
		store_view_close(clients[i].view);
	}
	test_consistent(s, "INBOX");
	store_close(s);
	arena_done(&arena);
	test_account_remove(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
