/* Views: what a selected mailbox shows while others change it, and what QRESYNC is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "store/changed.h"
#include "store/expunged.h"
#include "store/store_change.h"
#include "store/store_ingest.h"
#include "store/test_account.h"
#include "store/view_entries.h"

enum { INBOX = 1 };

static struct test_account t;
static struct store *s;
static struct arena arena = ARENA_MAX(64 << 20);

static int setup(void **state UNUSED)
{
	test_account_make(&t);
	s = test_open(&t);
	return 0;
}

static int teardown(void **state UNUSED)
{
	store_close(s);
	s = NULL;
	arena_done(&arena);
	test_account_remove(&t);
	return 0;
}

static void deliver(unsigned first, unsigned end)
{
	size_t n = 0;
	for (unsigned i = first; i < end; i++)
		test_deliver_number(&t, i);
	assert_int_equal(store_ingest(s, &n), 0);
	assert_int_equal(n, end - first);
}

static struct store_view *view(void)
{
	struct store_view *v = NULL;
	assert_int_equal(store_view_open(s, INBOX, false, &v), 0);
	return v;
}

static struct store_changes refresh(struct store_view *v)
{
	struct store_changes c;
	assert_int_equal(store_view_refresh(v, false, &arena, &c), 0);
	return c;
}

static void flag(struct store_view *v, const uint32_t *uids, size_t n, uint64_t flags)
{
	struct store_flag_change change = {STORE_FLAGS_ADD, flags, false, 0, 0};
	struct store_flag_result result;
	assert_int_equal(store_flags(v, (struct store_uids){uids, n}, &change, &arena, &result), 0);
	assert_int_equal(result.n_changed, n);
}

static void expunge(struct store_view *v, const uint32_t *uids, size_t n)
{
	struct store_uids removed;
	flag(v, uids, n, STORE_DELETED);
	assert_int_equal(
	    store_expunge(v, (struct store_uids){uids, n}, false, &arena, &removed), 0);
	assert_int_equal(removed.n, n);
}

/* A view that is listed late shows the mailbox as it was selected. */
static void test_listed_late(void **state UNUSED)
{
	deliver(0, 6);
	struct store_view *v = view(), *late = NULL, *idle = NULL;
	assert_int_equal(store_view_select(s, INBOX, false, &late), 0);
	assert_int_equal(store_view_select(s, INBOX, true, &idle), 0);
	assert_true(late->n == 6 && !late->loaded && late->n_recent == 0);
	struct store_changes c = refresh(idle);
	assert_true(!idle->loaded && c.n_new == 0 && c.n_gone == 0 && c.n_changed == 0);
	const uint32_t deleted[] = {1, 4, 6}, second = 2;
	flag(v, &second, 1, STORE_SEEN);
	deliver(6, 7);
	expunge(v, deleted, 3);
	assert_int_equal(store_view_load(late), 0);
	assert_int_equal(late->n, 6);
	assert_int_equal(late->n_gone, 3);
	static const bool gone[] = {true, false, false, true, false, true};
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(store_view_entry(late, i).uid, i + 1);
		assert_int_equal((store_view_entry(late, i).flags & STORE_GONE) != 0, gone[i]);
	}
	for (int again = 0; again < 2; again++) {
		c = refresh(again ? idle : late);
		assert_true(c.n_gone == 3 && c.gone[1] == 3 && c.gone_uids[2] == 6);
		assert_true(c.n_changed == 1 && c.changed[0] == 0 && c.n_new == 1);
	}
	assert_true(late->n == 4 && idle->n == 4);
	assert_true(store_view_entry(late, 3).flags & STORE_RECENT);
	assert_int_equal(store_view_entry(idle, 0).flags & STORE_SYSTEM_FLAGS, STORE_SEEN);
	store_view_close(v);
	store_view_close(late);
	store_view_close(idle);
}

/* More different sets of flags than a table holds at first. */
static void test_flag_sets(void **state UNUSED)
{
	struct view_entries e = {0};
	for (uint32_t i = 0; i < 5000; i++) {
		struct store_entry entry = {i + 1, i, (uint64_t)i << 20 | STORE_RECENT, i};
		assert_int_equal(view_entries_add(&e, &entry), 0);
	}
	assert_int_equal(e.n_flag_sets, 5000);
	assert_int_equal(view_entries_set(&e, 7, (uint64_t)4999 << 20, 1), 0);
	assert_int_equal(e.n_flag_sets, 5000);
	struct store_view v = {.entries = e, .n = e.n, .loaded = true};
	for (uint32_t i = 0; i < 5000; i++)
		assert_true(store_view_entry(&v, i).flags ==
		            ((uint64_t)(i == 7 ? 4999 : i) << 20 | STORE_RECENT));
	struct store_entry far = {6000, 1, 0, (uint64_t)1 << VIEW_MODSEQ_BITS};
	assert_int_equal(view_entries_add(&e, &far), -E2BIG);
	view_entries_done(&e);
}

/* The record of what was expunged is cut, and views find out by what is there. */
static void test_trimmed(void **state UNUSED)
{
	enum { MANY = EXPUNGED_MAX + 10 };
	deliver(0, 5);
	struct store_view *v = view(), *other = view(), *late = NULL;
	assert_int_equal(store_view_select(s, INBOX, true, &late), 0);
	uint64_t first_modseq = v->highest_modseq;
	assert_int_equal(db_begin(&s->db), 0);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(
		    db_run(&s->db, DB_EXPUNGED_ADD, INBOX, (int64_t)store_next_modseq(s), 100 + i),
		    0);
	assert_int_equal(db_end(&s->db, 0), 0);
	const uint32_t second = 2, fourth = 4;
	expunge(v, &second, 1);
	struct store_box box;
	s->n_expunged = EXPUNGED_LOOK_AFTER;
	expunge(v, &fourth, 1);
	assert_int_equal(s->n_expunged, 0);
	assert_int_equal(store_box_load(s, INBOX, &box), 0);
	assert_true(box.expunged_since > first_modseq + MANY - EXPUNGED_KEPT);
	const uint32_t *uids;
	size_t n;
	bool complete;
	assert_int_equal(
	    store_view_vanished(v, box.expunged_since, &arena, &uids, &n, &complete), 0);
	assert_true(complete && n == EXPUNGED_KEPT - 2);
	assert_int_equal(store_view_vanished(v, first_modseq, &arena, &uids, &n, &complete), 0);
	assert_false(complete);
	struct store_changes c = refresh(other);
	assert_true(c.n_gone == 2 && c.gone[0] == 1 && c.gone_uids[1] == 4 && other->n == 3);
	assert_int_equal(store_view_load(late), -ESTALE);
	assert_int_equal(store_view_refresh(late, false, &arena, &c), -ESTALE);
	store_view_close(v);
	store_view_close(other);
	store_view_close(late);
}

/* Once a day all mailboxes are looked at. */
static void test_trimmed_daily(void **state UNUSED)
{
	assert_int_equal(db_begin(&s->db), 0);
	for (uint32_t i = 0; i <= EXPUNGED_MAX; i++)
		assert_int_equal(db_run(&s->db, DB_EXPUNGED_ADD, INBOX, 7 + i / 2, 1 + i), 0);
	assert_int_equal(db_end(&s->db, 0), 0);
	assert_int_equal(expunged_trim_all(s), 0);
	struct store_box box;
	assert_int_equal(store_box_load(s, INBOX, &box), 0);
	assert_true(box.expunged_since >= 7 + (EXPUNGED_MAX - EXPUNGED_KEPT) / 2);
	uint64_t before = box.expunged_since;
	assert_int_equal(expunged_trim_all(s), 0);
	assert_int_equal(store_box_load(s, INBOX, &box), 0);
	assert_int_equal(box.expunged_since, before);
}

/* What is not told yet is not in HIGHESTMODSEQ. */
static void test_highest_modseq(void **state UNUSED)
{
	deliver(0, 3);
	struct store_view *v = view(), *other = view();
	uint64_t before = v->highest_modseq;
	const uint32_t first = 1;
	struct store_changes c;
	expunge(other, &first, 1);
	assert_int_equal(store_view_refresh(v, true, &arena, &c), 0);
	assert_true(v->n_gone == 1 && v->highest_modseq == before);
	assert_true(refresh(v).n_gone == 1 && v->highest_modseq > before);
	store_view_close(v);
	store_view_close(other);
}

static size_t count_changes(void)
{
	sqlite3_stmt *stmt;
	assert_int_equal(sqlite3_prepare_v2(s->db.handle,
	                     "SELECT count(*) FROM changes WHERE mailbox = 1", -1, &stmt, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	size_t n = (size_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

/* What changed is noted as runs; where the record was cut, all is looked at. */
static void test_changes(void **state UNUSED)
{
	deliver(0, 9);
	struct store_view *v = view(), *other = view(), *late = view();
	const uint32_t some[] = {2, 3, 4, 7, 9}, seventh = 7;
	size_t before = count_changes();
	flag(v, some, ARRAY_LEN(some), STORE_SEEN);
	assert_int_equal(count_changes(), before + 3);
	struct store_changes c = refresh(other);
	assert_true(c.n_changed == 5 && c.changed[0] == 1 && c.changed[4] == 8);
	assert_int_equal(refresh(other).n_changed, 0);
	assert_int_equal(refresh(v).n_changed, 0);
	flag(v, &seventh, 1, STORE_FLAGGED);
	assert_int_equal(db_begin(&s->db), 0);
	for (uint32_t i = 0; i < CHANGED_MAX + 2 * CHANGED_LOOK_AFTER; i++)
		assert_int_equal(changed_note(s, INBOX, store_next_modseq(s), 100, 100), 0);
	assert_int_equal(db_end(&s->db, 0), 0);
	assert_in_range(count_changes(), CHANGED_KEPT, CHANGED_KEPT + 3 * CHANGED_LOOK_AFTER);
	c = refresh(late);
	assert_true(c.n_changed == 5 && c.changed[3] == 6);
	assert_int_equal(
	    store_view_entry(late, 6).flags & STORE_SYSTEM_FLAGS, STORE_SEEN | STORE_FLAGGED);
	c = refresh(other);
	assert_true(c.n_changed == 1 && c.changed[0] == 6);
	store_view_close(v);
	store_view_close(other);
	store_view_close(late);
}

/* Many runs in one change are noted as one at the end. */
static void test_many_runs(void **state UNUSED)
{
	enum { MANY = 2400 };
	deliver(0, MANY);
	struct store_view *v = view(), *other = view();
	uint32_t odd[MANY / 2];
	size_t before = count_changes();
	for (uint32_t i = 0; i < MANY / 2; i++)
		odd[i] = 2 * i + 1;
	flag(v, odd, ARRAY_LEN(odd), STORE_ANSWERED);
	assert_int_equal(count_changes(), before + 1000);
	struct store_changes c = refresh(other);
	assert_int_equal(c.n_changed, MANY / 2);
	for (uint32_t i = 0; i < MANY / 2; i++)
		assert_int_equal(c.changed[i], 2 * i);
	store_view_close(v);
	store_view_close(other);
}

/* A change meets what others did meanwhile: it changes what is there, and that is told after it. */
static void test_flags_behind(void **state UNUSED)
{
	deliver(0, 4);
	struct store_view *v = view(), *other = view();
	const uint32_t first = 1, second = 2, third = 3, all[] = {1, 2, 3, 4, 5};
	flag(other, &second, 1, STORE_DRAFT);
	expunge(other, &third, 1);
	deliver(4, 5);
	struct store_flag_change change = {STORE_FLAGS_ADD, STORE_SEEN, false, 0, 0};
	struct store_flag_result result;
	assert_int_equal(store_flags(v, (struct store_uids){all, 5}, &change, &arena, &result), 0);
	assert_true(result.n_changed == 3 && result.changed[1] == 1 && result.changed[2] == 3);
	assert_int_equal(v->n, 4);
	assert_int_equal(
	    store_view_entry(v, 1).flags & STORE_SYSTEM_FLAGS, STORE_SEEN | STORE_DRAFT);
	struct store_changes c = refresh(v);
	assert_true(c.n_gone == 1 && c.gone_uids[0] == 3 && c.n_new == 1);
	assert_true(c.n_changed == 1 && c.changed[0] == 1);
	assert_int_equal(store_view_entry(v, 3).uid, 5);
	assert_int_equal(refresh(v).n_changed, 0);
	c = refresh(other);
	assert_true(c.n_changed == 3 && c.n_new == 1);
	change = (struct store_flag_change){STORE_FLAGS_REMOVE, STORE_SEEN, false, 0, STORE_SEEN};
	assert_int_equal(
	    store_flags(v, (struct store_uids){&first, 1}, &change, &arena, &result), 0);
	assert_int_equal(result.n_changed, 0);
	store_view_close(v);
	store_view_close(other);
}

static size_t count_dead(void)
{
	sqlite3_stmt *stmt;
	assert_int_equal(
	    sqlite3_prepare_v2(s->db.handle, "SELECT count(*) FROM dead", -1, &stmt, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	size_t n = (size_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

/* Nobody waits until the bytes of very many messages are freed; they are soon after. */
static void test_tidy(void **state UNUSED)
{
	enum { MANY = 1300 };
	uint32_t uids[MANY];
	deliver(0, MANY);
	struct store_view *v = view();
	for (uint32_t i = 0; i < MANY; i++)
		uids[i] = i + 1;
	expunge(v, uids, MANY);
	assert_in_range(count_dead(), 1, MANY - 1000);
	assert_true(s->dead_left);
	store_tidy(s);
	assert_int_equal(count_dead(), 0);
	assert_false(s->dead_left);
	deliver(0, MANY);
	assert_int_equal(refresh(v).n_new, MANY);
	for (uint32_t i = 0; i < MANY; i++)
		uids[i] = MANY + i + 1;
	expunge(v, uids, MANY);
	assert_true(count_dead() > 0);
	store_view_close(v);
	store_close(s);
	s = test_open(&t);
	assert_int_equal(count_dead(), 0);
}

/* What SQLite did since it was asked last. */
static int take_steps(void)
{
	int n = 0;
	for (size_t i = 0; i < DB_N_STATEMENTS; i++)
		n += s->db.statements[i]
		         ? sqlite3_stmt_status(s->db.statements[i], SQLITE_STMTSTATUS_VM_STEP, 1)
		         : 0;
	return n;
}

/* A refresh, and what QRESYNC asks, cost as much as happened, whatever the mailbox's size. */
static void test_cost(void **state UNUSED)
{
	enum { MANY = 3000, STEPS_MAX = 1500 };
	uint32_t some[10];
	deliver(0, MANY);
	struct store_view *v = view(), *other = view();
	uint64_t before = v->highest_modseq;
	for (uint32_t i = 0; i < ARRAY_LEN(some); i++)
		some[i] = 1 + 290 * i;
	flag(v, some, 5, STORE_FLAGGED);
	expunge(v, some + 5, 5);
	take_steps();
	struct store_changes c = refresh(other);
	assert_true(c.n_changed == 5 && c.n_gone == 5);
	assert_in_range(take_steps(), 1, STEPS_MAX);
	const uint32_t *uids;
	size_t n;
	bool complete;
	assert_int_equal(store_view_vanished(other, before, &arena, &uids, &n, &complete), 0);
	assert_true(complete && n == 5);
	assert_in_range(take_steps(), 1, STEPS_MAX);
	flag(v, some, 5, STORE_SEEN);
	assert_in_range(take_steps(), 1, STEPS_MAX);
	assert_int_equal(refresh(v).n_gone, 5);
	assert_in_range(take_steps(), 1, STEPS_MAX);
	struct store_view *late = NULL;
	assert_int_equal(store_view_select(s, INBOX, false, &late), 0);
	assert_in_range(take_steps(), 1, STEPS_MAX);
	store_view_close(v);
	store_view_close(other);
	store_view_close(late);
}

/* The MODSEQ of the list that is kept of the mailbox; 0: none is. */
static uint64_t kept_modseq(const struct store_view *v)
{
	sqlite3_stmt *stmt;
	assert_int_equal(db_get(&s->db, DB_LIST_GET, &stmt), 0);
	db_bind(stmt, INBOX, v->uidvalidity);
	uint64_t modseq = db_step(&s->db, stmt) > 0 ? db_column_u64(stmt, 0) : 0;
	sqlite3_reset(stmt);
	return modseq;
}

static void assert_same_view(const struct store_view *a, const struct store_view *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		const struct store_entry x = store_view_entry(a, i), y = store_view_entry(b, i);
		assert_int_equal(x.uid, y.uid);
		assert_int_equal(x.message, y.message);
		assert_int_equal(x.flags & ~STORE_RECENT, y.flags & ~STORE_RECENT);
		assert_int_equal(x.modseq, y.modseq);
	}
}

/* So many changes that the kept list is not written anew, and then a few more. */
static void change_many(struct store_view *v, size_t n)
{
	uint32_t uids[VIEW_LIST_MIN];
	uint64_t before = kept_modseq(v);
	for (size_t i = 0; i < n; i++)
		uids[i] = (uint32_t)i + 2;
	flag(v, uids, n, STORE_SEEN);
	assert_int_equal(store_view_tidy(v), 0);
	assert_int_equal(kept_modseq(v), before);
	expunge(v, (const uint32_t[]){1}, 1);
}

/* The list of a large mailbox is kept, and written anew when much has changed. */
static void test_list_is_kept(void **state UNUSED)
{
	enum { BEHIND = VIEW_LIST_BEHIND_MAX + VIEW_LIST_MIN / VIEW_LIST_BEHIND_PART };
	struct store_view *v, *again;
	deliver(0, VIEW_LIST_MIN - 1);
	v = view();
	assert_int_equal(store_view_tidy(v), 0);
	assert_int_equal(kept_modseq(v), 0);
	deliver(VIEW_LIST_MIN - 1, VIEW_LIST_MIN);
	refresh(v);
	assert_int_equal(store_view_select(s, INBOX, true, &again), 0);
	assert_int_equal(store_view_tidy(again), 0);
	assert_false(again->loaded);
	assert_int_equal(kept_modseq(v), v->highest_modseq);
	store_view_close(again);

	/* What is behind is made good, whatever it is. */
	change_many(v, BEHIND);
	deliver(VIEW_LIST_MIN, VIEW_LIST_MIN + 3);
	refresh(v);
	again = view();
	assert_same_view(again, v);
	uint64_t before = kept_modseq(v);
	assert_int_equal(store_view_tidy(v), 0);
	assert_true(kept_modseq(v) > before);
	store_view_close(again);
	again = view();
	assert_same_view(again, v);
	store_view_close(again);

	/* One that cannot be read is nobody's harm, and is written anew. */
	assert_int_equal(
	    sqlite3_exec(s->db.handle, "UPDATE lists SET entries = x'02'", NULL, NULL, NULL),
	    SQLITE_OK);
	again = view();
	assert_same_view(again, v);
	assert_true(again->list_is_wrong);
	assert_int_equal(store_view_tidy(again), 0);
	store_view_close(again);
	again = view();
	assert_same_view(again, v);
	assert_false(again->list_is_wrong);
	store_view_close(again);
	store_view_close(v);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_listed_late),
	    TEST(test_list_is_kept),
	    cmocka_unit_test(test_flag_sets),
	    TEST(test_trimmed),
	    TEST(test_trimmed_daily),
	    TEST(test_highest_modseq),
	    TEST(test_changes),
	    TEST(test_many_runs),
	    TEST(test_flags_behind),
	    TEST(test_tidy),
	    TEST(test_cost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
