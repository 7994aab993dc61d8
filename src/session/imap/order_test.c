/* SORT's order against the plain way of finding it, with keys that need several looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sqlite3.h>

#include "seal/vfs.h"
#include "session/imap/order.h"
#include "store/store_ingest.h"
#include "store/store_change.h"
#include "store/store_ranks.h"
#include "store/test_account.h"

enum { N_FEW = 700, N_MANY = 1400, N_LATE = 30, N_LATER = 100, N_MAX = 2000, SUBJECT_MAX = 700 };
_Static_assert((int)N_FEW < (int)ORDER_RANKED_MIN && (int)ORDER_RANKED_MIN < (int)N_MANY &&
                   (int)N_LATE < (int)ORDER_UNRANKED_MAX && (int)ORDER_UNRANKED_MAX < (int)N_LATER,
    "without ranks, with them, with few that have none, with too many");

struct expected {
	char subject[STORE_ORDER_KEY_MAX];
	size_t len;
	int64_t sent_at;
	uint32_t position;
};

static struct test_account t;
static struct imap_session session;
static struct expected expected[N_MAX];
static uint32_t n_messages; /* of the view */
static bool by_subject_down, by_date_down;

/* The same numbers in every run. */
static unsigned next_random(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33);
}

/* Many are equal for long: words of one letter, cut at odd lengths. */
static void deliver_random(void)
{
	struct buf message CLEANUP(buf_done) = BUF_MAX(SUBJECT_MAX + 1000);
	unsigned len = next_random() % 3 == 0 ? next_random() % 12 : next_random() % SUBJECT_MAX;

	buf_add(&message, STR("Subject: Re: "));
	for (unsigned i = 0; i < len; i++)
		buf_add_c(&message, i > 0 && next_random() % 300 == 0 ? 'b' : 'a');
	buf_printf(&message, "\r\nDate: Tue, %u Feb 2000 10:00:00 +0000\r\n\r\nx\r\n",
	    1 + next_random() % 5);
	(void)test_deliver(&t, buf_str(&message));
}

static void deliver_more(unsigned n_more)
{
	struct store_changes changes;
	size_t n;

	for (unsigned i = 0; i < n_more; i++)
		deliver_random();
	assert_int_equal(store_ingest(session.store, &n), 0);
	assert_int_equal(store_view_refresh(session.view, false, &session.arena, &changes), 0);
	n_messages = (uint32_t)session.view->n;
	assert_true(n_messages <= N_MAX);
}

static int setup(void **state UNUSED)
{
	test_account_make(&t);
	session.store = test_open(&t);
	session.arena = ARENA_MAX(IMAP_SESSION_ARENA_MAX);
	assert_int_equal(store_view_open(session.store, 1, true, &session.view), 0);
	deliver_more(N_FEW);
	return 0;
}

static int teardown(void **state UNUSED)
{
	store_view_close(session.view);
	store_close(session.store);
	arena_done(&session.arena);
	test_account_remove(&t);
	return 0;
}

static void read_expected(void)
{
	struct store_order *order;
	struct store_order_row row;
	unsigned fields = STORE_ORDER_SENT | 1U << STORE_ORDER_SUBJECT;

	assert_int_equal(store_order_open(session.view, fields, &order), 0);
	for (uint32_t i = 0; i < n_messages; i++) {
		assert_int_equal(store_order_read(order, i, &row), 1);
		struct str subject = row.keys[STORE_ORDER_SUBJECT];
		if (subject.len > 0)
			memcpy(expected[i].subject, subject.p, subject.len);
		expected[i].len = subject.len;
		expected[i].sent_at = row.sent_at;
		expected[i].position = i;
	}
	store_order_close(order);
}

static int compare_expected(const void *x, const void *y)
{
	const struct expected *a = x, *b = y;
	int order = str_cmp(str_of(a->subject, a->len), str_of(b->subject, b->len));

	if (order != 0)
		return by_subject_down ? -order : order;
	if (a->sent_at != b->sent_at)
		return (a->sent_at < b->sent_at ? -1 : 1) * (by_date_down ? -1 : 1);
	return a->position < b->position ? -1 : 1;
}

static void check(bool subject_down, bool date_down)
{
	/* The last one changes nothing any more. */
	const struct imap_sort_key keys[] = {
	    {SORT_SUBJECT, subject_down}, {SORT_DATE, date_down}, {SORT_SUBJECT, !subject_down}};
	static uint32_t positions[N_MAX];

	read_expected();
	by_subject_down = subject_down;
	by_date_down = date_down;
	qsort(expected, n_messages, sizeof(expected[0]), compare_expected);
	for (uint32_t i = 0; i < n_messages; i++)
		positions[i] = i;
	assert_int_equal(
	    order_sort(&session, keys, ARRAY_LEN(keys), NULL, positions, n_messages), 0);
	for (size_t i = 0; i < n_messages; i++)
		assert_int_equal(positions[i], expected[i].position);
}

static void test_long_subjects(void **state UNUSED)
{
	check(false, false);
	check(false, true);
	check(true, false);
	check(true, true);
}

static void check_all(void)
{
	check(false, false);
	check(false, true);
	check(true, false);
	check(true, true);
}

static uint32_t ranked_up_to(unsigned by)
{
	uint32_t end;

	assert_int_equal(store_ranks_look(session.view, by, &end), 0);
	return end;
}

/* Behind the session's back. */
static void change_database(const char *sql)
{
	struct secret *key CLEANUP(secret_free) =
	    keys_derive(t.master, TEST_ACCOUNT, KEYS_LABEL_MAILBOX_DB);
	sqlite3 *db;

	assert_int_equal(sealed_db_open("mailbox.db", key, 0, &db), 0);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void expunge_some(void)
{
	uint32_t uids[] = {1, 700, 701, 1300, 1399};
	const struct store_uids list = {uids, ARRAY_LEN(uids)};
	struct store_uids removed;

	assert_int_equal(store_remove(session.view, list, &session.arena, &removed), 0);
	assert_int_equal(removed.n, ARRAY_LEN(uids));
	deliver_more(0);
}

/* With ranks, with messages that came later and one by one find their places, and with so many of
 * them that ranks are made anew. */
static void test_ranks(void **state UNUSED)
{
	assert_int_equal(ranked_up_to(STORE_ORDER_SUBJECT), 0);
	deliver_more(N_MANY - N_FEW);
	check_all();
	assert_int_equal(ranked_up_to(STORE_ORDER_SUBJECT), N_MANY + 1);
	assert_int_equal(ranked_up_to(STORE_ORDER_BY_DATE), N_MANY + 1);
	assert_int_equal(ranked_up_to(STORE_ORDER_FROM), 0);
	check_all();
	expunge_some();
	check_all();
	deliver_more(N_LATE);
	check_all();
	assert_int_equal(ranked_up_to(STORE_ORDER_SUBJECT), N_MANY + 1);
	deliver_more(N_LATER);
	check_all();
	assert_int_equal(ranked_up_to(STORE_ORDER_SUBJECT), N_MANY + N_LATE + N_LATER + 1);
}

/* Of the messages of a large mailbox every second one. */
static void test_part(void **state UNUSED)
{
	const struct imap_sort_key key = {SORT_DATE, true};
	static uint32_t positions[N_MAX];
	uint32_t n = n_messages * 3 / 4, first = n_messages - n;

	assert_true(n >= ORDER_RANKED_MIN);
	read_expected();
	for (uint32_t i = 0; i < n; i++)
		positions[i] = first + i;
	assert_int_equal(order_sort(&session, &key, 1, NULL, positions, n), 0);
	for (uint32_t i = 1; i < n; i++) {
		const struct expected *a = &expected[positions[i - 1]],
		                      *b = &expected[positions[i]];
		assert_true(positions[i] >= first);
		assert_true(a->sent_at > b->sent_at ||
		            (a->sent_at == b->sent_at && a->position < b->position));
	}
}

/* Ranks cannot be kept: it is sorted nevertheless. */
static void test_not_kept(void **state UNUSED)
{
	change_database("DELETE FROM ranked; CREATE TRIGGER none BEFORE INSERT ON ranks BEGIN "
	                "SELECT raise(ABORT, 'full'); END");
	check_all();
	change_database("DROP TRIGGER none");
	assert_int_equal(ranked_up_to(STORE_ORDER_SUBJECT), 0);
}

/* By another session: what its messages were is no longer known to the one that sorts, but to the
 * ranks. */
static void expunge_elsewhere(uint32_t first, uint32_t end, uint32_t step)
{
	static uint32_t uids[N_MAX];
	struct store_uids list = {uids, 0}, removed;
	struct store *other = test_open(&t);
	struct store_view *view = NULL;

	assert_int_equal(store_view_open(other, 1, true, &view), 0);
	for (uint32_t i = first; i < end; i += step)
		uids[list.n++] = store_view_entry(session.view, expected[i].position).uid;
	assert_int_equal(store_remove(view, list, &session.arena, &removed), 0);
	assert_int_equal(removed.n, list.n);
	store_view_close(view);
	store_close(other);
}

/* Those that are still there are in order; of those that are gone nothing is said. */
static void check_without(uint32_t first, uint32_t end, uint32_t step)
{
	const struct imap_sort_key keys[] = {{SORT_SUBJECT, false}, {SORT_DATE, false}};
	static uint32_t positions[N_MAX];
	static bool is_gone[N_MAX];
	uint32_t n = 0;

	read_expected();
	by_subject_down = by_date_down = false;
	qsort(expected, n_messages, sizeof(expected[0]), compare_expected);
	expunge_elsewhere(first, end, step);
	memset(is_gone, 0, sizeof(is_gone));
	for (uint32_t i = first; i < end; i += step)
		is_gone[expected[i].position] = true;
	for (uint32_t i = 0; i < n_messages; i++)
		positions[i] = i;
	assert_int_equal(
	    order_sort(&session, keys, ARRAY_LEN(keys), NULL, positions, n_messages), 0);
	for (uint32_t i = 0; i < n_messages; i++)
		if (!is_gone[positions[i]])
			positions[n++] = positions[i];
	for (uint32_t i = 0, at = 0; i < n_messages; i++)
		if (!is_gone[expected[i].position])
			assert_int_equal(positions[at++], expected[i].position);
}

/* Some that have ranks, some that have none, many beside each other. */
static void test_expunged_meanwhile(void **state UNUSED)
{
	check(false, false);
	deliver_more(N_LATE);
	assert_true(ranked_up_to(STORE_ORDER_SUBJECT) <=
	            store_view_entry(session.view, n_messages - 1).uid);
	check_without(0, n_messages, 9);
	deliver_more(N_LATE);
	assert_true(ranked_up_to(STORE_ORDER_SUBJECT) <=
	            store_view_entry(session.view, n_messages - 1).uid);
	check_without(n_messages / 3, n_messages / 3 + 5 * N_LATE, 1);
	deliver_more(0);
	check_all();
}

/* Only those that were found, and none at all. */
static void test_some(void **state UNUSED)
{
	const struct imap_sort_key key = {SORT_ARRIVAL, true};
	uint32_t positions[] = {3, 77, 600};

	assert_int_equal(order_sort(&session, &key, 1, NULL, positions, 3), 0);
	assert_true(positions[0] + positions[1] + positions[2] == 680);
	assert_int_equal(order_sort(&session, &key, 1, NULL, positions, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_long_subjects),
	    cmocka_unit_test(test_some),
	    cmocka_unit_test(test_ranks),
	    cmocka_unit_test(test_part),
	    cmocka_unit_test(test_expunged_meanwhile),
	    cmocka_unit_test(test_not_kept),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
