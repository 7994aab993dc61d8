/* The ranks that are kept of a mailbox: what they say, when they are made, and when they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>

#include "store/store_ingest.h"
#include "store/store_ranks.h"
#include "store/store_private.h"
#include "store/test_account.h"

enum { MESSAGES = 1200 };

static struct test_account t;
static struct store *s;
static unsigned n_steps, last_step;

static int setup(void **state UNUSED)
{
	struct buf message CLEANUP(buf_done) = BUF_MAX(1000);
	size_t n;

	test_account_make(&t);
	s = test_open(&t);
	for (unsigned i = 0; i < MESSAGES; i++) {
		buf_clear(&message);
		buf_printf(&message, "Subject: number %u\r\n\r\nx\r\n", i * 7 % 100);
		(void)test_deliver(&t, buf_str(&message));
	}
	assert_int_equal(store_ingest(s, &n), 0);
	return 0;
}

static int teardown(void **state UNUSED)
{
	store_close(s);
	test_account_remove(&t);
	return 0;
}

static struct store_view *open_box(uint64_t id)
{
	struct store_view *v;

	assert_int_equal(store_view_open(s, id, true, &v), 0);
	return v;
}

static int64_t count(const char *sql)
{
	sqlite3_stmt *stmt;

	assert_int_equal(sqlite3_prepare_v2(s->db.handle, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

static int step(void *context UNUSED)
{
	return ++n_steps == last_step ? -ETIME : 0;
}

static uint32_t end_of(struct store_view *v, unsigned by)
{
	uint32_t end;

	assert_int_equal(store_ranks_look(v, by, &end), 0);
	return end;
}

static void make(struct store_view *v, unsigned by)
{
	n_steps = last_step = 0;
	assert_int_equal(store_ranks_make(v, by, step, NULL), 0);
	assert_int_equal(n_steps, v->n);
}

/* By two keys at once, with gaps between the UIDs that are asked for. */
static void test_read(void **state UNUSED)
{
	static const uint8_t by[] = {STORE_ORDER_SUBJECT, STORE_ORDER_BY_ARRIVAL};
	uint32_t end, ranks[2], of_number[100] = {0};
	struct store_view *v = open_box(1);
	struct store_ranks *r;

	make(v, by[0]);
	assert_int_equal(end_of(v, by[0]), MESSAGES + 1);
	assert_int_equal(end_of(v, by[1]), 0);
	assert_int_equal(store_ranks_open(v, by, 2, &end, &r), 0);
	assert_int_equal(end, 0);
	store_ranks_close(r);
	make(v, by[1]);
	assert_int_equal(store_ranks_open(v, by, 2, &end, &r), 0);
	assert_int_equal(end, MESSAGES + 1);
	for (uint32_t uid = 1; uid < end; uid += 1 + uid % 3) {
		unsigned number = (uid - 1) * 7 % 100;
		assert_int_equal(store_ranks_read(r, uid, ranks), 0);
		assert_true(ranks[0] > 0 && ranks[0] <= 100 && ranks[1] > 0);
		assert_true(of_number[number] == 0 || of_number[number] == ranks[0]);
		of_number[number] = ranks[0];
	}
	assert_int_equal(store_ranks_read(r, end + 5, ranks), 0);
	assert_int_equal(ranks[0], 0);
	store_ranks_close(r);
	/* "number 10" stands behind "number 1" and before "number 2". */
	assert_true(of_number[1] < of_number[10] && of_number[10] < of_number[2]);
	store_view_close(v);
}

/* What ends the making leaves what was there. */
static void test_ended(void **state UNUSED)
{
	struct store_view *v = open_box(1);
	int64_t n_rows = count("SELECT count(*) FROM ranks");

	n_steps = 0;
	last_step = 600;
	assert_int_equal(store_ranks_make(v, STORE_ORDER_SUBJECT, step, NULL), -ETIME);
	assert_int_equal(store_ranks_make(v, STORE_ORDER_BY_DATE, step, NULL), 0);
	make(v, STORE_ORDER_BY_DATE);
	assert_int_equal(end_of(v, STORE_ORDER_SUBJECT), MESSAGES + 1);
	assert_int_equal(count("SELECT count(*) FROM ranks WHERE sort_key = 8"), n_rows / 2);
	v->uidvalidity++; /* as if another mailbox had taken its place */
	assert_int_equal(end_of(v, STORE_ORDER_SUBJECT), 0);
	make(v, STORE_ORDER_SUBJECT);
	v->uidvalidity--;
	assert_int_equal(end_of(v, STORE_ORDER_SUBJECT), MESSAGES + 1);
	store_view_close(v);
}

/* They go with the mailbox. */
static void test_deleted(void **state UNUSED)
{
	uint64_t id;

	assert_int_equal(store_mailbox_create(s, STR("Box"), 0, &id), 0);
	struct store_view *v = open_box(id);
	make(v, STORE_ORDER_FROM);
	assert_int_equal(end_of(v, STORE_ORDER_FROM), 1);
	assert_int_equal(count("SELECT count(*) FROM ranked WHERE mailbox <> 1"), 1);
	assert_int_equal(store_mailbox_delete(s, STR("Box")), 0);
	assert_int_equal(count("SELECT count(*) FROM ranked WHERE mailbox <> 1"), 0);
	n_steps = last_step = 0;
	assert_int_equal(store_ranks_make(v, STORE_ORDER_FROM, step, NULL), -ENOENT);
	assert_int_equal(count("SELECT count(*) FROM ranked WHERE mailbox <> 1"), 0);
	store_view_close(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_ended),
	    cmocka_unit_test(test_deleted),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
