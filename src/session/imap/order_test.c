/* SORT's order against the plain way of finding it, with keys that need several looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "session/imap/order.h"
#include "store/store_ingest.h"
#include "store/store_order.h"
#include "store/test_account.h"

enum { N_MESSAGES = 700, SUBJECT_MAX = 700 };

struct expected {
	char subject[STORE_ORDER_KEY_MAX];
	size_t len;
	int64_t sent_at;
	uint32_t position;
};

static struct test_account t;
static struct imap_session session;
static struct expected expected[N_MESSAGES];
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

static int setup(void **state UNUSED)
{
	size_t n;

	test_account_make(&t);
	session.store = test_open(&t);
	session.arena = ARENA_MAX(IMAP_SESSION_ARENA_MAX);
	for (unsigned i = 0; i < N_MESSAGES; i++)
		deliver_random();
	assert_int_equal(store_ingest(session.store, &n), 0);
	assert_int_equal(store_view_open(session.store, 1, true, &session.view), 0);
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
	for (uint32_t i = 0; i < N_MESSAGES; i++) {
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
	const struct imap_sort_key keys[] = {{SORT_SUBJECT, subject_down}, {SORT_DATE, date_down}};
	uint32_t positions[N_MESSAGES];

	read_expected();
	by_subject_down = subject_down;
	by_date_down = date_down;
	qsort(expected, N_MESSAGES, sizeof(expected[0]), compare_expected);
	for (uint32_t i = 0; i < N_MESSAGES; i++)
		positions[i] = i;
	assert_int_equal(
	    order_sort(&session, keys, ARRAY_LEN(keys), NULL, positions, N_MESSAGES), 0);
	for (size_t i = 0; i < N_MESSAGES; i++)
		assert_int_equal(positions[i], expected[i].position);
}

static void test_long_subjects(void **state UNUSED)
{
	check(false, false);
	check(false, true);
	check(true, false);
	check(true, true);
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
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
