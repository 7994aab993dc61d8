/* What SORT and THREAD compare by: as messages come in, and made later for those that were there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "store/store_change.h"
#include "store/store_ingest.h"
#include "store/store_message.h"
#include "store/store_order.h"
#include "store/store_private.h"
#include "store/test_account.h"

enum {
	MANY = 2500,
	EVERYTHING = STORE_ORDER_PLACE - 1 + STORE_ORDER_SENT + STORE_ORDER_REPLY + STORE_ORDER_IDS
};

static struct test_account t;
static struct store *s;
static struct arena arena = ARENA_MAX(1 << 20);

static int setup(void **state UNUSED)
{
	test_account_make(&t);
	s = test_open(&t);
	return 0;
}

static int teardown(void **state UNUSED)
{
	store_close(s);
	arena_done(&arena);
	test_account_remove(&t);
	return 0;
}

static struct store_view *open_inbox(void)
{
	struct store_view *v;
	size_t n;
	assert_int_equal(store_ingest(s, &n), 0);
	assert_int_equal(store_view_open(s, 1, true, &v), 0);
	return v;
}

static void expect_key(
    const struct store_order_row *row, enum store_order_key which, const char *want)
{
	if (str_eq(row->keys[which], str_of_cstr(want)))
		return;
	print_error("key %d: got \"%.*s\", want \"%s\"\n", which, STR_FMT(row->keys[which]), want);
	fail();
}

static void deliver(const char *message)
{
	(void)test_deliver(&t, str_of_cstr(message));
}

static void deliver_three(void)
{
	deliver("From: =?utf-8?q?J=C3=BCrgen?= <zoe@x.test>\r\nTo: b@y.test, c@y.test\r\n"
	        "Cc: Dora <d@z.test>\r\nSubject: Re: [list] Hello\r\nMessage-ID: <1@x>\r\n"
	        "Date: Thu, 1 Jan 1970 01:00:10 +0100\r\n\r\nx\r\n");
	deliver(
	    "Message-ID: <\"2\"@x>\r\nReferences: <0@x> <1@x>\r\nIn-Reply-To: <1@x>\r\n\r\nx\r\n");
	deliver("Message-ID: <3@x>\r\nIn-Reply-To: <2@x> <8@x>\r\n\r\nx\r\n");
}

static void read_row(struct store_order *order, size_t at, struct store_order_row *ret_row)
{
	assert_int_equal(store_order_read(order, at, ret_row), 1);
}

/* The three messages' rows, whoever made them. */
static void check_three(void)
{
	struct store_view *v = open_inbox();
	struct store_order *order, *places;
	struct store_order_row row, place;
	char first[STORE_ORDER_ID_LEN], second[STORE_ORDER_ID_LEN];

	assert_int_equal(store_order_open(v, EVERYTHING, &order), 0);
	assert_int_equal(store_order_open(v, STORE_ORDER_PLACE, &places), 0);
	read_row(order, 0, &row);
	assert_int_equal(row.sent_at, 10);
	assert_true(row.is_reply);
	expect_key(&row, STORE_ORDER_SUBJECT, "HELLO");
	expect_key(&row, STORE_ORDER_FROM, "ZOE");
	expect_key(&row, STORE_ORDER_TO, "B");
	expect_key(&row, STORE_ORDER_CC, "D");
	expect_key(&row, STORE_ORDER_DISPLAY_FROM, "JU\xcc\x88RGEN");
	expect_key(&row, STORE_ORDER_DISPLAY_TO, "B@Y.TEST");
	assert_int_equal(row.ids.len, STORE_ORDER_ID_LEN);
	memcpy(first, row.ids.p, sizeof(first));
	read_row(order, 1, &row);
	read_row(places, 1, &place);
	assert_true(place.size > 0 && place.arrived_at > 0);
	assert_int_equal(row.sent_at, place.arrived_at);
	expect_key(&row, STORE_ORDER_FROM, "");
	assert_int_equal(row.ids.len, 3 * STORE_ORDER_ID_LEN);
	memcpy(second, row.ids.p, sizeof(second));
	assert_memory_equal(row.ids.p + 2 * STORE_ORDER_ID_LEN, first, sizeof(first));
	read_row(order, 2, &row);
	assert_int_equal(row.ids.len, 2 * STORE_ORDER_ID_LEN);
	assert_memory_equal(row.ids.p + STORE_ORDER_ID_LEN, second, sizeof(second));
	/* Backwards too. */
	read_row(order, 0, &row);
	assert_int_equal(row.sent_at, 10);
	store_order_close(order);
	store_order_close(places);
	store_view_close(v);
}

static void test_rows(void **state UNUSED)
{
	deliver_three();
	check_three();
}

static void run(const char *sql)
{
	assert_int_equal(sqlite3_exec(s->db.handle, sql, NULL, NULL, NULL), SQLITE_OK);
}

static unsigned count(const char *sql)
{
	sqlite3_stmt *stmt;
	assert_int_equal(sqlite3_prepare_v2(s->db.handle, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	unsigned n = (unsigned)sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

/* As in a database of an earlier version. */
static void forget_all(void)
{
	run("DELETE FROM orders; INSERT INTO orders_due SELECT 0, next_message FROM state");
}

static void test_fill(void **state UNUSED)
{
	deliver_three();
	store_view_close(open_inbox());
	forget_all();
	assert_int_equal(store_order_fill(s), 0);
	check_three();
	assert_int_equal(count("SELECT count(*) FROM orders_due"), 0);
	assert_int_equal(store_order_fill(s), 0);
}

/* In more than one transaction, and what comes in meanwhile is not done twice. */
static void test_fill_many(void **state UNUSED)
{
	for (unsigned i = 0; i < MANY; i++)
		test_deliver_number(&t, i);
	store_view_close(open_inbox());
	forget_all();
	deliver_three();
	store_view_close(open_inbox());
	assert_int_equal(store_order_fill(s), 0);
	assert_int_equal(count("SELECT count(*) FROM orders"), MANY + 3);
	assert_int_equal(count("SELECT count(*) FROM orders_due"), 0);
}

/* Messages that are not asked for are passed, and one that is gone has no row. */
static void test_gaps(void **state UNUSED)
{
	struct store_order_row row;
	struct store_order *order;
	uint32_t gone = 100;
	struct store_view *v;

	for (unsigned i = 0; i < MANY; i++)
		test_deliver_number(&t, i);
	v = open_inbox();
	assert_int_equal(v->n, MANY);
	run("DELETE FROM orders WHERE id = (SELECT message FROM entries WHERE uid = 100)");
	assert_int_equal(store_order_open(v, EVERYTHING, &order), 0);
	assert_int_equal(store_order_read(order, gone - 2, &row), 1);
	assert_int_equal(store_order_read(order, gone - 1, &row), 0);
	assert_int_equal(row.keys[0].len + row.ids.len, 0);
	for (size_t at = gone; at < MANY; at += at % 100 == 0 ? 17 : 1)
		assert_int_equal(store_order_read(order, at, &row), 1);
	assert_int_equal(store_order_read(order, MANY - 1, &row), 1);
	assert_int_equal(store_order_read(order, 0, &row), 1);
	store_order_close(order);
	store_view_close(v);
}

static void test_limits(void **state UNUSED)
{
	struct buf message CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct store_order_row row;
	struct store_order *order;

	buf_add(&message, STR("Message-ID: <m@x>\r\nReferences:"));
	for (unsigned i = 0; i < 3 * STORE_ORDER_REFERENCES_MAX; i++)
		buf_printf(&message, "\r\n <%u@x>", i);
	buf_add(&message, STR("\r\nSubject: "));
	for (unsigned i = 0; i < 400; i++)
		buf_add(&message, STR("\xc3\xbc"));
	buf_add(&message, STR("\r\n\r\n"));
	(void)test_deliver(&t, buf_str(&message));
	struct store_view *v = open_inbox();
	assert_int_equal(store_order_open(v, EVERYTHING, &order), 0);
	read_row(order, 0, &row);
	assert_int_equal(row.ids.len, (1 + STORE_ORDER_REFERENCES_MAX) * STORE_ORDER_ID_LEN);
	assert_true(row.keys[STORE_ORDER_SUBJECT].len > STORE_ORDER_KEY_MAX - 4);
	assert_true(row.keys[STORE_ORDER_SUBJECT].len <= STORE_ORDER_KEY_MAX);
	store_order_close(order);
	store_view_close(v);
}

/* The row goes with the message. */
static void test_expunge(void **state UNUSED)
{
	deliver_three();
	struct store_view *v = open_inbox();
	uint32_t all[] = {1, 2, 3};

	run("UPDATE entries SET flags = 8");
	struct store_box box;
	assert_int_equal(db_begin(&s->db), 0);
	assert_int_equal(store_box_load(s, 1, &box), 0);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		assert_int_equal(store_box_remove(s, &box, all[i], store_next_modseq(s)), 0);
	assert_int_equal(store_box_save(s, &box), 0);
	assert_int_equal(db_end(&s->db, 0), 0);
	assert_int_equal(count("SELECT count(*) FROM orders"), 0);
	store_view_close(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_fill, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_fill_many, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_gaps, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_expunge, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
